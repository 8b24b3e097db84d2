//! Flows, rankings and other answers as text on a stream: tables for people, JSON, CSV.
//!
//! It writes where it is told and decides nothing; a stream that fails is the caller's affair. The words are those of
//! the database: an address is text, a time is milliseconds since 1970, counts are as reported.

mod amount;
pub mod answers;
pub mod columnar;
mod flows;
mod grid;
mod json;
mod lists;
mod table;

pub use crate::report::flows::{flow_line, flows_head};
pub use crate::report::json::json_line;
pub use crate::report::lists::{exporters, notes};
pub use crate::report::table::{account, said, top};

#[cfg(test)]
mod tests;

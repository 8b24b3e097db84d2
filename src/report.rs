//! Flows and rankings as text on a stream: JSON lines and one plain table.
//!
//! It writes where it is told and decides nothing; a stream that fails is the caller's affair. The words are those of
//! the database: an address is text, a time is milliseconds since 1970, counts are as reported.

mod json;
mod table;

pub use crate::report::json::json_line;
pub use crate::report::table::{account, said, top};

#[cfg(test)]
mod tests;

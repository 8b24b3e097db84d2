//! Tests of the library and the program from outside; one binary, so that they build once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells on stdout"
)]

mod config;
mod conformance;
mod corpus;
mod day;
mod docs;
mod doctor;
mod evidence;
mod faults;
mod golden;
mod listening;
mod metrics;
mod place;
mod program;
mod pty;
mod questions;
mod schema;
mod service;
mod support;
mod tidy;
mod viewer;

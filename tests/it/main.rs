//! Tests of the library and the program from outside; one binary, so that they build once.

mod corpus;
mod golden;
mod program;
mod pty;
mod support;
mod tidy;

//! The program: reads what was typed, runs it, and says in one line what went wrong.

use std::process::ExitCode;

use flowglass::cli::Cli;
use flowglass::run;

fn main() -> ExitCode {
    run::main(Cli::read())
}

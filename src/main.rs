//! The program: reads what was typed, runs it, and says in one line what went wrong.

use std::env;
use std::process::ExitCode;

use flowglass::cli::Cli;
use flowglass::cli::layers::Failure;
use flowglass::run;

fn main() -> ExitCode {
    match Cli::load(env::args_os()) {
        Ok(cli) => run::main(cli),
        Err(Failure::Usage(error)) => error.exit(),
        Err(Failure::File(error)) => run::fail(&error, 2),
    }
}

//! What comes with the program and is made from its own definition: completions for shells, and pages of the manual.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;

/// Writes what a shell needs to complete the command line.
pub(super) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "flowglass", &mut script);
    Ok(stdout().write_all(&script)?)
}

/// Writes the page of the program to stdout, or a page for each command into a folder.
pub(super) fn man(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(definition()).render(&mut page)?;
        return Ok(stdout().write_all(&page)?);
    };
    let failed = || format!("cannot write manual pages into `{}`", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(definition(), folder).with_context(failed)
}

/// Flags that every command takes stand in the page of the program alone.
fn definition() -> Command {
    Cli::command().disable_help_subcommand(true)
}

//! Sockets, threads, signals and shutdown: how the parts are put together for each way of running.
//!
//! Nothing is decoded, counted or drawn here. Every thread owns its state and hears of the rest over bounded channels
//! (`pipeline`); the end of a run is the channels closing from left to right: the source stops, what it sent is
//! drained, the last batch is written.

mod intake;
mod keep;
mod live;
mod pipeline;
mod questions;
mod reader;
mod replay;
mod storage;
mod stored;

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cli::Cli;
use crate::config::{self, Config, Database, Output};
use crate::flow::Timestamp;
use crate::report;
use crate::run::pipeline::{Outcome, Pipeline};
use crate::tui;
use crate::window::Span;

/// Runs what was typed and turns the result into an exit code: 0 done, 1 failed while running, 2 wrong usage.
pub fn main(cli: Cli) -> ExitCode {
    if let Some(code) = questions::main(&cli) {
        return code;
    }
    let checked = cli.config().and_then(|config| {
        if config.has_screen() {
            config::check_terminal()?;
        }
        Ok(config)
    });
    let config = match checked {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Starts the parts, waits for the end, and stops them in order.
fn run(config: Config) -> Result<()> {
    if !config.has_screen() {
        log_to_stderr(config.log);
    }
    let stop = Arc::new(AtomicBool::new(false));
    // Held to the end: the folder goes when it is dropped.
    let (database, _folder) = database(config.database.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Signals are taken over before anything is opened, so that none of them costs a flow.
    let signals = runtime.block_on(async { Signals::new() })?;
    let mut pipeline = Pipeline::start(&config, database, Arc::clone(&stop))?;
    let waited = runtime.block_on(wait(&config, &mut pipeline, signals));
    stop.store(true, Ordering::Relaxed);
    let outcome = pipeline.finish()?;
    waited?;
    report(&config, outcome)
}

/// Returns when a person, a signal, the clock or the end of the source says so.
async fn wait(config: &Config, pipeline: &mut Pipeline, mut signals: Signals) -> Result<()> {
    match &config.output {
        Output::Screen { ascii, color } => {
            let theme = tui::view::Theme { color: *color, ascii: *ascii };
            let settings = tui::Settings { theme, ..Default::default() };
            let (span, wanted) = watch::channel(Span::default());
            let forward = pipeline.forward(wanted);
            tokio::select! {
                shown = tui::run(settings, pipeline.feeds(), span) => { shown.context("cannot use the terminal")?; }
                () = forward => {}
            }
            Ok(())
        }
        Output::Table { seconds: Some(seconds), .. } => {
            tokio::select! {
                () = sleep(Duration::from_secs(*seconds)) => {}
                () = signals.any() => {}
                ended = pipeline.ended() => ended?,
            }
            Ok(())
        }
        Output::Table { seconds: None, .. } | Output::Log | Output::Json => {
            tokio::select! {
                () = signals.any() => {}
                ended = pipeline.ended() => ended?,
            }
            Ok(())
        }
    }
}

/// What is left to say when everything has stopped.
fn report(config: &Config, outcome: Outcome) -> Result<()> {
    if let Output::Table { rows, .. } = config.output {
        let mut out = io::BufWriter::new(stdout().lock());
        report::top(&mut out, &outcome.snapshot, rows)?;
        writeln!(out)?;
        report::account(&mut out, &outcome.health)?;
        out.flush()?;
    } else if !config.has_screen() {
        for stats in &outcome.health.exporters {
            let said = report::said(stats);
            if !said.is_empty() {
                tracing::info!(exporter = %stats.address, domain = %stats.domain, version = %stats.version, said);
            }
        }
    }
    match outcome.unstored {
        0 => Ok(()),
        flows => bail!("{flows} flows could not be stored"),
    }
}

/// The signals that end a run.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The path of the database, and the folder that goes with it if it is to be thrown away.
fn database(database: Option<&Database>) -> Result<(Option<PathBuf>, Option<tempfile::TempDir>)> {
    match database {
        None => Ok((None, None)),
        Some(Database::File(path)) => Ok((Some(path.clone()), None)),
        Some(Database::ThrowAway) => {
            let folder = tempfile::Builder::new()
                .prefix("flowglass-")
                .tempdir()
                .context("cannot make a temporary folder for the database")?;
            Ok((Some(folder.path().join("flows.db")), Some(folder)))
        }
    }
}

/// Now, by the clock of this host.
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

fn log_to_stderr(level: tracing::level_filters::LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .finish();
    // A second call in one process keeps the first subscriber, which is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    // When stderr is gone there is nobody left to tell.
    let _ = writeln!(stderr(), "flowglass: {error:#}");
    ExitCode::from(code)
}

//! Sockets, threads, signals and shutdown: how the parts are put together for each way of running.
//!
//! Nothing is decoded, counted or drawn here. Every thread owns its state and hears of the rest over bounded channels
//! (`pipeline`); the end of a run is the channels closing from left to right: the source stops, what it sent is
//! drained, the last batch is written.

mod confine;
mod errands;
mod examine;
mod http;
mod intake;
mod keep;
mod live;
mod log;
mod manual;
mod outlet;
mod pipeline;
mod questions;
mod reader;
mod replay;
mod service;
mod storage;
mod stored;
mod vital;
mod witness;

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use ipnet::IpNet;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cli::layers::{self, Failure, Values};
use crate::cli::{Cli, Command};
use crate::config::{self, Config, Database, Output, Source};
use crate::demo;
use crate::filter::{Prefix, Prefixes};
use crate::flow::Timestamp;
use crate::names::Names;
use crate::report;
use crate::run::log::Log;
use crate::run::pipeline::{Outcome, Pipeline};
use crate::tui;
use crate::when::Zone;
use crate::window::Atlas;

/// Runs what was typed and turns the result into an exit code: 0 done, 1 failed while running, 2 wrong usage.
pub fn main(cli: Cli) -> ExitCode {
    match &cli.command {
        Some(Command::Config) => return exit(layers::write(&mut stdout().lock(), &cli)),
        Some(Command::Completions { shell }) => return exit(manual::completions(*shell)),
        Some(Command::Man { folder }) => return exit(manual::man(folder.as_deref())),
        _ => {}
    }
    if let Some(code) = questions::main(&cli) {
        return code;
    }
    let command = cli.command.clone();
    let values = cli.values.clone();
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
    match command {
        Some(Command::Doctor(args)) => told(examine::doctor(&config, &args)),
        Some(Command::Check) => told(examine::check(&config)),
        _ => exit(run(config, &values)),
    }
}

fn exit(done: Result<()>) -> ExitCode {
    told(done.map(|()| ExitCode::SUCCESS))
}

fn told(done: Result<ExitCode>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Starts the parts, waits for the end, and stops them in order.
fn run(mut config: Config, values: &Values) -> Result<()> {
    let log = if config.has_screen() { Log::NONE } else { Log::to_stderr(config.log) };
    let stop = Arc::new(AtomicBool::new(false));
    // Held to the end: the folder goes when it is dropped.
    let (database, _folder) = database(config.database.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Signals are taken over before anything is opened, so that none of them costs a flow.
    let signals = runtime.block_on(async { Signals::new() })?;
    let writer = database.as_deref().map_or(Ok(None), |path| storage::claim(&mut config, path))?;
    // A viewer binds nothing: the address in the settings is the collector's.
    let metrics = config.metrics.filter(|_| !matches!(config.source, Source::Stored));
    let metrics = metrics.map(http::Server::bind).transpose()?;
    let names = names(&config)?;
    let atlas = atlas(names.as_ref(), &config.local);
    let mut pipeline = Pipeline::start(&config, (database, writer), atlas, Arc::clone(&stop))?;
    if let Some(metrics) = metrics {
        runtime.spawn(metrics.serve(pipeline.vital()));
    }
    runtime.spawn(service::watch(pipeline.vital()));
    service::ready();
    let waited = runtime.block_on(wait(&config, names, &mut pipeline, signals, &(log, values)));
    service::stopping();
    stop.store(true, Ordering::Relaxed);
    let outcome = pipeline.finish()?;
    waited?;
    report(&config, outcome)
}

/// Returns when a person, a signal, the clock or the end of the source says so.
async fn wait(
    config: &Config,
    names: Option<Known>,
    pipeline: &mut Pipeline,
    mut signals: Signals,
    (log, values): &(Log, &Values),
) -> Result<()> {
    match &config.output {
        Output::Screen(settings) => {
            let (names, named) = names.unwrap_or_else(|| (Arc::default(), watch::channel(0).1));
            let (wishes, wanted) = watch::channel(Arc::default());
            let forward = pipeline.forward(wanted);
            let (errands, served) = errands::serve(pipeline.vital().database);
            let ends = tui::Ends { feeds: pipeline.feeds(), names, named, wishes, errands };
            let settings = tui::Settings { zone: Some(Zone::system()), ..settings.as_ref().clone() };
            tokio::select! {
                () = served => {}
                shown = tui::run(settings, ends) => { shown.context("cannot use the terminal")?; }
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
        // Nobody sits before a service: SIGHUP is its sign to read its settings again.
        Output::Log if is_service(config) => {
            let mut values = (*values).clone();
            loop {
                tokio::select! {
                    is_hangup = signals.next() => match is_hangup {
                        true => reload(pipeline, log, &mut values),
                        false => return Ok(()),
                    },
                    ended = pipeline.ended() => return ended,
                }
            }
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

/// Whether a run goes on for ever without a person: one whose log is a terminal ends with it.
fn is_service(config: &Config) -> bool {
    matches!(config.source, Source::Live(_)) && !stderr().is_terminal()
}

/// Reads the settings again. What can change does; with an error, everything stays as it was.
fn reload(pipeline: &Pipeline, log: &Log, values: &mut Values) {
    let reread = || {
        let cli = Cli::load(std::env::args_os()).map_err(|failure| match failure {
            Failure::Usage(error) => anyhow!("{error}"),
            Failure::File(error) => error,
        })?;
        let new = cli.values.clone();
        let config = cli.config()?;
        log.set_level(config.log)?;
        pipeline.adjust(config.adjustable());
        anyhow::Ok(new)
    };
    match service::reloading(reread) {
        Ok(new) => {
            let changed: Vec<_> = new.changed_from(values).collect();
            let (differ, stay): (Vec<_>, Vec<_>) =
                changed.into_iter().partition(|key| config::ADJUSTABLE.contains(key));
            tracing::info!(changed = differ.join(", "), "settings read again");
            let stay = stay.join(", ");
            if !stay.is_empty() {
                tracing::warn!(
                    settings = stay,
                    hint = "systemctl restart flowglass",
                    "changed, but they need a restart"
                );
            }
            *values = new;
        }
        Err(problem) => {
            let problem = format!("{problem:#}").replace('\n', " ");
            tracing::error!(problem, "settings not read again: everything stays as it was");
        }
    }
}

/// Names, and what changes when they know more.
type Known = (Arc<Names>, watch::Receiver<u64>);

/// The names that a screen shows; nobody else asks for any.
fn names(config: &Config) -> Result<Option<Known>> {
    if !config.has_screen() {
        return Ok(None);
    }
    let (changed, named) = watch::channel(0);
    let mut names = Names::open(&config.names, move || changed.send_modify(|changes| *changes += 1))?;
    if matches!(config.source, Source::Demo(_)) {
        let made_up = demo::names().into_iter();
        names = names.with_hosts(made_up.filter_map(|(address, name)| Some((address, crate::names::safe(&name)?))));
    }
    Ok(Some((Arc::new(names), named)))
}

/// Which networks are inside, and countries, where there is a file that knows them.
fn atlas(names: Option<&Known>, local: &[IpNet]) -> Atlas {
    let atlas = match names.filter(|(names, _)| names.has_places()) {
        None => Atlas::default(),
        Some((names, _)) => {
            let names = Arc::clone(names);
            Atlas::new(move |address| names.place(address).country?.as_bytes().try_into().ok())
        }
    };
    if local.is_empty() {
        return atlas;
    }
    atlas.with_local(Prefixes::of(local.iter().filter_map(|net| Prefix::new(net.addr(), net.prefix_len()))))
}

/// What is left to say when everything has stopped.
fn report(config: &Config, outcome: Outcome) -> Result<()> {
    if let Output::Table { rows, .. } = config.output {
        let mut out = io::BufWriter::new(stdout().lock());
        report::top(&mut out, &outcome.snapshot, &outcome.protocols, rows)?;
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
        self.next().await;
    }

    /// The next one; whether it was SIGHUP.
    async fn next(&mut self) -> bool {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            _ = hangup.recv() => true,
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

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Says what went wrong.
pub fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    // When stderr is gone there is nobody left to tell.
    let _ = writeln!(stderr(), "flowglass: {error:#}");
    ExitCode::from(code)
}

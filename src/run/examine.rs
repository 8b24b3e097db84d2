//! `flowglass doctor`: gathers what is known of a collector from outside, and prints what is wrong.
//!
//! It reads the database, the lock file's name and `/proc`, takes no lock and sends nothing, so that a running collector
//! does not notice. Only when nothing arrives does it listen for a moment on usual ports that nobody has.

mod strays;
mod system;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::cli::{DoctorArgs, Format};
use crate::config::{Config, Database, Source};
use crate::doctor::maker::Maker;
use crate::doctor::{self, Collector, Facts, Finding, Lag};
use crate::flow::{FlowRecord, Timestamp};
use crate::run::now;
use crate::run::pipeline::reachable;
use crate::run::storage::told;
use crate::store::history::{History, Run};
use crate::store::retention::{Age, Space};
use crate::store::{self, RowKey, writer};

/// Runs of collectors that are looked at for gaps.
const RUNS: usize = 20;
/// A restart takes this long; more is a gap.
const GAP_MS: i64 = 30_000;
/// Newest flows that say how late an exporter reports.
const FLOWS: usize = 5_000;
const FLOWS_MS: i64 = 600_000;

const _: () = assert!(writer::DEFAULT_BUFFER == 2_000_000, "the doctor says 2 million");

/// Prints the findings, and says by its exit code how bad the worst one is.
///
/// # Errors
/// When stdout fails.
pub(super) fn doctor(config: &Config, args: &DoctorArgs) -> Result<ExitCode> {
    let facts = gather(config, args.wait);
    let findings = doctor::examine(&facts);
    let mut out = stdout().lock();
    match args.format {
        Format::Json => {
            let told = serde_json::json!({
                "checked_ms": facts.now.0,
                "database": facts.database.path.display().to_string(),
                "severity": if findings.is_empty() { "none" } else { doctor::severity(&findings).name() },
                "findings": findings,
            });
            writeln!(out, "{told:#}")?;
        }
        Format::Text => text(&mut out, &facts, &findings)?,
    }
    out.flush()?;
    Ok(ExitCode::from(doctor::severity(&findings).exit_code()))
}

fn text(out: &mut impl Write, facts: &Facts, findings: &[Finding]) -> Result<()> {
    for finding in findings {
        writeln!(out, "{:9} {}", finding.severity.name(), plain(&finding.what))?;
        if let Some(since) = finding.since {
            let at = jiff::Timestamp::from_millisecond(since.0)
                .map_or_else(|_| since.0.to_string(), |at| format!("{at:.0}"));
            writeln!(out, "          since {at}, {} ago", doctor::duration(facts.now.since(since)))?;
        }
        if !finding.why.is_empty() {
            writeln!(out, "          {}", plain(&finding.why))?;
        }
        for step in &finding.mend {
            if !step.note.is_empty() {
                writeln!(out, "        - {}", plain(&step.note))?;
            }
            if let Some(command) = &step.command {
                writeln!(out, "            {}", plain(command))?;
            }
        }
        writeln!(out)?;
    }
    let receives = match &facts.collector {
        Collector::Running { started, .. } => format!(
            "the collector has run for {}: {} datagrams, {} flows of {} exporters",
            doctor::duration(facts.now.since(*started)),
            facts.totals.datagrams,
            facts.totals.flows,
            facts.exporters.iter().filter(|account| 0 < account.stats.datagrams).count()
        ),
        Collector::None { .. } | Collector::Unknown => "no collector runs".to_owned(),
    };
    let worst =
        if findings.is_empty() { "nothing is wrong".to_owned() } else { format!("{} findings", findings.len()) };
    writeln!(out, "{worst}; {receives}; {}", facts.database.path.display())?;
    Ok(())
}

/// Names of programs and paths may hold anything.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What can be known of the collector that `config` describes.
fn gather(config: &Config, wait: Duration) -> Facts {
    let listen = match &config.source {
        Source::Live(listen) | Source::Demo(listen) => listen.addresses.clone(),
        Source::Replay { .. } | Source::Stored => Vec::new(),
    };
    let path = match &config.database {
        Some(Database::File(path)) => path.clone(),
        Some(Database::ThrowAway) | None => PathBuf::new(),
    };
    let before = system::counters();
    let mut facts = Facts { now: now(), listen, kernel: before, ..Facts::default() };
    facts.reachable = facts.listen.iter().copied().flat_map(reachable).collect();
    facts.database.path.clone_from(&path);
    let holder = database(&mut facts, config, &path);
    facts.listeners = system::listeners(&ports(&facts), holder);
    let is_silent = facts.totals.datagrams == 0 && matches!(facts.collector, Collector::Running { .. });
    if is_silent && !wait.is_zero() {
        let taken: Vec<_> = facts.ports_in_use();
        facts.strays = strays::hear(&taken, wait);
        let after = system::counters();
        facts.kernel.no_port = after.no_port.saturating_sub(before.no_port);
        facts.kernel.reverse_path = after.reverse_path.saturating_sub(before.reverse_path);
        // Something may have come in the meantime; then the next look tells.
    } else {
        (facts.kernel.no_port, facts.kernel.reverse_path) = (0, 0);
    }
    facts
}

impl Facts {
    fn ports_in_use(&self) -> Vec<u16> {
        let own = self.listen.iter().chain(self.sockets.iter().map(|socket| &socket.listen)).map(SocketAddr::port);
        own.chain(self.listeners.iter().map(|listener| listener.address.port())).collect()
    }
}

/// The ports whose sockets matter: those of the settings, those of the collector, and usual ones.
fn ports(facts: &Facts) -> Vec<u16> {
    let own = facts.listen.iter().chain(facts.sockets.iter().map(|socket| &socket.listen)).map(SocketAddr::port);
    own.chain(strays::USUAL.iter().copied()).collect()
}

/// The process that collects into a database, by the kernel's list of locks, which everybody may read.
pub(super) fn holder(path: &Path) -> Option<u32> {
    system::holder(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

/// What the files and the database say; the process that collects into it.
fn database(facts: &mut Facts, config: &Config, path: &Path) -> Option<u32> {
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let holder = system::holder(&file);
    facts.database.set_aside = store::set_aside(&file);
    facts.database.size = store::size(&file);
    let folder = file.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    facts.database.space = Space::of(if file.exists() { &file } else { &folder }).ok();
    facts.database.size_limit = facts.database.space.and_then(|space| config.retention.size.octets(space));
    facts.database.age_limit = match config.retention.age {
        Age::Forever => None,
        Age::Of(age) => Some(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
    };
    facts.database.locked_by = system::write_lock(&file).map(|pid| (pid, system::name(pid)));
    let read = match History::open(path) {
        Ok(history) => read(facts, &history),
        Err(store::Error::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let runs = read.unwrap_or_else(|error| {
        facts.database.unreadable = Some((error.to_string(), error.hint()));
        Vec::new()
    });
    let newest = runs.first().copied();
    facts.collector = match holder {
        None => Collector::None { last: newest },
        Some(pid) => {
            let own = newest.filter(|run| run.pid == pid && run.ended.is_none());
            let flush_ms = i64::try_from(config.flush_interval.as_millis()).unwrap_or(i64::MAX);
            let (started, last_alive) = own.map_or((facts.now, facts.now), |run| (run.started, run.last_alive));
            Collector::Running { pid: Some(pid), started, last_alive, flush_ms }
        }
    };
    if holder.is_none() {
        // What the last run saw explains nothing of now.
        (facts.sockets, facts.troubles, facts.missing) = (Vec::new(), Vec::new(), Vec::new());
    }
    facts.gaps = gaps(&runs);
    holder
}

/// Reads the accounts of the newest run.
fn read(facts: &mut Facts, history: &History) -> Result<Vec<Run>, store::Error> {
    let runs = history.runs(RUNS)?;
    let Some(run) = runs.first() else { return Ok(runs) };
    facts.totals = run.totals;
    let sockets = history.sockets()?.into_iter();
    facts.sockets = sockets.filter(|(of, _)| *of == run.id).map(|(_, stats)| stats).collect();
    facts.troubles = history.troubles()?;
    facts.troubles.retain(|trouble| trouble.run == run.id);
    facts.missing = history.missing_templates()?;
    facts.exporters = history.exporters()?;
    facts.makers = Maker::guess_all(&history.templates()?);
    if let (Some(oldest), Some(newest)) = (history.oldest()?, history.newest()?) {
        facts.database.span = Some((oldest.received(), newest.received()));
        let mut flows = Vec::new();
        let from = newest.received().plus(-FLOWS_MS);
        history.since(RowKey::at(from), FLOWS, &mut flows)?;
        facts.lags = lags(&flows);
    }
    Ok(runs)
}

/// How late nine of ten flows of each exporter began to be told of.
fn lags(flows: &[FlowRecord]) -> Vec<Lag> {
    let mut behind: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for flow in flows {
        let of = (flow.exporter, flow.domain, flow.version.number());
        behind.entry(of).or_default().push(flow.received.since(flow.first));
    }
    let lag = |((address, domain, version), mut behind): (_, Vec<i64>)| {
        behind.sort_unstable();
        let version = crate::flow::Version::from_number(version)?;
        Some(Lag { address, domain, version, behind_ms: *behind.get(behind.len() * 9 / 10)? })
    };
    behind.into_iter().filter_map(lag).collect()
}

/// Times between two runs.
fn gaps(runs: &[Run]) -> Vec<(Timestamp, Timestamp)> {
    let between = runs.windows(2).filter_map(|pair| Some((pair.get(1)?.last_alive, pair.first()?.started)));
    between.filter(|(from, to)| GAP_MS < to.since(*from)).collect()
}

/// `flowglass check`: whether the database is whole.
///
/// # Errors
/// When it cannot be read, or stdout fails.
pub(super) fn check(config: &Config) -> Result<ExitCode> {
    let Some(Database::File(path)) = &config.database else { anyhow::bail!("there is no database to check") };
    let history = History::open(path).map_err(|error| told(&error))?;
    let checked = history.check().map_err(|error| told(&error))?;
    let mut out = stdout().lock();
    for fault in &checked.faults {
        writeln!(out, "damaged: {}", plain(fault))?;
    }
    for difference in &checked.differing {
        let hour =
            jiff::Timestamp::from_millisecond(difference.hour.0).map(|hour| hour.to_string()).unwrap_or_default();
        let (raw, rolled) = (difference.raw, difference.rolled);
        writeln!(
            out,
            "differs: the hour from {hour} has {} bytes, {} packets and {} flows, and its roll-ups {}, {} and {}",
            raw.counts.bytes, raw.counts.packets, raw.flows, rolled.counts.bytes, rolled.counts.packets, rolled.flows
        )?;
    }
    if 0 < checked.orphans {
        writeln!(out, "left over: {} details without a flow", checked.orphans)?;
    }
    for (from, to) in gaps(&history.runs(RUNS).map_err(|error| told(&error))?) {
        let at = |time: Timestamp| {
            jiff::Timestamp::from_millisecond(time.0).map(|at| format!("{at:.0}")).unwrap_or_default()
        };
        writeln!(out, "gap: nobody collected from {} to {}", at(from), at(to))?;
    }
    let verdict = if checked.is_sound() { "sound" } else { "not sound" };
    writeln!(
        out,
        "{verdict}: {} flows, {} hours of roll-ups compared, {} flows not rolled up yet; {}",
        checked.flows,
        checked.hours,
        checked.behind,
        path.display()
    )?;
    Ok(ExitCode::from(u8::from(!checked.is_sound())))
}

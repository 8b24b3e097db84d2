//! Why is it empty, and what is being lost: from what is known of a collector to findings, each with its cure.
//!
//! Nothing is asked or read here: [`Facts`] come from a running collector's own accounts or, gathered by
//! `run::examine`, from outside. [`examine`] is a pure function, so the screen and `flowglass doctor` say the same.
//! Names of hosts and programs in findings come from the system and the network; whoever prints them makes them fit.

mod arrival;
mod exporters;
pub mod maker;
mod storage;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use crate::collector::stats::{Health, MissingTemplate, SocketStats, Totals};
use crate::doctor::maker::Maker;
use crate::flow::{ObservationDomainId, Timestamp, Version};
use crate::store::history::{Account, Run};
use crate::store::retention::Space;
use crate::store::troubles::{self, Trouble};

/// What is known. What is not known is empty, and nothing is found of it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub now: Timestamp,
    /// Where a collector should listen by the settings.
    pub listen: Vec<SocketAddr>,
    /// Addresses under which exporters reach this host.
    pub reachable: Vec<IpAddr>,
    pub collector: Collector,
    pub database: Database,
    /// Sockets of the collector, as it told last.
    pub sockets: Vec<SocketStats>,
    /// Everybody's UDP sockets on the ports in question, this collector's included.
    pub listeners: Vec<Listener>,
    pub totals: Totals,
    /// Of the current run.
    pub troubles: Vec<Trouble>,
    pub exporters: Vec<Account>,
    pub missing: Vec<MissingTemplate>,
    pub lags: Vec<Lag>,
    pub makers: Vec<(IpAddr, Maker)>,
    /// What came to ports where nobody listens.
    pub strays: Vec<Stray>,
    pub kernel: Kernel,
    /// Times in which nobody collected, newest first.
    pub gaps: Vec<(Timestamp, Timestamp)>,
}

/// Whether there is a collector for the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Collector {
    /// It was not asked for.
    #[default]
    Unknown,
    /// There is none; the last one, if there was one.
    None { last: Option<Run> },
    Running {
        pid: Option<u32>,
        started: Timestamp,
        /// When it wrote last.
        last_alive: Timestamp,
        /// Milliseconds between two flushes, by the settings.
        flush_ms: i64,
    },
}

impl Collector {
    const fn pid(&self) -> Option<u32> {
        match self {
            Self::Running { pid, .. } => *pid,
            Self::None { .. } | Self::Unknown => None,
        }
    }

    /// Since when it runs.
    pub const fn started(&self) -> Option<Timestamp> {
        match self {
            Self::Running { started, .. } => Some(*started),
            Self::None { .. } | Self::Unknown => None,
        }
    }
}

/// The database and its file system.
#[derive(Debug, Clone, Default)]
pub struct Database {
    pub path: PathBuf,
    /// Why it cannot be read, and what to do, if it cannot.
    pub unreadable: Option<(String, Option<String>)>,
    /// Damaged ones that were set aside.
    pub set_aside: Vec<PathBuf>,
    /// Flushes that failed in a row, and the last one's error, where the collector itself tells.
    pub failing: Option<(u64, String)>,
    /// Who else holds its write lock: process and name.
    pub locked_by: Option<(u32, String)>,
    /// Octets on disk, write-ahead log included.
    pub size: u64,
    /// Octets that it may have.
    pub size_limit: Option<u64>,
    /// Milliseconds that flows are kept.
    pub age_limit: Option<i64>,
    /// Receive times of its oldest and newest flow.
    pub span: Option<(Timestamp, Timestamp)>,
    pub space: Option<Space>,
}

/// A bound UDP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    /// `None` when the system does not say whose it is.
    pub process: Option<(u32, String)>,
}

/// How an exporter's records arrive, as its newest flows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    pub address: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    /// Milliseconds from a flow's first packet until its record came, for nine of ten flows at most.
    pub behind_ms: i64,
}

/// A sender to a port where nobody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    pub from: SocketAddr,
    pub port: u16,
    /// The first two octets.
    pub version: u16,
    pub datagrams: u64,
}

/// What the kernel counts and is set to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Datagrams to ports where nobody listens, while they were watched.
    pub no_port: u64,
    /// Datagrams refused by the reverse-path filter, while they were watched.
    pub reverse_path: u64,
    /// Whether the reverse-path filter is strict on an interface.
    pub is_reverse_path_strict: bool,
    /// `net.core.rmem_max`.
    pub rmem_max: Option<u64>,
}

/// How bad it is; the exit code of `flowglass doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something is lost or wrong.
    Warning,
    /// Nothing comes, or nothing is kept.
    Critical,
}

impl Severity {
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Note => 0,
            Self::Warning => 1,
            Self::Critical => 2,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word by which a script knows it.
    pub id: &'static str,
    pub severity: Severity,
    /// What is the matter, in one line.
    pub what: String,
    /// Since when, in Unix milliseconds.
    #[serde(serialize_with = "unix_ms", rename = "since_ms")]
    pub since: Option<Timestamp>,
    /// What it means.
    pub why: String,
    /// What mends it, step by step.
    pub mend: Vec<Step>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where or when; empty where that goes without saying.
    pub note: String,
    /// To be typed as it is, where it is a command at all.
    pub command: Option<String>,
}

#[expect(clippy::ref_option, reason = "what serde calls is given a reference to the field")]
fn unix_ms<S: serde::Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.0).serialize(serializer)
}

impl Finding {
    fn new(id: &'static str, severity: Severity, what: impl Into<String>) -> Self {
        Self { id, severity, what: what.into(), since: None, why: String::new(), mend: Vec::new() }
    }

    fn since(mut self, since: impl Into<Option<Timestamp>>) -> Self {
        self.since = since.into();
        self
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    fn run(mut self, note: impl Into<String>, command: impl Into<String>) -> Self {
        self.mend.push(Step { note: note.into(), command: Some(command.into()) });
        self
    }

    fn advise(mut self, note: impl Into<String>) -> Self {
        self.mend.push(Step { note: note.into(), command: None });
        self
    }
}

/// What is wrong, the worst first; of equally bad ones, the one that explains the others.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = storage::access(facts);
    findings.extend(arrival::listening(facts));
    findings.extend(arrival::arriving(facts));
    findings.extend(storage::keeping(facts));
    findings.extend(exporters::examine(facts));
    findings.extend(arrival::losing(facts));
    findings.extend(storage::outlook(facts));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The worst of them.
pub fn severity(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Note)
}

impl Facts {
    /// What a collector knows of itself: no system is asked, so it costs little and can be done for each screen.
    pub fn of_run(health: &Health, started: Timestamp, now: Timestamp) -> Self {
        let trouble = |(kind, count, who)| Trouble {
            kind,
            run: crate::store::history::RunId(0),
            count,
            first: started,
            last: now,
            who,
        };
        let counts = troubles::counts(health, 0).into_iter().filter(|&(_, count, _)| 0 < count);
        let account = |stats| Account { run: None, stats, lost: None };
        Self {
            now,
            listen: health.sockets.iter().map(|socket| socket.listen).collect(),
            collector: Collector::Running { pid: None, started, last_alive: now, flush_ms: 0 },
            sockets: health.sockets.clone(),
            totals: health.totals,
            troubles: counts.map(trouble).collect(),
            exporters: health.exporters.iter().cloned().map(account).collect(),
            missing: health.missing.clone(),
            ..Self::default()
        }
    }

    fn trouble(&self, kind: troubles::Kind) -> Option<&Trouble> {
        self.troubles.iter().find(|trouble| trouble.kind == kind)
    }

    fn is_running(&self) -> bool {
        matches!(self.collector, Collector::Running { .. })
    }

    /// Where the collector listens, else where it should.
    fn ports(&self) -> Vec<SocketAddr> {
        if self.sockets.is_empty() {
            return self.listen.clone();
        }
        self.sockets.iter().map(|socket| socket.listen).collect()
    }

    /// The first port, for instructions.
    fn port(&self) -> u16 {
        self.ports().first().map_or(2055, SocketAddr::port)
    }

    /// An address for instructions.
    fn host(&self) -> String {
        self.reachable.first().map_or_else(|| "ADDRESS".to_owned(), ToString::to_string)
    }

    fn maker(&self, address: IpAddr) -> Maker {
        self.makers.iter().find(|(of, _)| *of == address).map_or(Maker::Unknown, |(_, maker)| *maker)
    }

    /// Whether something happened so recently that it may go on.
    fn is_recent(&self, at: Timestamp, within_ms: i64) -> bool {
        self.now.since(at) <= within_ms
    }
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `1 datagram`, `12,345 datagrams`.
fn counted(count: u64, thing: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {thing}{}", if count == 1 { "" } else { "s" })
}

/// `45 s`, `3 min`, `5 h`, `9 days`.
pub fn duration(ms: i64) -> String {
    match ms.saturating_abs() {
        ms if ms < 2 * MINUTE_MS => format!("{} s", ms / 1000),
        ms if ms < 2 * HOUR_MS => format!("{} min", ms / MINUTE_MS),
        ms if ms < 2 * DAY_MS => format!("{} h", ms / HOUR_MS),
        ms => format!("{} days", ms / DAY_MS),
    }
}

#[cfg(test)]
mod tests;

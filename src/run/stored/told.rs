//! What a viewer tells beside flows: who collects, how he is, and how old what is shown may be.
//!
//! Who collects is who holds the lock, asked anew each second, since he may end and come back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use tracing::{info, warn};

use crate::collector::stats::Health;
use crate::flow::Timestamp;
use crate::run::stored::reader::Accounts;
use crate::run::{now, storage};
use crate::store::history::Run;
use crate::store::{self, Owner};
use crate::tui::app::{Feed, Source, StorageView};
use crate::when;

/// Between two looks who collects, and between two words to the screen.
const TICK: Duration = Duration::from_secs(1);
/// How long a person is told that somebody else collects; the badge stays.
const NOTICE: Duration = Duration::from_secs(20);

/// What the screen shows of where its flows are from.
#[derive(Debug)]
pub(in crate::run) struct Viewed {
    pub(in crate::run) source: Source,
    pub(in crate::run) notice: Option<String>,
    pub(in crate::run) storage: StorageView,
    /// The clock on screen. That of the figures is when the collector wrote last: what came since is not known yet.
    pub(in crate::run) clock: Timestamp,
    /// From when on everything was read.
    pub(in crate::run) past: Option<Timestamp>,
}

impl Viewed {
    /// Whether somebody collects.
    pub(in crate::run) const fn is_live(&self) -> bool {
        matches!(self.source, Source::Stored { is_live: true, .. })
    }

    /// A feed with what is known of its collector.
    pub(in crate::run) fn on(&self, feed: Feed) -> Feed {
        // A moment that somebody went back to is read by itself.
        let past = if feed.wish.at.is_none() { feed.past.max(self.past) } else { feed.past };
        Feed {
            now: self.clock,
            source: self.source.clone(),
            notice: self.notice.clone(),
            storage: Some(self.storage.clone()),
            past,
            ..feed
        }
    }
}

pub(super) struct Teller {
    path: PathBuf,
    owner: Option<Owner>,
    /// When that was asked, and since when it is so.
    asked: Option<Instant>,
    since: Instant,
    run: Option<Run>,
    health: Arc<Health>,
    newest: Option<Timestamp>,
    /// Why nothing can be read.
    problem: Option<String>,
    told: Option<Instant>,
}

impl Teller {
    pub(super) fn new(path: PathBuf) -> Self {
        let (asked, told) = (None, None);
        let since = Instant::now();
        Self { path, owner: None, asked, since, run: None, health: Arc::default(), newest: None, problem: None, told }
    }

    /// Who collects.
    pub(super) fn owner(&mut self) -> Option<Owner> {
        if self.asked.is_some_and(|asked| asked.elapsed() < TICK) {
            return self.owner;
        }
        let owner = storage::owner(&self.path);
        if self.owner != owner || self.asked.is_none() {
            self.since = Instant::now();
            match owner {
                Some(Owner { pid }) => info!(pid, "looking at what another process collects"),
                None => info!("no collector runs: looking at what is stored"),
            }
        }
        (self.owner, self.asked) = (owner, Some(Instant::now()));
        owner
    }

    pub(super) fn source(&self) -> Source {
        Source::Stored { path: self.path.display().to_string(), is_live: self.owner.is_some() }
    }

    pub(super) fn account(&mut self, accounts: Accounts) {
        (self.run, self.newest) = (accounts.run, accounts.newest);
        self.health = Arc::new(accounts.health);
    }

    /// Takes in whether the database could be read.
    pub(super) fn judge(&mut self, error: Option<&store::Error>) {
        let Some(error) = error else {
            self.problem = None;
            return;
        };
        let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        let problem = format!("{error}{hint}");
        if self.problem.as_ref() != Some(&problem) {
            warn!("{problem}");
        }
        self.problem = Some(problem);
    }

    pub(super) fn is_due(&self) -> bool {
        self.told.is_none_or(|told| TICK <= told.elapsed())
    }

    /// The accounts, and until when everything that was received is stored.
    pub(super) fn accounts(&self) -> (Arc<Health>, Timestamp) {
        let newest = self.newest.unwrap_or_default();
        match self.own_run() {
            Some(run) => (Arc::clone(&self.health), run.last_alive.max(newest)),
            // What the last run lacked is no matter of now.
            None => {
                let health = Health { sockets: Vec::new(), missing: Vec::new(), ..self.health.as_ref().clone() };
                (Arc::new(health), newest)
            }
        }
    }

    pub(super) fn tell(&mut self, past: Option<Timestamp>) -> Viewed {
        self.told = Some(Instant::now());
        let clock = match (self.owner, self.newest) {
            (None, Some(newest)) => newest,
            _ => now(),
        };
        Viewed { source: self.source(), notice: self.notice(), storage: self.storage(), clock, past }
    }

    /// The run of whoever collects now, once he has written of it.
    fn own_run(&self) -> Option<&Run> {
        let owner = self.owner?;
        self.run.as_ref().filter(|run| run.ended.is_none() && owner.pid.is_none_or(|pid| pid == run.pid))
    }

    fn storage(&self) -> StorageView {
        let (path, octets) = (self.path.display().to_string(), store::size(&self.path));
        let blank = StorageView { path, octets, ..StorageView::default() };
        let Some(run) = &self.run else { return blank };
        let (rows, dropped) = (run.totals.flows.saturating_sub(run.dropped_flows), run.dropped_flows);
        StorageView { rows, dropped, last_flush: Some(run.last_alive), ..blank }
    }

    fn notice(&self) -> Option<String> {
        if self.problem.is_some() {
            return self.problem.clone();
        }
        match (self.owner, self.newest) {
            (Some(_), _) if NOTICE < self.since.elapsed() => None,
            (Some(Owner { pid }), _) => {
                let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                Some(format!("{who} collects: this screen looks on, and is at most one flush interval late"))
            }
            (None, Some(newest)) => {
                Some(format!("no collector runs; the last flow is of {}", when::shown(newest, &ZonedDateTime::now())))
            }
            (None, None) => Some("no collector runs, and no flow is stored".to_owned()),
        }
    }
}

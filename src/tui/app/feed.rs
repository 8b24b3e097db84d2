//! What passes between the screen and whoever has the flows: a [`Wish`] one way, once a second a [`Feed`] the other.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use crate::collector::evidence::Evidence;
use crate::collector::stats::Health;
use crate::filter::Filter;
use crate::flow::{FlowRecord, ObservationDomainId, Timestamp};
use crate::store::acquaintance::Acquaintance;
use crate::tui::app::stored::{Comparison, Day, Moves, Strip};
use crate::window::{Clock, Country, Snapshot, View};

/// What the screen wants to see next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The table first, then panels and cards, in the order in which they come back. Their filters are such that
    /// lanes decide them.
    pub views: Vec<View>,
    /// The person's filter, whatever it asks for. It holds for all views and for the tail.
    pub filter: Filter,
    pub clock: Clock,
    /// Newest flows that match, for the live tail; 0 when nobody looks.
    pub tail: usize,
    /// What flows of the tail must match besides.
    pub tail_filter: Filter,
    /// In which one of their ends must be.
    pub tail_countries: Vec<Country>,
    /// Whether time shall stand still: what comes back is of the moment of the first wish that says so.
    pub is_frozen: bool,
    /// Of what more is wanted than views have.
    pub about: Option<About>,
    /// The end of what is shown, where that is the past. Nothing of it changes any more.
    pub at: Option<Timestamp>,
    pub day: Option<Day>,
    pub comparison: Option<Comparison>,
}

/// One thing that is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum About {
    /// The octets of a flow.
    Flow(FlowRecord),
    /// What is stored of a host.
    Host(IpAddr),
}

/// What there is to tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Told {
    /// `None` when nobody holds them.
    Octets(FlowRecord, Option<Arc<Evidence>>),
    /// `None` when nothing is stored, or cannot be read.
    Stored(IpAddr, Option<Arc<Acquaintance>>),
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            views: Vec::new(),
            filter: Filter::all(),
            clock: Clock::default(),
            tail: 0,
            tail_filter: Filter::all(),
            tail_countries: Vec::new(),
            is_frozen: false,
            about: None,
            at: None,
            day: None,
            comparison: None,
        }
    }
}

impl Wish {
    /// What all that is shown must match, as far as a filter can say it.
    pub fn of_all(&self) -> Filter {
        self.filter.clone().and(self.tail_filter.clone())
    }

    /// Whether nothing else is wanted but that other rows are kept, which has time until the next second.
    pub fn keeps_only(&self, before: &Self) -> bool {
        let plain = |wish: &Self| {
            let views = wish.views.iter().map(|view| View { keep: Vec::new(), ..view.clone() });
            Self { views: views.collect(), ..wish.clone() }
        };
        plain(self) == plain(before)
    }
}

/// Everything the screen shows, once a second.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// What this answers.
    pub wish: Arc<Wish>,
    /// One for each view of the wish.
    pub views: Vec<Arc<Snapshot>>,
    /// Newest first.
    pub tail: Arc<[FlowRecord]>,
    /// Seconds after which each exporter and domain has reported nearly everything.
    pub lags: Vec<((IpAddr, ObservationDomainId), i64)>,
    /// What is known by now of what the wish is about.
    pub told: Option<Told>,
    /// Figures are complete from then on; `None` when all of them are.
    pub past: Option<Timestamp>,
    /// Of the day that was wished for; an older one until that is read.
    pub strip: Option<Arc<Strip>>,
    pub moves: Option<Arc<Moves>>,
    pub health: Arc<Health>,
    /// Whether there is a database, and with it a past.
    pub is_stored: bool,
    /// `None` where nothing is stored, and before anything was.
    pub storage: Option<StorageView>,
    pub now: Timestamp,
    /// What the clock on screen adds to UTC.
    pub utc_offset_s: i32,
    pub started: Timestamp,
    pub source: Source,
    /// One line for the person in front of the screen.
    pub notice: Option<String>,
}

/// For where there is none yet.
static NOTHING: LazyLock<Arc<Snapshot>> = LazyLock::new(Arc::default);

impl Feed {
    /// The answer to a view of the wish; one of nothing where it is not among them.
    pub fn snapshot(&self, at: usize) -> Arc<Snapshot> {
        Arc::clone(self.views.get(at).unwrap_or(&NOTHING))
    }

    /// The same, only looked at.
    pub fn shown(&self, at: usize) -> &Snapshot {
        self.views.get(at).unwrap_or(&NOTHING)
    }

    /// The answer to this view, whatever rows it keeps and however they are sorted.
    pub fn answer(&self, wanted: &View) -> Option<&Arc<Snapshot>> {
        let is_it = |view: &View| {
            (view.dimension, &view.filter, &view.countries) == (wanted.dimension, &wanted.filter, &wanted.countries)
        };
        let at = self.wish.views.iter().position(is_it)?;
        self.views.get(at)
    }
}

/// Where the flows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Live {
        listen: Vec<SocketAddr>,
        /// Addresses of this host which a router can send to.
        reachable: Vec<IpAddr>,
    },
    Replay {
        file: String,
        done: bool,
    },
    /// A database; this process receives nothing.
    Stored {
        path: String,
        /// Whether another process collects into it now.
        is_live: bool,
    },
    Demo,
}

impl Default for Source {
    fn default() -> Self {
        Self::Live { listen: Vec::new(), reachable: Vec::new() }
    }
}

/// The database, as its writer accounts for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageView {
    pub path: String,
    /// Flow records written since the start.
    pub rows: u64,
    /// Flow records that wait for the next flush.
    pub buffered: u64,
    /// Flow records that found the buffer full.
    pub dropped: u64,
    /// Why the last flush failed.
    pub failing: Option<String>,
    pub last_flush: Option<Timestamp>,
    /// Size of the file.
    pub octets: u64,
}

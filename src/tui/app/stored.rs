//! What the screen asks of what is stored, and what comes back: the strip of a day, and what moved between two spans.

use crate::flow::Timestamp;
use crate::store::ask::By;
use crate::store::notes::Note;
use crate::store::top::Order;
use crate::window::{Dimension, Key};

/// A day around the moment that is looked at, and the steps in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Day {
    pub const STEP_MS: i64 = 60_000;
    const MS: i64 = 86_400_000;

    /// The last day before `now`; the one before that, and so on, where `at` is older.
    pub fn around(at: Timestamp, now: Timestamp) -> Self {
        let now = now.0.div_euclid(Self::STEP_MS).saturating_add(1).saturating_mul(Self::STEP_MS);
        let back = now.saturating_sub(at.0).div_euclid(Self::MS).max(0);
        let to = now.saturating_sub(back.saturating_mul(Self::MS));
        Self { from: Timestamp(to.saturating_sub(Self::MS)), to: Timestamp(to) }
    }
}

/// How much passed in each step of a day, and when nobody listened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strip {
    pub from: Timestamp,
    pub step_ms: i64,
    /// Estimated bytes.
    pub steps: Vec<u64>,
    /// When no collector ran.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    pub notes: Vec<Note>,
    /// Why it is not known.
    pub failed: Option<String>,
}

/// What a span is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Baseline {
    /// The span of the same length right before.
    #[default]
    Before,
    Yesterday,
    LastWeek,
    /// The median of the same time of the seven days before.
    Usual,
    /// From one mark to the other.
    Marks,
}

impl Baseline {
    pub const ALL: [Self; 5] = [Self::Before, Self::Yesterday, Self::LastWeek, Self::Usual, Self::Marks];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Before => "the span before",
            Self::Yesterday => "a day earlier",
            Self::LastWeek => "a week earlier",
            Self::Usual => "the median of a week at this time",
            Self::Marks => "mark A",
        }
    }
}

/// Two spans that shall be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    pub span: (Timestamp, Timestamp),
    pub baseline: Baseline,
    /// The span of mark A, where that is the baseline.
    pub marked: Option<(Timestamp, Timestamp)>,
    pub dimension: Dimension,
    pub order: Order,
}

/// One row of a comparison: amounts of both spans, which are equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub key: Key,
    pub before: u64,
    pub now: u64,
    /// At most so much may be missing in either.
    pub missing: u64,
}

impl Move {
    pub fn difference(&self) -> i128 {
        i128::from(self.now) - i128::from(self.before)
    }
}

/// What moved, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    pub asked: Option<Comparison>,
    /// Those that it was compared with.
    pub before: Vec<(Timestamp, Timestamp)>,
    pub rows: Vec<Move>,
    /// Keys that moved at all.
    pub keys: usize,
    pub total_before: u64,
    pub total_now: u64,
    pub is_exact: bool,
    /// Why there is nothing.
    pub failed: Option<String>,
}

/// How the database calls a dimension; nothing where it does not keep it.
pub const fn by(dimension: Dimension) -> Option<By> {
    Some(match dimension {
        Dimension::Conversation => By::Conversation,
        Dimension::Host => By::Host,
        Dimension::Source => By::Source,
        Dimension::Destination => By::Destination,
        Dimension::Service => By::Service,
        Dimension::Protocol => By::Protocol,
        Dimension::Exporter => By::Exporter,
        Dimension::Interface => By::Interface,
        Dimension::As => By::As,
        Dimension::Vlan => By::Vlan,
        Dimension::Dscp => By::Dscp,
        Dimension::Application => By::Application,
        Dimension::Country => return None,
    })
}

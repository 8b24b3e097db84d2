//! How much is kept: by age, by size, and by what the file system has left.
//!
//! It decides and deletes nothing; `prune` does. Its input is the settings, the clock of the host with a steady one
//! beside it, and the figures of the file and its file system.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::flow::Timestamp;

/// What may be kept. Both limits hold at once, and the oldest flows go first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    pub age: Age,
    pub size: Size,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Age {
    #[default]
    Forever,
    /// Flows received longer ago are deleted.
    Of(Duration),
}

/// How large the database may become, its write-ahead log included.
///
/// A sixteenth of it is for free pages, more of which go back to the file system, and 64 MiB, or a quarter where that is
/// less, for the log. Flows are deleted when the pages in use need more than the rest. So the files stay below it, but for
/// what arrives within one flush interval, and for a log that a reader keeps long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    #[default]
    Unlimited,
    Octets(u64),
    /// Of the file system that holds the database, as large as it is when the database is opened.
    Percent(u8),
}

/// What the file system keeps free, at most; on a small one it is a twentieth. When less is left, the oldest flows are
/// deleted whoever filled it, but those of the newest hour are not.
const RESERVE: u64 = 1 << 30;

/// How much newer than the rest of the database a flow must be to be safe from a full file system, in milliseconds.
pub(super) const SAFE_MS: i64 = 3_600_000;

/// Octets of a file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// For a user without privileges.
    pub available: u64,
    /// What is to stay free; when less is, the oldest flows go.
    pub reserve: u64,
}

impl Space {
    /// Of the file system that holds a path.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn of(path: &Path) -> io::Result<Self> {
        let disk = Disk::of(path)?;
        Ok(Self { total: disk.total, available: disk.available, reserve: disk.reserve() })
    }
}

/// Octets of a file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) total: u64,
    /// For a user without privileges.
    pub(super) available: u64,
}

impl Disk {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let figures = rustix::fs::statvfs(path)?;
        let octets = |blocks: u64| blocks.saturating_mul(figures.f_frsize);
        Ok(Self { total: octets(figures.f_blocks), available: octets(figures.f_bavail) })
    }

    /// How much less than the reserve is left.
    pub(super) fn missing(self) -> u64 {
        self.reserve().saturating_sub(self.available)
    }

    fn reserve(self) -> u64 {
        RESERVE.min(self.total / 20)
    }
}

impl Size {
    /// How large a database on such a file system may become; `None` for as large as it likes.
    pub fn octets(self, space: Space) -> Option<u64> {
        self.resolve(Disk { total: space.total, available: space.available })
    }

    /// In octets.
    pub(super) fn resolve(self, disk: Disk) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Octets(octets) => Some(octets),
            Self::Percent(percent) => Some(disk.total / 100 * u64::from(percent)),
        }
    }
}

/// The clock by which flows grow old.
///
/// A clock that jumps ahead, after a start as well, is believed only when it has stood there for [`GRACE`]; until then
/// the time goes on at its usual pace from where it was. So a wrong clock that is set right within that time deletes
/// nothing. One that is set back only makes flows younger. After a start, the time is that of the newest flow.
#[derive(Debug, Default)]
pub(super) struct Clock {
    believed: Option<Timestamp>,
    asked: Option<Instant>,
    ahead: Option<Instant>,
}

/// How far ahead of the steady clock is no jump.
const TOLERANCE: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(3600);

impl Clock {
    pub(super) const fn new(newest: Option<Timestamp>) -> Self {
        Self { believed: newest, asked: None, ahead: None }
    }

    /// The time to reckon with, when the host says that it is `now`, and a steady clock shows `at`.
    pub(super) fn believe(&mut self, now: Timestamp, at: Instant) -> Timestamp {
        let passed = self.asked.map_or(Duration::ZERO, |asked| at.saturating_duration_since(asked));
        let expected = self.believed.map_or(now, |believed| believed.plus(milliseconds(passed)));
        self.asked = Some(at);
        let is_ahead = milliseconds(TOLERANCE) < now.since(expected);
        let since = is_ahead.then(|| *self.ahead.get_or_insert(at));
        let believed = match since {
            Some(since) if at.saturating_duration_since(since) < GRACE => expected,
            Some(_) | None => {
                self.ahead = None;
                now
            }
        };
        self.believed = Some(believed);
        believed
    }
}

/// How much is done in one step, so that no step takes longer than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace(u64);

impl Pace {
    /// At first, and at least.
    const LEAST: u64 = 500;
    const MOST: u64 = 200_000;

    pub(super) const fn amount(self) -> u64 {
        self.0
    }

    /// What a step should take at most, whatever the budget.
    const SHORT: Duration = Duration::from_millis(100);

    /// Half of the budget is what a step may take: the other half is for the file system's bad moments.
    pub(super) fn adjust(&mut self, done: u64, took: Duration, budget: Duration) {
        if done == 0 {
            return;
        }
        let wanted = (budget / 2).min(Self::SHORT).as_micros();
        let took = took.as_micros().max(1);
        if took <= wanted && done < self.0 {
            return;
        }
        let fitting = u64::try_from(u128::from(done) * wanted / took).unwrap_or(u64::MAX);
        self.0 = fitting.clamp(self.0 / 8, self.0.saturating_mul(2)).clamp(Self::LEAST, Self::MOST);
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(Self::LEAST)
    }
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

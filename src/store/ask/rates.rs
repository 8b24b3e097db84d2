//! The series of a filter: what passed in each step of a span.
//!
//! A record that lasted over several steps has its share in each of them, as everywhere.

use rusqlite::{Connection, Result};

use crate::flow::Timestamp;
use crate::flow::share::Booking;
use crate::store::ask::{By, Question, Read, Source, exporters, plan, raw, rolled, since};
use crate::store::blocks;
use crate::store::needs::needs;
use crate::store::rollup::Sums;
use crate::store::scan::Watch;

/// Points of a series. A span with more steps is refused by whoever asks.
pub const POINTS: i64 = 100_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    pub step_ms: i64,
    /// Begin of each step, and what passed in it; the last one may be cut short by the end of the span.
    pub points: Vec<(Timestamp, Sums)>,
    /// Flows received until then are in it. `None` when all are that had been written.
    pub until: Option<Timestamp>,
    /// Rows from before then were deleted, and are not in it.
    pub since: Option<Timestamp>,
    pub source: Source,
}

/// A series on its way.
pub(super) struct Series {
    from: Timestamp,
    to: Timestamp,
    pub(super) step_ms: i64,
    points: Vec<Sums>,
}

impl Series {
    fn new((from, to): (Timestamp, Timestamp), step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let steps = -(-to.since(from).max(0)).div_euclid(step_ms);
        let count = usize::try_from(steps.min(POINTS)).unwrap_or(0);
        Self { from, to, step_ms, points: vec![Sums::default(); count] }
    }

    pub(super) fn add(&mut self, at: Timestamp, sums: Sums) {
        let step = at.since(self.from).div_euclid(self.step_ms);
        if let Some(point) = usize::try_from(step).ok().and_then(|step| self.points.get_mut(step)) {
            point.add(sums);
        }
    }

    /// The steps in which a record may have a part.
    pub(super) fn steps(&self, booking: Booking) -> impl Iterator<Item = (Timestamp, Timestamp)> + use<> {
        let step = |at: Timestamp| at.since(self.from).div_euclid(self.step_ms);
        let last = i64::try_from(self.points.len()).unwrap_or(0) - 1;
        let steps = step(booking.first()).max(0)..=step(booking.last()).min(last);
        let (from, to, ms) = (self.from, self.to, self.step_ms);
        steps.map(move |step| (from.plus(step * ms), from.plus((step + 1) * ms).min(to)))
    }
}

pub(in crate::store) fn rates(
    connection: &Connection,
    question: &Question<'_>,
    step_ms: i64,
    watch: &Watch<'_>,
) -> Result<Rates> {
    let exporters = exporters(connection)?;
    let made = |series: Series, until, source| {
        let begins = (0..).map(|step: i64| series.from.plus(step * series.step_ms));
        Rates { step_ms: series.step_ms, points: begins.zip(series.points).collect(), until, since: None, source }
    };
    if question.read != Read::Rows && step_ms % 60_000 == 0 {
        let plans = [By::Protocol, By::Exporter].map(|by| plan::plan(&Question { by, ..*question }));
        for plan in plans.into_iter().flatten() {
            let mut series = Series::new(question.span, step_ms);
            if let Some(until) = rolled::points(connection, question, &plan, &exporters, &mut series)?
                && (until.is_none() || question.read == Read::Quick)
            {
                return Ok(made(series, until, Source::RollUps));
            }
        }
    }
    let (from, to) = question.span;
    let ranges = blocks::ranges(connection, &needs(question.filter, &exporters), from, to)?;
    let mut series = Series::new(question.span, step_ms);
    let rows = raw::points(connection, (question, &ranges), &mut series, watch)?;
    Ok(Rates { since: since(connection, question.span)?, ..made(series, None, Source::Rows(rows)) })
}

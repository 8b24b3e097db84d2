//! A question answered from raw rows: those of the blocks that may hold what the filter needs.

use std::ops::Range;

use rusqlite::{Connection, Result};

use crate::filter::Filter;
use crate::flow::share::Booking;
use crate::flow::{Counts, Timestamp};
use crate::store::accounts::{Identity, counted, stored};
use crate::store::ask::rates::Series;
use crate::store::ask::{By, Question, Sheet, Source};
use crate::store::blocks;
use crate::store::groups::Groups;
use crate::store::keys::RowKey;
use crate::store::needs::needs;
use crate::store::rollup::Sums;
use crate::store::scan::{Columns, Watch, scan};

pub(super) fn sheet(
    connection: &Connection,
    question: &Question<'_>,
    exporters: &[(i64, Identity)],
    keys: usize,
    watch: &Watch<'_>,
) -> Result<Sheet> {
    let (from, to) = question.span;
    let ranges = blocks::ranges(connection, &needs(question.filter, exporters), from, to)?;
    let mut groups = Groups::new(question.order, keys);
    let reading = Reading { filter: question.filter, by: question.by, span: question.span };
    let rows = reading.read(connection, &ranges, &mut groups, watch)?;
    Ok(Sheet { groups, by: question.by, until: None, source: Source::Rows(rows), whole: true, since: None })
}

/// At most how many rows would be read.
pub(super) fn rows(connection: &Connection, question: &Question<'_>, exporters: &[(i64, Identity)]) -> Result<u64> {
    let (from, to) = question.span;
    blocks::rows(connection, &needs(question.filter, exporters), from, to)
}

/// Adds rows of some ranges to a series.
pub(super) fn points(
    connection: &Connection,
    (question, ranges): (&Question<'_>, &[Range<RowKey>]),
    series: &mut Series,
    watch: &Watch<'_>,
) -> Result<u64> {
    let mut rows = 0;
    scan(connection, (ranges, question.filter), Columns::Counts, watch, |_, flow| {
        let booking = Booking::of(flow);
        if sums(booking, flow.counts, flow.sampling.rate, question.span).is_none() {
            return Ok(());
        }
        rows += 1;
        for span in series.steps(booking) {
            if let Some(sums) = sums(booking, flow.counts, flow.sampling.rate, span) {
                series.add(span.0, sums);
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

pub(super) struct Reading<'a> {
    pub(super) filter: &'a Filter,
    pub(super) by: By,
    pub(super) span: (Timestamp, Timestamp),
}

impl Reading<'_> {
    /// Adds the rows of some ranges; returns how many had a part in the span.
    pub(super) fn read(
        &self,
        connection: &Connection,
        ranges: &[Range<RowKey>],
        groups: &mut Groups,
        watch: &Watch<'_>,
    ) -> Result<u64> {
        let mut rows = 0;
        scan(connection, (ranges, self.filter), self.by.columns(), watch, |exporter, flow| {
            let Some(sums) = sums(Booking::of(flow), flow.counts, flow.sampling.rate, self.span) else {
                return Ok(());
            };
            rows += 1;
            groups.total.add(sums);
            self.by.keys(exporter, flow, sums, |slot, pair| groups.add(slot, pair, 0));
            Ok(())
        })?;
        Ok(rows)
    }
}

/// What of a row falls into a span; `None` when nothing does.
pub(in crate::store) fn sums(
    booking: Booking,
    counts: Counts,
    rate: u32,
    span: (Timestamp, Timestamp),
) -> Option<Sums> {
    let (from, to) = span;
    if booking.last() < from || to < booking.first() {
        return None;
    }
    let held = Counts { bytes: counted(stored(counts.bytes)), packets: counted(stored(counts.packets)) };
    let counts = booking.share(held, from, to);
    let flows = u64::from(booking.ends_in(from, to));
    if counts.is_zero() && flows == 0 {
        return None;
    }
    let more = u64::from(rate.saturating_sub(1));
    let more = Counts { bytes: counts.bytes.saturating_mul(more), packets: counts.packets.saturating_mul(more) };
    Some(Sums { counts, flows, more })
}

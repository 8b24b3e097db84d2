//! A question answered from roll-ups: whole hours from the hours, the edges of its span from minutes.
//!
//! Raw rows that are in no roll-up yet are added, as long as they are few.

use std::ops::Range;

use hashbrown::HashMap;
use rusqlite::{Connection, Result, params};

use crate::flow::{FlowRecord, ObservationDomainId, Timestamp, Version};
use crate::store::accounts::{Identity, counted};
use crate::store::ask::plan::{How, Part, Plan};
use crate::store::ask::rates::Series;
use crate::store::ask::{By, NOBODY, Question, Sheet, Source, raw};
use crate::store::groups::Groups;
use crate::store::keys::RowKey;
use crate::store::rollup::checkpoint::{SUMS, UNBOUNDED};
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Dimension, Grain, Pair, Sums};
use crate::store::scan::Watch;
use crate::store::top::{floors_of, is_few, pair, spans, tail, total};

/// `None` when parts of the answer are in no row of the plan, so that not even a bound is known.
pub(super) fn sheet(
    connection: &Connection,
    question: &Question<'_>,
    plan: &Plan,
    exporters: &[(i64, Identity)],
    keys: usize,
) -> Result<Option<Sheet>> {
    let (from, to) = question.span;
    let minutes = from.0.div_euclid(60_000)..to.0.max(from.0).div_euclid(60_000);
    let mut groups = Groups::new(question.order, keys);
    let mut flow = blank();
    for (grain, buckets) in spans(minutes) {
        for part in &plan.0 {
            let floors = floors_of(connection, (part.dimension, grain, &buckets), question.order)?;
            let is_unbounded = floors.values().any(|floor| UNBOUNDED <= *floor);
            if is_unbounded || !floors.is_empty() && !plan.is_bounded() {
                return Ok(None);
            }
            groups.rest = floors.values().fold(groups.rest, |sum, floor| sum.saturating_add(*floor));
            let reading = Reading { question, part: *part, exporters, floors: &floors };
            reading.read(connection, (grain, &buckets), |_, slot, pair, covered| {
                reading.add(slot, pair, covered, &mut groups, &mut flow);
            })?;
        }
        if question.filter.is_all() {
            groups.total.add(total(connection, grain, &buckets)?);
        }
    }
    let whole = question.filter.is_all() || groups.rest == 0;
    let (rolled, ranges) = tail(connection)?;
    let until = if is_few(connection, &ranges)? {
        let reading = raw::Reading { filter: question.filter, by: question.by, span: question.span };
        reading.read(connection, &ranges, &mut groups, &Watch::NOBODY)?;
        None
    } else {
        Some(RowKey(rolled).received())
    };
    Ok(Some(Sheet { groups, by: question.by, until, source: Source::RollUps, whole, since: None }))
}

/// One dimension of one question.
struct Reading<'a> {
    question: &'a Question<'a>,
    part: Part,
    exporters: &'a [(i64, Identity)],
    floors: &'a HashMap<i64, u64>,
}

impl Reading<'_> {
    /// Hands out bucket, key, what the filter chooses of its sums, and how much of the bucket's floor is not missing.
    fn read(
        &self,
        connection: &Connection,
        (grain, buckets): (Grain, &Range<i64>),
        mut take: impl FnMut(i64, Slot, Pair, u64),
    ) -> Result<()> {
        let mut query = connection.prepare_cached(&format!(
            "SELECT {}, {}, a, b, c, bucket FROM rollup
             WHERE dimension = ?1 AND grain = ?2 AND ?3 <= bucket AND bucket < ?4",
            SUMS.join(", "),
            self.question.order.missed(),
        ))?;
        let filtered = !self.question.filter.is_all();
        let mut flow = blank();
        let mut rows = query.query(params![self.part.dimension as u8, grain as u8, buckets.start, buckets.end])?;
        while let Some(row) = rows.next()? {
            let slot = Slot::read(row, SUMS.len() + 1)?;
            let chosen = if filtered { self.chosen(slot, &mut flow) } else { [true; 2] };
            if chosen == [false; 2] {
                continue;
            }
            let mut sums = pair(row)?;
            for (sums, chosen) in sums.0.iter_mut().zip(chosen) {
                if !chosen {
                    *sums = Sums::default();
                }
            }
            let bucket: i64 = row.get(SUMS.len() + 4)?;
            let mut covered = 0;
            if !self.floors.is_empty() {
                let floor = self.floors.get(&bucket).copied().unwrap_or(0);
                covered = floor.saturating_sub(counted(row.get(SUMS.len())?));
            }
            take(bucket, slot, sums, covered);
        }
        Ok(())
    }

    /// Which directions of a row the filter chooses. It asks for nothing but what the row's key holds; a plan is only
    /// made of such.
    fn chosen(&self, slot: Slot, flow: &mut FlowRecord) -> [bool; 2] {
        let filter = self.question.filter;
        match self.part.dimension {
            Dimension::Conversation => [false, true].map(|back| {
                conversation(slot, back, flow);
                filter.matches(flow)
            }),
            Dimension::Host => {
                (flow.key.src_ip, flow.key.dst_ip) = (slot.low(), slot.low());
                [filter.matches(flow); 2]
            }
            Dimension::Service => {
                conversation(slot, false, flow);
                [filter.matches(flow), false]
            }
            Dimension::Protocol => {
                flow.key.protocol = slot.number().to_be_bytes()[3];
                [filter.matches(flow), false]
            }
            Dimension::InInterface | Dimension::OutInterface => {
                let is_known = self.report(slot.exporter(), flow);
                [is_known && filter.matches(flow), false]
            }
            Dimension::Reported => {
                let is_known = self.report(slot.reporter(), flow);
                [false, true].map(|back| {
                    conversation(slot, back, flow);
                    is_known && filter.matches(flow)
                })
            }
        }
    }

    /// Has a flow be one of an exporter; false when that is not known.
    fn report(&self, id: i64, flow: &mut FlowRecord) -> bool {
        let known = self.exporters.iter().find(|(other, _)| *other == id);
        if let Some((_, (exporter, domain, version))) = known {
            (flow.exporter, flow.domain, flow.version) = (*exporter, *domain, *version);
        }
        known.is_some()
    }

    fn add(&self, slot: Slot, pair: Pair, covered: u64, groups: &mut Groups, flow: &mut FlowRecord) {
        let Pair([there, back]) = pair;
        let none = Sums::default();
        // Without a filter the total is what the protocols sum up to; and what goes out came in.
        if !self.question.filter.is_all() && self.part.how != How::AsBack {
            groups.total.add(match self.part.how {
                How::There => there,
                How::Back => back,
                _ => pair.sum(),
            });
        }
        let mut put = |slot, pair: Pair| {
            if pair != Pair::default() {
                groups.add(slot, pair, covered);
            }
        };
        match self.part.how {
            How::Same => put(slot, pair),
            How::Unreported => put(slot.unreported(), pair),
            How::There => put(slot, Pair([there, none])),
            How::Back => put(slot, Pair([back, none])),
            How::AsBack => put(slot, Pair([none, there])),
            How::Regrouped if self.question.by == By::Exporter => put(Slot::interface(slot.exporter(), 0), pair),
            How::Regrouped => {
                for (sums, back) in [(there, false), (back, true)] {
                    if sums != none {
                        conversation(slot, back, flow);
                        self.question.by.keys(0, flow, sums, &mut put);
                    }
                }
            }
        }
    }
}

/// The points of a series: all that a filter chooses, in steps of whole minutes. `None` when raw rows must be read, and
/// the time up to which it reaches when not all rows are in the roll-ups.
pub(super) fn points(
    connection: &Connection,
    question: &Question<'_>,
    plan: &Plan,
    exporters: &[(i64, Identity)],
    series: &mut Series,
) -> Result<Option<Option<Timestamp>>> {
    let (from, to) = question.span;
    let ms = |grain: Grain| if grain == Grain::Hour { 3_600_000 } else { 60_000 };
    let whole_hours = series.step_ms % ms(Grain::Hour) == 0 && from.0.rem_euclid(ms(Grain::Hour)) == 0;
    let minutes = from.0.div_euclid(60_000)..to.0.max(from.0).div_euclid(60_000);
    let spans = if whole_hours { spans(minutes) } else { vec![(Grain::Minute, minutes)] };
    for (grain, buckets) in spans {
        for part in &plan.0 {
            let floors = floors_of(connection, (part.dimension, grain, &buckets), question.order)?;
            if !floors.is_empty() {
                return Ok(None);
            }
            let reading = Reading { question, part: *part, exporters, floors: &floors };
            reading.read(connection, (grain, &buckets), |bucket, _, pair, _| {
                series.add(Timestamp(bucket * ms(grain)), pair.sum());
            })?;
        }
    }
    let (rolled, ranges) = tail(connection)?;
    if !is_few(connection, &ranges)? {
        return Ok(Some(Some(RowKey(rolled).received())));
    }
    raw::points(connection, (question, &ranges), series, &Watch::NOBODY)?;
    Ok(Some(None))
}

fn blank() -> FlowRecord {
    FlowRecord::blank(Timestamp(0), NOBODY, ObservationDomainId(0), Version::V5)
}

/// A flow in one direction of a conversation, or of a service.
fn conversation(slot: Slot, back: bool, flow: &mut FlowRecord) {
    let [_, protocol, high, low] = slot.number().to_be_bytes();
    let port = u16::from_be_bytes([high, low]);
    let (a, b) = (slot.low(), slot.high());
    flow.key.src_ip = if back { b } else { a };
    flow.key.dst_ip = if back { a } else { b };
    (flow.key.src_port, flow.key.dst_port, flow.key.protocol) = (port, port, protocol);
}

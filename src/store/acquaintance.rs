//! What the roll-ups know of one host: when it was first and last seen, and what it had at the same time of the days
//! before.
//!
//! It reads no raw row. Each bucket is looked up by its key, so that years of hours cost less than one read of a busy
//! minute. A host that was too small to have a row in a bucket was not seen there, as far as this tells.

use std::net::IpAddr;

use rusqlite::{Connection, Result, Statement, params};

use crate::flow::{Counts, Timestamp};
use crate::store::keys::RowKey;
use crate::store::rollup::checkpoint::SUMS;
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Dimension, Grain, Pair};
use crate::store::top::{pair, spans};

/// Days that say what is usual.
pub const DAYS: usize = 7;

const MINUTE_MS: i64 = 60_000;
const MINUTES_OF_DAY: i64 = 1_440;

/// What is stored of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acquaintance {
    /// Begin of the first minute in which it was seen, of the hour where minutes are deleted already.
    pub first: Option<Timestamp>,
    /// End of the last one.
    pub last: Option<Timestamp>,
    /// Begin of everything that the roll-ups hold.
    pub begins: Option<Timestamp>,
    /// What it sent and received in an hour, as sampling makes of it, and when that ends: now, or where the roll-ups do.
    pub hour: [Counts; 2],
    pub until: Timestamp,
    /// The same of this time one, two and more days before; `None` for a day of which that hour is
    /// not stored whole.
    pub days: [Option<[Counts; 2]>; DAYS],
}

impl Acquaintance {
    /// Octets sent and received in that hour on a day in the middle; `None` where no day is known.
    pub fn usual(&self) -> Option<[u64; 2]> {
        let median = |way: fn(&[Counts; 2]) -> u64| {
            let mut values: Vec<u64> = self.days.iter().flatten().map(way).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied()
        };
        Some([median(|[sent, _]| sent.bytes)?, median(|[_, received]| received.bytes)?])
    }

    /// Days of which that hour is known.
    pub fn known_days(&self) -> usize {
        self.days.iter().flatten().count()
    }
}

pub(super) fn acquaintance(connection: &Connection, host: IpAddr, now: Timestamp) -> Result<Acquaintance> {
    let mut place = Place::new(connection, host)?;
    let hours = edges(connection, Grain::Hour)?;
    let minutes = edges(connection, Grain::Minute)?;
    let Some((begin, end)) = hours else { return Ok(Acquaintance::default()) };
    let first = find(&mut place, begin..=end)?;
    let last = find(&mut place, (begin..=end).rev())?;
    let rolled: i64 = connection.query_row("SELECT rolled FROM derived", (), |row| row.get(0))?;
    let end_minute = RowKey(rolled).received().min(now.plus(-1)).0.div_euclid(MINUTE_MS) + 1;
    let hour = place.sum(end_minute.saturating_sub(60)..end_minute)?;
    let mut days = [None; DAYS];
    for (before, day) in (1..).zip(&mut days) {
        let end = end_minute.saturating_sub(before * MINUTES_OF_DAY);
        let from = end.saturating_sub(60);
        // An hour without its minutes, or the begin of all, would be a part taken for the whole.
        if begin * 60 <= from && minutes.is_some_and(|(begin, _)| begin <= from) {
            *day = Some(place.sum(from..end)?);
        }
    }
    let at = |minute: i64| Timestamp(minute.saturating_mul(MINUTE_MS));
    let first = first.map(|hour| place.narrow(hour, false)).transpose()?;
    let last = last.map(|hour| place.narrow(hour, true)).transpose()?;
    Ok(Acquaintance {
        first: first.map(|minutes| at(minutes.start)),
        last: last.map(|minutes| at(minutes.end)),
        begins: Some(at(begin * 60)),
        hour,
        until: at(end_minute),
        days,
    })
}

/// The first and the last bucket that anything is in: all that passes has a protocol.
fn edges(connection: &Connection, grain: Grain) -> Result<Option<(i64, i64)>> {
    let edge = |which: &str| -> Result<Option<i64>> {
        let query = format!("SELECT {which}(bucket) FROM rollup WHERE dimension = ?1 AND grain = ?2");
        connection.prepare_cached(&query)?.query_row(params![Dimension::Protocol as u8, grain as u8], |row| row.get(0))
    };
    Ok(edge("min")?.zip(edge("max")?))
}

/// The first hour of several that has a row.
fn find(place: &mut Place<'_>, hours: impl Iterator<Item = i64>) -> Result<Option<i64>> {
    for hour in hours {
        if place.row(Grain::Hour, hour)?.is_some() {
            return Ok(Some(hour));
        }
    }
    Ok(None)
}

/// Where the rows of a host stand.
struct Place<'a> {
    query: Statement<'a>,
    slot: Slot,
}

impl<'a> Place<'a> {
    fn new(connection: &'a Connection, host: IpAddr) -> Result<Self> {
        let query = connection.prepare(&format!(
            "SELECT {} FROM rollup WHERE dimension = ?1 AND grain = ?2 AND bucket = ?3 AND a = ?4 AND b = ?5 AND c = ?6",
            SUMS.join(", ")
        ))?;
        Ok(Self { query, slot: Slot::address(host) })
    }

    fn row(&mut self, grain: Grain, bucket: i64) -> Result<Option<Pair>> {
        for (at, value) in (1..).zip([Dimension::Host as i64, grain as i64, bucket]) {
            self.query.raw_bind_parameter(at, value)?;
        }
        self.slot.bind(&mut self.query, 4)?;
        let mut rows = self.query.raw_query();
        rows.next()?.map(pair).transpose()
    }

    /// What it sent and received in some minutes.
    fn sum(&mut self, minutes: std::ops::Range<i64>) -> Result<[Counts; 2]> {
        let mut sums = [Counts::default(); 2];
        for (grain, buckets) in spans(minutes) {
            for bucket in buckets {
                let Some(Pair(pair)) = self.row(grain, bucket)? else { continue };
                for (sum, part) in sums.iter_mut().zip(pair) {
                    sum.add(part.counts);
                    sum.add(part.more);
                }
            }
        }
        Ok(sums)
    }

    /// The first or the last minute of an hour that has a row; the hour itself where there is none any more.
    fn narrow(&mut self, hour: i64, is_last: bool) -> Result<std::ops::Range<i64>> {
        let minutes = hour * 60..hour * 60 + 60;
        for step in 0..60 {
            let minute = if is_last { minutes.end - 1 - step } else { minutes.start + step };
            if self.row(Grain::Minute, minute)?.is_some() {
                return Ok(minute..minute + 1);
            }
        }
        Ok(minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::stats::Health;
    use crate::flow::FlowRecord;
    use crate::store::history::History;
    use crate::store::rollup::tests::{OFTEN, open};
    use crate::store::tests::{NOW, Place as File, flow};

    /// At the begin of a minute in the middle of an hour.
    const AT: Timestamp = Timestamp(NOW.0 - NOW.0 % 3_600_000 + 20 * MINUTE_MS);
    const HOST: [u8; 4] = [10, 9, 8, 7];

    fn sent(ago_ms: i64, bytes: u64) -> FlowRecord {
        let at = AT.plus(-ago_ms);
        let mut flow = flow(at, 1);
        (flow.first, flow.last) = (at, at);
        (flow.key.src_ip, flow.key.dst_ip) = (HOST.into(), [198, 51, 100, 1].into());
        flow.counts = Counts { bytes, packets: 1 };
        flow.sampling = crate::flow::Sampling { rate: 2, ..flow.sampling };
        flow
    }

    #[test]
    fn a_host_is_known_since_its_first_minute_and_by_its_hours() {
        const DAY: i64 = MINUTES_OF_DAY * MINUTE_MS;
        let file = File::new();
        let mut writer = open(&file, OFTEN);
        let mut answer = sent(2 * DAY + MINUTE_MS, 7);
        answer.key = answer.key.reversed();
        // Of somebody else, so that what is stored begins before.
        let mut other = sent(5 * DAY, 1);
        other.key.src_ip = [10, 0, 0, 1].into();
        let flows = [
            other,
            sent(3 * DAY + 10 * MINUTE_MS + 5, 100),
            sent(2 * DAY + 59 * MINUTE_MS, 10),
            answer,
            // Not in the hour.
            sent(2 * DAY + 61 * MINUTE_MS, 1_000),
            sent(2 * DAY - MINUTE_MS, 1_000),
            sent(DAY + MINUTE_MS, 50),
            sent(MINUTE_MS, 3),
        ];
        writer.push(flows.as_slice());
        writer.flush(AT, &Health::default()).unwrap();
        let known = History::open(&file.path).unwrap().acquaintance(HOST.into(), AT).unwrap();
        let day = |day: usize| known.days[day - 1].map(|ways| ways.map(|way| way.bytes));
        assert_eq!(known.first, Some(AT.plus(-3 * DAY - 11 * MINUTE_MS)));
        assert_eq!(known.last, Some(AT));
        assert_eq!((known.until, known.hour.map(|way| way.bytes)), (AT, [6, 0]));
        assert_eq!([day(1), day(2), day(3)], [Some([100, 0]), Some([20, 14]), Some([200, 0])]);
        assert_eq!([day(4), day(5), day(6)], [Some([0, 0]), None, None], "stored, but nothing of it; not stored");
        assert_eq!((known.known_days(), known.usual()), (4, Some([100, 0])));
        let nobody = History::open(&file.path).unwrap().acquaintance([1, 1, 1, 1].into(), AT).unwrap();
        assert_eq!((nobody.first, nobody.last, nobody.known_days()), (None, None, 4));
        assert_eq!(nobody.begins, known.begins);
    }
}

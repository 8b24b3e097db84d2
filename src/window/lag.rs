//! How late exporters tell of traffic: learned from what they report.
//!
//! A record tells of its first octet only when it arrives. Until then the past is not settled. The lag of an exporter is
//! the time after which it has reported nearly all of its bytes, over the last minutes.

use std::net::IpAddr;

use crate::flow::{FlowRecord, ObservationDomainId, Timestamp};

/// Exporters whose lag is learned; of more, those that came first.
const EXPORTERS: usize = 1024;
/// Of so many bytes, all but one are reported within the lag.
const ALL_BUT: u64 = 100;
/// An exporter with less than one part in so many of all bytes does not keep the others unsettled.
const MINOR: u64 = 50;
/// Seconds per step, up to two minutes and beyond.
const STEPS: [(i64, usize); 2] = [(5, 24), (30, 116)];
/// Steps in all, and one for what is later than an hour.
const BINS: usize = STEPS[0].1 + STEPS[1].1 + 1;
/// After so many seconds what was learned counts half.
const HALF_LIFE_S: i64 = 60;

/// The lags of all exporters and domains.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags {
    all: Vec<((IpAddr, ObservationDomainId), Lag)>,
    /// Of the record before.
    last: usize,
    halved: i64,
}

#[derive(Debug, Clone)]
struct Lag {
    bytes: Box<[u64; BINS]>,
}

impl Lags {
    pub(super) fn note(&mut self, flow: &FlowRecord) {
        let exporter = (flow.exporter, flow.domain);
        if self.all.get(self.last).is_none_or(|(known, _)| *known != exporter) {
            self.last = match self.all.iter().position(|(known, _)| *known == exporter) {
                Some(at) => at,
                None if EXPORTERS <= self.all.len() => return,
                None => {
                    self.all.push((exporter, Lag { bytes: Box::new([0; BINS]) }));
                    self.all.len().saturating_sub(1)
                }
            };
        }
        let late = flow.received.since(flow.first).max(0) / 1000;
        if let Some((_, lag)) = self.all.get_mut(self.last) {
            // A record of no byte is late all the same.
            let bin = &mut lag.bytes[bin(late)];
            *bin = bin.saturating_add(flow.counts.bytes.max(1));
        }
    }

    /// Lets what was learned fade.
    pub(super) fn advance(&mut self, second: i64) {
        if second.saturating_sub(self.halved) < HALF_LIFE_S {
            return;
        }
        self.halved = second;
        for (_, lag) in &mut self.all {
            lag.bytes.iter_mut().for_each(|bytes| *bytes /= 2);
        }
        self.all.retain(|(_, lag)| lag.bytes.iter().any(|bytes| *bytes != 0));
        self.last = usize::MAX;
    }

    /// Seconds after which all exporters that matter have reported nearly everything.
    pub(super) fn settled_after(&self) -> i64 {
        let all: u64 = self.all.iter().map(|(_, lag)| lag.total()).fold(0, u64::saturating_add);
        let matters = |lag: &&Lag| all / MINOR <= lag.total();
        self.all.iter().map(|(_, lag)| lag).filter(matters).map(Lag::seconds).max().unwrap_or(0)
    }

    /// Seconds by exporter and domain.
    pub(super) fn each(&self) -> impl Iterator<Item = ((IpAddr, ObservationDomainId), i64)> + '_ {
        self.all.iter().map(|(exporter, lag)| (*exporter, lag.seconds()))
    }
}

impl Lag {
    fn total(&self) -> u64 {
        self.bytes.iter().copied().fold(0, u64::saturating_add)
    }

    fn seconds(&self) -> i64 {
        let beyond = self.total() / ALL_BUT;
        let mut later = 0_u64;
        for (bin, bytes) in self.bytes.iter().enumerate().rev() {
            later = later.saturating_add(*bytes);
            if beyond < later {
                return end(bin);
            }
        }
        0
    }
}

fn bin(late: i64) -> usize {
    let [(fine, fine_steps), (coarse, coarse_steps)] = STEPS;
    let (late, fine_end) = (late.max(0), fine.saturating_mul(count(fine_steps)));
    let bin = if late < fine_end {
        late / fine
    } else {
        count(fine_steps).saturating_add((late.saturating_sub(fine_end)) / coarse)
    };
    usize::try_from(bin).unwrap_or(usize::MAX).min(fine_steps.saturating_add(coarse_steps))
}

/// Seconds at which a bin ends.
fn end(bin: usize) -> i64 {
    let [(fine, fine_steps), (coarse, _)] = STEPS;
    let above = bin.saturating_sub(fine_steps.saturating_sub(1));
    let below = bin.saturating_add(1).min(fine_steps);
    fine.saturating_mul(count(below)).saturating_add(coarse.saturating_mul(count(above)))
}

fn count(steps: usize) -> i64 {
    i64::try_from(steps).unwrap_or(i64::MAX)
}

/// When everything before it is settled.
pub(super) fn settled(now: Timestamp, lag: i64) -> Timestamp {
    now.plus(lag.saturating_mul(-1000))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::flow::{Counts, Version};

    fn record(exporter: u8, received: i64, first: i64, bytes: u64) -> FlowRecord {
        let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, exporter));
        let received = Timestamp(received * 1000);
        let blank = FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9);
        FlowRecord { first: Timestamp(first * 1000), counts: Counts { bytes, packets: 1 }, ..blank }
    }

    #[test]
    fn bins_cover_an_hour_without_a_gap() {
        for late in 0..3600 {
            let bin = bin(late);
            assert!(late < end(bin), "{late}");
            assert!(bin == 0 || end(bin - 1) <= late, "{late}");
        }
        assert_eq!(bin(100_000), BINS - 1);
    }

    #[test]
    fn a_timeout_of_a_minute_is_learned_and_forgotten() {
        let mut lags = Lags::default();
        lags.advance(0);
        (0..100).for_each(|n| lags.note(&record(1, n + 60, n, 1_000_000)));
        // A trickle that lasts for an hour keeps nobody waiting.
        lags.note(&record(1, 3700, 100, 1000));
        assert_eq!(lags.settled_after(), 65);
        (0..30).for_each(|minute| lags.advance(60 * minute));
        assert_eq!(lags.settled_after(), 0);
    }

    #[test]
    fn a_minor_exporter_does_not_hold_up_the_others() {
        let mut lags = Lags::default();
        lags.note(&record(1, 10, 0, 1_000_000));
        lags.note(&record(2, 1800, 0, 1000));
        assert_eq!(lags.settled_after(), 15);
        assert_eq!(lags.each().map(|(_, lag)| lag).max(), Some(1830));
        lags.note(&record(2, 1800, 0, 1_000_000));
        assert_eq!(lags.settled_after(), 1830);
    }
}

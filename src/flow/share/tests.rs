use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::flow::{ObservationDomainId, Version};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A record that ended `end` ms before now and lasted `lasted` ms.
fn record(end: i64, lasted: i64, bytes: u64, packets: u64) -> FlowRecord {
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    FlowRecord {
        first: NOW.plus(-end - lasted),
        last: NOW.plus(-end),
        counts: Counts { bytes, packets },
        ..FlowRecord::blank(NOW, exporter, ObservationDomainId(0), Version::V9)
    }
}

/// The minutes of a record, each compared with the one formula.
fn minutes(record: &FlowRecord) -> Vec<(i64, Counts)> {
    let mut minutes = Vec::new();
    Booking::of(record).minutes(record.counts, |minute, counts| minutes.push((minute, counts)));
    for (minute, counts) in &minutes {
        let from = Timestamp(minute * 60_000);
        assert_eq!(*counts, share(record, from, from.plus(60_000)), "minute {minute}");
    }
    minutes
}

#[test]
fn a_second_of_ten_has_a_tenth() {
    let record = record(0, 10_000, 1_000, 10);
    assert_eq!(share(&record, NOW.plus(-10_000), NOW.plus(-9_000)), Counts { bytes: 100, packets: 1 });
    assert_eq!(share(&record, NOW.plus(-99_000), NOW.plus(-10_000)), Counts::default());
    assert_eq!(share(&record, NOW.plus(-99_000), NOW.plus(99_000)), record.counts);
}

#[test]
fn an_instant_falls_whole_into_its_bucket() {
    let record = record(0, 0, 7, 1);
    assert_eq!(share(&record, NOW, NOW.plus(1)), record.counts);
    assert_eq!(share(&record, NOW.plus(-1), NOW), Counts::default());
    assert_eq!(minutes(&record), [(minute(NOW.0), record.counts)]);
}

#[test]
fn a_record_that_ends_with_a_minute_ends_in_it() {
    let end = NOW.0.rem_euclid(60_000);
    let record = record(end, 60_000, 600, 6);
    assert_eq!(minutes(&record), [(minute(NOW.0) - 1, record.counts)]);
}

#[test]
fn a_clock_off_by_more_than_a_day_is_not_believed() {
    let whole = |record: &FlowRecord| share(record, NOW, NOW.plus(1)) == record.counts;
    for end in [CLOCK_OFF_MS + 1, -CLOCK_OFF_MS - 1] {
        assert!(Booking::of(&record(end, 1_000, 5, 1)).at_arrival());
        assert!(whole(&record(end, 1_000, 5, 1)));
    }
    for end in [CLOCK_OFF_MS, -CLOCK_OFF_MS] {
        assert!(!Booking::of(&record(end, 1_000, 5, 1)).at_arrival());
    }
    assert!(whole(&record(0, LASTING_MS + 1, 5, 1)));
    assert!(!whole(&record(0, LASTING_MS, 5, 1)));
    assert!(whole(&FlowRecord { first: Timestamp(i64::MIN), last: Timestamp(i64::MAX), ..record(0, 0, 5, 1) }));
}

#[test]
fn a_record_of_days_comes_in_lumps() {
    let record = record(0, 3 * 86_400_000, 6_000, 60);
    let lumps = minutes(&record);
    assert_eq!(lumps.len(), 60);
    assert!(lumps.iter().all(|(_, counts)| *counts == Counts { bytes: 100, packets: 1 }));
}

proptest! {
    #[test]
    fn shares_add_up_over_any_partition(
        end in -90_000_000_i64..90_000_000,
        lasted in prop_oneof![Just(0), 0..100_000_i64, 0..4_000_000_i64, 0..400 * 86_400_000_i64],
        bytes in prop_oneof![0..100_000_u64, any::<u64>()],
        packets in prop_oneof![0..100_u64, any::<u64>()],
        mut cuts in prop::collection::vec(0..1_000_i64, 0..20),
    ) {
        let record = record(end, lasted, bytes, packets);
        let booking = Booking::of(&record);
        let (first, last) = (booking.first(), booking.last());
        cuts.sort_unstable();
        let mut times = vec![first.plus(-1)];
        times.extend(cuts.iter().map(|cut| first.plus(last.since(first) * cut / 1_000)));
        times.push(last.plus(1));
        let mut sum = Counts::default();
        for pair in times.windows(2) {
            let part = share(&record, pair[0], pair[1]);
            // The sum stays exact where it is at most the whole, so that saturation hides nothing.
            prop_assert!(part.bytes <= bytes - sum.bytes && part.packets <= packets - sum.packets);
            sum.add(part);
        }
        prop_assert_eq!(sum, record.counts);
    }

    #[test]
    fn minutes_are_shares_and_few(
        end in -90_000_000_i64..90_000_000,
        lasted in prop_oneof![Just(0), 0..100_000_i64, 0..4_000_000_i64, 0..400 * 86_400_000_i64],
        bytes in prop_oneof![0..100_000_u64, any::<u64>()],
        packets in 0..100_u64,
    ) {
        let record = record(end, lasted, bytes, packets);
        let minutes = minutes(&record);
        prop_assert!(minutes.len() <= 61, "{} minutes", minutes.len());
        prop_assert!(minutes.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert_eq!(minutes.iter().map(|(_, counts)| u128::from(counts.bytes)).sum::<u128>(), u128::from(bytes));
        prop_assert_eq!(minutes.iter().map(|(_, counts)| counts.packets).sum::<u64>(), packets);
        prop_assert_eq!(minutes.last().unwrap().0, Booking::of(&record).end_minute());
    }
}

use std::time::Duration;

use super::*;
use crate::collector::stats::Health;
use crate::filter;
use crate::flow::{Counts, ObservationDomainId, Version};
use crate::names;
use crate::store::writer::{Options, Writer};
use crate::window::Span;
use crate::window::{Dimension, Until};

const NOW: i64 = 1_700_000_000_000;

fn filter(text: &str) -> Filter {
    filter::parse(text, &names::meanings).unwrap()
}

/// One record a second; every tenth one is large.
fn batch(from_s: i64, seconds: i64) -> Arc<[FlowRecord]> {
    let exporter = "192.0.2.1".parse().unwrap();
    let record = |second: i64| {
        let at = Timestamp(NOW + second * 1000);
        let mut flow = FlowRecord::blank(at, exporter, ObservationDomainId(0), Version::Ipfix);
        flow.key.src_ip = "10.0.0.1".parse().unwrap();
        flow.key.dst_ip = "198.51.100.2".parse().unwrap();
        flow.key.protocol = if second % 2 == 0 { 6 } else { 17 };
        flow.counts = Counts { bytes: if second % 10 == 0 { 9_000 } else { 100 }, packets: 1 };
        flow
    };
    (from_s..from_s + seconds).map(record).collect()
}

fn wish(text: &str) -> Arc<Wish> {
    let view = View { until: Until::Now, dimension: Dimension::Protocol, ..View::default() };
    Arc::new(Wish { views: vec![view], filter: filter(text), tail: 10, ..Wish::default() })
}

fn flows(feed: &Feed) -> u64 {
    feed.views[0].rows.iter().map(|row| row.total.sum().flows).sum()
}

#[test]
fn a_filter_of_lanes_holds_for_the_past_and_another_one_from_the_last_records_on() {
    let mut looking = Looking::new(Atlas::default(), Past::new(None));
    looking.record(batch(0, 60));
    let now = Timestamp(NOW + 60_000);
    let tcp = wish("proto tcp");
    looking.prepare(&tcp);
    let feed = looking.look(&tcp, now);
    assert_eq!((flows(&feed), feed.past), (30, None));
    assert!(feed.tail.iter().all(|flow| flow.key.protocol == 6) && feed.tail.len() == 10);
    assert!(feed.tail.is_sorted_by(|a, b| b.received <= a.received), "the newest come first");
    let large = wish("bytes > 1k");
    looking.prepare(&large);
    looking.record(batch(60, 10));
    let feed = looking.look(&large, Timestamp(NOW + 70_000));
    // Of the first millisecond of the tail some may be missing.
    assert_eq!((flows(&feed), feed.past), (6, Some(Timestamp(NOW + 1))));
    // The same wish keeps its window, and the plain one needs none.
    looking.prepare(&large);
    assert_eq!(flows(&looking.look(&large, Timestamp(NOW + 70_000))), 6);
    looking.prepare(&tcp);
    assert_eq!(looking.look(&tcp, Timestamp(NOW + 70_000)).past, None);
}

#[test]
fn a_copy_stands_still_and_can_be_looked_at_in_another_way() {
    let mut looking = Looking::new(Atlas::default(), Past::new(None));
    looking.record(batch(0, 60));
    let mut still = looking.clone();
    looking.record(batch(60, 60));
    let (at, udp) = (Timestamp(NOW + 60_000), wish("proto udp"));
    still.prepare(&udp);
    assert_eq!(flows(&still.look(&udp, at)), 30);
    assert_eq!(flows(&looking.look(&udp, Timestamp(NOW + 120_000))), 60);
}

#[test]
fn the_tail_is_bounded() {
    let mut looking = Looking::new(Atlas::default(), Past::new(None));
    for n in 0..40 {
        looking.record(batch(n * 500, 500));
    }
    assert!(looking.held <= TAIL + 500 && TAIL <= looking.held, "{}", looking.held);
    let all = Arc::new(Wish { tail: usize::MAX, ..Wish::default() });
    assert_eq!(looking.look(&all, Timestamp(NOW + 20_000_000)).tail.len(), looking.held);
}

#[test]
fn the_past_of_another_filter_is_read_back_from_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let mut writer = Writer::open(&path, Options::default()).unwrap();
    writer.push(&batch(-3000, 3000));
    // What the tail holds is stored as well, and must not count twice.
    writer.push(&batch(0, 60));
    writer.flush(Timestamp(NOW + 60_000), &Health::default()).unwrap();
    let past = Past::new(Some(path));
    let pieces = past.pieces.clone();
    let mut looking = Looking::new(Atlas::default(), past);
    looking.record(batch(0, 60));
    let large = wish("bytes > 1k");
    let view = View { span: Span::Hour, ..large.views[0].clone() };
    let large = Arc::new(Wish { views: vec![view], ..(*large).clone() });
    looking.prepare(&large);
    assert!(looking.look(&large, Timestamp(NOW + 60_000)).past.is_some());
    loop {
        let piece = pieces.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(looking.remember(&piece));
        if piece.is_last {
            break;
        }
    }
    let feed = looking.look(&large, Timestamp(NOW + 60_000));
    assert_eq!((flows(&feed), feed.past), (306, None));
}

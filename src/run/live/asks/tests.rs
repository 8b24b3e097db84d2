use std::time::{Duration, Instant};

use super::*;
use crate::collector::stats::Health;
use crate::flow::{ObservationDomainId, Version};
use crate::store::writer::{Options, Writer};
use crate::window::View;

/// A whole minute.
const NOW: Timestamp = Timestamp(1_790_000_040_000);

fn flow(host: u8, ago_s: i64, bytes: u64) -> FlowRecord {
    let at = NOW.plus(-1000 * ago_s);
    let mut flow = FlowRecord::blank(at, [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9);
    flow.key.src_ip = [10, 0, 0, host].into();
    flow.key.dst_ip = [8, 8, 8, 8].into();
    (flow.key.protocol, flow.key.dst_port, flow.key.src_port) = (6, 443, 50_000);
    flow.counts.bytes = bytes;
    flow
}

fn asks(folder: &Path) -> Asks {
    let path = folder.join("flows.db");
    let mut writer = Writer::open(&path, Options::default()).unwrap();
    writer.push([flow(1, 90, 100), flow(1, 30, 700), flow(2, 20, 5000), flow(3, 100, 60)].as_slice());
    writer.flush(NOW, &Health::default()).unwrap();
    Asks::new(Some(path), Atlas::default())
}

/// What comes back to a wish.
fn answered(asks: &mut Asks, wish: Wish, is_there: impl Fn(&Feed) -> bool) -> Feed {
    asks.prepare(&wish);
    let mut feed = Feed { wish: Arc::new(wish), ..Feed::default() };
    let begin = Instant::now();
    while !is_there(&feed) {
        if let Ok(answered) = asks.answers.recv_timeout(Duration::from_secs(1)) {
            assert!(asks.take(answered));
        }
        asks.put(&mut feed);
        assert!(begin.elapsed() < Duration::from_secs(60), "no answer");
    }
    feed
}

#[test]
fn a_day_is_told_minute_by_minute_with_its_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let mut asks = asks(folder.path());
    let day = Day::around(NOW, NOW);
    let feed = answered(&mut asks, Wish { day: Some(day), ..Wish::default() }, |feed| feed.strip.is_some());
    let strip = feed.strip.unwrap();
    assert_eq!((strip.steps.len(), strip.failed.clone()), (1440, None));
    assert_eq!(strip.steps.iter().sum::<u64>(), 5860);
    assert_eq!(strip.steps[1438], 5700, "the last whole minute");
    assert_eq!(strip.gaps.len(), 1, "nobody listened before the first run");
    // Nothing is kept of what nobody wants any more.
    asks.prepare(&Wish::default());
    let mut feed = Feed::default();
    asks.put(&mut feed);
    assert_eq!(feed.strip, None);
}

#[test]
fn what_moved_has_the_keys_of_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let mut asks = asks(folder.path());
    let comparison = |dimension| Comparison {
        span: (NOW.plus(-60_000), NOW),
        baseline: Baseline::Before,
        marked: None,
        dimension,
        order: Order::Bytes,
    };
    let mut ask = |dimension| {
        let wish = Wish { comparison: Some(comparison(dimension)), ..Wish::default() };
        let is_it = |feed: &Feed| {
            feed.moves.as_ref().and_then(|moves| moves.asked).is_some_and(|asked| asked.dimension == dimension)
        };
        answered(&mut asks, wish, is_it).moves.unwrap()
    };
    let moves = ask(Dimension::Conversation);
    assert_eq!((moves.total_before, moves.total_now, moves.keys), (160, 5700, 3));
    let Key::Conversation { inside, outside, .. } = moves.rows[0].key else { panic!("{:?}", moves.rows) };
    assert_eq!((inside, outside), ([10, 0, 0, 2].into(), IpAddr::from([8, 8, 8, 8])));
    assert_eq!((moves.rows[0].before, moves.rows[0].now), (0, 5000));
    let moves = ask(Dimension::Source);
    assert_eq!(moves.rows[1].key, Key::Source([10, 0, 0, 1].into()));
    assert_eq!(moves.rows[2].difference(), -60);
}

#[test]
fn flows_of_a_moment_are_those_of_the_span_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut asks = asks(folder.path());
    let wish = Wish { views: vec![View::default()], tail: 10, at: Some(NOW.plus(-60_000)), ..Wish::default() };
    let feed = answered(&mut asks, wish, |feed| !feed.tail.is_empty());
    let bytes: Vec<u64> = feed.tail.iter().map(|flow| flow.counts.bytes).collect();
    assert_eq!(bytes, [100, 60], "the newest first");
}

#[test]
fn flows_of_a_moment_are_of_the_country_that_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let country = |ip| (ip == IpAddr::from([10, 0, 0, 3])).then_some(*b"NL");
    let mut asks = Asks { atlas: Atlas::new(country), ..asks(folder.path()) };
    let wish = Wish {
        views: vec![View::default()],
        tail: 10,
        tail_countries: vec![Some(*b"NL")],
        at: Some(NOW.plus(-60_000)),
        ..Wish::default()
    };
    let feed = answered(&mut asks, wish, |feed| !feed.tail.is_empty());
    assert_eq!(feed.tail.iter().map(|flow| flow.counts.bytes).collect::<Vec<_>>(), [60]);
}

#[test]
fn baselines_are_spans_of_the_same_length() {
    let span = (NOW.plus(-300_000), NOW);
    let of = |baseline, marked| {
        let asked = Comparison { span, baseline, marked, dimension: Dimension::Host, order: Order::Bytes };
        spans(&asked, &Zone::UTC)
    };
    let day = 86_400_000;
    let back = |ms: i64| (span.0.plus(-ms), span.1.plus(-ms));
    assert_eq!(of(Baseline::Before, None), [back(300_000)]);
    assert_eq!(of(Baseline::Yesterday, None), [back(day)]);
    assert_eq!(of(Baseline::LastWeek, None), [back(7 * day)]);
    assert_eq!(of(Baseline::Usual, None).len(), 7);
    assert_eq!(of(Baseline::Marks, Some(back(5))), [back(5)]);
}

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::rates::Rates;
use super::*;
use crate::collector::stats::Health;
use crate::filter;
use crate::flow::Counts;
use crate::flow::share::share;
use crate::names;
use crate::store::history::History;
use crate::store::rollup::Limits;
use crate::store::rollup::tests::{OFTEN, any_flow, open};
use crate::store::tests::{NOW, Place, batch, flow, flows};

fn parsed(text: &str) -> Filter {
    filter::parse(text, &names::meanings).unwrap()
}

fn ask(place: &Place, by: By, filter: &Filter, span: (Timestamp, Timestamp), read: Read) -> Ranking {
    let question = Question { filter, by, order: Order::Bytes, span, read };
    History::open(&place.path).unwrap().ranking(&question, usize::MAX, &Watch::NOBODY).unwrap()
}

fn rates(place: &Place, filter: &Filter, span: (Timestamp, Timestamp), step_ms: i64, read: Read) -> Rates {
    let question = Question { filter, by: By::Protocol, order: Order::Bytes, span, read };
    History::open(&place.path).unwrap().rates(&question, step_ms, &Watch::NOBODY).unwrap()
}

/// What a filter chooses of the rows as they come back, summed by the book.
fn total(rows: &[FlowRecord], filter: &Filter, (from, to): (Timestamp, Timestamp)) -> Sums {
    let mut sum = Sums::default();
    for row in rows.iter().filter(|row| filter.matches(row)) {
        let counts = share(row, from, to);
        let more = u64::from(row.sampling.rate.max(1) - 1);
        let end = if Booking::of(row).first() == Booking::of(row).last() { 0 } else { 1 };
        let end = Booking::of(row).last().plus(-end);
        let flows = u64::from(from <= end && end < to);
        sum.add(Sums { counts, flows, more: Counts { bytes: counts.bytes * more, packets: counts.packets * more } });
    }
    sum
}

fn minute(n: i64) -> Timestamp {
    Timestamp((NOW.0.div_euclid(60_000) + n) * 60_000)
}

/// Filters that roll-ups know, in part or not at all.
const FILTERS: &[&str] = &[
    "any",
    "proto tcp",
    "not proto udp",
    "ip 10.0.0.1",
    "src ip 10.0.0.1",
    "dst net 10.0.0.0/30",
    "src and dst net 10.0.0.0/30",
    "not src ip 10.0.0.2 and inet",
    "service 2",
    "ip ::2 and (service 0 or proto icmp)",
    "router ip 192.0.2.1",
    "not router ip 192.0.2.0",
    "router ip 192.0.2.1 and ip 10.0.0.1 and proto tcp",
    "router ip in [192.0.2.0 192.0.2.1] and service 2",
    "port 3",
    "bytes > 50k",
    "in if 1",
    "ip 10.0.0.3 and in if in [0 2]",
    "ip 192.0.2.77",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any filter over any span: roll-ups, raw rows and the records in memory say the same.
    #[test]
    fn sums_are_the_same_from_roll_ups_and_rows(
        batches in prop::collection::vec(prop::collection::vec(any_flow(), 0..40), 1..4),
        cuts in prop::collection::vec(-300..300_i64, 2),
        odd in (0..60_000_i64, 0..60_000_i64),
        which in prop::collection::vec(0..FILTERS.len(), 4),
    ) {
        let place = Place::new();
        let mut writer = open(&place, OFTEN);
        for batch in batches {
            writer.push(&batch);
            writer.flush(NOW, &Health::default()).unwrap();
        }
        drop(writer);
        let rows = place.read();
        let (from, to) = (minute(cuts[0].min(cuts[1])), minute(cuts[0].max(cuts[1])));
        for at in which {
            let filter = parsed(FILTERS[at]);
            for span in [(from, to), (from.plus(odd.0), to.plus(odd.1))] {
                let expected = total(&rows, &filter, span);
                for by in By::ALL {
                    let raw = ask(&place, by, &filter, span, Read::Rows);
                    let quick = ask(&place, by, &filter, span, Read::Quick);
                    prop_assert!(raw.exact && quick.exact);
                    prop_assert_eq!(&raw.rows, &quick.rows, "{:?} {} from {:?}", by, &filter, quick.source);
                    prop_assert_eq!(raw.total, expected, "{:?} {}", by, &filter);
                    prop_assert_eq!(quick.total, expected, "{:?} {} from {:?}", by, &filter, quick.source);
                    if by != By::Host && by != By::Interface && by != By::As {
                        let sum = raw.rows.iter().fold(Sums::default(), |mut sum, row| { sum.add(row.pair.sum()); sum });
                        prop_assert_eq!(sum, expected, "{:?} {}", by, &filter);
                    }
                }
                let quick = rates(&place, &filter, span, 60_000, Read::Quick);
                prop_assert_eq!(&quick.points, &rates(&place, &filter, span, 60_000, Read::Rows).points);
                let sum = quick.points.iter().fold(Sums::default(), |mut sum, (_, point)| { sum.add(*point); sum });
                prop_assert_eq!(sum, expected, "{} from {:?}", &filter, quick.source);
                let hours = rates(&place, &filter, (Timestamp(from.0 / 3_600_000 * 3_600_000), span.1), 3_600_000, Read::Quick);
                prop_assert_eq!(&hours.points, &rates(&place, &filter, (Timestamp(from.0 / 3_600_000 * 3_600_000), span.1), 3_600_000, Read::Rows).points);
            }
        }
    }
}

#[test]
fn roll_ups_answer_what_their_keys_hold_and_rows_the_rest() {
    let place = Place::new();
    place.write(&flows(NOW, 0..20));
    let span = (minute(-5), minute(5));
    let source = |by, text: &str, span| ask(&place, by, &parsed(text), span, Read::Quick).source;
    for (by, text) in [
        (By::Conversation, "any"),
        (By::Conversation, "ip 10.0.0.1 and service 443"),
        (By::Source, "src net 10/8"),
        (By::Destination, "ip 10.0.0.1"),
        (By::Protocol, "proto tcp"),
        (By::Service, "not service 443"),
        (By::Exporter, "router ip 192.0.2.1"),
        (By::Interface, "any"),
    ] {
        assert_eq!(source(by, text, span), Source::RollUps, "{by:?} {text}");
    }
    for (by, text, rows) in [
        (By::Conversation, "port 443", 20),
        (By::Conversation, "bytes >= 1019", 1),
        (By::As, "any", 20),
        (By::Exporter, "ip 10.0.0.1", 1),
        (By::Host, "in if 0 and ip 10.0.0.7", 1),
    ] {
        assert_eq!(source(by, text, span), Source::Rows(rows), "{by:?} {text}");
    }
    assert_eq!(source(By::Conversation, "any", (span.0.plus(1), span.1)), Source::Rows(20));
}

#[test]
fn what_roll_ups_do_not_know_by_name_is_read_from_rows_when_these_are_few() {
    let place = Place::new();
    let mut writer = open(&place, Limits { minute_rows: 4, hour_rows: 4, ..OFTEN });
    for _ in 0..5 {
        writer.push(&batch(NOW, 0..100));
        writer.flush(NOW, &Health::default()).unwrap();
    }
    writer.close(NOW, &Health::default()).unwrap();
    let span = (minute(-90), minute(90));
    let known = ask(&place, By::Conversation, &parsed("ip 10.0.0.50"), span, Read::Quick);
    assert_eq!((known.source, known.exact, known.rows.len()), (Source::Rows(5), true, 1));
    assert_eq!(known.total.counts.bytes, 5 * 1_050);
    // Regrouped, even the bound would be unknown.
    assert_eq!(ask(&place, By::Host, &parsed("proto tcp"), span, Read::Quick).source, Source::Rows(500));
}

#[test]
fn changes_rank_by_their_part_in_the_difference() {
    let place = Place::new();
    let at = |flows: Vec<FlowRecord>, bytes: u64| {
        flows.into_iter().map(move |flow| FlowRecord { counts: Counts { bytes, packets: 1 }, ..flow })
    };
    let (now, before) = (minute(0), minute(-10));
    let mut all: Vec<_> = at(flows(before, 0..3), 1_000).chain(at(flows(now, 0..2), 1_000)).collect();
    all.extend(at(flows(now, 7..8), 9_000));
    all.extend(at(flows(now, 1..2), 500));
    place.write(&all);
    let filter = Filter::all();
    let (from, to) = (now, minute(10));
    let question =
        Question { filter: &filter, by: By::Source, order: Order::Bytes, span: (from, to), read: Read::Quick };
    let history = History::open(&place.path).unwrap();
    let found = history.changes(&question, &[(before, now)], 10, &Watch::NOBODY).unwrap();
    let rows: Vec<_> = found.rows.iter().map(|row| (row.key, row.before, row.now)).collect();
    let host = |n: u8| Key::Host(IpAddr::from([10, 0, 0, n]));
    assert_eq!(rows, [(host(7), 0, 9_000), (host(2), 1_000, 0), (host(1), 1_000, 1_500)]);
    assert_eq!((found.before, found.now, found.exact, found.keys), (3_000, 11_500, true, 3));
    // Usual is what the middle one of several spans had; a key that is missing had nothing.
    let empty = (minute(-30), minute(-20));
    let usual = history.changes(&question, &[(before, now), empty, empty], 10, &Watch::NOBODY).unwrap();
    assert_eq!((usual.before, usual.rows[0].before, usual.rows.len()), (0, 0, 3));
}

#[test]
fn flows_are_handed_out_until_there_are_enough() {
    let place = Place::new();
    place.write(&flows(NOW, 0..30));
    let history = History::open(&place.path).unwrap();
    let mut ports = Vec::new();
    let filter = parsed("src net 10.0.0.0/28");
    let count = history.flows(&filter, (minute(-1), minute(2)), &Watch::NOBODY, |flow| {
        ports.push(flow.key.src_ip);
        if ports.len() < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(count.unwrap(), 4);
    assert_eq!(ports[3], IpAddr::from([10, 0, 0, 3]));
    let all = history.flows(&filter, (minute(-1), minute(2)), &Watch::NOBODY, |_| ControlFlow::Continue(()));
    assert_eq!(all.unwrap(), 16);
    let none = history.flows(&filter, (minute(-9), minute(-2)), &Watch::NOBODY, |_| ControlFlow::Continue(()));
    assert_eq!(none.unwrap(), 0);
}

#[test]
fn a_read_that_is_stopped_ends() {
    let place = Place::new();
    place.write(&flows(NOW, 0..2_000));
    let mut history = History::open(&place.path).unwrap();
    history.stop_on(std::sync::Arc::new(true.into())).unwrap();
    let filter = parsed("bytes > 1");
    let question = Question {
        filter: &filter,
        by: By::Dscp,
        order: Order::Bytes,
        span: (minute(-9), minute(9)),
        read: Read::Quick,
    };
    let error = history.ranking(&question, 5, &Watch::NOBODY).unwrap_err();
    assert!(error.is_stopped(), "{error}");
}

#[test]
fn deleted_rows_are_said_where_roll_ups_do_not_stand_in() {
    let place = Place::new();
    place.write(&[flow(NOW.plus(-3_600_000), 1), flow(NOW, 2)]);
    let database = place.sqlite();
    database.execute("DELETE FROM flows WHERE id = (SELECT min(id) FROM flows)", ()).unwrap();
    database.execute("UPDATE collector_runs SET pruned_flows = 1", ()).unwrap();
    let span = (minute(-100), minute(5));
    let rolled = ask(&place, By::Source, &Filter::all(), span, Read::Exact);
    assert_eq!((rolled.rows.len(), rolled.since, rolled.exact), (2, None, true));
    let raw = ask(&place, By::Dscp, &Filter::all(), span, Read::Quick);
    assert_eq!((raw.total.flows, raw.since), (1, Some(NOW)));
    let keys: BTreeMap<_, _> = rolled.rows.iter().map(|row| (row.key, row.pair)).collect();
    assert_eq!(keys.len(), 2);
}

/// Every flush writes the roll-ups, and nothing else does.
const AT_ONCE: Limits = Limits { slots: 1_000, flows: 1_000, interval_ms: 0, minute_rows: 1_000, hour_rows: 1_000 };

/// Conversations of one of two exporters, as roll-ups answer them and as the rows do.
struct Told {
    place: Place,
    filter: Filter,
}

impl Told {
    fn new() -> Self {
        Self { place: Place::new(), filter: parsed("router ip 192.0.2.99") }
    }

    /// One batch after the other, each with a flush of its own.
    fn write(&self, limits: Limits, batches: &[Vec<FlowRecord>]) {
        let mut writer = open(&self.place, limits);
        for batch in batches {
            writer.push(batch);
            writer.flush(NOW, &Health::default()).unwrap();
        }
    }

    fn question(&self) -> Question<'_> {
        let span = (minute(-600), minute(600));
        Question { filter: &self.filter, by: By::Conversation, order: Order::Bytes, span, read: Read::Quick }
    }

    fn assert_equal(&self, source: Source) {
        let history = History::open(&self.place.path).unwrap();
        for by in [By::Conversation, By::Host, By::Service, By::Pair] {
            let question = Question { by, ..self.question() };
            let quick = history.ranking(&question, 100, &Watch::NOBODY).unwrap();
            let rows = history.ranking(&Question { read: Read::Rows, ..question }, 100, &Watch::NOBODY).unwrap();
            assert!(!quick.rows.is_empty() && quick.exact, "{by:?}");
            assert_eq!((quick.rows, quick.total), (rows.rows, rows.total), "{by:?}");
            assert_eq!(matches!(quick.source, Source::RollUps), matches!(source, Source::RollUps), "{by:?}");
        }
    }
}

fn of_other(flows: Vec<FlowRecord>) -> Vec<FlowRecord> {
    flows.into_iter().map(|flow| FlowRecord { exporter: [192, 0, 2, 99].into(), ..flow }).collect()
}

#[test]
fn conversations_of_one_exporter_are_in_roll_ups_since_these_tell_exporters_apart() {
    let told = Told::new();
    let both = [flows(NOW, 0..50), of_other(flows(NOW, 20..80))].concat();
    told.write(AT_ONCE, &[both]);
    told.assert_equal(Source::RollUps);
    // What an older program wrote does not.
    let begin = told.question().span.0;
    told.place.sqlite().execute("UPDATE derived SET reported = ?1", [begin.0 + 1]).unwrap();
    told.assert_equal(Source::Rows(0));
}

#[test]
fn where_lines_would_take_all_room_exporters_are_not_told_apart_and_rows_answer() {
    let told = Told::new();
    // Two times fifty lines of eighty: fifty are left when they are of anybody, so that nothing is written early.
    let both = [flows(NOW, 0..50), of_other(flows(NOW, 0..50))].concat();
    told.write(Limits { slots: 80, ..AT_ONCE }, &[both]);
    told.assert_equal(Source::Rows(0));
    let unbounded = "SELECT count(*) FROM rollup_rest WHERE dimension = 6 AND floor_bytes = 9223372036854775807";
    assert_eq!(told.place.ask::<i64>(unbounded), told.place.ask::<i64>("SELECT count(*) FROM rollup_rest"));
    assert_eq!(told.place.ask::<i64>("SELECT count(*) FROM rollup WHERE dimension = 6"), 0);
    let flows = "SELECT sum(flows + back_flows) FROM rollup_rest WHERE dimension = 6 AND grain = 1";
    assert_eq!(told.place.ask::<i64>(flows), 100);
}

#[test]
fn an_hour_in_which_there_was_one_exporter_first_is_answered_from_rows() {
    let told = Told::new();
    told.write(AT_ONCE, &[flows(NOW, 0..50)]);
    assert_eq!(told.place.ask::<i64>("SELECT count(*) FROM rollup WHERE dimension = 6"), 0, "there is nothing to tell");
    told.write(AT_ONCE, &[of_other(flows(NOW, 20..80))]);
    told.assert_equal(Source::Rows(0));
}

/// Most pieces of a read have no rare fields, and are read without a look for them.
#[test]
fn rare_fields_come_with_the_flows_that_have_them() {
    let place = Place::new();
    let tagged = |(n, flow): (usize, FlowRecord)| {
        let vlan = if n % 97 == 5 { 7 } else { 0 };
        FlowRecord { vlan, vrf: u32::from(vlan), received: NOW.plus(i64::try_from(n).unwrap()), ..flow }
    };
    let sent: Vec<FlowRecord> = flows(NOW, 0..1_000).into_iter().enumerate().map(tagged).collect();
    place.write(&sent);
    let history = History::open(&place.path).unwrap();
    let read = |text: &str| {
        let mut found = Vec::new();
        let span = (minute(-600), minute(600));
        let took = history.flows(&parsed(text), span, &Watch::NOBODY, |flow| {
            found.push(*flow);
            ControlFlow::Continue(())
        });
        assert_eq!(took.unwrap(), found.len() as u64);
        found
    };
    assert_eq!(read("any"), sent);
    let rare: Vec<FlowRecord> = sent.iter().filter(|flow| flow.vlan == 7).copied().collect();
    assert_eq!((read("vlan 7"), rare.len()), (rare, 11));
}

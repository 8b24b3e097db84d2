use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Followed, Tail, Wanted};
use crate::collector::stats::Health;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::RowKey;
use crate::store::history::History;
use crate::store::tests::{NOW, Place, batch, flow, flows};
use crate::store::writer::Writer;

/// All that there is, the newest minute first.
const ALL: Wanted = Wanted { first: 60_000, all: 3_600_000 };

/// Somebody who follows, and what he has got.
struct Reader {
    history: History,
    tail: Tail,
    got: Vec<FlowRecord>,
}

impl Reader {
    fn new(place: &Place, wanted: Wanted) -> Self {
        let history = History::open(&place.path).unwrap();
        let tail = history.tail(wanted).unwrap();
        Self { history, tail, got: Vec::new() }
    }

    fn follow(&mut self, limit: usize) -> Followed {
        self.history.follow(&mut self.tail, limit, &mut self.got).unwrap()
    }

    /// Everything that there is now, new and old.
    fn drain(&mut self, limit: usize) {
        loop {
            while self.follow(limit) == Followed::More {}
            if self.tail.is_whole() {
                return;
            }
            self.history.fill(&mut self.tail, limit, &mut self.got).unwrap();
        }
    }

    /// Which flows it has, by their number; each must be there once.
    fn numbers(&self) -> BTreeSet<u64> {
        let numbers: BTreeSet<u64> = self.got.iter().map(|flow| flow.counts.bytes).collect();
        assert_eq!(numbers.len(), self.got.len(), "no flow was handed out twice");
        numbers
    }
}

fn write(writer: &mut Writer, flows: &[FlowRecord]) {
    writer.push(flows);
    writer.flush(NOW, &Health::default()).unwrap();
}

#[test]
fn a_row_put_between_others_is_read_once() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, &flows(NOW, 0..10));
    let mut reader = Reader::new(&place, ALL);
    reader.drain(100);
    // A set that waited for its template, in the middle of what comes.
    write(&mut writer, &[flows(NOW.plus(5), 10..12), flows(NOW.plus(-7_000), 12..15), flows(NOW, 15..17)].concat());
    assert_eq!(reader.follow(100), Followed::All);
    assert_eq!(reader.numbers().len(), 17);
    assert_eq!(reader.follow(100), Followed::All);
    assert_eq!(reader.got.len(), 17);
}

#[test]
fn what_is_new_comes_before_what_is_old() {
    let place = Place::new();
    let mut writer = place.writer();
    let minutes: Vec<_> = (0..120).map(|n| flow(NOW.plus(i64::from(n) * 60_000), n)).collect();
    write(&mut writer, &minutes);
    let mut reader = Reader::new(&place, ALL);
    assert_eq!(reader.follow(100), Followed::All);
    assert_eq!(reader.got, minutes[118..]);
    assert_eq!(reader.tail.complete_from(), Some(minutes[118].received.plus(-1)));
    reader.history.fill(&mut reader.tail, 10, &mut reader.got).unwrap();
    assert_eq!(reader.got[2..], minutes[108..118]);
    reader.drain(7);
    assert_eq!((reader.got.len(), reader.tail.complete_from()), (61, None));
    assert_eq!(reader.numbers().first(), Some(&minutes[59].counts.bytes));
}

#[test]
fn an_empty_file_is_followed_from_its_first_row() {
    let place = Place::new();
    let mut writer = place.writer();
    let mut reader = Reader::new(&place, ALL);
    assert_eq!((reader.follow(10), reader.tail.is_whole()), (Followed::All, true));
    write(&mut writer, &flows(NOW.plus(-86_400_000), 0..3));
    reader.drain(10);
    assert_eq!(reader.numbers().len(), 3);
}

#[test]
fn who_has_missed_too_much_is_told_so() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, &flows(NOW, 0..10));
    let mut reader = Reader::new(&place, ALL);
    reader.drain(100);
    // What was read last is deleted, and with it whatever stood before.
    place.sqlite().execute("DELETE FROM flows", ()).unwrap();
    write(&mut writer, &flows(NOW.plus(-5), 10..12));
    assert_eq!(reader.follow(100), Followed::Lost);
    let mut reader = Reader::new(&place, ALL);
    reader.drain(100);
    assert_eq!(reader.numbers().len(), 2);
    // Notes that are gone.
    write(&mut writer, &flows(NOW.plus(-7), 12..13));
    write(&mut writer, &flows(NOW.plus(-8), 13..14));
    place.sqlite().execute("DELETE FROM insertions WHERE n < (SELECT max(n) FROM insertions)", ()).unwrap();
    assert_eq!(reader.follow(100), Followed::Lost);
    // Another file under the same name, whose notes are fewer.
    let mut reader = Reader::new(&place, ALL);
    reader.drain(100);
    place.sqlite().execute("DELETE FROM insertions", ()).unwrap();
    assert_eq!(reader.follow(100), Followed::Lost);
}

#[test]
fn rows_that_are_deleted_behind_a_reader_stop_nobody() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, &flows(NOW, 0..10));
    let mut reader = Reader::new(&place, ALL);
    reader.follow(100);
    write(&mut writer, &flows(NOW.plus(100), 10..20));
    // Retention deletes from the front, here up to the row that was read last.
    let last = RowKey::at(NOW).0 + 9;
    place.sqlite().execute("DELETE FROM flows WHERE id < ?1", [last]).unwrap();
    reader.drain(100);
    assert_eq!(reader.numbers().len(), 20);
}

#[test]
fn runs_are_bounded_in_number_and_in_rows() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, &flows(NOW, 0..1));
    write(&mut writer, &flows(NOW.plus(-1_000), 0..10_000));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM insertions"), 3);
    assert_eq!(place.ask::<i64>("SELECT max(last - first + 1) FROM insertions"), 4096);
    // Each of them a run of its own.
    let apart: Vec<_> = (0..70_000).map(|n| flow(NOW.plus(-100_000 - i64::from(n)), n)).collect();
    write(&mut writer, &apart);
    let (runs, oldest) = ("SELECT count(*) FROM insertions", "SELECT min(n) FROM insertions");
    assert_eq!((place.ask::<i64>(runs), place.ask::<i64>(oldest)), (65_536, 70_003 - 65_536 + 1));
}

/// What happens to the file, or is done by the reader.
#[derive(Debug, Clone)]
enum Step {
    /// Flows received so many milliseconds before or after the begin, in the order in which they come.
    Write(Vec<i64>),
    Follow(usize),
    Fill(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => proptest::collection::vec(prop_oneof![0..5_000_i64, -100_000..100_000_i64], 1..40).prop_map(Step::Write),
        3 => (1..30_usize).prop_map(Step::Follow),
        1 => (1..30_usize).prop_map(Step::Fill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_is_read_once_whatever_the_clock_does(
        before in proptest::collection::vec(-200_000..0_i64, 0..60),
        steps in proptest::collection::vec(step(), 1..30),
        first in 0..100_000_i64,
    ) {
        let place = Place::new();
        let mut writer = place.writer();
        let mut count = 0;
        let mut made = |times: &[i64]| -> Vec<FlowRecord> {
            times.iter().map(|ms| { count += 1; flow(NOW.plus(*ms), count) }).collect()
        };
        let mut all = made(&before);
        write(&mut writer, &all);
        let mut reader = Reader::new(&place, Wanted { first, all: 3_600_000 });
        for step in steps {
            match step {
                Step::Write(times) => {
                    let flows = made(&times);
                    write(&mut writer, &flows);
                    all.extend(flows);
                }
                Step::Follow(limit) => {
                    let _ = reader.follow(limit);
                }
                Step::Fill(limit) => reader.history.fill(&mut reader.tail, limit, &mut reader.got).unwrap(),
            }
            reader.numbers();
        }
        reader.drain(10);
        let expected: BTreeSet<u64> = all.iter().map(|flow| flow.counts.bytes).collect();
        prop_assert_eq!(reader.numbers(), expected);
    }
}

#[test]
fn the_accounts_of_a_run_come_back_as_its_collector_had_them() {
    use crate::collector::stats::{Barred, ExporterStats, Totals};
    use crate::flow::{ObservationDomainId, Version};

    let place = Place::new();
    let address = [192, 0, 2, 9].into();
    let stats = ExporterStats { lost: 3, ..ExporterStats::new(address, ObservationDomainId(7), Version::V9, NOW) };
    let last = Some(([198, 51, 100, 3], 4_000).into());
    let health = Health {
        totals: Totals { datagrams: 5, decoded: 4, malformed: 1, ..Totals::default() },
        barred: Barred { datagrams: 2, last },
        exporters: vec![stats],
        ..Health::default()
    };
    let gone = ExporterStats::new([192, 0, 2, 8].into(), ObservationDomainId(0), Version::V5, NOW);
    place.writer().close(NOW, &Health { exporters: vec![gone], ..Health::default() }).unwrap();
    let history = History::open(&place.path).unwrap();
    let mut writer = place.writer();
    writer.push(&batch(NOW, 0..1));
    writer.flush(Timestamp(NOW.0 + 5), &health).unwrap();
    let (run, read) = history.health().unwrap().unwrap();
    assert_eq!((run.ended, run.last_alive), (None, NOW.plus(5)));
    assert_eq!(read, health);
}

use crate::collector::stats::Health;
use crate::flow::FlowRecord;
use crate::store::history::History;
use crate::store::tests::{NOW, Place, flow};

fn spread(n: u32) -> FlowRecord {
    let received = NOW.plus(i64::from(n) * 60_000);
    FlowRecord { first: received.plus(-5_400_000), last: received.plus(-1_000), ..flow(received, n) }
}

#[test]
fn a_sound_database_is_found_sound() {
    let place = Place::new();
    place.write(&(0..500).map(spread).collect::<Vec<_>>());
    let checked = History::open(&place.path).unwrap().check().unwrap();
    assert!(checked.is_sound(), "{checked:?}");
    assert_eq!((checked.flows, checked.behind), (500, 0));
    assert!(8 <= checked.hours, "{checked:?}");
}

#[test]
fn roll_ups_that_lack_a_byte_are_found_in_their_hour() {
    let place = Place::new();
    place.write(&(0..500).map(spread).collect::<Vec<_>>());
    place
        .sqlite()
        .execute_batch(
            "UPDATE rollup SET bytes = bytes - 1 WHERE dimension = 3 AND grain = 1 AND bucket = (
        SELECT max(bucket) FROM rollup WHERE dimension = 3 AND grain = 1)",
        )
        .unwrap();
    let checked = History::open(&place.path).unwrap().check().unwrap();
    let [difference] = checked.differing.as_slice() else { panic!("{checked:?}") };
    assert_eq!(difference.raw.counts.bytes, difference.rolled.counts.bytes + 1);
    assert!(!checked.is_sound());
}

#[test]
fn rows_that_no_roll_up_has_yet_are_no_difference() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.push(&(0..50).map(spread).collect::<Vec<_>>());
    writer.flush(NOW, &Health::default()).unwrap();
    let checked = History::open(&place.path).unwrap().check().unwrap();
    assert!(checked.is_sound(), "{checked:?}");
    assert_eq!(checked.behind + checked.flows, 50 + checked.behind);
}

#[test]
fn details_without_a_flow_are_found() {
    let place = Place::new();
    place.write(&[FlowRecord { vlan: 7, ..flow(NOW, 1) }]);
    place.sqlite().execute_batch("DELETE FROM flows").unwrap();
    assert_eq!(History::open(&place.path).unwrap().check().unwrap().orphans, 1);
}

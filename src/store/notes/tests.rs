use super::*;
use crate::collector::stats::Health;
use crate::store::history::History;
use crate::store::tests::{NOW, Place, batch};

fn note(at: Timestamp, text: &str) -> Note {
    Note { at, written: NOW, text: text.to_owned() }
}

fn texts(place: &Place) -> Vec<String> {
    let history = History::open(&place.path).unwrap();
    let notes = history.notes((NOW.plus(-1_000), NOW.plus(1_000))).unwrap();
    notes.into_iter().map(|note| note.text).collect()
}

#[test]
fn notes_are_written_while_a_collector_writes() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.flush(NOW, &Health::default()).unwrap();
    write(&place.path, &note(NOW.plus(5), "second")).unwrap();
    writer.push(&batch(NOW, 0..100));
    writer.flush(NOW, &Health::default()).unwrap();
    write(&place.path, &note(NOW, " first\u{1b}[2J ")).unwrap();
    write(&place.path, &note(NOW.plus(1_000), "not in the span")).unwrap();
    writer.push(&batch(NOW, 0..100));
    writer.close(NOW, &Health::default()).unwrap();
    assert_eq!(texts(&place), ["first [2J", "second"]);
    assert_eq!(place.read().len(), 200);
}

/// Both wait for each other, whoever is first.
#[test]
fn a_note_waits_for_the_collectors_transaction() {
    let place = Place::new();
    place.write(&[]);
    let mut other = place.sqlite();
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let path = place.path.clone();
    let writing = std::thread::spawn(move || write(&path, &note(NOW, "patient")));
    held.execute("UPDATE derived SET rolled = rolled", ()).unwrap();
    held.commit().unwrap();
    writing.join().unwrap().unwrap();
    assert_eq!(texts(&place), ["patient"]);
}

#[test]
fn a_file_that_is_not_ours_gets_no_note() {
    let place = Place::new();
    assert!(matches!(write(&place.path, &note(NOW, "x")), Err(Error::Missing { .. })));
    place.sqlite().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(write(&place.path, &note(NOW, "x")), Err(Error::Foreign { .. })));
}

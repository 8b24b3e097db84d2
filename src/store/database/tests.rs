use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;

use super::{Incident, files};
use crate::collector::options::Said;
use crate::collector::stats::Health;
use crate::flow::FlowRecord;
use crate::store::history::History;
use crate::store::tests::{NOW, Place, batch, damage, flows};
use crate::store::writer::{Options, Writer};
use crate::store::{Error, Owner, RowKey, owner, schema};

fn read(path: &Path) -> Vec<FlowRecord> {
    let mut flows = Vec::new();
    History::open(path).unwrap().since(RowKey::START, usize::MAX, &mut flows).unwrap();
    flows
}

fn write(writer: &mut Writer, batch: Arc<[FlowRecord]>) {
    writer.push(&batch);
    writer.flush(NOW, &Health::default()).unwrap();
}

/// Databases that were set aside, in the order of their names.
fn set_aside(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_one =
        |path: &PathBuf| path.to_str().unwrap().contains(".corrupt-") && !path.to_str().unwrap().ends_with("-wal");
    let mut paths: Vec<_> = entries.filter(is_one).collect();
    paths.sort();
    paths
}

#[test]
fn a_file_that_is_deleted_is_begun_anew_and_nothing_that_waits_is_lost() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, batch(NOW, 0..10));
    writer.push(&batch(NOW, 10..20));
    fs::remove_file(&place.path).unwrap();
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 10);
    assert_eq!(writer.incidents(), [Incident::Vanished]);
    assert_eq!(writer.incidents(), []);
    assert!(writer.stats().notice.unwrap().contains("deleted"));
    assert_eq!(place.read(), flows(NOW, 10..20));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM collector_runs"), 1);
    let folder = place.path.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    write(&mut writer, batch(NOW, 20..25));
    assert_eq!(place.read(), flows(NOW, 20..25));
    assert!(matches!(place.refusal(), Error::InUse { .. }), "the new lock file is locked as well");
}

#[test]
fn a_file_that_is_renamed_keeps_all_that_was_committed() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, batch(NOW, 0..10));
    let moved = place.path.with_file_name("moved.db");
    fs::rename(&place.path, &moved).unwrap();
    write(&mut writer, batch(NOW, 10..20));
    assert_eq!((read(&moved), place.read()), (flows(NOW, 0..10), flows(NOW, 10..20)));
}

#[test]
fn a_log_that_a_reader_holds_is_kept_when_its_file_goes() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, batch(NOW, 0..10));
    let reader = place.sqlite();
    reader.execute_batch("BEGIN; SELECT count(*) FROM flows").unwrap();
    write(&mut writer, batch(NOW, 10..20));
    fs::remove_file(&place.path).unwrap();
    write(&mut writer, batch(NOW, 20..30));
    assert_eq!(place.read(), flows(NOW, 20..30));
    assert!(place.path.with_file_name("flows.db-wal.left-1").exists());
}

#[test]
fn a_file_that_is_replaced_is_written_if_it_can_be() {
    let place = Place::new();
    let other = Place::new();
    other.write(&flows(NOW, 100..105));
    let mut writer = place.writer();
    write(&mut writer, batch(NOW, 0..10));
    fs::write(place.path.with_file_name("new"), "a diary").unwrap();
    fs::rename(place.path.with_file_name("new"), &place.path).unwrap();
    writer.push(&batch(NOW, 10..20));
    let refused = writer.flush(NOW, &Health::default()).unwrap_err();
    assert!(matches!(refused, Error::NotADatabase { .. }), "{refused}");
    assert!(writer.flush(NOW, &Health::default()).is_err());
    assert_eq!(writer.incidents(), [Incident::Replaced]);
    assert_eq!(fs::read(&place.path).unwrap(), b"a diary");
    assert_eq!(writer.stats().buffered, 10);
    fs::rename(&other.path, &place.path).unwrap();
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 10);
    assert_eq!(place.read(), [flows(NOW, 100..105), flows(NOW, 10..20)].concat());
}

#[test]
fn a_damaged_file_is_set_aside_at_the_start_with_its_log() {
    let place = Place::new();
    for round in 1..=2 {
        place.write(&flows(NOW, 0..3_000));
        damage(&place.path);
        let damaged = fs::read(&place.path).unwrap();
        let log = fs::read(files::log(&place.path)).unwrap();
        assert!(!log.is_empty());
        let mut writer = place.writer();
        let [Incident::SetAside { to, .. }] = &writer.incidents()[..] else { panic!("it is told") };
        assert_eq!(set_aside(&place).len(), round);
        let kept = fs::read(to).unwrap() == damaged && fs::read(files::log(to)).unwrap() == log;
        assert!(kept, "nothing was touched");
        write(&mut writer, batch(NOW, 0..10));
        assert_eq!(place.read(), flows(NOW, 0..10));
        writer.close(NOW, &Health::default()).unwrap();
        fs::remove_file(&place.path).unwrap();
    }
}

#[test]
fn a_damaged_first_page_is_set_aside_if_the_file_is_ours() {
    let place = Place::new();
    place.write(&flows(NOW, 0..10));
    let mut octets = fs::read(&place.path).unwrap();
    octets[16..30].fill(0xff);
    fs::write(&place.path, octets).unwrap();
    place.write(&flows(NOW, 10..20));
    assert_eq!((set_aside(&place).len(), place.read()), (1, flows(NOW, 10..20)));
}

#[test]
fn a_file_cut_short_is_set_aside() {
    let place = Place::new();
    place.write(&flows(NOW, 0..3_000));
    let file = fs::File::options().write(true).open(&place.path).unwrap();
    file.set_len(5 * 16_384 + 100).unwrap();
    place.write(&flows(NOW, 10..20));
    assert_eq!((set_aside(&place).len(), place.read()), (1, flows(NOW, 10..20)));
}

#[test]
fn damage_that_is_met_at_a_flush_loses_nothing_that_waits() {
    let place = Place::new();
    let mut writer = place.writer();
    write(&mut writer, batch(NOW, 0..3_000));
    writer.push(&batch(NOW, 3_000..3_010));
    writer.push(&batch(NOW, 3_010..3_020));
    damage(&place.path);
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 20);
    assert!(matches!(writer.incidents()[..], [Incident::SetAside { .. }]));
    assert_eq!((set_aside(&place).len(), place.read()), (1, flows(NOW, 3_000..3_020)));
    let stats = writer.stats();
    assert_eq!((stats.rows, stats.buffered, stats.failures), (3_020, 0, 0));
}

#[test]
fn a_disk_that_damages_every_file_is_not_filled_with_them() {
    let place = Place::new();
    place.write(&flows(NOW, 0..3_000));
    damage(&place.path);
    for n in 0..8 {
        fs::write(place.path.with_file_name(format!("flows.db.corrupt-{n}")), "").unwrap();
    }
    let refused = Writer::open(&place.path, Options::default()).map(drop).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("corrupt-*"), "{refused}");
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let place = Place::new();
    let old = place.sqlite();
    old.execute_batch(schema::V1).unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute_batch(
        "INSERT INTO exporters (id, address, domain, version, first_seen_ms, last_seen_ms)
         VALUES (1, '192.0.2.1', 1, 10, 5, 6);
         INSERT INTO flows SELECT 7 << 20, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 10, 0, 0, 0, 0, 0, 0;
         INSERT INTO collector_runs VALUES (3, 4, '0', 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8)",
    )
    .unwrap();
    drop(old);
    assert!(matches!(History::open(&place.path), Err(Error::OlderSchema { found: 1, .. })));
    place.write(&flows(NOW, 0..2));
    assert_eq!(place.ask::<u32>("PRAGMA user_version"), schema::SUPPORTED);
    let history = History::open(&place.path).unwrap();
    let runs = history.runs(10).unwrap();
    assert_eq!((runs.len(), runs[1].dropped_flows, runs[1].pruned_flows), (2, 8, 0));
    assert_eq!(history.exporters().unwrap()[0].stats.said, Said::default());
    assert_eq!((history.names().unwrap().len(), place.ask::<i64>("SELECT count(*) FROM templates")), (0, 0));
    let read = place.read();
    assert_eq!((read.len(), read[0].counts.bytes), (3, 9));
    // Columns of flows lost their types, and what SQLite says of the file is that it is sound.
    for (table, columns) in [("flows", 11), ("details", 19)] {
        let typed = format!("SELECT count(*) FROM pragma_table_info('{table}') WHERE type <> '' OR \"notnull\"");
        assert_eq!(place.ask::<i64>(&typed), 1, "the key of {table}");
        assert_eq!(place.ask::<i64>(&format!("SELECT count(*) FROM pragma_table_info('{table}')")), columns);
    }
    assert_eq!(place.ask::<String>("PRAGMA integrity_check"), "ok");
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM flow WHERE bytes = '9'"), 1, "the view has types");
}

/// A copy of what was on the disk at any moment opens, with every transaction that was committed by then.
#[test]
fn a_log_cut_anywhere_costs_only_what_was_not_committed() {
    let place = Place::new();
    let mut writer = place.writer();
    // The tables and what is committed so far stand in the log; each commit is a length of it.
    let mut commits = vec![(files::length(&files::log(&place.path)), 0)];
    for n in 0..6 {
        write(&mut writer, batch(NOW.plus(n.into()), n * 50..n * 50 + 50));
        commits.push((files::length(&files::log(&place.path)), usize::try_from(n + 1).unwrap() * 50));
    }
    let log = fs::read(files::log(&place.path)).unwrap();
    let database = fs::read(&place.path).unwrap();
    let begin = usize::try_from(commits[0].0).unwrap();
    for cut in (begin..=log.len()).step_by(3_001).chain([log.len()]) {
        let copy = Place::new();
        fs::write(&copy.path, &database).unwrap();
        let mut torn = log[..cut].to_vec();
        torn.extend_from_slice(&[0xa5; 700]);
        fs::write(files::log(&copy.path), torn).unwrap();
        let committed = commits.iter().rev().find(|(length, _)| *length <= cut as u64).unwrap().1;
        assert_eq!(copy.ask::<String>("PRAGMA integrity_check"), "ok", "{cut}");
        assert_eq!(copy.ask::<i64>("SELECT count(*) FROM flows"), i64::try_from(committed).unwrap(), "{cut}");
        copy.write(&flows(NOW, 900..901));
        assert!(set_aside(&copy).is_empty(), "a torn log is no damage");
    }
}

#[test]
fn a_commit_is_on_the_disk() {
    let place = Place::new();
    let writer = place.writer();
    let connection: &Connection = writer.connection();
    let level: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0)).unwrap();
    assert_eq!(level, 2, "FULL");
}

#[test]
fn who_asks_for_the_owner_is_in_nobodys_way() {
    let place = Place::new();
    place.write(&flows(NOW, 0..1));
    let stop = AtomicBool::new(false);
    let found: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) && owner(&place.path).is_ok() {
                std::hint::spin_loop()
            }
        });
        let open = |_| Writer::open(&place.path, Options::default()).map(|_writer| owner(&place.path).unwrap());
        let found = (0..30).map(open).collect();
        stop.store(true, Ordering::Relaxed);
        found
    });
    let own = Some(Owner { pid: Some(std::process::id()) });
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(|owner| *owner == own)), "{found:?}");
    assert_eq!(owner(&place.path).unwrap(), None);
}

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::collector::stats::Health;
use crate::flow::{FlowRecord, ObservationDomainId, Version};
use crate::store::history::History;
use crate::store::retention::Size;
use crate::store::writer::{Incident, Options, Writer};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const DAY: i64 = 86_400_000;
const BUDGET: Duration = Duration::from_millis(100);

struct Place {
    _folder: TempDir,
    path: std::path::PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flows.db");
        Self { _folder: folder, path }
    }

    fn writer(&self, retention: Retention) -> Writer {
        Writer::open(&self.path, Options { retention, ..Options::default() }).unwrap()
    }

    fn ask(&self, sql: &str) -> i64 {
        Connection::open(&self.path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
    }

    fn sound(&self) -> bool {
        let sql = "PRAGMA integrity_check";
        let told: String = Connection::open(&self.path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap();
        told == "ok"
    }
}

/// Flows of one exporter, ten to the millisecond, every tenth with details.
fn batch(exporter: u8, received: Timestamp, flows: i64) -> Arc<[FlowRecord]> {
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, exporter));
    let flow = |n: i64| FlowRecord {
        vlan: u16::from(n % 10 == 0),
        ..FlowRecord::blank(received.plus(n / 10), exporter, ObservationDomainId(1), Version::Ipfix)
    };
    (0..flows).map(flow).collect()
}

fn write(writer: &mut Writer, exporter: u8, received: Timestamp, flows: i64) {
    writer.push(&batch(exporter, received, flows));
    writer.flush(received.plus(10_000), &Health::default()).unwrap();
}

/// Steps until there is nothing to do.
fn prune(writer: &mut Writer, now: Timestamp, at: Instant) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        steps.push(writer.prune(now, at, BUDGET).unwrap());
        if !steps.last().unwrap().more {
            return steps;
        }
    }
}

const fn days(days: u64) -> Retention {
    Retention { age: Age::Of(Duration::from_secs(days * 86_400)), size: Size::Unlimited }
}

#[test]
fn what_is_too_old_goes_in_small_steps_and_its_accounts_with_it() {
    let place = Place::new();
    let mut old = place.writer(Retention::default());
    write(&mut old, 1, NOW.plus(-9 * DAY), 3_000);
    old.close(NOW.plus(-9 * DAY), &Health::default()).unwrap();
    let mut writer = place.writer(days(7));
    write(&mut writer, 2, NOW.plus(-7 * DAY - 50), 1_000);
    write(&mut writer, 2, NOW, 10);
    let begin = Instant::now();
    assert_eq!(prune(&mut writer, NOW, begin)[0].flows, 0, "a start after nine days is believed an hour later");
    let steps = prune(&mut writer, NOW, begin + Duration::from_secs(3_600));
    assert_eq!(steps.iter().map(|step| step.flows).sum::<u64>(), 3_500);
    assert!(2 < steps.len() && steps[0].flows <= 500 && steps[0].cause == Some(Cause::Age), "{steps:?}");
    assert_eq!(place.ask("SELECT count(*) FROM flows"), 510);
    assert_eq!(place.ask("SELECT count(*) FROM details"), 51);
    assert_eq!(place.ask("SELECT count(*) FROM details WHERE id NOT IN (SELECT id FROM flows)"), 0);
    assert_eq!(place.ask("SELECT count(*) FROM exporters"), 1, "the exporter without flows is forgotten");
    assert_eq!(place.ask("SELECT count(*) FROM collector_runs"), 1, "and so is the old run");
    let stats = writer.stats();
    assert_eq!((stats.pruned, stats.oldest), (3_500, Some(NOW.plus(-7 * DAY))));
    // An exporter that comes back gets a row again.
    write(&mut writer, 1, NOW.plus(1), 5);
    assert_eq!(place.ask("SELECT count(*) FROM flow WHERE exporter = '192.0.2.1'"), 5);
    writer.close(NOW, &Health::default()).unwrap();
    assert_eq!(History::open(&place.path).unwrap().runs(1).unwrap()[0].pruned_flows, 3_500);
    assert!(place.sound());
}

#[test]
fn an_exporter_that_was_silent_for_long_but_has_flows_stays() {
    let place = Place::new();
    let mut writer = place.writer(days(7));
    write(&mut writer, 1, NOW.plus(-6 * DAY), 10);
    write(&mut writer, 2, NOW, 10);
    prune(&mut writer, NOW, Instant::now());
    assert_eq!(place.ask("SELECT count(*) FROM exporters"), 2);
    let mut flows = Vec::new();
    History::open(&place.path).unwrap().since(RowKey::START, 100, &mut flows).unwrap();
    assert_eq!(flows.len(), 20);
}

#[test]
fn runs_are_bounded_in_number() {
    let place = Place::new();
    let mut writer = place.writer(days(7));
    writer.flush(NOW, &Health::default()).unwrap();
    let many = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
        INSERT INTO collector_runs SELECT i, pid, program, started_ms, last_alive_ms, ended_ms, datagrams, octets,
        decoded, malformed, other_protocol, refused, flows, waiting, expired, lost, kernel_dropped, dropped_flows,
        pruned_flows FROM collector_runs, n";
    Connection::open(&place.path).unwrap().execute_batch(many).unwrap();
    prune(&mut writer, NOW, Instant::now());
    assert_eq!(place.ask("SELECT count(*) FROM collector_runs"), 10_001, "the newest, and this one");
}

#[test]
fn a_jump_of_the_clock_deletes_nothing_until_it_has_stood_for_an_hour() {
    let place = Place::new();
    let mut writer = place.writer(days(7));
    let begin = Instant::now();
    write(&mut writer, 1, NOW, 100);
    prune(&mut writer, NOW, begin);
    let wrong = NOW.plus(30 * DAY);
    write(&mut writer, 1, wrong, 100);
    prune(&mut writer, wrong, begin + Duration::from_secs(10));
    assert_eq!(place.ask("SELECT count(*) FROM flows"), 200);
    // Set right again: what came meanwhile keeps its keys, new flows get theirs, and no key is there twice.
    write(&mut writer, 1, NOW, 100);
    prune(&mut writer, NOW.plus(20_000), begin + Duration::from_secs(20));
    assert_eq!(place.ask("SELECT count(*) FROM flows"), 300);
    prune(&mut writer, wrong, begin + Duration::from_secs(30));
    prune(&mut writer, wrong, begin + Duration::from_secs(3_640));
    assert_eq!(place.ask("SELECT count(*) FROM flows"), 100, "an hour later it is the time");
}

#[test]
fn the_size_holds_and_space_goes_back_to_the_file_system() {
    const MOST: u64 = 3 << 20;
    let place = Place::new();
    let size = |octets| Retention { age: Age::Forever, size: Size::Octets(octets) };
    let mut writer = place.writer(Retention::default());
    write(&mut writer, 1, NOW.plus(-DAY), 10);
    for n in 0..10 {
        write(&mut writer, 2, NOW.plus(n * 1_000), 20_000);
    }
    let before = writer.close(NOW, &Health::default()).unwrap().size;
    assert!(2 * MOST < before, "{before} octets");
    let mut writer = place.writer(size(MOST));
    let steps = prune(&mut writer, NOW, Instant::now());
    assert!(steps.iter().any(|step| step.cause == Some(Cause::Size)));
    assert!(steps.iter().any(|step| 0 < step.given_back), "{steps:?}");
    let newest: i64 = place.ask("SELECT max(id) >> 20 FROM flows");
    assert_eq!(newest, NOW.plus(9_000 + 1_999).0, "the newest are kept");
    assert!(0 < place.ask("SELECT count(*) FROM flows"));
    assert_eq!(place.ask("SELECT count(*) FROM exporters"), 1);
    let after = writer.close(NOW, &Health::default()).unwrap().size;
    assert!(after < MOST, "{after} octets");
    assert!(place.sound());
}

#[test]
fn a_file_without_auto_vacuum_only_stops_growing() {
    let place = Place::new();
    let empty = "PRAGMA page_size = 8192; PRAGMA auto_vacuum = NONE; CREATE TABLE x (y); DROP TABLE x";
    Connection::open(&place.path).unwrap().execute_batch(empty).unwrap();
    let mut writer = place.writer(days(7));
    write(&mut writer, 1, NOW.plus(-10 * DAY), 50_000);
    let pages = || place.ask("PRAGMA page_count");
    let full = pages();
    write(&mut writer, 1, NOW, 10);
    let steps = prune(&mut writer, NOW, Instant::now());
    assert!(steps.iter().all(|step| step.given_back == 0));
    assert!(full <= pages());
    write(&mut writer, 1, NOW, 40_000);
    assert!(pages() <= full + 10, "free pages are used again");
}

#[test]
fn a_reader_that_keeps_the_log_long_holds_up_deleting_and_is_told() {
    let place = Place::new();
    let mut writer = place.writer(days(7));
    write(&mut writer, 1, NOW.plus(-10 * DAY), 10);
    write(&mut writer, 1, NOW, 10);
    // A sparse file of that length: as long as a log that no checkpoint could cut.
    let log = files::log(&place.path);
    let length = files::length(&log);
    let file = std::fs::File::options().write(true).open(&log).unwrap();
    file.set_len(HELD_UP + 1).unwrap();
    let step = writer.prune(NOW, Instant::now(), BUDGET).unwrap();
    assert_eq!((step.held_up, step.flows, step.more), (Some(HELD_UP + 1), 0, false));
    file.set_len(length).unwrap();
    assert_eq!(prune(&mut writer, NOW, Instant::now())[0].flows, 10);
}

#[test]
fn a_full_file_system_takes_the_oldest_but_not_the_newest_hour() {
    let place = Place::new();
    let mut writer = place.writer(Retention::default());
    write(&mut writer, 1, NOW.plus(-2 * SAFE_MS), 1_000);
    write(&mut writer, 1, NOW, 1_000);
    drop(writer);
    let connection = Connection::open(&place.path).unwrap();
    let pruner = Pruner::new(&connection, &place.path, Retention::default()).unwrap();
    let space = Space { missing: 1 << 30, ..Space::of(&connection, &place.path).unwrap() };
    let (cause, bound, most) = pruner.excess(&connection, RowKey::START, space).unwrap().unwrap();
    assert_eq!(cause, Cause::Disk);
    assert!(bound <= RowKey::at(NOW.plus(99 - SAFE_MS)) && 1_000 < most, "{bound:?} {most}");
    connection.execute_batch("DELETE FROM flows WHERE id < 1789999999000 << 20").unwrap();
    assert_eq!(pruner.excess(&connection, RowKey::START, space).unwrap(), None, "the newest hour is kept");
    assert_eq!(pruner.surplus(Space { free: 9, ..space }), 9, "every free page goes back");
    assert_eq!(pruner.surplus(Space { free: 9, pages: 1_000, missing: 0, ..space }), 0);
}

#[test]
fn damage_that_is_met_while_deleting_begins_a_new_file() {
    let place = Place::new();
    let mut writer = place.writer(days(7));
    write(&mut writer, 1, NOW.plus(-10 * DAY), 20_000);
    write(&mut writer, 1, NOW, 10);
    drop(writer);
    let mut writer = place.writer(days(7));
    crate::store::tests::damage(&place.path);
    let failed = (0..).map(|_| writer.prune(NOW, Instant::now(), BUDGET)).find_map(Result::err).unwrap();
    assert!(failed.to_string().contains("malformed"), "{failed}");
    assert!(matches!(writer.incidents()[..], [Incident::SetAside { .. }]));
    write(&mut writer, 1, NOW, 7);
    assert_eq!(place.ask("SELECT count(*) FROM flows"), 7);
}

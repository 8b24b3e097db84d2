use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::history::History;
use super::writer::{Options, Writer};
use super::{Error, RowKey, schema};
use crate::collector::stats::Health;
use crate::flow::{
    Counts, Direction, FlowKey, FlowRecord, ObservationDomainId, Sampling, SamplingKind, SamplingSource, TimeSource,
    Timestamp, Version,
};

mod accounts;
pub(super) mod filter;
mod view;
mod window;

pub(super) const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A folder that goes away with the test, and the database in it.
pub(super) struct Place {
    folder: TempDir,
    pub(super) path: PathBuf,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flows.db");
        Self { folder, path }
    }

    pub(super) fn writer(&self) -> Writer {
        Writer::open(&self.path, Options::default()).unwrap()
    }

    pub(super) fn refusal(&self) -> Error {
        Writer::open(&self.path, Options::default()).map(drop).unwrap_err()
    }

    /// Writes flows with one writer, which is closed again.
    pub(super) fn write(&self, flows: &[FlowRecord]) {
        let writer = self.writer();
        writer.push(flows);
        writer.close(NOW, &Health::default()).unwrap();
    }

    pub(super) fn read(&self) -> Vec<FlowRecord> {
        let mut flows = Vec::new();
        History::open(&self.path).unwrap().since(RowKey::START, usize::MAX, &mut flows).unwrap();
        flows
    }

    pub(super) fn sqlite(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    pub(super) fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.sqlite().query_row(sql, (), |row| row.get(0)).unwrap()
    }
}

/// The `n`th flow of a made-up exporter.
pub(super) fn flow(received: Timestamp, n: u32) -> FlowRecord {
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    FlowRecord {
        key: FlowKey {
            src_ip: Ipv4Addr::from_bits(0x0a00_0000 | n).into(),
            dst_ip: Ipv4Addr::new(203, 0, 113, 7).into(),
            src_port: 50_000,
            dst_port: 443,
            protocol: 6,
        },
        counts: Counts { bytes: 1_000 + u64::from(n), packets: 3 },
        ..FlowRecord::blank(received, exporter, ObservationDomainId(1), Version::Ipfix)
    }
}

pub(super) fn flows(received: Timestamp, range: std::ops::Range<u32>) -> Vec<FlowRecord> {
    range.map(|n| flow(received, n)).collect()
}

pub(super) fn batch(received: Timestamp, range: std::ops::Range<u32>) -> Arc<[FlowRecord]> {
    flows(received, range).into()
}

/// Damages every page but the first, under whoever has the file open: a change by another connection makes it read its
/// pages again.
pub(super) fn damage(path: &Path) {
    let other = Connection::open(path).unwrap();
    other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    other.execute_batch("CREATE TABLE more (x)").unwrap();
    let mut persist = 1;
    other.file_control(None::<&str>, rusqlite::FileControl::PersistWal(&mut persist)).unwrap();
    other.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    let length = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xff; length - 16_384], 16_384).unwrap();
}

#[test]
fn an_empty_file_becomes_a_database() {
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    place.write(&flows(NOW, 0..1));
    assert_eq!(place.ask::<u32>("PRAGMA user_version"), schema::SUPPORTED);
    assert_eq!(place.ask::<i64>("PRAGMA application_id"), 0x464c_474c);
    assert_eq!(place.ask::<i64>("PRAGMA page_size"), 16_384);
    assert_eq!(place.ask::<i64>("PRAGMA auto_vacuum"), 2);
    assert_eq!(place.ask::<String>("PRAGMA journal_mode"), "wal");
}

#[test]
fn folders_are_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/flowglass/flows.db");
    Writer::open(&path, Options::default()).unwrap();
    assert!(path.exists());
}

#[test]
fn a_second_run_continues_the_file() {
    let place = Place::new();
    place.write(&flows(NOW, 0..3));
    place.write(&flows(NOW, 3..5));
    assert_eq!(place.read(), flows(NOW, 0..5));
    let runs = History::open(&place.path).unwrap().runs(10).unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs[1].id < runs[0].id);
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.write(&[]);
    place.sqlite().pragma_update(None, "user_version", schema::SUPPORTED + 1).unwrap();
    let before = fs::read(&place.path).unwrap();
    let error = place.refusal();
    assert!(
        matches!(error, Error::NewerSchema { found, supported, .. } if supported == schema::SUPPORTED && found == supported + 1)
    );
    let (found, supported) = (schema::SUPPORTED + 1, schema::SUPPORTED);
    let says = format!("schema version {found} is newer than this program's {supported}");
    assert!(error.to_string().ends_with(&says), "{error}");
    assert!(matches!(History::open(&place.path), Err(Error::NewerSchema { .. })));
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

#[test]
fn an_empty_file_has_no_history_yet() {
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    assert!(matches!(History::open(&place.path), Err(Error::OlderSchema { found: 0, .. })));
    assert_eq!(fs::read(&place.path).unwrap(), b"");
}

#[test]
fn a_text_file_is_refused_and_not_touched() {
    let place = Place::new();
    let text = "a diary, not a database";
    fs::write(&place.path, text).unwrap();
    assert!(matches!(place.refusal(), Error::NotADatabase { .. }));
    assert!(matches!(History::open(&place.path), Err(Error::NotADatabase { .. })));
    assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_header_is_refused() {
    let place = Place::new();
    fs::write(&place.path, [b"SQLite format 3\0".as_slice(), &[0xff; 4096]].concat()).unwrap();
    assert!(matches!(place.refusal(), Error::NotADatabase { .. }));
}

#[test]
fn the_database_of_another_program_is_refused() {
    let place = Place::new();
    place.sqlite().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    assert!(matches!(place.refusal(), Error::Foreign { .. }));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM sqlite_schema"), 1);
}

#[test]
fn a_missing_file_has_no_history() {
    let place = Place::new();
    let error = History::open(&place.path).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }));
    assert_eq!(error.to_string(), format!("cannot read `{}`: no such file", place.path.display()));
    assert_eq!(error.hint().unwrap(), "start a collector, or give another file with `--db`");
    assert!(!place.path.exists());
}

/// The parent is a file: unlike a folder's mode, this stops root too.
#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let path = folder.path().join("file/flows.db");
    let error = Writer::open(&path, Options::default()).unwrap_err();
    assert!(matches!(&error, Error::Io { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("cannot open `{}`: ", path.display())), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_second_writer_is_refused_with_the_pid_of_the_first() {
    let place = Place::new();
    let first = place.writer();
    let error = place.refusal();
    let own = std::process::id();
    assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == own));
    assert!(error.to_string().ends_with(&format!("in use by another collector, process {own}")));
    assert!(error.hint().unwrap().contains(&format!("`kill {own}`")));
    drop(first);
    place.writer();
}

#[test]
fn a_link_is_no_way_around_the_lock() {
    let place = Place::new();
    let _first = place.writer();
    let link = place.folder.path().join("link.db");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    assert!(matches!(Writer::open(&link, Options::default()), Err(Error::InUse { .. })));
}

#[test]
fn others_may_not_read_the_files() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.push(&batch(NOW, 0..1));
    writer.flush(NOW, &Health::default()).unwrap();
    let files: Vec<_> = fs::read_dir(place.folder.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 4, "database, log, index of the log, lock");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600, "{file:?}");
        assert_eq!(mode & 0o137, 0, "{file:?}");
    }
}

/// So that a viewer who may not write to the folder can open the file while no collector runs.
#[test]
fn the_log_stays_when_the_collector_ends() {
    let place = Place::new();
    place.write(&flows(NOW, 0..100));
    assert_eq!(fs::metadata(place.folder.path().join("flows.db-wal")).unwrap().len(), 0);
    assert!(place.folder.path().join("flows.db-shm").exists());
}

#[test]
fn a_failed_flush_keeps_the_batches_and_the_next_one_stores_them_once() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.push(&batch(NOW, 0..10));
    writer.flush(NOW, &Health::default()).unwrap();
    let other = place.sqlite();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON flows WHEN NEW.bytes = 1015
             BEGIN SELECT raise(ABORT, 'no room for this one'); END",
        )
        .unwrap();
    let mut second = flows(NOW, 10..20);
    second[1].exporter = "2001:db8::9".parse().unwrap();
    writer.push(&second);
    for failures in 1..=2 {
        let error = writer.flush(NOW, &Health::default()).unwrap_err();
        assert!(error.to_string().ends_with("no room for this one"), "{error}");
        assert_eq!(writer.stats().failures, failures);
        assert_eq!(writer.stats().buffered, 10);
        assert_eq!(place.read().len(), 10);
        assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporters"), 1);
    }
    assert_eq!(writer.stats().last_error.unwrap().lines().count(), 1);
    other.execute_batch("DROP TRIGGER full").unwrap();
    writer.push(&batch(NOW, 20..30));
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 20);
    let stats = writer.stats();
    assert_eq!((stats.rows, stats.flushes, stats.buffered, stats.failures), (30, 2, 0, 0));
    assert_eq!(stats.last_error, None);
    assert_eq!(place.read(), [flows(NOW, 0..10), second, flows(NOW, 20..30)].concat());
}

#[test]
fn a_locked_database_is_tried_again() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.push(&batch(NOW, 0..10));
    let other = place.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = writer.flush(NOW, &Health::default()).unwrap_err();
    assert!(error.hint().unwrap().contains("fuser"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 10);
    assert_eq!(place.read(), flows(NOW, 0..10));
}

#[test]
fn a_full_buffer_drops_the_oldest_batch_whole() {
    let place = Place::new();
    let mut writer = Writer::open(&place.path, Options { buffer_flows: 100, ..Options::default() }).unwrap();
    writer.push(&batch(NOW, 0..20));
    writer.push(&[]);
    writer.push(&batch(NOW, 20..60));
    writer.push(&batch(NOW, 60..100));
    assert_eq!(writer.stats().dropped_flows, 0);
    writer.push(&batch(NOW, 100..101));
    let stats = writer.stats();
    assert_eq!((stats.dropped_flows, stats.dropped_batches, stats.buffered), (20, 1, 81));
    assert_eq!(writer.flush(NOW, &Health::default()).unwrap().rows, 81);
    assert_eq!(place.read(), flows(NOW, 20..101));
    writer.push(&batch(NOW, 0..101));
    assert_eq!((writer.stats().dropped_flows, writer.stats().buffered), (121, 0));
    writer.close(NOW, &Health::default()).unwrap();
    assert_eq!(History::open(&place.path).unwrap().runs(1).unwrap()[0].dropped_flows, 121);
}

#[test]
fn a_clock_that_jumps_back_makes_no_key_twice() {
    let place = Place::new();
    let mut writer = place.writer();
    let mut expected = Vec::new();
    let moments = [0, 1, 1, 5, -3_600_000, -3_599_999, 5, 0, 6, -3_600_000, 1];
    for (round, moment) in (0..).zip(moments) {
        let received = flows(NOW.plus(moment), round * 10..round * 10 + 10);
        writer.push(&received);
        expected.extend(received);
        if round % 3 == 2 {
            writer.flush(NOW, &Health::default()).unwrap();
        }
    }
    writer.close(NOW, &Health::default()).unwrap();
    // Within a millisecond the order of arrival is kept.
    expected.sort_by_key(|flow| flow.received);
    assert_eq!(place.read(), expected);
    assert_eq!(place.ask::<i64>("SELECT max(id & 1048575) FROM flows"), 29);
}

/// One statement takes 64 rows, eight or one, and SQLite numbers them.
#[test]
fn rows_get_the_keys_that_are_meant_for_them_however_many_follow_each_other() {
    let place = Place::new();
    let mut writer = place.writer();
    let mut expected = Vec::new();
    let runs = [(0, 1), (1, 64), (2, 65), (2, 200), (-5, 3), (-5, 130), (2, 7), (3, 9), (-7_200_000, 70), (4, 137)];
    for (round, (moment, count)) in (0_u32..).zip(runs) {
        let mut received = flows(NOW.plus(moment), round * 1000..round * 1000 + count);
        for (n, flow) in (0..).zip(&mut received) {
            if n % 5 == round % 5 {
                flow.key.src_ip = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)).into();
            }
            if n % 7 == 0 {
                flow.key.dst_ip = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << 64).into();
                flow.vlan = 5;
            }
        }
        writer.push(&received);
        expected.extend(received);
        if round % 4 == 3 {
            writer.flush(NOW, &Health::default()).unwrap();
        }
    }
    writer.close(NOW, &Health::default()).unwrap();
    expected.sort_by_key(|flow| flow.received);
    assert_eq!(place.read(), expected);
    // Of each millisecond from 0 on without a gap.
    let gaps = "SELECT count(*) FROM (SELECT id >> 20 FROM flows GROUP BY 1 HAVING max(id & 1048575) + 1 <> count(*))";
    assert_eq!(place.ask::<i64>(gaps), 0);
    assert_eq!(
        place.ask::<i64>(
            "SELECT count(*) FROM details AS d JOIN flows AS f ON f.id = d.id WHERE typeof(f.dst) = 'blob'"
        ),
        place.ask::<i64>("SELECT count(*) FROM details")
    );
}

#[test]
fn a_full_millisecond_spills_into_the_next() {
    let place = Place::new();
    place.write(&flows(NOW, 0..1));
    place.sqlite().execute_batch("UPDATE flows SET id = id | 1048575").unwrap();
    let late = flow(NOW, 1);
    place.write(&[late, flow(NOW, 2)]);
    let received: Vec<_> = place.read().iter().map(|flow| flow.received.since(NOW)).collect();
    assert_eq!(received, [0, 1, 1]);
    assert_eq!(place.read()[1].first, late.first);
}

#[test]
fn receive_times_beyond_the_keys_move_to_the_edge() {
    let place = Place::new();
    place.write(&[flow(Timestamp(i64::MAX), 0), flow(Timestamp(i64::MIN), 1), flow(Timestamp(i64::MAX), 2)]);
    let sources: Vec<_> = place.read().iter().map(|flow| flow.key.src_ip.to_string()).collect();
    assert_eq!(sources, ["10.0.0.1", "10.0.0.0", "10.0.0.2"]);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM flow WHERE 0 < first_ms"), 2);
}

#[test]
fn history_reads_on_where_it_stopped() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.flush(NOW, &Health::default()).unwrap();
    let history = History::open(&place.path).unwrap();
    assert_eq!(history.newest().unwrap(), None);
    writer.push(&batch(NOW, 0..7));
    writer.push(&batch(NOW.plus(10), 7..10));
    writer.flush(NOW, &Health::default()).unwrap();
    let mut read = Vec::new();
    let first = history.since(RowKey::at(NOW).before(), 4, &mut read).unwrap().unwrap();
    let second = history.since(first, 100, &mut read).unwrap().unwrap();
    assert_eq!(history.newest().unwrap(), Some(second));
    assert_eq!(second.received(), NOW.plus(10));
    assert_eq!(history.since(second, 100, &mut read).unwrap(), None);
    assert_eq!(read, [flows(NOW, 0..7), flows(NOW.plus(10), 7..10)].concat());
    let mut later = Vec::new();
    history.since(RowKey::at(NOW.plus(1)).before(), 100, &mut later).unwrap();
    assert_eq!(later, flows(NOW.plus(10), 7..10));
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<[u8; 16]>().prop_map(IpAddr::from)
    ]
}

/// Zero half of the time, since zero is what decides whether there are details.
fn sparse<T: Arbitrary + Default + Clone>() -> impl Strategy<Value = T> {
    prop_oneof![Just(T::default()), any::<T>()]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let kinds = [SamplingKind::Packet, SamplingKind::Flow];
    let sources = [SamplingSource::None, SamplingSource::Record, SamplingSource::Options, SamplingSource::Header];
    (any::<u32>(), prop::sample::select(kinds.to_vec()), prop::sample::select(sources.to_vec()))
        .prop_map(|(rate, kind, source)| Sampling { rate, kind, source })
}

fn time_source() -> impl Strategy<Value = TimeSource> {
    let all = [TimeSource::Absolute, TimeSource::Delta, TimeSource::Uptime, TimeSource::Event, TimeSource::Export];
    prop::sample::select(all.to_vec())
}

pub(super) fn any_flow() -> impl Strategy<Value = FlowRecord> {
    let origin = (address(), any::<u32>(), prop::sample::select(Version::ALL.to_vec()), 0..50_i64, time_source());
    let ever = (-(1_i64 << 60)..1 << 60, -(1_i64 << 60)..1 << 60);
    let lately = (0..7_200_000_i64, -5_000..7_200_000_i64);
    let lately = lately.prop_map(|(lasted, ago)| (NOW.0 - ago - lasted, NOW.0 - ago));
    let span = prop_oneof![ever, lately];
    let key = (address(), address(), any::<u16>(), any::<u16>(), any::<u8>());
    let counts = (0..=u64::MAX >> 1, 0..=u64::MAX >> 1, sampling());
    let plain = (any::<u16>(), any::<u8>(), any::<u16>(), 0..3_usize, any::<[u32; 4]>());
    let next_hops = [prop::option::of(address()), prop::option::of(address()), prop::option::of(address())];
    let rare = (
        sparse::<[u8; 5]>(),
        sparse::<[u16; 4]>(),
        sparse::<[[u8; 6]; 2]>(),
        sparse::<[u32; 2]>(),
        (sparse::<u64>(), any::<bool>()),
        next_hops,
    );
    (origin, span, key, counts, plain, prop::option::of(rare)).prop_map(|(origin, span, key, counts, plain, rare)| {
        let (exporter, domain, version, received, time_source) = origin;
        let blank = FlowRecord::blank(NOW.plus(received), exporter, ObservationDomainId(domain), version);
        let (src_ip, dst_ip, src_port, dst_port, protocol) = key;
        let mut flow = FlowRecord {
            first: Timestamp(span.0.min(span.1)),
            last: Timestamp(span.0.max(span.1)),
            time_source,
            key: FlowKey { src_ip, dst_ip, src_port, dst_port, protocol },
            counts: Counts { bytes: counts.0, packets: counts.1 },
            sampling: counts.2,
            tcp_flags: plain.0,
            tos: plain.1,
            icmp: plain.2,
            direction: [Direction::Unknown, Direction::Ingress, Direction::Egress][plain.3],
            ..blank
        };
        [flow.in_if, flow.out_if, flow.src_as, flow.dst_as] = plain.4;
        if let Some((octets, ids, macs, words, (application, reverse), addresses)) = rare {
            [flow.src_mask, flow.dst_mask, flow.event, flow.end_reason, flow.forwarding] = octets;
            [flow.vlan, flow.post_vlan, flow.nat_src_port, flow.nat_dst_port] = ids;
            [flow.src_mac, flow.dst_mac] = macs;
            [flow.mpls, flow.vrf] = words;
            (flow.application, flow.reverse) = (application, reverse);
            [flow.next_hop, flow.nat_src_ip, flow.nat_dst_ip] = addresses;
        }
        flow
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_flow_comes_back_as_it_was(mut flows in prop::collection::vec(any_flow(), 0..40)) {
        let place = Place::new();
        place.write(&flows);
        flows.sort_by_key(|flow| flow.received);
        prop_assert_eq!(place.read(), flows);
    }
}

#[test]
fn counts_beyond_the_table_stay_at_its_top() {
    let place = Place::new();
    place.write(&[FlowRecord { counts: Counts { bytes: u64::MAX, packets: 1 << 63 }, ..flow(NOW, 0) }]);
    let top = i64::MAX.cast_unsigned();
    assert_eq!(place.read()[0].counts, Counts { bytes: top, packets: top });
}

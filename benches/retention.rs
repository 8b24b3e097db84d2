//! How fast flows are written and deleted again, how long the worst step takes, and what giving space back costs. Ends by
//! itself and prints one table.
//!
//! ```sh
//! cargo bench --bench retention              # 4 million flows
//! cargo bench --bench retention -- 20        # so many millions
//! ```

use std::env;
use std::io::{Write, stdout};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowglass::collector::stats::Health;
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::store::retention::{Age, Retention, Size};
use flowglass::store::writer::{Options, Writer};
use rusqlite::Connection;

/// What arrives in a second, and in one flush.
const SECOND: u32 = 100_000;
const FLUSH: i64 = 10;
const BEGIN: Timestamp = Timestamp(1_790_000_000_000);
/// A tenth of ten seconds.
const BUDGET: Duration = Duration::from_secs(1);

fn main() {
    let millions: i64 = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(4);
    let flushes = millions.max(2);
    for gives_back in [false, true] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("flows.db");
        if !gives_back {
            without_auto_vacuum(&path);
        }
        say(&format!("auto_vacuum {gives_back}"));
        run(&path, flushes);
    }
}

fn run(path: &Path, flushes: i64) {
    let mut writer = Writer::open(path, Options::default()).expect("a new database");
    let (mut took, mut worst) = (Duration::ZERO, Duration::ZERO);
    for n in 0..flushes {
        let flush = fill(&mut writer, n);
        took += flush;
        worst = worst.max(flush);
    }
    tell("written", 1_000_000 * flushes.cast_unsigned(), took, worst, 0);
    drop(writer);
    // A steady state: as much is deleted as arrives.
    let age = Age::Of(Duration::from_secs((flushes * FLUSH).unsigned_abs()));
    let options = |retention| Options { retention, ..Options::default() };
    let mut writer = Writer::open(path, options(Retention { age, size: Size::Unlimited })).expect("the database");
    let (mut took, mut worst) = (Duration::ZERO, Duration::ZERO);
    for n in flushes..flushes + 4 {
        let flush = fill(&mut writer, n);
        took += flush;
        worst = worst.max(flush);
        prune(&mut writer, n + 1, "  deleted while flows arrive");
    }
    tell("written while old ones go", 4_000_000, took, worst, writer.stats().size);
    drop(writer);
    // Three quarters go at once, and their space with them.
    let age = Age::Of(Duration::from_secs((flushes * FLUSH / 4).unsigned_abs()));
    let mut writer = Writer::open(path, options(Retention { age, size: Size::Unlimited })).expect("the database");
    prune(&mut writer, flushes + 4, "three quarters deleted");
}

/// Writes one flush of flows.
fn fill(writer: &mut Writer, n: i64) -> Duration {
    let begin = BEGIN.plus(n * FLUSH * 1000);
    for second in 0..FLUSH {
        writer.push(&batch(begin.plus(second * 1000)));
    }
    writer.flush(begin.plus(FLUSH * 1000), &Health::default()).expect("a writable database").took
}

fn prune(writer: &mut Writer, n: i64, what: &str) {
    let now = BEGIN.plus(n * FLUSH * 1000);
    let (mut deleting, mut giving) = ((0, Duration::ZERO, Duration::ZERO), (0, Duration::ZERO, Duration::ZERO));
    loop {
        let step = writer.prune(now, Instant::now(), BUDGET).expect("a writable database");
        let sums = if 0 < step.flows { &mut deleting } else { &mut giving };
        sums.0 += step.flows + step.given_back;
        sums.1 += step.took;
        sums.2 = sums.2.max(step.took);
        if !step.more {
            break;
        }
    }
    let size = writer.stats().size;
    tell(what, deleting.0, deleting.1, deleting.2, size);
    if 0 < giving.0 {
        tell("  octets given back", giving.0, giving.1, giving.2, size);
    }
}

/// 100 flows to the millisecond, as in `benches/store.rs`.
fn batch(begin: Timestamp) -> Arc<[FlowRecord]> {
    let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
    let flow = |n: u32| {
        let received = begin.plus(i64::from(n / 100));
        let mixed = n.wrapping_mul(0x9e37_79b9);
        FlowRecord {
            first: received.plus(-i64::from(mixed >> 16)),
            last: received.plus(-i64::from(mixed >> 24)),
            key: FlowKey {
                src_ip: Ipv4Addr::from_bits(0x0a00_0000 | mixed >> 12).into(),
                dst_ip: Ipv4Addr::from_bits(mixed).into(),
                src_port: u16::try_from(mixed >> 16).unwrap_or(0),
                dst_port: 443,
                protocol: 6,
            },
            counts: Counts { bytes: u64::from(mixed >> 10), packets: u64::from(mixed >> 22) },
            tcp_flags: 0x1b,
            in_if: 3,
            out_if: 7,
            src_as: 64_500,
            dst_as: mixed >> 14,
            ..FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9)
        }
    };
    (0..SECOND).map(flow).collect()
}

/// `auto_vacuum` is fixed by the first table.
fn without_auto_vacuum(path: &Path) {
    let sqlite = Connection::open(path).expect("a new file");
    let sql = "PRAGMA page_size = 8192; PRAGMA auto_vacuum = NONE; CREATE TABLE x (y); DROP TABLE x";
    sqlite.execute_batch(sql).expect("an empty database");
}

fn tell(what: &str, amount: u64, took: Duration, worst: Duration, size: u64) {
    let rate = u128::from(amount) * 1000 / took.as_millis().max(1);
    let worst = worst.as_millis();
    say(&format!(
        "{what:<28} {amount:>12} in {:>6} ms: {rate:>11}/s, worst step {worst:>5} ms, file {size}",
        took.as_millis()
    ));
}

fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

//! A large file and what is asked of it: it is filled by the writer itself, then ranked and searched.
//!
//! ```sh
//! cargo bench --bench history                       # 5 million flows over 26 hours
//! cargo bench --bench history -- 100000000          # as many as the goals speak of
//! cargo bench --bench history -- 5000000 /var/tmp   # … in this folder
//! cargo bench --bench history -- 5000000 DIR ask    # questions only, beside nfdump; the file stays in DIR and is asked
//!                                                   # again without being filled when it is there
//! cargo bench --bench history -- 5000000 DIR rewind # only what the screen does when somebody goes to a moment
//! ```

#[path = "support/generator.rs"]
mod generator;
#[path = "support/program.rs"]
mod program;
#[path = "support/questions.rs"]
mod questions;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use flowglass::collector::stats::Health;
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, TimeSource, Timestamp, Version};
use flowglass::store::blocks::{Needs, Token};
use flowglass::store::history::History;
use flowglass::store::top::{Dimension, Order};
use flowglass::store::writer::{Options, Writer};
use rusqlite::Connection;

use crate::program::Program;
use crate::support::{peak, say};

const HOSTS: f64 = 200_000.0;
/// So that the last flow is of now: a collector that finds its newest flow long ago doubts the clock and deletes nothing.
static BEGIN: LazyLock<Timestamp> =
    LazyLock::new(|| Timestamp(jiff::Timestamp::now().as_millisecond() - HOURS * 3_600_000));
const HOURS: i64 = 26;
/// Flows of a flush.
const BATCH: u64 = 100_000;
/// Occurs in one flow of half a million.
const RARE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let rows = arguments.first().and_then(|rows| rows.parse().ok()).unwrap_or(5_000_000);
    if let (Some(folder), Some(what @ ("ask" | "rewind"))) = (arguments.get(1), arguments.get(2).map(String::as_str)) {
        let path = Path::new(folder).join(format!("flows-{rows}.db"));
        if !path.exists() {
            fs::create_dir_all(folder).expect("a folder");
            fill(&path, rows);
        }
        sizes(&path, rows);
        if what == "ask" {
            questions::ask(&path, RARE);
        }
        questions::rewind(&path);
        say(&format!("peak memory: {} MiB", peak("self")));
        return;
    }
    let folder = match arguments.get(1) {
        Some(parent) => fs::create_dir_all(parent).and_then(|()| tempfile::tempdir_in(parent)),
        None => tempfile::tempdir(),
    }
    .expect("a temporary folder");
    let path = folder.path().join("flows.db");
    fill(&path, rows);
    sizes(&path, rows);
    let history = History::open(&path).expect("the database");
    let end = BEGIN.plus(HOURS * 3_600_000);
    for (name, ms) in [("last hour", 3_600_000), ("last 24 h", 86_400_000)] {
        for dimension in [Dimension::Conversation, Dimension::Host, Dimension::Service, Dimension::InInterface] {
            let span = (end.plus(-ms), end);
            let (top, took) = best(|| history.top(dimension, Order::Bytes, span, 20).expect("a ranking"));
            let sum = top.total.counts.bytes;
            say(&format!("top 20 {dimension:?}, {name}: {took:.1} ms, exact: {}, {sum} bytes", top.exact));
        }
    }
    search(&history, &path, (BEGIN.plus(-86_400_000), end));
    drop(history);
    prune_a_day(&path);
    say(&format!("peak memory: {} MiB", peak("self")));
}

/// What arrives while a day is deleted.
const ARRIVING: u64 = 100_000;

/// Runs the program on the file with a retention that leaves the last two hours of it, under load.
fn prune_a_day(path: &Path) {
    let day = BEGIN.plus(86_400_000);
    let age = Duration::from_millis(jiff::Timestamp::now().as_millisecond().abs_diff(day.0));
    let program = Program::start(path, &format!("{}m", age.as_secs() / 60));
    let to = program.address;
    let begin = Instant::now();
    let mut sent = 0;
    let mut gone = None;
    while gone.is_none() && begin.elapsed() < Duration::from_secs(900) {
        sent += generator::send(to, ARRIVING, 20, 50_000);
        let database = Connection::open(path).expect("the database");
        let oldest = "SELECT min(id) >> 20 FROM flows";
        let oldest: i64 = database.query_row(oldest, (), |row| row.get(0)).expect("the oldest row");
        gone = (day.0 - 60_000 <= oldest).then(|| begin.elapsed());
    }
    let flushes = program.end();
    let gone = gone.map_or_else(|| "not gone in time".to_owned(), |took| format!("gone within {} s", took.as_secs()));
    say(&format!("a day is {gone} while {ARRIVING} flows/s arrive; {}", flushes.percentiles()));
    say(&format!("kernel dropped {}, unstored {}", flushes.kernel_dropped, flushes.unstored));
    let stored = "SELECT count(*) FROM flows WHERE id >> 20 > ?1";
    let end = BEGIN.plus(HOURS * 3_600_000).0;
    let database = Connection::open(path).expect("the database");
    let stored: i64 = database.query_row(stored, [end], |row| row.get(0)).expect("a count");
    say(&format!("{sent} sent meanwhile, {stored} stored"));
    say(&format!("worst step of deleting: {} ms", flushes.worst_step_ms));
    flushes.warnings.iter().for_each(|line| say(line));
}

fn fill(path: &Path, rows: u64) {
    let mut writer = Writer::open(path, Options::default()).expect("a new database");
    let (begin, cpu) = (Instant::now(), cpu());
    let mut made = Duration::ZERO;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut row = 0;
    while row < rows {
        let making = Instant::now();
        let batch: Vec<_> = (row..(row + BATCH).min(rows))
            .map(|n| {
                let ms = u128::from(n) * u128::from(HOURS.unsigned_abs()) * 3_600_000 / u128::from(rows);
                flow(BEGIN.plus(i64::try_from(ms).unwrap_or(0)), n, &mut random)
            })
            .collect();
        made += making.elapsed();
        row += batch.len() as u64;
        let now = batch.last().map_or(*BEGIN, |flow| flow.received);
        writer.push(&batch);
        writer.flush(now, &Health::default()).expect("a flush");
    }
    writer.close(BEGIN.plus(HOURS * 3_600_000), &Health::default()).expect("the last flush");
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / rows as f64;
    say(&format!(
        "filled with {rows} flows in {:.0} s: {:.2} µs of wall time and {:.2} µs of CPU per flow, {:.2} µs of it to make it",
        begin.elapsed().as_secs_f64(),
        micros(begin.elapsed()),
        (self::cpu() - cpu) * 1e6 / rows as f64,
        micros(made)
    ));
}

/// Hosts by Zipf's law, services by a steeper one, up to 20 s long.
#[expect(clippy::cast_possible_truncation, reason = "numbers made up to fit")]
fn flow(received: Timestamp, n: u64, random: &mut u64) -> FlowRecord {
    let mut next = || {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random
    };
    let mut zipf = |count: f64| count.powf((next() >> 11) as f64 / (1_u64 << 53) as f64) as u32 - 1;
    let (src, dst, service) = (zipf(HOSTS), zipf(HOSTS), zipf(2_000.0));
    let src_ip = if n % 500_000 == 77 { RARE } else { Ipv4Addr::from_bits(0x0a00_0000 + src) };
    let mixed = next();
    let key = FlowKey {
        src_ip: src_ip.into(),
        dst_ip: Ipv4Addr::from_bits(0xcb00_0000 + dst).into(),
        src_port: 32_768 | (mixed >> 40) as u16,
        dst_port: u16::try_from(service).unwrap_or(0) + 22,
        protocol: if mixed & 3 == 0 { 17 } else { 6 },
    };
    let (first, last) = if mixed & 0x4000 == 0 { (mixed % 20_000, 0) } else { (mixed % 2_000, mixed % 1_000) };
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, (n % 4) as u8));
    FlowRecord {
        first: received.plus(-(first.max(last) as i64)),
        last: received.plus(-(last as i64)),
        time_source: TimeSource::Uptime,
        key,
        counts: Counts { bytes: 40 + (mixed >> 20) % 100_000, packets: 1 + (mixed >> 30) % 90 },
        tcp_flags: 0x1b,
        in_if: (mixed >> 50 & 7) as u32,
        out_if: (mixed >> 53 & 7) as u32,
        src_as: 64_500,
        dst_as: 64_500 + dst % 3_000,
        ..FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::V9)
    }
}

fn sizes(path: &Path, rows: u64) {
    let database = Connection::open(path).expect("the database");
    let per_flow = |octets: u64| octets as f64 / rows as f64;
    let file = fs::metadata(path).map_or(0, |file| file.len());
    say(&format!("file: {} MiB, {:.1} octets per flow", file >> 20, per_flow(file)));
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a sum").cast_unsigned();
    let filters = count("SELECT sum(length(filter)) FROM block_filters");
    say(&format!(
        "skip index: {} blocks, {:.1} octets per flow; roll-ups: {} rows, {} in the rest",
        count("SELECT count(*) FROM blocks"),
        per_flow(filters),
        count("SELECT count(*) FROM rollup"),
        count("SELECT count(*) FROM rollup_rest"),
    ));
}

fn search(history: &History, path: &Path, span: (Timestamp, Timestamp)) {
    let needs = Needs::Token(Token::Address(RARE.into()));
    let (ranges, took) = best(|| history.ranges(&needs, span).expect("ranges"));
    say(&format!("rare host: {} ranges found in {took:.1} ms", ranges.len()));
    let database = Connection::open(path).expect("the database");
    let mut query = database
        .prepare("SELECT count(*) FROM flows WHERE id BETWEEN ?1 AND ?2 AND (src = ?3 OR dst = ?3)")
        .expect("a query");
    let mut count = |first: i64, last: i64| -> i64 {
        query.query_row([first, last, RARE.to_bits().cast_signed().into()], |row| row.get(0)).expect("a count")
    };
    let (found, took) = best(|| ranges.iter().map(|range| count(range.start.0, range.end.0 - 1)).sum::<i64>());
    say(&format!("rare host: {found} flows read from these ranges in {took:.1} ms"));
    let begin = Instant::now();
    let all = count(i64::MIN, i64::MAX);
    let seconds = begin.elapsed().as_secs_f64();
    say(&format!("rare host: {all} flows in the whole table in {seconds:.1} s"));
}

/// The first of three answers, and the least time of the three in milliseconds.
fn best<T>(mut ask: impl FnMut() -> T) -> (T, f64) {
    let mut timed = || {
        let begin = Instant::now();
        let answer = ask();
        (answer, begin.elapsed().as_secs_f64() * 1e3)
    };
    let (answer, first) = timed();
    (answer, first.min(timed().1).min(timed().1))
}

/// User and system time of this process, in seconds.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

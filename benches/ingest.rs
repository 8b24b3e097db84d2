//! The whole program under load: datagrams over loopback into a headless collector, at rising rates, until something is
//! lost. Every sum is compared with what was sent. Ends by itself; nothing is sent but to 127.0.0.1.
//!
//! ```sh
//! cargo bench --bench ingest                       # rising rates, 10 s each
//! cargo bench --bench ingest -- 500000 60          # one rate, so many seconds
//! cargo bench --bench ingest -- 500000 60 100000   # … over so many conversations
//! ```

#[path = "support/common.rs"]
mod support;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flowglass::wire::emit::Message;
use flowglass::wire::v9;
use rusqlite::Connection;

use crate::support::{FIELDS, peak, say, template};

/// Records of a datagram: 24 of 46 octets, as routers fill a packet of 1,500.
const RECORDS: u32 = 24;
/// Bytes and packets of every record.
const BYTES: u32 = 1000;
const PACKETS: u32 = 2;
const EXPORTERS: u32 = 4;

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.get(1).copied().unwrap_or(10);
    let conversations = numbers.get(2).copied().unwrap_or(50_000);
    let rates = match numbers.first() {
        Some(&rate) => vec![rate],
        None => vec![100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 800_000],
    };
    say("flows/s asked  sent  stored  kernel dropped  CPU s per million flows  peak MiB  octets per flow  result");
    for rate in rates {
        if !run(rate, seconds, u32::try_from(conversations).unwrap_or(u32::MAX)) {
            break;
        }
    }
}

/// One rate; true when nothing was lost.
fn run(rate: u64, seconds: u64, conversations: u32) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("flows.db");
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowglass"))
        .args(["--no-ui", "--host", "127.0.0.1", "--port", "0", "--db"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut log = BufReader::new(child.stderr.take().expect("its log")).lines().map_while(Result::ok);
    let line = log.find(|line| line.contains("listening")).expect("where it listens");
    let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
    let to: SocketAddr = address.parse().expect("an address");
    let log = thread::spawn(move || log.filter(|line| line.contains("flush")).last().unwrap_or_default());
    let sent = send(to, rate, seconds, conversations);
    // Everything sent is in the socket by now; the program drains it before it ends.
    let memory = peak(&child.id().to_string());
    let before = cpu_of_children();
    end(&mut child);
    let cpu = cpu_of_children() - before;
    let last = log.join().expect("the log");
    let dropped =
        last.split("kernel_dropped=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?").to_owned();
    let (bytes, packets, flows) = stored(&path);
    let whole = (bytes, packets, flows) == (sent * u64::from(BYTES), sent * u64::from(PACKETS), sent);
    let octets = fs::metadata(&path).map_or(0, |file| file.len()) / flows.max(1);
    let cpu = cpu * 1_000_000.0 / sent as f64;
    let result = if whole { "every sum equal" } else { "LOST" };
    say(&format!("{rate}  {sent}  {flows}  {dropped}  {cpu:.2}  {memory}  {octets}  {result}"));
    whole
}

/// Sends at a steady rate; returns how many flows.
fn send(to: SocketAddr, rate: u64, seconds: u64, conversations: u32) -> u64 {
    let sockets: Vec<_> = (0..EXPORTERS).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    let mut sequences = [0_u32; EXPORTERS as usize];
    let mut record = 0_u32;
    let (start, mut sent) = (Instant::now(), 0_u64);
    let total = rate * seconds;
    let mut datagram = 0_usize;
    while sent < total {
        let exporter = datagram % sockets.len();
        let payload =
            payload(u32::try_from(exporter).unwrap_or(0), sequences[exporter], &mut record, conversations, datagram);
        sockets[exporter].send_to(&payload, to).expect("sending on loopback");
        sequences[exporter] = sequences[exporter].wrapping_add(1);
        datagram += 1;
        sent += u64::from(RECORDS);
        let due = Duration::from_secs_f64(sent as f64 / rate as f64);
        // Sleeping for less than a millisecond costs more than it saves.
        if let Some(early) = due.checked_sub(start.elapsed()).filter(|early| Duration::from_millis(1) < *early) {
            thread::sleep(early);
        }
    }
    sent
}

fn payload(exporter: u32, sequence: u32, record: &mut u32, conversations: u32, datagram: usize) -> Vec<u8> {
    let seconds = u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let header = v9::Header { count: 24, uptime: 3_600_000, seconds, sequence, source_id: exporter };
    let mut message = Message::v9(header);
    if datagram < EXPORTERS as usize || datagram.is_multiple_of(1000) {
        message = message.template(&template(256, 0, FIELDS));
    }
    let mut octets = Vec::with_capacity(1200);
    for _ in 0..RECORDS {
        let n = *record % conversations;
        *record = record.wrapping_add(1);
        octets.extend((0x0a00_0000 + n).to_be_bytes());
        octets.extend((0xc000_0200 + n % 200).to_be_bytes());
        octets.extend([0xc3, 0x50, 1, 187, 6, 0, 0x1b]);
        octets.extend(BYTES.to_be_bytes());
        octets.extend(PACKETS.to_be_bytes());
        octets.extend(3_590_000_u32.to_be_bytes());
        octets.extend(3_599_000_u32.to_be_bytes());
        octets.extend([0, 1, 0, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0x3b, 0x41]);
    }
    message.set(256, &octets).finish()
}

/// CPU seconds of the children that have ended: user and system time, in hundredths, behind our own.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn end(child: &mut Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let _ = child.wait();
}

fn stored(path: &std::path::Path) -> (u64, u64, u64) {
    let database = Connection::open(path).expect("the database");
    let sums = "SELECT coalesce(sum(bytes), 0), coalesce(sum(packets), 0), count(*) FROM flow";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (bytes, packets, flows) = database.query_row(sums, [], row).expect("its sums");
    (bytes.cast_unsigned(), packets.cast_unsigned(), flows.cast_unsigned())
}

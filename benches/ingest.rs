//! The whole program under load: datagrams over loopback into a headless collector, at rising rates, until something is
//! lost. Every sum is compared with what was sent. Ends by itself; nothing is sent but to 127.0.0.1.
//!
//! ```sh
//! cargo bench --bench ingest                       # rising rates, 10 s each
//! cargo bench --bench ingest -- 500000 60          # one rate, so many seconds
//! cargo bench --bench ingest -- 500000 60 100000   # … over so many conversations
//! cargo bench --bench ingest -- 500000 60 nfcapd   # … into another collector alone
//! ```
//!
//! `nfcapd` (nfdump) and `nfacctd` (pmacct, with its SQLite plugin) take the same load one after the other, where they
//! are installed. A row is a flow, but that `nfacctd` merges flows whose columns are the same.

#[path = "support/collectors.rs"]
mod collectors;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use flowglass::wire::emit::Message;
use flowglass::wire::v9;

use crate::collectors::{Kind, adopt};
use crate::support::{FIELDS, say, template};

/// Records of a datagram: 24 of 46 octets, as routers fill a packet of 1,500.
const RECORDS: u32 = 24;
/// Bytes and packets of every record.
const BYTES: u32 = 1000;
const PACKETS: u32 = 2;
const EXPORTERS: u32 = 4;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.get(1).copied().unwrap_or(10);
    let conversations = u32::try_from(numbers.get(2).copied().unwrap_or(50_000)).unwrap_or(u32::MAX);
    let rates = match numbers.first() {
        Some(&rate) => vec![rate],
        None => vec![50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 800_000, 1_000_000, 1_300_000],
    };
    adopt();
    say("collector  flows/s  sent  kept  rows  kernel dropped  CPU s/M flows  CPU s/M rows  peak MiB  octets/flow");
    let named = |kind: Kind| arguments.iter().any(|argument| argument == kind.name());
    let all = [Kind::Flowglass, Kind::Nfcapd, Kind::Nfacctd];
    let any = all.into_iter().any(named);
    for kind in all.into_iter().filter(|kind| !any || named(*kind)) {
        if kind.is_installed() {
            // Up to the rate at which something is lost.
            let _ = rates.iter().all(|rate| run(kind, *rate, seconds, conversations));
        } else {
            say(&format!("{}  not installed", kind.name()));
        }
    }
}

/// One rate; true when nothing was lost.
fn run(kind: Kind, rate: u64, seconds: u64, conversations: u32) -> bool {
    let collector = kind.start();
    let sent = send(collector.address, rate, seconds, conversations);
    let (used, kept) = collector.end();
    let expected = (sent * u64::from(BYTES), sent * u64::from(PACKETS), sent);
    let whole = (kept.bytes, kept.packets, kept.flows) == expected;
    let million = |count: u64| used.cpu_s * 1_000_000.0 / count.max(1) as f64;
    say(&format!(
        "{}  {rate}  {sent}  {}  {}  {}  {:.2}  {:.2}  {}  {}  {}",
        kind.name(),
        kept.flows,
        kept.rows,
        used.dropped,
        million(kept.flows),
        million(kept.rows),
        used.peak_mib,
        kept.octets / kept.flows.max(1),
        if whole { "every sum equal" } else { "LOST" },
    ));
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
        // A new connection each time, of the same conversation.
        let port = 0x8000 | u16::try_from(*record / conversations % 0x7fff).unwrap_or(0);
        octets.extend(port.to_be_bytes());
        octets.extend([1, 187, 6, 0, 0x1b]);
        octets.extend(BYTES.to_be_bytes());
        octets.extend(PACKETS.to_be_bytes());
        octets.extend(3_590_000_u32.to_be_bytes());
        octets.extend(3_599_000_u32.to_be_bytes());
        octets.extend([0, 1, 0, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0x3b, 0x41]);
    }
    message.set(256, &octets).finish()
}

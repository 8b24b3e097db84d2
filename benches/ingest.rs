//! The whole program under load: datagrams over loopback into a headless collector, at rising rates, until something is
//! lost. Every sum is compared with what was sent. Ends by itself; nothing is sent but to 127.0.0.1.
//!
//! ```sh
//! cargo bench --bench ingest                       # rising rates, 10 s each
//! cargo bench --bench ingest -- 500000 60          # one rate, so many seconds
//! cargo bench --bench ingest -- 500000 60 100000   # … over so many conversations
//! cargo bench --bench ingest -- 500000 60 nfcapd   # … into another collector alone
//! cargo bench --bench ingest -- burst              # 20,000 datagrams within 100 ms
//! ```
//!
//! `nfcapd` (nfdump) and `nfacctd` (pmacct, with its SQLite plugin) take the same load one after the other, where they
//! are installed. A row is a flow, but that `nfacctd` merges flows whose columns are the same.

#[path = "support/collectors.rs"]
mod collectors;
#[path = "support/generator.rs"]
mod generator;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::time::Duration;

use crate::collectors::{Kind, adopt};
use crate::generator::{BYTES, PACKETS, burst, send};
use crate::support::say;

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
            if arguments.iter().any(|argument| argument == "burst") {
                in_a_burst(kind);
                continue;
            }
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

/// 20,000 datagrams within 100 ms, into a collector that had nothing to do.
fn in_a_burst(kind: Kind) {
    let collector = kind.start();
    let (sent, took) = burst(collector.address, 20_000, Duration::from_millis(100));
    let (used, kept) = collector.end();
    say(&format!(
        "{}: 20000 datagrams, {sent} flows in {} ms: {} kept, kernel dropped {}: {}",
        kind.name(),
        took.as_millis(),
        kept.flows,
        used.dropped,
        if kept.flows == sent { "every flow" } else { "LOST" },
    ));
}

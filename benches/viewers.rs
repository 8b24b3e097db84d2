//! A collector under a steady load, while others look on: three viewers that follow all of it, and `top --last 24h` again
//! and again. Prints what was sent, stored and lost, and the totals that each viewer came to.
//!
//! ```sh
//! cargo bench --bench viewers                    # 60 s at 20,000 flows/s, three viewers
//! cargo bench --bench viewers -- 60 100000 5     # so many seconds, flows a second, viewers
//! ```

#[path = "support/generator.rs"]
mod generator;
#[path = "support/program.rs"]
mod program;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::generator::{BYTES, PACKETS, send};
use crate::program::Program;
use crate::support::{peak, say};

const CONVERSATIONS: u32 = 50_000;
/// The longest table there is, so that nothing is left out of it; a signal ends it earlier.
const TABLE_S: &str = "3600";

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let (seconds, rate, viewers) = (number(0, 60), number(1, 20_000), number(2, 3));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("flows.db");
    let program = Program::start(&path, "7d");
    wait_for(&path, 0);
    say(&format!("{rate} flows/s for {seconds} s, {viewers} viewers, `top --last 24h` without a pause"));
    let viewers: Vec<_> = (0..viewers).map(|_| view(&path)).collect();
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), path.clone());
    let asking = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || ask(&asked, &stop))
    };
    let sent = send(program.address, rate, seconds, CONVERSATIONS);
    wait_for(&path, sent);
    stop.store(true, Ordering::Relaxed);
    let asked = asking.join().expect("the questions");
    say(&format!("sent     {} bytes, {} packets, {sent} flows", sent * u64::from(BYTES), sent * u64::from(PACKETS)));
    let stored = stored(&path);
    say(&format!("stored   {} bytes, {} packets, {} flows: {}", stored.0, stored.1, stored.2, same(stored.2, sent)));
    for (viewer, n) in viewers.into_iter().zip(1..) {
        let peak = peak(&viewer.id().to_string());
        let (packets, flows) = total(viewer);
        let verdict = same((packets, flows), (stored.1, stored.2));
        say(&format!("viewer {n} {packets} packets, {flows} flows: {verdict}; peak {peak} MiB"));
    }
    say(&asked);
    say(&top(&path));
    let flushes = program.end();
    say(&format!("kernel dropped {}, unstored {}", flushes.kernel_dropped, flushes.unstored));
    say(&flushes.percentiles());
    flushes.warnings.iter().for_each(|warning| say(warning));
}

/// A viewer that will print one table of all that it saw.
fn view(path: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowglass"));
    command.args(["--view", "--once", TABLE_S, "--db"]).arg(path);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program")
}

/// Packets and flows of the table of a viewer, which ends.
fn total(viewer: Child) -> (u64, u64) {
    let _ = Command::new("kill").args(["-INT", &viewer.id().to_string()]).status();
    let output = viewer.wait_with_output().expect("its table");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    let before = |word: &str| {
        let at = words.iter().position(|other| other.trim_end_matches(',') == word);
        at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
    };
    (before("packets"), before("flows"))
}

/// Ranks the last day until it is stopped; how often, and how long it took.
fn ask(path: &Path, stop: &AtomicBool) -> String {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        top(path);
        took.push(begin.elapsed().as_millis());
    }
    took.sort_unstable();
    let middle = took.get(took.len() / 2).copied().unwrap_or(0);
    format!("top --last 24h: {} times, median {middle} ms, worst {} ms", took.len(), took.last().copied().unwrap_or(0))
}

/// The line with the total of a ranking of the last day.
fn top(path: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowglass"));
    let output = command.args(["top", "--last", "24h", "--units", "bytes", "--db"]).arg(path).output();
    let output = output.expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    table.lines().find(|line| line.contains("total")).unwrap_or_default().to_owned()
}

/// Waits until so many flows are stored; beyond a minute it does not.
fn wait_for(path: &Path, flows: u64) {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let count = Connection::open_with_flags(path, flags)
            .and_then(|database| database.query_row("SELECT count(*) FROM flows", [], |row| row.get::<_, i64>(0)));
        if count.is_ok_and(|count| flows <= count.cast_unsigned()) {
            return;
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// Bytes, packets and number of the stored flows.
fn stored(path: &Path) -> (u64, u64, u64) {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database");
    let sums = "SELECT ifnull(sum(bytes), 0), ifnull(sum(packets), 0), count(*) FROM flows";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (bytes, packets, flows) = database.query_row(sums, [], row).expect("its sums");
    (bytes.cast_unsigned(), packets.cast_unsigned(), flows.cast_unsigned())
}

fn same<T: PartialEq>(found: T, expected: T) -> &'static str {
    if found == expected { "equal" } else { "DIFFERS" }
}

//! An hour in the life of a collector: a steady load, retention that deletes all the while, and a viewer that looks on.
//! Prints a line a minute, and at the end whether memory stayed flat, how long flushes took, and whether every flow that
//! was sent is stored, or was deleted for its age, and is in the roll-ups.
//!
//! ```sh
//! cargo bench --bench soak                    # one hour at 20,000 flows/s
//! cargo bench --bench soak -- 600 50000       # ten minutes at 50,000
//! ```

#[path = "support/generator.rs"]
mod generator;
#[path = "support/program.rs"]
mod program;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rusqlite::Connection;

use crate::generator::{BYTES, send};
use crate::program::{Flushes, Program};
use crate::support::{peak, resident, say};

const CONVERSATIONS: u32 = 50_000;

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(3600);
    let rate = numbers.get(1).copied().unwrap_or(20_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("flows.db");
    // Most of what comes is deleted again before the end. Less than a minute is refused.
    let retention = format!("{}s", (seconds / 6).max(60));
    let program = Program::start(&path, &retention);
    let to = program.address;
    say(&format!("{rate} flows/s for {seconds} s, kept for {retention}; a viewer looks on"));
    let sending = thread::spawn(move || send(to, rate, seconds, CONVERSATIONS));
    let mut viewer = view(&path);
    let memory = watch(&sending, &program, &path);
    let sent = sending.join().expect("the generator");
    let _ = viewer.kill();
    let peak = peak(&program.id());
    report(&path, sent, &memory, peak, &program.end());
}

/// Prints a line a minute until everything is sent; returns resident MiB of each minute.
fn watch(sending: &thread::JoinHandle<u64>, program: &Program, path: &Path) -> Vec<u64> {
    let (begin, mut memory) = (Instant::now(), Vec::new());
    let mut next = Duration::from_secs(60);
    while !sending.is_finished() {
        thread::sleep(Duration::from_millis(200));
        if next <= begin.elapsed() {
            let (now, size) = (resident(&program.id()), size(path) >> 20);
            memory.push(now);
            let minute = next.as_secs() / 60;
            let flushes = program.flushes.lock().expect("no panic").percentiles();
            say(&format!("minute {minute}: resident {now} MiB, database {size} MiB, {flushes}"));
            next += Duration::from_secs(60);
        }
    }
    memory
}

/// The screen of a second process on the same file, in a terminal of its own.
fn view(path: &Path) -> Box<dyn portable_pty::Child + Send + Sync> {
    let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowglass"));
    command.args(["--view", "--db"]);
    command.arg(path);
    let viewer = pair.slave.spawn_command(command).expect("the program");
    let mut screen = pair.master.try_clone_reader().expect("its screen");
    thread::spawn(move || {
        // The terminal lives as long as somebody reads it.
        let _master = pair.master;
        let mut octets = [0; 65_536];
        while screen.read(&mut octets).is_ok_and(|read| 0 < read) {}
    });
    viewer
}

fn report(path: &Path, sent: u64, memory: &[u64], peak: u64, flushes: &Flushes) {
    let database = Connection::open(path).expect("the database");
    let number = |query: &str| {
        let number = database.query_row(query, [], |row| row.get::<_, Option<i64>>(0)).expect(query);
        number.unwrap_or(0).cast_unsigned()
    };
    let stored = number("SELECT count(*) FROM flow");
    let pruned = number("SELECT sum(pruned_flows) FROM collector_runs");
    let rolled = number("SELECT sum(bytes) FROM rollup WHERE dimension = 3 AND grain = 1")
        + number("SELECT sum(bytes) FROM rollup_rest WHERE dimension = 3 AND grain = 1");
    say(&format!("sent {sent}, stored {stored} + deleted for their age {pruned}: {}", same(stored + pruned, sent)));
    say(&format!("bytes in the roll-ups {rolled}: {}", same(rolled, sent * u64::from(BYTES))));
    say(&format!("kernel dropped {}, unstored {}", flushes.kernel_dropped, flushes.unstored));
    say(&format!("{}; worst step of deleting {} ms", flushes.percentiles(), flushes.worst_step_ms));
    let (early, late) = memory.split_at(memory.len() / 2);
    let most = |part: &[u64]| part.iter().max().copied().unwrap_or(0);
    say(&format!("resident MiB: at most {} in the first half, {} in the second; peak {peak}", most(early), most(late)));
    flushes.warnings.iter().for_each(|warning| say(warning));
}

fn same(found: u64, expected: u64) -> String {
    if found == expected { "equal".to_owned() } else { format!("{expected} EXPECTED") }
}

/// Octets on disk, the write-ahead log included.
fn size(path: &Path) -> u64 {
    let of = |end: &str| fs::metadata(format!("{}{end}", path.display())).map_or(0, |file| file.len());
    of("") + of("-wal")
}

//! The program of the release build, headless, and what its log says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) flushes: Arc<Mutex<Flushes>>,
    reading: thread::JoinHandle<()>,
}

impl Program {
    /// Starts it with a retention, and waits until it listens.
    pub(crate) fn start(path: &Path, retention: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowglass"))
            .args(["--no-ui", "--host", "127.0.0.1", "--port", "0", "--retention", retention, "--db"])
            .arg(path)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("its log")).lines().map_while(Result::ok);
        let line = log.find(|line| line.contains("listening")).expect("where it listens");
        let address = field(&line, "address").and_then(|address| address.parse().ok()).expect("an address");
        let flushes = Arc::<Mutex<Flushes>>::default();
        let reading = {
            let flushes = Arc::clone(&flushes);
            thread::spawn(move || log.for_each(|line| flushes.lock().expect("no panic").take(&line)))
        };
        Self { child, address, flushes, reading }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Ends it once it has written what it holds; returns what its log said.
    pub(crate) fn end(mut self) -> Flushes {
        let _ = Command::new("kill").args(["-TERM", &self.id()]).status();
        let _ = self.child.wait();
        self.reading.join().expect("the log");
        std::mem::take(&mut *self.flushes.lock().expect("no panic"))
    }
}

/// What the log says of flushes.
#[derive(Default)]
pub(crate) struct Flushes {
    pub(crate) took_ms: Vec<u64>,
    /// The last words on what was lost.
    pub(crate) kernel_dropped: String,
    pub(crate) unstored: String,
    pub(crate) warnings: Vec<String>,
    /// Of deleting.
    pub(crate) worst_step_ms: u64,
}

impl Flushes {
    fn take(&mut self, line: &str) {
        if let Some(worst) = field(line, "worst_ms").and_then(|worst| worst.parse().ok()) {
            self.worst_step_ms = self.worst_step_ms.max(worst);
        } else if let Some(took) = field(line, "took_ms").and_then(|took| took.parse().ok()) {
            self.took_ms.push(took);
            self.kernel_dropped = field(line, "kernel_dropped").unwrap_or_default().to_owned();
            self.unstored = field(line, "unstored").unwrap_or_default().to_owned();
        } else if line.contains("WARN") || line.contains("ERROR") {
            self.warnings.push(line.to_owned());
        }
    }

    pub(crate) fn percentiles(&self) -> String {
        let mut sorted = self.took_ms.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
        let of = |percent: usize| at(percent).copied().unwrap_or(0);
        let (count, last) = (sorted.len(), sorted.last().copied().unwrap_or(0));
        format!("{count} flushes took ms: 50 % {}, 90 % {}, 99 % {}, worst {last}", of(50), of(90), of(99))
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

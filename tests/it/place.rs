//! A database of its own, a collector that writes into it, and what it should have of a capture that is sent again and again.

use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{Collector, expected, fixture};

/// The capture.
const CASE: &str = "softflowd-v5";

/// Bytes, packets and number of flows.
pub(crate) type Sums = (u64, u64, u64);

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        Self { folder, path }
    }

    pub(crate) fn db(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// A collector that writes every second.
    pub(crate) fn collector(&self) -> Collector {
        Collector::start(&["--db", self.db(), "--flush-interval", "1s"])
    }
}

/// Sends the capture so many times; nothing is sent faster than loopback holds.
pub(crate) fn send(collector: &Collector, times: u64) {
    for _ in 0..times {
        collector.replay(&fixture(CASE));
    }
}

/// The sums of so many captures.
pub(crate) fn sums(times: u64) -> Sums {
    let (bytes, packets, flows) = expected(&[CASE]);
    (times * bytes, times * packets, times * flows)
}

/// Waits until so many more flows were written, by the log.
pub(crate) fn wait_for_flows(collector: &mut Collector, flows: u64) {
    let mut written = 0;
    while written < flows {
        written += logged(&collector.wait_for(|line| line.contains("flush flows=")));
    }
}

/// What a line of the log says to have written.
pub(crate) fn logged(line: &str) -> u64 {
    let flows = line.split("flush flows=").nth(1).map(|rest| rest.split(' ').next().unwrap());
    flows.map_or(0, |flows| flows.parse().unwrap())
}

pub(crate) fn ends(collector: Collector) {
    collector.signal(Signal::TERM);
    let (status, _) = collector.end();
    assert!(status.success());
}

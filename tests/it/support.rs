//! What several tests need: a whole capture through a fresh collector.

use std::path::{Path, PathBuf};

use flowglass::capture::Capture;
use flowglass::collector::stats::Health;
use flowglass::collector::{Collector, Limits};
use flowglass::flow::FlowRecord;

/// The folder of the package.
pub(crate) fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What a capture holds.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) health: Health,
    /// What each datagram that was not decoded suffered from.
    pub(crate) faults: Vec<String>,
}

impl Decoded {
    /// Sums one account over all exporters.
    pub(crate) fn sum(&self, of: fn(&flowglass::collector::stats::ExporterStats) -> u64) -> u64 {
        self.health.exporters.iter().map(of).sum()
    }

    /// Bytes and packets of the forward direction.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let forward = self.flows.iter().filter(|flow| !flow.reverse);
        forward
            .fold((0, 0), |(b, p), flow| (b.saturating_add(flow.counts.bytes), p.saturating_add(flow.counts.packets)))
    }
}

/// Decodes the datagrams of a capture that go to one of `ports`; all of them where none is named.
pub(crate) fn decode(path: &Path, ports: &[u16]) -> Decoded {
    let capture = Capture::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut collector = Collector::new(Limits::default());
    let mut decoded = Decoded::default();
    for datagram in capture {
        let Ok(datagram) = datagram else { break };
        if !ports.is_empty() && !ports.contains(&datagram.to.port()) {
            continue;
        }
        if let Err(fault) = collector.datagram(datagram.at, datagram.from, &datagram.payload, &mut decoded.flows) {
            decoded.faults.push(fault.to_string());
        }
    }
    decoded.health = collector.health();
    decoded
}

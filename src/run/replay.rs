//! The source thread of a replay: captures through the same collector, at the pace that was asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tracing::{info, warn};

use crate::capture::{Capture, Tally};
use crate::collector::Collector;
use crate::flow::Timestamp;
use crate::run::intake::Intake;
use crate::run::pipeline::Outlets;
use crate::tui::app::Source;

/// Datagrams that are decoded before their flows are handed on.
const BATCH: u32 = 64;
/// The longest sleep, so that a signal is heard within a long silence.
const NAP: Duration = Duration::from_millis(200);

/// Captures to be replayed, the first one opened so that a wrong name is told at once.
pub(super) struct Replay {
    captures: Vec<(PathBuf, Capture)>,
    /// Seconds of capture per second; `None` waits for nothing.
    speed: Option<u32>,
    progress: bool,
    stop: Arc<AtomicBool>,
    /// When the first datagram was replayed, and its own time.
    began: Option<(Instant, Timestamp)>,
}

impl Replay {
    pub(super) fn open(files: Vec<PathBuf>, speed: Option<u32>, progress: bool, stop: Arc<AtomicBool>) -> Result<Self> {
        let open = |path: PathBuf| Ok((path.clone(), Capture::open(&path)?));
        let captures = files.into_iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(Self { captures, speed, progress, stop, began: None })
    }

    pub(super) fn shown(&self, done: bool) -> Source {
        let files: Vec<_> = self.captures.iter().map(|(path, _)| name(path)).collect();
        Source::Replay { file: files.join(" "), done }
    }

    pub(super) fn run(mut self, collector: Collector, outlets: Outlets) -> Result<()> {
        let shown = self.shown(true);
        let mut intake = Intake::new(collector, outlets);
        let mut latest = Timestamp::default();
        for (path, mut capture) in std::mem::take(&mut self.captures) {
            self.one(&path, &mut capture, &mut intake, &mut latest);
            told(&path, capture.tally());
        }
        intake.ship();
        intake.account(latest, Vec::new());
        intake.show(shown);
        account(&intake);
        // With a screen the picture stays until somebody has seen it: the run ends when the outlets close.
        while !self.progress && !self.stop.load(Ordering::Relaxed) {
            intake.answer();
            thread::sleep(NAP);
        }
        Ok(())
    }

    /// Replays one file. A file that ends in the middle gives what stood before, and a warning.
    fn one(&mut self, path: &Path, capture: &mut Capture, intake: &mut Intake, latest: &mut Timestamp) {
        let bar = self.bar(path, capture.progress().1);
        let mut batch = 0_u32;
        while !self.stop.load(Ordering::Relaxed) {
            let datagram = match capture.next() {
                Some(Ok(datagram)) => datagram,
                Some(Err(error)) => {
                    bar.suspend(|| warn!("{error}"));
                    break;
                }
                None => break,
            };
            self.pace(datagram.at, intake);
            *latest = (*latest).max(datagram.at);
            intake.datagram(datagram.at, datagram.from, datagram.to, &datagram.payload);
            batch = batch.wrapping_add(1);
            if batch.is_multiple_of(BATCH) {
                intake.ship();
                bar.set_position(capture.progress().0);
            }
            intake.answer();
            intake.tick(*latest, Vec::new);
        }
        bar.finish_and_clear();
    }

    /// Sleeps until the datagram is due.
    fn pace(&mut self, at: Timestamp, intake: &mut Intake) {
        let Some(speed) = self.speed else { return };
        let (began, first) = *self.began.get_or_insert_with(|| (Instant::now(), at));
        let offset = u64::try_from(at.since(first)).unwrap_or(0) / u64::from(speed.max(1));
        let due = began + Duration::from_millis(offset);
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            intake.ship();
            thread::sleep(left.min(NAP));
        }
    }

    /// A bar where stderr is a terminal and no screen is drawn; indicatif hides itself elsewhere.
    fn bar(&self, path: &Path, octets: u64) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(octets).with_style(style).with_message(name(path))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn told(path: &Path, tally: Tally) {
    info!(
        file = %path.display(),
        frames = tally.frames,
        datagrams = tally.datagrams,
        fragments = tally.fragments,
        cut = tally.cut,
        other = tally.other,
        "replayed"
    );
}

/// What the whole replay held, in records as they were sent.
fn account(intake: &Intake) {
    let health = intake.health();
    let sum = |of: fn(&crate::collector::stats::ExporterStats) -> u64| health.exporters.iter().map(of).sum::<u64>();
    info!(
        datagrams = health.totals.datagrams,
        records = sum(|stats| stats.records),
        options_records = sum(|stats| stats.options_records),
        flows = health.totals.flows,
        templates = sum(|stats| stats.template_records),
        waiting = health.totals.waiting,
        malformed = health.totals.malformed,
        foreign = health.totals.foreign,
        lost = health.totals.lost,
        "decoded"
    );
}

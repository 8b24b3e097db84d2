//! The past of a window, read back from the database: what the lanes of the live one cannot answer, and what passed
//! before a moment that somebody went back to.
//!
//! A thread of its own reads, so that neither the flows that arrive nor the screen wait for it. What somebody asks for
//! next makes it stop.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::filter::Filter;
use crate::flow::share::Booking;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::Error;
use crate::store::history::History;
use crate::store::scan::Watch;

/// How far back a window goes.
const BACK_MS: i64 = 3_600_000;
/// What passed before a moment is read in parts, the youngest first: so many seconds, and then those before.
const STAGES: [i64; 4] = [60, 300, 900, BACK_MS / 1000];
/// Flows of one piece.
const PIECE: usize = 4096;
/// Pieces that may wait for the window thread; the reader waits beyond.
const PIECES: usize = 4;
/// How long it is waited for the flows that were received before the question, and are not stored yet.
const STORED: Duration = Duration::from_secs(30);
const NAP: Duration = Duration::from_millis(250);

/// A piece of the past.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) question: u64,
    /// Those that match.
    pub(super) flows: Vec<FlowRecord>,
    /// Everything since then is in.
    pub(super) whole: Option<Timestamp>,
    pub(super) is_last: bool,
}

/// Who reads, and what was read.
#[derive(Debug, Clone)]
pub(super) struct Past {
    /// `None` where nothing is stored.
    path: Option<PathBuf>,
    /// The number of the last question of all.
    numbers: Arc<AtomicU64>,
    /// The one that is still wanted.
    asked: Arc<AtomicU64>,
    to: Sender<Piece>,
    pub(super) pieces: Receiver<Piece>,
}

impl Past {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        let (to, pieces) = bounded(PIECES);
        Self { path, numbers: Arc::default(), asked: Arc::default(), to, pieces }
    }

    /// One whose questions do not stop those of this one, and whose answers come the same way.
    pub(super) fn fork(&self) -> Self {
        Self { asked: Arc::default(), ..self.clone() }
    }

    /// Reads the hour before `until`, of which nothing at or after it. Returns the number of the question, and `None`
    /// where there is nobody to ask.
    pub(super) fn ask(&self, filter: Filter, until: Timestamp) -> Option<u64> {
        self.spawn(move |reader, path| reader.read(path, &filter, until))
    }

    /// Reads what passed in the hour before `end`, whenever it was received: the last minute first.
    pub(super) fn ask_before(&self, filter: Filter, end: Timestamp) -> Option<u64> {
        self.spawn(move |reader, path| reader.read_before(path, &filter, end))
    }

    fn spawn(&self, read: impl FnOnce(&Reader, &Path) -> Result<(), Error> + Send + 'static) -> Option<u64> {
        let question = self.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.asked.store(question, Ordering::Relaxed);
        let path = self.path.clone()?;
        let reader = Reader { question, asked: Arc::clone(&self.asked), to: self.to.clone() };
        let read = move || {
            // A database that cannot be read leaves the past as it is; the storage thread tells why.
            let _ = read(&reader, &path);
            reader.send(Vec::new(), None, true);
        };
        thread::Builder::new().name("past".to_owned()).spawn(read).is_ok().then_some(question)
    }
}

struct Reader {
    question: u64,
    asked: Arc<AtomicU64>,
    to: Sender<Piece>,
}

impl Reader {
    fn is_wanted(&self) -> bool {
        self.asked.load(Ordering::Relaxed) == self.question
    }

    fn read(&self, path: &Path, filter: &Filter, until: Timestamp) -> Result<(), Error> {
        let history = History::open(path)?;
        let begin = Instant::now();
        while self.is_wanted() && begin.elapsed() < STORED && history.newest()?.is_none_or(|key| key.received() < until)
        {
            thread::sleep(NAP);
        }
        let span = (until.plus(-BACK_MS), until);
        self.hand_out(&history, filter, span, |flow| flow.received < until)?;
        Ok(())
    }

    fn read_before(&self, path: &Path, filter: &Filter, end: Timestamp) -> Result<(), Error> {
        let history = History::open(path)?;
        let mut read = end;
        for seconds in STAGES {
            let from = end.plus(-1000 * seconds);
            // What has a part in what was read already was handed out then.
            self.hand_out(&history, filter, (from, read), |flow| !Booking::of(flow).has_part(flow.counts, read, end))?;
            read = from;
            if !self.send(Vec::new(), Some(from), false) {
                break;
            }
        }
        Ok(())
    }

    /// Sends those flows of a filter and a span that `is_wanted`, as long as anybody wants any.
    fn hand_out(
        &self,
        history: &History,
        filter: &Filter,
        span: (Timestamp, Timestamp),
        is_wanted: impl Fn(&FlowRecord) -> bool,
    ) -> Result<(), Error> {
        let mut flows = Vec::with_capacity(PIECE);
        history.flows(filter, span, &Watch::NOBODY, |flow| {
            if is_wanted(flow) {
                flows.push(*flow);
            }
            if flows.len() < PIECE {
                return ControlFlow::Continue(());
            }
            let wanted = self.send(std::mem::replace(&mut flows, Vec::with_capacity(PIECE)), None, false);
            if wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        self.send(flows, None, false);
        Ok(())
    }

    /// Whether somebody still wants more.
    fn send(&self, flows: Vec<FlowRecord>, whole: Option<Timestamp>, is_last: bool) -> bool {
        self.is_wanted() && self.to.send(Piece { question: self.question, flows, whole, is_last }).is_ok()
    }
}

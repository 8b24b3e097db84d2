//! Follows a database by its path: opened, read on, and opened anew when another file lies there.
//!
//! It tells nothing to anybody. What it could not read it reads the next time, from the place that it had reached.

use std::path::PathBuf;

use crate::collector::stats::Health;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::history::{History, Run};
use crate::store::tail::{Followed, Tail, Wanted};
use crate::store::{Error, Identity, Owner, RowKey};

/// Rows per read, so that a long history neither fills memory nor holds up the end, nor the log of whoever writes.
const ROWS: usize = 50_000;

pub(super) struct Reader {
    path: PathBuf,
    wanted: Wanted,
    open: Option<Open>,
    /// Which file was open last, and how far it was read: it may come back, or be opened in another way.
    left: Option<(Identity, Tail)>,
    /// Whoever follows has not heard yet that this is another file, or another beginning.
    is_new: bool,
}

/// What is open, and how far it was read.
struct Open {
    history: History,
    tail: Tail,
    /// What the file said of itself before it was read last.
    version: Option<i64>,
    stage: Stage,
}

/// What comes next. Each round ends, whatever the file says: a reader who may not write to the log's index is told of a
/// change whenever he looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Look,
    /// What is new.
    Follow,
    Account,
    /// Some of what is old.
    Fill,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Read {
    /// Nothing that was read before counts any more.
    Anew,
    /// New flows.
    Flows,
    /// Flows that were stored long before.
    Past,
    Accounts(Box<Accounts>),
    Nothing,
    /// It is not known what was missed.
    Lost,
}

/// What a collector has written of itself.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) run: Option<Run>,
    pub(super) health: Health,
    /// Receive time of the newest flow.
    pub(super) newest: Option<Timestamp>,
}

impl Reader {
    pub(super) const fn new(path: PathBuf, wanted: Wanted) -> Self {
        Self { path, wanted, open: None, left: None, is_new: false }
    }

    pub(super) fn open(&mut self) -> Result<(), Error> {
        let history = History::open(&self.path)?;
        let left = self.left.filter(|(file, _)| Some(*file) == history.identity());
        let tail = match left {
            Some((_, tail)) => tail,
            None => history.tail(self.wanted)?,
        };
        self.is_new |= left.is_none();
        self.left = None;
        self.open = Some(Open { history, tail, version: None, stage: Stage::Follow });
        Ok(())
    }

    fn shut(&mut self) {
        let left = self.open.take().map(|open| (open.history.identity(), open.tail));
        self.left = left.and_then(|(file, tail)| Some((file?, tail)));
    }

    /// Reads what is new, else some of what is old.
    pub(super) fn read(&mut self, owner: Option<Owner>, flows: &mut Vec<FlowRecord>) -> Result<Read, Error> {
        if self.open.as_ref().is_some_and(|open| open.is_outdated(owner)) {
            self.shut();
        }
        if self.open.is_none() {
            self.open()?;
        }
        let Some(open) = &mut self.open else { return Ok(Read::Nothing) };
        if std::mem::take(&mut self.is_new) {
            return Ok(Read::Anew);
        }
        let read = open.read(flows);
        match &read {
            Ok(Read::Lost) => self.open = None,
            // What does not go away by itself may be over once the file is opened anew.
            Err(error) if !error.is_passing() => self.shut(),
            _ => {}
        }
        read
    }

    /// Whatever the file says, what is new is read next.
    pub(super) fn look_again(&mut self) {
        if let Some(open) = &mut self.open {
            open.stage = Stage::Follow;
        }
    }

    /// From when on everything was read; `None` when all of it was.
    pub(super) fn complete_from(&self) -> Option<Timestamp> {
        self.open.as_ref().and_then(|open| open.tail.complete_from())
    }
}

impl Open {
    /// Whether another file lies there, or somebody writes the one that was opened as one that nobody does.
    fn is_outdated(&self, owner: Option<Owner>) -> bool {
        !self.history.is_current() || self.history.is_immutable() && owner.is_some()
    }

    fn read(&mut self, flows: &mut Vec<FlowRecord>) -> Result<Read, Error> {
        if self.stage == Stage::Look {
            // Asked before it is read: what is written in the meantime is found by the next look.
            let version = Some(self.history.version()?);
            self.stage = if self.version == version { Stage::Fill } else { Stage::Follow };
            self.version = version;
        }
        match self.stage {
            Stage::Look | Stage::Follow => match self.history.follow(&mut self.tail, ROWS, flows)? {
                Followed::Lost => return Ok(Read::Lost),
                Followed::More => return Ok(Read::Flows),
                Followed::All => {
                    self.stage = Stage::Account;
                    if !flows.is_empty() {
                        return Ok(Read::Flows);
                    }
                }
            },
            Stage::Account => {}
            Stage::Fill => {
                self.history.fill(&mut self.tail, ROWS, flows)?;
                self.stage = Stage::Look;
                return Ok(if flows.is_empty() { Read::Nothing } else { Read::Past });
            }
        }
        let (run, health) = self.history.health()?.unzip();
        let newest = self.history.newest()?.map(RowKey::received);
        self.stage = Stage::Fill;
        Ok(Read::Accounts(Box::new(Accounts { run, health: health.unwrap_or_default(), newest })))
    }
}

//! What the screen asks of what is stored: the strip of a day, what moved, and the flows of a moment of the past.
//!
//! Each question has a thread of its own, so that neither the flows that arrive nor the screen wait for it. The next one
//! of its kind stops it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::filter::Filter;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::Error;
use crate::store::ask::{By, Question, Read};
use crate::store::history::{History, Run};
use crate::store::scan::Watch;
use crate::store::top::{self, Order};
use crate::tui::app::{Baseline, Comparison, Day, Feed, Move, Moves, Strip, Wish, by};
use crate::when::{Span, Zone};
use crate::window::{Atlas, Country, Dimension, Key};

/// Answers that may wait for the window thread: one of each kind, twice.
const WAITING: usize = 6;
/// Rows of a comparison.
const MOVES: usize = 200;
/// Runs of collectors that are looked through for times when none ran.
const RUNS: usize = 1000;

/// Something that is asked. Its filter is that of all that is shown.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    Day(Day, Filter),
    Moves(Comparison, Filter),
    /// The newest flows of a span, at most so many, that have an end in each of some countries.
    Tail((Timestamp, Timestamp), usize, Filter, Vec<Country>),
}

/// One question of each kind is open at most; here are their places.
const DAY: usize = 0;
const COMPARISON: usize = 1;
const NEWEST: usize = 2;
const KINDS: usize = 3;

/// What comes back, and for which question.
#[derive(Debug)]
pub(super) struct Answered {
    number: u64,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Day(Strip),
    Moves(Moves),
    Tail(Arc<[FlowRecord]>),
}

/// The open questions, and the answers that are shown.
pub(super) struct Asks {
    /// `None` where nothing is stored.
    path: Option<PathBuf>,
    atlas: Atlas,
    zone: Zone,
    open: [Option<Open>; KINDS],
    numbers: u64,
    to: Sender<Answered>,
    pub(super) answers: Receiver<Answered>,
    strip: Option<Arc<Strip>>,
    moves: Option<Arc<Moves>>,
    tail: Option<Arc<[FlowRecord]>>,
}

struct Open {
    asked: Asked,
    number: u64,
    stop: Arc<AtomicBool>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Asks {
    pub(super) fn new(path: Option<PathBuf>, atlas: Atlas) -> Self {
        let (to, answers) = bounded(WAITING);
        Self {
            path,
            atlas,
            zone: Zone::system(),
            open: [const { None }; KINDS],
            numbers: 0,
            to,
            answers,
            strip: None,
            moves: None,
            tail: None,
        }
    }

    /// Whether there is a database.
    pub(super) const fn can_ask(&self) -> bool {
        self.path.is_some()
    }

    /// Asks what a wish wants to know, and stops what nobody wants any more.
    pub(super) fn prepare(&mut self, wish: &Wish) {
        let filter = wish.of_all();
        let mut wanted = [const { None }; KINDS];
        let tail = |at: Timestamp| {
            let span = wish.views.first().map_or(60, |view| view.span.seconds());
            Asked::Tail((at.plus(-1000 * span), at), wish.tail, filter.clone(), wish.tail_countries.clone())
        };
        wanted[DAY] = wish.day.map(|day| Asked::Day(day, filter.clone()));
        wanted[COMPARISON] = wish.comparison.map(|comparison| Asked::Moves(comparison, filter.clone()));
        wanted[NEWEST] = wish.at.filter(|_| 0 < wish.tail).map(tail);
        for (kind, asked) in wanted.into_iter().enumerate() {
            let is_open = self.open[kind].as_ref().map(|open| &open.asked) == asked.as_ref();
            if !is_open {
                self.open[kind] = asked.and_then(|asked| self.ask(asked));
                self.forget(kind);
            }
        }
    }

    /// An older strip is better than none while the next one is read; flows of another moment are not.
    fn forget(&mut self, kind: usize) {
        match kind {
            DAY if self.open[DAY].is_none() => self.strip = None,
            COMPARISON if self.open[COMPARISON].is_none() => self.moves = None,
            NEWEST => self.tail = None,
            _ => {}
        }
    }

    fn ask(&mut self, asked: Asked) -> Option<Open> {
        let path = self.path.clone()?;
        self.numbers += 1;
        let (number, stop) = (self.numbers, Arc::new(AtomicBool::new(false)));
        let reader = Reader { path, atlas: self.atlas.clone(), zone: self.zone.clone(), stop: Arc::clone(&stop) };
        let (to, question) = (self.to.clone(), asked.clone());
        let read = move || {
            let answer = reader.answer(&question);
            if !reader.stop.load(Ordering::Relaxed) {
                // The window thread may be gone.
                let _ = to.send(Answered { number, answer });
            }
        };
        thread::Builder::new().name("ask".to_owned()).spawn(read).ok()?;
        Some(Open { asked, number, stop })
    }

    /// Takes an answer in; false when nobody waits for it any more.
    pub(super) fn take(&mut self, answered: Answered) -> bool {
        let is_wanted = self.open.iter().flatten().any(|open| open.number == answered.number);
        if is_wanted {
            match answered.answer {
                Answer::Day(strip) => self.strip = Some(Arc::new(strip)),
                Answer::Moves(moves) => self.moves = Some(Arc::new(moves)),
                Answer::Tail(tail) => self.tail = Some(tail),
            }
        }
        is_wanted
    }

    /// Puts into a feed what is known.
    pub(super) fn put(&self, feed: &mut Feed) {
        feed.strip.clone_from(&self.strip);
        feed.moves.clone_from(&self.moves);
        if feed.wish.at.is_some() {
            feed.tail = self.tail.clone().unwrap_or_default();
        }
    }
}

/// Who reads.
struct Reader {
    path: PathBuf,
    atlas: Atlas,
    zone: Zone,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn answer(&self, asked: &Asked) -> Answer {
        match asked {
            Asked::Day(day, filter) => Answer::Day(self.day(*day, filter).unwrap_or_else(|error| Strip {
                failed: Some(error.to_string()),
                from: day.from,
                ..Strip::default()
            })),
            Asked::Moves(comparison, filter) => {
                let mut moves = self
                    .moves(comparison, filter)
                    .unwrap_or_else(|error| Moves { failed: Some(error.to_string()), ..Moves::default() });
                moves.asked = Some(*comparison);
                Answer::Moves(moves)
            }
            Asked::Tail(span, rows, filter, countries) => {
                Answer::Tail(self.tail(*span, *rows, (filter, countries)).unwrap_or_default())
            }
        }
    }

    fn open(&self, path: &Path) -> Result<History, Error> {
        let mut history = History::open(path)?;
        history.stop_on(Arc::clone(&self.stop))?;
        Ok(history)
    }

    fn day(&self, day: Day, filter: &Filter) -> Result<Strip, Error> {
        let history = self.open(&self.path)?;
        let span = (day.from, day.to);
        let question = Question { filter, by: By::Protocol, order: Order::Bytes, span, read: Read::Quick };
        let rates = history.rates(&question, Day::STEP_MS, &Watch::NOBODY)?;
        Ok(Strip {
            from: day.from,
            step_ms: rates.step_ms,
            steps: rates.points.iter().map(|(_, sums)| sums.counts.bytes.saturating_add(sums.more.bytes)).collect(),
            gaps: gaps(&history.runs(RUNS)?, span),
            notes: history.notes(span)?,
            failed: None,
        })
    }

    fn moves(&self, asked: &Comparison, filter: &Filter) -> Result<Moves, Error> {
        let Some(by) = by(asked.dimension) else { return Ok(Moves::default()) };
        let history = self.open(&self.path)?;
        let question = Question { filter, by, order: asked.order, span: asked.span, read: Read::Quick };
        let before = spans(asked, &self.zone);
        let changes = history.changes(&question, &before, MOVES, &Watch::NOBODY)?;
        let row = |row: &crate::store::ask::changes::Changed| {
            let key = self.key(row.key, asked.dimension)?;
            Some(Move { key, before: row.before, now: row.now, missing: row.missing })
        };
        Ok(Moves {
            asked: None,
            before,
            rows: changes.rows.iter().filter_map(row).collect(),
            keys: changes.keys,
            total_before: changes.before,
            total_now: changes.now,
            is_exact: changes.exact,
            failed: None,
        })
    }

    /// A row of the database as one of the screen; nothing for what belongs to no key.
    fn key(&self, key: top::Key, dimension: Dimension) -> Option<Key> {
        Some(match key {
            top::Key::Conversation { a, b, protocol, port } => {
                let (inside, outside) = self.ends(a, b);
                Key::Conversation { inside, outside, protocol, port }
            }
            top::Key::Host(address) => match dimension {
                Dimension::Source => Key::Source(address),
                Dimension::Destination => Key::Destination(address),
                _ => Key::Host(address),
            },
            top::Key::Service { protocol, port } => Key::Service { protocol, port },
            top::Key::Protocol(protocol) => Key::Protocol(protocol),
            top::Key::Exporter { exporter, domain } => Key::Exporter { address: exporter, domain },
            top::Key::Interface { exporter, domain, interface } => {
                Key::Interface { address: exporter, domain, interface }
            }
            top::Key::As(number) => Key::As(number),
            top::Key::Vlan(vlan) => Key::Vlan(vlan),
            top::Key::Dscp(dscp) => Key::Dscp(dscp),
            top::Key::Application(application) => Key::Application(application),
            top::Key::Pair { .. } | top::Key::Path { .. } | top::Key::Other => return None,
        })
    }

    /// The inside first, where one of the two is.
    fn ends(&self, a: IpAddr, b: IpAddr) -> (IpAddr, IpAddr) {
        if self.atlas.is_inside(b) && !self.atlas.is_inside(a) { (b, a) } else { (a, b) }
    }

    /// Newest first.
    fn tail(
        &self,
        span: (Timestamp, Timestamp),
        rows: usize,
        (filter, countries): (&Filter, &[Country]),
    ) -> Result<Arc<[FlowRecord]>, Error> {
        let mut newest = VecDeque::with_capacity(rows.min(4096));
        self.open(&self.path)?.flows(filter, span, &Watch::NOBODY, |flow| {
            if !self.atlas.touches([flow.key.src_ip, flow.key.dst_ip], countries) {
                return ControlFlow::Continue(());
            }
            if newest.len() == rows {
                newest.pop_front();
            }
            newest.push_back(*flow);
            ControlFlow::Continue(())
        })?;
        Ok(newest.into_iter().rev().collect())
    }
}

/// What a span is compared with.
fn spans(asked: &Comparison, zone: &Zone) -> Vec<(Timestamp, Timestamp)> {
    let span = Span { from: asked.span.0, to: asked.span.1 };
    let days_before = |days: i64| span.days_before(days, zone).pair();
    match (asked.baseline, asked.marked) {
        (Baseline::Marks, Some(marked)) => vec![marked],
        (Baseline::Before | Baseline::Marks, _) => vec![span.previous().pair()],
        (Baseline::Yesterday, _) => vec![days_before(1)],
        (Baseline::LastWeek, _) => vec![days_before(7)],
        (Baseline::Usual, _) => (1..=7).map(days_before).collect(),
    }
}

/// When no collector ran; a short while is no gap.
fn gaps(runs: &[Run], (from, to): (Timestamp, Timestamp)) -> Vec<(Timestamp, Timestamp)> {
    const SHORT_MS: i64 = 30_000;
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by_key(|run| run.started);
    let mut gaps = Vec::new();
    let mut listened = Timestamp(i64::MIN);
    for run in runs {
        if SHORT_MS < run.started.0.saturating_sub(listened.0) && from < run.started && listened < to {
            gaps.push((listened.max(from), run.started.min(to)));
        }
        listened = listened.max(run.ended.unwrap_or(run.last_alive)).max(run.last_alive);
    }
    gaps
}

#[cfg(test)]
mod tests;

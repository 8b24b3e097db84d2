//! The screen's state: what is shown, sorted, selected and frozen, and how each event changes it.
//!
//! It draws nothing and reads neither a clock nor a terminal: events come in, a [`Request`] to the loop goes out. What it
//! shows comes as a [`Feed`] from whoever collects, replays or reads the database, and is never written to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::collector::stats::Health;
use crate::flow::Timestamp;
use crate::tui::keys::{self, Action, Context, Key, Motion, Turn};
use crate::tui::units::Units;
use crate::window::{Key as RowKey, Row, Snapshot, Span};

/// Everything the screen shows, once a second.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// What was asked for last.
    pub snapshot: Arc<Snapshot>,
    /// The same by protocol.
    pub protocols: Arc<Snapshot>,
    pub health: Arc<Health>,
    /// `None` where nothing is stored.
    pub storage: Option<StorageView>,
    pub now: Timestamp,
    /// What the clock on screen adds to UTC.
    pub utc_offset_s: i32,
    pub started: Timestamp,
    pub source: Source,
    /// One line for the person in front of the screen.
    pub notice: Option<String>,
}

/// Where the flows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Live {
        listen: Vec<SocketAddr>,
        /// Addresses of this host which a router can send to.
        reachable: Vec<IpAddr>,
    },
    Replay {
        file: String,
        done: bool,
    },
    /// A database that another process writes; this one receives nothing.
    Stored {
        path: String,
    },
    Demo,
}

impl Default for Source {
    fn default() -> Self {
        Self::Live { listen: Vec::new(), reachable: Vec::new() }
    }
}

/// The database, as its writer accounts for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageView {
    pub path: String,
    /// Flow records written since the start.
    pub rows: u64,
    /// Flow records that wait for the next flush.
    pub buffered: u64,
    /// Flow records that found the buffer full.
    pub dropped: u64,
    /// Why the last flush failed.
    pub failing: Option<String>,
    pub last_flush: Option<Timestamp>,
    /// Size of the file.
    pub octets: u64,
}

/// What happens to the screen.
#[derive(Debug, Clone)]
pub enum Event {
    Key(Key),
    Feed(Feed),
    /// So many rows of the table fit now, and so many lines of the help do not.
    Room {
        rows: usize,
        help_hidden: usize,
    },
}

/// What the loop must do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Redraw,
    /// Redraw, and have the next feed look back so far.
    Look(Span),
    /// Redraw every cell.
    Repaint,
    Suspend,
    Quit,
}

/// What lies on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Main,
    Help,
}

/// What rows are sorted by, the largest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Bytes,
    Packets,
    Flows,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Bytes, Self::Packets, Self::Flows];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Flows => "flows",
        }
    }

    const fn measure(self, row: &Row) -> u64 {
        let tally = row.ways.sum();
        match self {
            Self::Bytes => tally.counts.bytes,
            Self::Packets => tally.counts.packets,
            Self::Flows => tally.flows,
        }
    }

    fn turned(self, turn: Turn) -> Self {
        let step = match turn {
            Turn::Next => 1,
            Turn::Previous => Self::ALL.len() - 1,
        };
        Self::ALL[(self as usize + step) % Self::ALL.len()]
    }
}

/// How much there is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not one datagram.
    Silent,
    /// Datagrams, but not one flow.
    NoFlows,
    Flows,
}

/// Figures that stay while collecting goes on.
#[derive(Debug, Clone)]
struct Frozen {
    snapshot: Arc<Snapshot>,
    protocols: Arc<Snapshot>,
    since: Timestamp,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct App {
    feed: Feed,
    frozen: Option<Frozen>,
    screen: Screen,
    sort: Sort,
    units: Units,
    span: Span,
    /// The conversations shown, in their order; a copy, since a snapshot is sorted by bytes and never changes.
    rows: Vec<Row>,
    /// By key and not by row, so that it stays with what it marks.
    selected: Option<RowKey>,
    /// The row of the selection; where it was last, when its conversation is not among the rows.
    cursor: usize,
    /// The first row that is shown.
    offset: usize,
    /// How many rows fit.
    room: usize,
    help_offset: usize,
    /// The furthest that the help can be scrolled.
    help_hidden: usize,
    /// An answer to a key that could do nothing.
    hint: Option<&'static str>,
}

impl App {
    pub fn new(span: Span, units: Units) -> Self {
        Self { span, units, ..Self::default() }
    }

    /// Takes an event in. Nothing to do for the loop means that the screen stays as it is.
    pub fn update(&mut self, event: Event) -> Option<Request> {
        match event {
            Event::Key(key) => {
                let context = match self.screen {
                    Screen::Main => Context::Main,
                    Screen::Help => Context::Everywhere,
                };
                let had_hint = self.hint.take().is_some();
                let request = keys::action(key, context).and_then(|action| self.act(action));
                request.or_else(|| had_hint.then_some(Request::Redraw))
            }
            Event::Feed(feed) => {
                self.feed = feed;
                if self.frozen.is_none() {
                    self.arrange();
                }
                Some(Request::Redraw)
            }
            Event::Room { rows, help_hidden } => {
                self.room = rows;
                self.help_hidden = help_hidden;
                self.help_offset = self.help_offset.min(help_hidden);
                self.follow();
                None
            }
        }
    }

    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The figures shown: the frozen ones, or the latest.
    pub fn snapshot(&self) -> &Snapshot {
        self.frozen.as_ref().map_or(&self.feed.snapshot, |frozen| &frozen.snapshot)
    }

    /// The same by protocol.
    pub fn protocols(&self) -> &Snapshot {
        self.frozen.as_ref().map_or(&self.feed.protocols, |frozen| &frozen.protocols)
    }

    pub fn frozen_since(&self) -> Option<Timestamp> {
        self.frozen.as_ref().map(|frozen| frozen.since)
    }

    pub const fn screen(&self) -> Screen {
        self.screen
    }

    pub const fn sort(&self) -> Sort {
        self.sort
    }

    pub const fn units(&self) -> Units {
        self.units
    }

    /// All rows in their order, of which [`App::offset`] is the first one shown.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub const fn offset(&self) -> usize {
        self.offset
    }

    pub const fn selected(&self) -> Option<RowKey> {
        self.selected
    }

    pub const fn help_offset(&self) -> usize {
        self.help_offset
    }

    /// The line for the person in front: an answer to the last key, or what the feed has to say.
    pub fn notice(&self) -> Option<&str> {
        self.hint.or(self.feed.notice.as_deref())
    }

    pub fn stage(&self) -> Stage {
        let totals = &self.feed.health.totals;
        if 0 < totals.flows || 0 < self.snapshot().everything().flows {
            Stage::Flows
        } else if 0 < totals.datagrams {
            Stage::NoFlows
        } else {
            Stage::Silent
        }
    }

    fn act(&mut self, action: Action) -> Option<Request> {
        match action {
            Action::Quit => return Some(Request::Quit),
            Action::Suspend => return Some(Request::Suspend),
            Action::Repaint => return Some(Request::Repaint),
            Action::Span(Turn::Next) => return self.look(self.span.longer()),
            Action::Span(Turn::Previous) => return self.look(self.span.shorter()),
            Action::SpanAround if self.span == self.span.longer() => return self.look(Span::ALL[0]),
            Action::SpanAround => return self.look(self.span.longer()),
            Action::Move(motion) => return self.scroll(motion),
            Action::Help => self.toggle_help(),
            Action::Back if self.screen == Screen::Help => self.toggle_help(),
            Action::Back => {
                self.selected.take()?;
                self.cursor = 0;
                self.offset = 0;
            }
            Action::Freeze => self.freeze(),
            Action::Units => self.units = self.units.next(),
            Action::Sort(turn) => {
                self.sort = self.sort.turned(turn);
                self.arrange();
            }
        }
        Some(Request::Redraw)
    }

    fn toggle_help(&mut self) {
        self.help_offset = 0;
        self.screen = match self.screen {
            Screen::Main => Screen::Help,
            Screen::Help => Screen::Main,
        };
    }

    /// The snapshot that is kept knows one span only, so a frozen view cannot look back further.
    fn look(&mut self, span: Span) -> Option<Request> {
        if self.frozen.is_some() {
            self.hint = Some("frozen figures keep their span: press space to go on first");
            return Some(Request::Redraw);
        }
        if span == self.span {
            return None;
        }
        self.span = span;
        Some(Request::Look(span))
    }

    fn freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Frozen {
                snapshot: Arc::clone(&self.feed.snapshot),
                protocols: Arc::clone(&self.feed.protocols),
                since: self.feed.now,
            }),
        };
        self.arrange();
    }

    /// Copies the rows out in their order, equal ones by key, and finds the selection again.
    fn arrange(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clone_from(&self.snapshot().rows);
        let sort = self.sort;
        rows.sort_unstable_by(|a, b| sort.measure(b).cmp(&sort.measure(a)).then_with(|| a.key.cmp(&b.key)));
        self.rows = rows;
        if let Some(row) = self.selected_row() {
            self.cursor = row;
        }
        self.follow();
    }

    fn selected_row(&self) -> Option<usize> {
        let key = self.selected?;
        self.rows.iter().position(|row| row.key == key)
    }

    fn scroll(&mut self, motion: Motion) -> Option<Request> {
        if self.screen == Screen::Help {
            self.help_offset = moved(self.help_offset, motion, self.room, self.help_hidden);
            return Some(Request::Redraw);
        }
        let last = self.rows.len().checked_sub(1)?;
        self.cursor = match (self.selected, motion) {
            (None, Motion::Up | Motion::Down) => self.offset.min(last),
            _ => moved(self.cursor, motion, self.room, last),
        };
        self.selected = self.rows.get(self.cursor).map(|row| row.key);
        self.follow();
        Some(Request::Redraw)
    }

    /// Keeps the selection in sight, and no room empty below the last row.
    fn follow(&mut self) {
        let room = self.room.max(1);
        if self.selected_row().is_some() {
            self.offset = self.offset.clamp(self.cursor.saturating_sub(room - 1), self.cursor);
        }
        self.offset = self.offset.min(self.rows.len().saturating_sub(room));
    }
}

fn moved(from: usize, motion: Motion, room: usize, last: usize) -> usize {
    let page = room.max(1);
    let half = (room / 2).max(1);
    let to = match motion {
        Motion::Up => from.saturating_sub(1),
        Motion::Down => from.saturating_add(1),
        Motion::HalfPageUp => from.saturating_sub(half),
        Motion::HalfPageDown => from.saturating_add(half),
        Motion::PageUp => from.saturating_sub(page),
        Motion::PageDown => from.saturating_add(page),
        Motion::First => 0,
        Motion::Last => last,
    };
    to.min(last)
}

#[cfg(test)]
mod tests;

//! The screen's state: what is shown, sorted, selected and frozen, and how each event changes it.
//!
//! It draws nothing and reads neither a clock nor a terminal: events come in, a [`Request`] to the loop goes out, and
//! [`App::wish`] says what the next [`Feed`] shall bring. A feed comes from whoever collects, replays or reads the
//! database, and is never written to.

mod act;
mod card;
pub mod columns;
mod copying;
mod feed;
mod flows;
mod hands;
mod look;
mod memory;
mod past;
mod place;
mod presets;
mod stored;
pub mod table;

use std::sync::Arc;

use crate::flow::{FlowRecord, Timestamp};
use crate::names::Names;
use crate::store::ask::presets::Book;
pub use crate::tui::app::card::Card;
use crate::tui::app::columns::{Chosen, Kind};
pub use crate::tui::app::copying::Copied;
pub use crate::tui::app::feed::{About, Feed, Source, StorageView, Told, Wish};
pub use crate::tui::app::flows::FlowSort;
use crate::tui::app::past::Past;
pub use crate::tui::app::past::{Asking, Errand, What};
pub use crate::tui::app::place::{Place, Step, Tab, Way};
pub use crate::tui::app::stored::{Baseline, Comparison, Day, Move, Moves, Strip, by};
use crate::tui::app::table::Table;
use crate::tui::edit::Line;
use crate::tui::filter_line::FilterLine;
use crate::tui::keys::{Context, Key, Keys, Motion, Turn};
use crate::tui::labels::Labels;
use crate::tui::list::List;
use crate::tui::units::Units;
use crate::when::Zone;
use crate::window::{Clock, Dimension, Key as RowKey, Row, Snapshot, Sort, Span};

/// What happens to the screen.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and none is kept")]
pub enum Event {
    Key(Key),
    /// Text that came in one piece.
    Paste(String),
    /// The wheel of the mouse.
    Wheel(Turn),
    /// DNS has told something new.
    Names,
    /// How many frames a second the line carries, when it is a slow one.
    Pace(Option<String>),
    Feed(Feed),
    Room(Room),
}

/// What the picture has room for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// Rows of the table.
    pub rows: usize,
    /// Columns of the table that are in sight.
    pub columns: Vec<usize>,
    /// Lines of what lies on top that do not fit.
    pub hidden: usize,
}

/// What the loop must do after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Redraw,
    /// Redraw, and put this into the clipboard of whoever sits in front.
    Copy(String),
    /// Redraw, and take the mouse over, or give it back.
    Mouse(bool),
    /// Redraw every cell.
    Repaint,
    /// Redraw, and have something done; what became of it is said later.
    Errand(Errand),
    Suspend,
    Quit,
    /// Quit, and leave the last picture behind.
    QuitLeaving,
}

/// What lies on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Main,
    Help,
    /// The line in which the filter is edited, below the rows.
    Filter,
    /// The menu of the copy key, or what was copied.
    Copy,
    /// What explains one thing.
    Card,
    /// The choice of columns.
    Columns,
    /// The choice of named questions.
    Presets,
    /// A line for a moment or a note, below the rows.
    Ask,
}

/// The page of keys and words, and what of it is searched for.
#[derive(Debug, Clone, Default)]
struct Help {
    search: Line,
    is_searching: bool,
}

/// Octets of what is searched for in the help.
const SEARCH: usize = 64;

/// How much there is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not one datagram.
    Silent,
    /// Datagrams, but not one flow.
    NoFlows,
    Flows,
}

/// How figures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// As sampling makes of them, not as reported.
    pub estimated: bool,
    /// What was reported twice counts once.
    pub once: bool,
    pub clock: Clock,
}

impl Default for Counting {
    fn default() -> Self {
        Self { estimated: true, once: true, clock: Clock::Flow }
    }
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct App {
    feed: Feed,
    is_frozen: bool,
    past: Past,
    zone: Option<Zone>,
    asking: Option<Asking>,
    way: Way,
    screen: Screen,
    sort: Sort,
    flow_sort: FlowSort,
    units: Units,
    span: Span,
    counting: Counting,
    pins: Vec<RowKey>,
    table: Table,
    list: List<RowKey>,
    flows: Vec<FlowRecord>,
    flow_list: List<FlowRecord>,
    columns: Chosen,
    /// The column in which the cursor stands.
    cell: Option<usize>,
    room: Room,
    /// Rows that are asked for.
    wanted_rows: usize,
    card: Option<Card>,
    /// How far what lies on top is scrolled, or which of its lines is chosen.
    offset: usize,
    help: Help,
    /// An answer to a key that could do nothing.
    hint: Option<&'static str>,
    /// What is to be said once, until the next key.
    said: Option<String>,
    keys: Keys,
    presets: Book,
    labels: Labels,
    filter: FilterLine,
    copied: Option<Copied>,
    has_mouse: bool,
    pace: Option<String>,
}

impl App {
    pub fn new(span: Span, units: Units) -> Self {
        Self { span, units, wanted_rows: look::FEW, ..Self::default() }
    }

    /// The same with other keys and names.
    #[must_use]
    pub fn with(mut self, keys: Keys, names: Arc<Names>) -> Self {
        self.keys = keys;
        self.labels.names = names;
        self
    }

    /// The same with an operator's own questions.
    #[must_use]
    pub fn with_presets(self, presets: Book) -> Self {
        Self { presets, ..self }
    }

    /// Tells and reads times as in a zone; as UTC otherwise.
    #[must_use]
    pub fn with_zone(mut self, zone: Option<Zone>) -> Self {
        self.zone = zone;
        self
    }

    /// Takes an event in. Nothing to do for the loop means that the screen stays as it is.
    pub fn update(&mut self, event: Event) -> Option<Request> {
        match event {
            Event::Key(key) => {
                let had_hint = self.hint.take().is_some() | self.said.take().is_some();
                self.press(key).or_else(|| had_hint.then_some(Request::Redraw))
            }
            Event::Paste(text) => self.paste(&text),
            Event::Wheel(turn) => {
                let motion = if turn == Turn::Next { Motion::Down } else { Motion::Up };
                (0..3).filter_map(|_| self.scroll(motion)).last()
            }
            Event::Names => Some(Request::Redraw),
            Event::Pace(pace) => {
                let is_new = self.pace != pace;
                self.pace = pace;
                is_new.then_some(Request::Redraw)
            }
            Event::Feed(feed) => {
                self.receive(feed);
                Some(Request::Redraw)
            }
            Event::Room(room) => {
                match self.kind() {
                    Kind::Changes(_) => {
                        let entries = self.entries();
                        self.list.make_room(room.rows, &entries);
                    }
                    _ => self.list.make_room(room.rows, self.table.keys()),
                }
                self.flow_list.make_room(room.rows, &self.flows);
                if matches!(self.screen, Screen::Help | Screen::Card) {
                    self.offset = self.offset.min(room.hidden);
                }
                self.room = room;
                None
            }
        }
    }

    /// Where keys are pressed now.
    pub const fn context(&self) -> Context {
        match self.screen {
            Screen::Main if self.is_frozen => Context::Past,
            Screen::Main => Context::Main,
            Screen::Help if self.help.is_searching => Context::Line,
            Screen::Help => Context::Help,
            Screen::Filter | Screen::Ask => Context::Line,
            Screen::Copy => Context::Menu,
            Screen::Card => Context::Card,
            Screen::Columns | Screen::Presets => Context::Columns,
        }
    }

    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// What the rows are from: the header and the graph are of the same.
    pub fn snapshot(&self) -> &Snapshot {
        self.table.snapshot()
    }

    /// The services of what is shown.
    pub fn services(&self) -> Option<&Snapshot> {
        self.feed.answer(&self.services_view()).map(|snapshot| &**snapshot)
    }

    /// The moment at which figures stand still.
    pub fn frozen_since(&self) -> Option<Timestamp> {
        (self.is_frozen && self.past.at.is_none()).then(|| self.snapshot().at)
    }

    pub const fn screen(&self) -> Screen {
        self.screen
    }

    pub const fn way(&self) -> &Way {
        &self.way
    }

    pub const fn place(&self) -> Place {
        self.way.place()
    }

    pub const fn sort(&self) -> Sort {
        self.sort
    }

    pub const fn flow_sort(&self) -> FlowSort {
        self.flow_sort
    }

    pub const fn units(&self) -> Units {
        self.units
    }

    pub const fn span(&self) -> Span {
        self.span
    }

    pub const fn counting(&self) -> Counting {
        self.counting
    }

    /// All rows in their order, of which [`App::offset`] is the first one shown.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The flows of the tail in their order.
    pub fn flows(&self) -> &[FlowRecord] {
        &self.flows
    }

    /// What the table is of.
    pub const fn kind(&self) -> Kind {
        match self.place() {
            Place { tab: Tab::Flows, .. } => Kind::Flows,
            Place { tab: Tab::Changes, dimension } => Kind::Changes(dimension),
            Place { tab: Tab::Exporters, dimension: Dimension::Exporter } => Kind::Exporters,
            Place { dimension, .. } => Kind::Ranking(dimension),
        }
    }

    pub const fn offset(&self) -> usize {
        match self.kind() {
            Kind::Flows => self.flow_list.offset(),
            Kind::Ranking(_) | Kind::Exporters | Kind::Changes(_) => self.list.offset(),
        }
    }

    pub const fn selected(&self) -> Option<RowKey> {
        self.list.selected()
    }

    pub const fn selected_flow(&self) -> Option<FlowRecord> {
        self.flow_list.selected()
    }

    pub fn selected_row(&self) -> Option<&Row> {
        self.table.row(self.table.position(self.list.selected()?)?)
    }

    pub const fn columns(&self) -> &Chosen {
        &self.columns
    }

    /// The column in which the cursor stands; the first one that is in sight until it was moved.
    pub fn cell(&self) -> Option<usize> {
        self.cell.filter(|cell| self.room.columns.contains(cell))
    }

    pub const fn card(&self) -> Option<Card> {
        self.card
    }

    /// How far what lies on top is scrolled, or which of its lines is chosen.
    pub const fn top_offset(&self) -> usize {
        self.offset
    }

    /// What of the help is searched for, and whether that is being typed.
    pub const fn help_search(&self) -> (&Line, bool) {
        (&self.help.search, self.help.is_searching)
    }

    /// The line for the person in front: an answer to the last key, or what the feed has to say.
    pub fn notice(&self) -> Option<&str> {
        self.hint.or(self.said.as_deref()).or(self.feed.notice.as_deref())
    }

    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    pub const fn filter(&self) -> &FilterLine {
        &self.filter
    }

    pub const fn copied(&self) -> Option<&Copied> {
        self.copied.as_ref()
    }

    pub fn pace(&self) -> Option<&str> {
        self.pace.as_deref()
    }

    pub fn stage(&self) -> Stage {
        let totals = &self.feed.health.totals;
        // What is stored is there to see, whatever arrives.
        let is_of_the_past = self.past.at.is_some() || matches!(self.kind(), Kind::Changes(_));
        if is_of_the_past || 0 < totals.flows || self.feed.views.iter().any(|view| 0 < view.everything().flows) {
            Stage::Flows
        } else if 0 < totals.datagrams {
            Stage::NoFlows
        } else {
            Stage::Silent
        }
    }

    /// Says something until the next key.
    pub fn say(&mut self, text: String) {
        self.said = Some(text);
    }
}

#[cfg(test)]
mod tests;

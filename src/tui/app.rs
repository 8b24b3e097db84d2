//! The screen's state: what is shown, sorted, selected and frozen, and how each event changes it.
//!
//! It draws nothing and reads neither a clock nor a terminal: events come in, a [`Request`] to the loop goes out. What it
//! shows comes as a [`Feed`] from whoever collects, replays or reads the database, and is never written to.

mod feed;

use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::Timestamp;
use crate::names::Names;
pub use crate::tui::app::feed::{Feed, Source, StorageView, Wish};
use crate::tui::copy::{self, Between, Figures, Selection};
use crate::tui::edit::Line;
use crate::tui::filter_line::FilterLine;
use crate::tui::keys::{Action, Context, Form, Key, Keys, Motion, Turn};
use crate::tui::labels::Labels;
use crate::tui::list::{self, List};
use crate::tui::remembered::Remembered;
use crate::tui::units::Units;
use crate::window::{Dimension, Key as RowKey, Row, Snapshot, Span, View};

/// What happens to the screen.
#[derive(Debug, Clone)]
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
    /// So many rows of the table fit now, and so many lines of the help do not.
    Room {
        rows: usize,
        help_hidden: usize,
    },
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
}

/// The page of keys and words, and what of it is searched for.
#[derive(Debug, Clone, Default)]
struct Help {
    search: Line,
    is_searching: bool,
    offset: usize,
    /// The furthest that it can be scrolled.
    hidden: usize,
}

/// What was copied, or why it could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub form: Form,
    pub text: Result<String, &'static str>,
}

/// Octets of what is searched for in the help.
const SEARCH: usize = 64;

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
    /// Their keys, in the same order.
    row_keys: Vec<RowKey>,
    list: List<RowKey>,
    help: Help,
    /// An answer to a key that could do nothing.
    hint: Option<&'static str>,
    /// What is to be said once, until the next key.
    said: Option<String>,
    keys: Keys,
    labels: Labels,
    filter: FilterLine,
    copied: Option<Copied>,
    has_mouse: bool,
    pace: Option<String>,
}

impl App {
    pub fn new(span: Span, units: Units) -> Self {
        Self { span, units, ..Self::default() }
    }

    /// The same with other keys and names.
    #[must_use]
    pub fn with(mut self, keys: Keys, names: Arc<Names>) -> Self {
        self.keys = keys;
        self.labels.names = names;
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
                self.feed = feed;
                if self.frozen.is_none() {
                    self.arrange();
                }
                Some(Request::Redraw)
            }
            Event::Room { rows, help_hidden } => {
                self.list.make_room(rows, &self.row_keys);
                self.help.hidden = help_hidden;
                self.help.offset = self.help.offset.min(help_hidden);
                None
            }
        }
    }

    /// Where keys are pressed now.
    pub const fn context(&self) -> Context {
        match self.screen {
            Screen::Main => Context::Main,
            Screen::Help if self.help.is_searching => Context::Line,
            Screen::Help => Context::Help,
            Screen::Filter => Context::Line,
            Screen::Copy => Context::Menu,
        }
    }

    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The figures shown: the frozen ones, or the latest.
    pub fn snapshot(&self) -> &Snapshot {
        self.frozen.as_ref().map_or(self.feed.shown(0), |frozen| &frozen.snapshot)
    }

    /// The same by protocol.
    pub fn protocols(&self) -> &Snapshot {
        self.frozen.as_ref().map_or(self.feed.shown(1), |frozen| &frozen.protocols)
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
        self.list.offset()
    }

    pub const fn selected(&self) -> Option<RowKey> {
        self.list.selected()
    }

    pub const fn help_offset(&self) -> usize {
        self.help.offset
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
        if 0 < totals.flows || 0 < self.snapshot().everything().flows {
            Stage::Flows
        } else if 0 < totals.datagrams {
            Stage::NoFlows
        } else {
            Stage::Silent
        }
    }

    fn press(&mut self, key: Key) -> Option<Request> {
        let context = self.context();
        let action = self.keys.action(key, context);
        if context != Context::Line || matches!(action, Some(Action::Quit | Action::Suspend | Action::Repaint)) {
            return action.and_then(|action| self.act(action));
        }
        let acted = match (action, self.screen) {
            (Some(action), Screen::Filter) => return self.edit_filter(action, key),
            (Some(action), _) => self.edit_search(action, key),
            (None, Screen::Filter) => self.filter.take(key, &self.labels.names),
            (None, _) => self.help.search.take(key, SEARCH),
        };
        acted.then_some(Request::Redraw)
    }

    fn paste(&mut self, text: &str) -> Option<Request> {
        match (self.context(), self.screen) {
            (Context::Line, Screen::Filter) => self.filter.paste(text, &self.labels.names),
            (Context::Line, _) => self.help.search.insert(text, SEARCH),
            // Pasted letters are no keys: whoever pastes into the wrong window does nothing to it.
            _ => return None,
        }
        Some(Request::Redraw)
    }

    fn act(&mut self, action: Action) -> Option<Request> {
        match action {
            Action::Quit => return Some(Request::Quit),
            Action::QuitLeaving => return Some(Request::QuitLeaving),
            Action::Suspend => return Some(Request::Suspend),
            Action::Repaint => return Some(Request::Repaint),
            Action::Span(Turn::Next) => return self.look(self.span.longer()),
            Action::Span(Turn::Previous) => return self.look(self.span.shorter()),
            Action::SpanAround if self.span == self.span.longer() => return self.look(Span::ALL[0]),
            Action::SpanAround => return self.look(self.span.longer()),
            Action::Move(motion) => return self.scroll(motion),
            Action::Help => self.toggle_help(),
            Action::Back => return self.back(),
            Action::Freeze => self.freeze(),
            Action::Units => self.units = self.units.next(),
            Action::Sort(turn) => {
                self.sort = self.sort.turned(turn);
                self.arrange();
            }
            Action::Filter => {
                self.filter.open(&self.labels.names);
                self.screen = Screen::Filter;
            }
            Action::Copy if self.selection().is_none() => self.hint = Some("select a row first: `j` or the down key"),
            Action::Copy => {
                self.copied = None;
                self.screen = Screen::Copy;
            }
            Action::CopyAs(form) => return self.copy(form),
            Action::HostNames => self.labels.hosts = !self.labels.hosts,
            Action::ServiceNames => self.labels.services = !self.labels.services,
            Action::Privacy => self.labels.privacy = !self.labels.privacy,
            Action::Mouse => {
                self.has_mouse = !self.has_mouse;
                return Some(Request::Mouse(self.has_mouse));
            }
            Action::Search => self.help.is_searching = true,
            Action::Accept | Action::Complete | Action::History(_) => return None,
        }
        Some(Request::Redraw)
    }

    /// What the keys of a line do to the filter.
    fn edit_filter(&mut self, action: Action, key: Key) -> Option<Request> {
        let names = &self.labels.names;
        match action {
            Action::Accept => {
                if self.filter.accept(names).is_some() {
                    self.screen = Screen::Main;
                    return Some(Request::Redraw);
                }
            }
            Action::Back => self.screen = Screen::Main,
            Action::Complete => self.filter.complete(names),
            Action::History(turn) => self.filter.turn(turn, names),
            _ => return self.filter.take(key, names).then_some(Request::Redraw),
        }
        Some(Request::Redraw)
    }

    fn edit_search(&mut self, action: Action, key: Key) -> bool {
        match action {
            Action::Accept => self.help.is_searching = false,
            Action::Back => self.help = Help::default(),
            _ => return self.help.search.take(key, SEARCH),
        }
        true
    }

    fn back(&mut self) -> Option<Request> {
        match self.screen {
            Screen::Help if !self.help.search.text().is_empty() => self.help.search = Line::default(),
            Screen::Help => self.toggle_help(),
            Screen::Copy if self.copied.is_some() => self.copied = None,
            Screen::Copy | Screen::Filter => self.screen = Screen::Main,
            Screen::Main => {
                self.list.selected()?;
                self.list.select(None);
            }
        }
        Some(Request::Redraw)
    }

    fn toggle_help(&mut self) {
        self.help = Help { hidden: self.help.hidden, ..Help::default() };
        self.screen = match self.screen {
            Screen::Help => Screen::Main,
            _ => Screen::Help,
        };
    }

    /// What the selected row stands for.
    pub fn selection(&self) -> Option<Selection> {
        let RowKey::Conversation { inside, outside, protocol, port } = self.list.selected()? else { return None };
        Some(Selection::Conversation { hosts: (inside, outside), service: Some((protocol, port)) })
    }

    fn copy(&mut self, form: Form) -> Option<Request> {
        let selection = self.selection()?;
        let snapshot = self.snapshot();
        let (from, to) = (snapshot.from, snapshot.at);
        let between = Between { from, to, utc_offset_s: self.feed.utc_offset_s };
        let text = copy::translate(selection, between, &self.figures(), form);
        self.copied = Some(Copied { form, text: text.clone() });
        Some(text.map_or(Request::Redraw, Request::Copy))
    }

    /// The selected row as exact figures.
    fn figures(&self) -> Figures {
        let names = &self.labels.names;
        let row = |row: &Row| {
            let tally = row.ways.sum();
            let RowKey::Conversation { inside, outside, protocol, port } = row.key else { return Vec::new() };
            let ends = [inside, outside];
            let name = |at: IpAddr| names.host(at).map_or_else(|| at.to_string(), |name| name.to_string());
            let mut cells: Vec<_> = ends.iter().map(IpAddr::to_string).chain(ends.map(name)).collect();
            cells.push(self.labels.service(protocol, port).into_owned());
            cells.extend([tally.counts.bytes, tally.counts.packets, tally.flows].map(|count| count.to_string()));
            if names.has_places() {
                let places = ends.map(|at| names.place(at));
                cells.extend(places.iter().map(|place| place.asn.map(|asn| asn.to_string()).unwrap_or_default()));
                cells.extend(places.iter().map(|place| place.country.as_deref().unwrap_or_default().to_owned()));
            }
            cells
        };
        let mut headings = vec!["inside_ip", "outside_ip", "inside", "outside", "service", "bytes", "packets", "flows"];
        if names.has_places() {
            headings.extend(["inside_as", "outside_as", "inside_country", "outside_country"]);
        }
        let selected = self.rows.iter().filter(|row| Some(row.key) == self.list.selected());
        Figures { headings, rows: selected.map(row).collect() }
    }

    /// What the next start shall look like.
    pub fn remembered(&self) -> Remembered {
        Remembered {
            filter: Some(self.filter.text().to_owned()).filter(|text| !text.is_empty()),
            sort: Some(self.sort.label().to_owned()),
            span: Some(self.span.seconds()),
            units: Some(self.units.label().to_owned()),
            host_names: Some(self.labels.hosts),
            service_names: Some(self.labels.services),
            privacy: Some(self.labels.privacy),
            filters: self.filter.history().to_vec(),
            ..Remembered::default()
        }
    }

    /// Looks as it did last; what means nothing here is left as it is.
    pub fn restore(&mut self, remembered: Remembered) {
        let same = |one: &str, other: &Option<String>| other.as_deref() == Some(one);
        self.sort = Sort::ALL.into_iter().find(|sort| same(sort.label(), &remembered.sort)).unwrap_or(self.sort);
        self.units = Units::ALL.into_iter().find(|units| same(units.label(), &remembered.units)).unwrap_or(self.units);
        if let Some(span) = Span::ALL.into_iter().find(|span| Some(span.seconds()) == remembered.span) {
            self.span = span;
        }
        let labels = &mut self.labels;
        labels.hosts = remembered.host_names.unwrap_or(labels.hosts);
        labels.services = remembered.service_names.unwrap_or(labels.services);
        labels.privacy = remembered.privacy.unwrap_or(labels.privacy);
        self.filter.remember(remembered.filters);
        match remembered.filter.map(|text| self.filter.set(&text, &labels.names)) {
            None | Some(Ok(_)) => {}
            // It may have been of names that nobody knows yet; it still stands in the history.
            Some(Err(error)) => self.said = Some(format!("the filter of the last time is left out: {error}")),
        }
        self.arrange();
    }

    /// What the next feed shall bring.
    pub fn wish(&self) -> Wish {
        let view = View::from(self.span);
        let protocols = View { dimension: Dimension::Protocol, ..view.clone() };
        Wish { views: vec![view, protocols], filter: self.filter.filter().clone(), ..Wish::default() }
    }

    /// Says something until the next key.
    pub fn say(&mut self, text: String) {
        self.said = Some(text);
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
        Some(Request::Redraw)
    }

    fn freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => {
                Some(Frozen { snapshot: self.feed.snapshot(0), protocols: self.feed.snapshot(1), since: self.feed.now })
            }
        };
        self.arrange();
    }

    /// Copies the rows out in their order, equal ones by key, and finds the selection again.
    fn arrange(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clone_from(&self.snapshot().rows);
        let sort = self.sort;
        rows.sort_unstable_by(|a, b| sort.measure(b).cmp(&sort.measure(a)).then_with(|| a.key.cmp(&b.key)));
        self.row_keys = rows.iter().map(|row| row.key).collect();
        self.rows = rows;
        self.list.arrange(&self.row_keys);
    }

    fn scroll(&mut self, motion: Motion) -> Option<Request> {
        if self.screen == Screen::Help {
            self.help.offset = list::moved(self.help.offset, motion, self.list.room(), self.help.hidden);
            return Some(Request::Redraw);
        }
        if self.screen != Screen::Main {
            return None;
        }
        self.list.scroll(motion, &self.row_keys).then_some(Request::Redraw)
    }
}

#[cfg(test)]
mod tests;

//! What keys do to rows: open them, explain them, filter by them, keep them.

use super::{App, Card, Copied, Kind, Place, Request, Screen, Tab};
use crate::flow::FlowRecord;
use crate::tui::app::columns::{exporter, flow, ranking};
use crate::tui::copy::Selection;
use crate::tui::keys::Turn;
use crate::window::{Key, Row};

/// What is said where a key needs a row.
const SELECT: &str = "select a row first: `j` or the down key";

impl App {
    /// A view of everything.
    pub(super) fn go(&mut self, tab: Tab) {
        self.way.restart(Place::of(tab));
        self.leave();
    }

    /// Another view of the same flows.
    pub(super) fn turn(&mut self, place: Place) {
        self.way.turn(place);
        self.leave();
    }

    /// Nothing of what was selected is here.
    pub(super) fn leave(&mut self) {
        self.list.select(None);
        self.flow_list.select(None);
        self.cell = None;
        self.card = None;
        self.wanted_rows = super::look::FEW;
        self.screen = Screen::Main;
        self.arrange();
    }

    pub(super) fn next_dimension(&mut self, turn: Turn) {
        match self.place().turned(turn == Turn::Next) {
            Some(place) => self.turn(place),
            None => self.hint = Some("this view has one kind of rows; the others: `2` to `5`, and `v` there"),
        }
    }

    pub(super) fn open(&mut self) {
        if self.kind() == Kind::Flows {
            match self.flow_list.selected() {
                Some(flow) => self.show(Card::Flow(flow)),
                None => self.hint = Some(SELECT),
            }
            return;
        }
        let Some(key) = self.list.selected() else {
            self.hint = Some(SELECT);
            return;
        };
        match self.way.open(key) {
            Ok(()) => self.leave(),
            Err(why) => self.hint = Some(why),
        }
    }

    pub(super) fn show(&mut self, card: Card) {
        self.card = Some(card);
        self.offset = 0;
        self.screen = Screen::Card;
    }

    pub(super) fn explain(&mut self) {
        let card = match self.kind() {
            Kind::Flows => self.flow_list.selected().map(Card::Flow),
            _ => self.list.selected().map(|key| Card::of(key, self.cell() == Some(ranking::OUTSIDE))),
        };
        match card {
            Some(card) => self.show(card),
            None => self.hint = Some(SELECT),
        }
    }

    pub(super) fn back(&mut self) -> Option<Request> {
        match self.screen {
            Screen::Help if !self.help.search.text().is_empty() => self.help.search = crate::tui::edit::Line::default(),
            Screen::Help => self.toggle_help(),
            Screen::Copy if self.copied.is_some() => self.copied = None,
            Screen::Copy if self.card.is_some() => self.screen = Screen::Card,
            Screen::Copy | Screen::Filter | Screen::Columns | Screen::Presets | Screen::Ask => {
                self.screen = Screen::Main
            }
            Screen::Card => {
                self.card = None;
                self.screen = Screen::Main;
            }
            Screen::Main => match self.way.back() {
                Some(key) => {
                    self.leave();
                    self.list.select(Some(key));
                    self.arrange();
                }
                None => {
                    if self.list.selected().is_none() && self.flow_list.selected().is_none() {
                        return None;
                    }
                    self.list.select(None);
                    self.flow_list.select(None);
                    self.cell = None;
                }
            },
        }
        Some(Request::Redraw)
    }

    /// Moves the cursor among the cells in sight; the first step puts it there.
    pub(super) fn move_cell(&mut self, turn: Turn) {
        let columns = &self.room.columns;
        let Some(last) = columns.len().checked_sub(1) else { return };
        let at = self.cell.and_then(|cell| columns.iter().position(|column| *column == cell));
        let to = match (at, turn) {
            (None, _) => 0,
            (Some(at), Turn::Next) => (at + 1).min(last),
            (Some(at), Turn::Previous) => at.saturating_sub(1),
        };
        self.cell = columns.get(to).copied();
        if self.is_unselected() {
            self.scroll(crate::tui::keys::Motion::Down);
        }
    }

    fn is_unselected(&self) -> bool {
        if self.kind() == Kind::Flows { self.selected_flow().is_none() } else { self.selected().is_none() }
    }

    /// Has the filter show only what the cell under the cursor says, or all but that.
    pub(super) fn narrow(&mut self, is_only: bool) {
        if self.is_unselected() {
            self.hint = Some(SELECT);
            return;
        }
        let Some(text) = self.cell_selection().and_then(Selection::filter) else {
            self.hint = Some("there is no filter for this cell");
            return;
        };
        // A list of conditions on rows stands at the end, whatever comes before it.
        let before = self.filter.text().to_owned();
        let (flows, badges) = self.filter.parts();
        let own = if is_only { text } else { format!("not ({text})") };
        let all = match flows.as_str() {
            "" => own,
            flows if flows.contains(" or ") => format!("({flows}) and {own}"),
            flows => format!("{flows} and {own}"),
        };
        let all = if badges.is_empty() { all } else { format!("{all} and {badges}") };
        match self.filter.set(&all, &self.labels.names) {
            Ok(_) => self.said = Some(format!("filter: {}", self.labels.text(self.filter.text()))),
            Err(error) => self.said = Some(format!("the filter stays `{before}`: {error}")),
        }
        self.arrange();
    }

    /// What the cell under the cursor stands for; the whole row where it is a figure.
    fn cell_selection(&self) -> Option<Selection> {
        if let Some(flow) = self.selected_flow().filter(|_| self.kind() == Kind::Flows) {
            return Some(self.flow_cell(flow));
        }
        let key = self.selected()?;
        Some(match (key, self.cell()) {
            (Key::Conversation { inside, .. }, Some(ranking::NAME)) => Selection::Host(inside),
            (Key::Conversation { outside, .. }, Some(ranking::OUTSIDE)) => Selection::Host(outside),
            (Key::Conversation { protocol, port, .. }, Some(ranking::SERVICE)) => Selection::Service { protocol, port },
            (Key::Exporter { address, .. }, Some(exporter::NAME)) => Selection::Exporter { address, domain: None },
            (key, _) => Selection::of(key)?,
        })
    }

    fn flow_cell(&self, flow: FlowRecord) -> Selection {
        match self.cell() {
            Some(flow::SRC) => Selection::Host(flow.key.src_ip),
            Some(flow::DST) => Selection::Host(flow.key.dst_ip),
            Some(flow::PROTOCOL) => Selection::Service { protocol: flow.key.protocol, port: 0 },
            Some(flow::EXPORTER) => Selection::Exporter { address: flow.exporter, domain: None },
            _ => Selection::Flow(flow.key),
        }
    }

    pub(super) fn pin(&mut self) {
        let Some(key) = self.list.selected().filter(|_| self.kind() != Kind::Flows) else {
            self.hint = Some(if self.kind() == Kind::Flows { "flows pass; pin their conversation" } else { SELECT });
            return;
        };
        match self.pins.iter().position(|pin| *pin == key) {
            Some(at) => drop(self.pins.remove(at)),
            None if PINS <= self.pins.len() => self.hint = Some("no more rows can be pinned"),
            None => self.pins.push(key),
        }
        self.arrange();
    }

    /// To the next row that has a badge.
    pub(super) fn remark(&mut self, turn: Turn) {
        let Kind::Ranking(_) = self.kind() else {
            self.hint = Some("rows have badges in the views 1 to 4");
            return;
        };
        let has = |at: &usize| self.table.row(*at).is_some_and(is_remarkable);
        let at = self.selected().and_then(|key| self.table.position(key));
        let length = self.table.len();
        let found = match turn {
            Turn::Next => {
                let first = at.map_or(0, |at| at + 1);
                (first..length).chain(0..first.min(length)).find(has)
            }
            Turn::Previous => {
                let end = at.unwrap_or(length);
                (0..end).rev().chain((end..length).rev()).find(has)
            }
        };
        match found.and_then(|at| self.table.keys().get(at).copied()) {
            Some(key) => {
                self.list.select(Some(key));
                let entries = self.entries();
                self.list.arrange(&entries);
            }
            None => self.hint = Some("no row here has a badge"),
        }
    }

    pub(super) fn choose_column(&mut self) {
        let (kind, at) = (self.kind(), self.offset);
        if let Some(&column) = kind.wanted(usize::MAX, true).get(at) {
            if column == 0 {
                self.hint = Some("rows need their names");
                return;
            }
            self.columns.toggle(kind, column);
        }
    }

    pub(super) fn toggle_help(&mut self) {
        self.help = super::Help::default();
        self.offset = 0;
        self.screen = match self.screen {
            Screen::Help if self.card.is_some() => Screen::Card,
            Screen::Help => Screen::Main,
            _ => Screen::Help,
        };
    }

    pub(super) fn open_copy(&mut self) {
        if self.selection().is_none() && self.is_unselected() {
            self.hint = Some(SELECT);
            return;
        }
        self.copied = None::<Copied>;
        self.screen = Screen::Copy;
    }
}

/// Rows that can be pinned.
const PINS: usize = 32;

/// Sampling is true of every row of an exporter, and nothing remarkable.
fn is_remarkable(row: &Row) -> bool {
    use crate::window::Badge;
    row.badges.iter().any(|badge| !matches!(badge, Badge::Estimated | Badge::Assumed))
}

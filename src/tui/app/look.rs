//! What is asked for, and what is made of the answer.

use std::sync::Arc;

use super::{App, Card, Feed, Moves, Tab, Wish};
use crate::tui::app::columns::Kind;
use crate::tui::app::flows::TAIL;
use crate::tui::app::table::Wanted;
use crate::tui::keys::Motion;
use crate::tui::list;
use crate::window::{Dimension, Key, View};

/// Rows that are asked for at first; more when somebody goes that far down.
pub(super) const FEW: usize = 200;

/// Rows beyond which nobody gets by scrolling.
const MOST: usize = 100_000;

/// Rows that are looked through for a badge.
const LOOKED_THROUGH: usize = 5_000;

impl App {
    /// What the next feed shall bring.
    pub fn wish(&self) -> Wish {
        let (by_lanes, others) = self.way.filters();
        let table = self.view();
        let mut views = vec![table];
        if self.place().tab == Tab::Overview {
            views.push(self.services_view());
        }
        views.extend(self.card.iter().flat_map(|card| self.card_views(card)));
        Wish {
            views,
            filter: self.filter.filter().clone().and(others),
            clock: self.counting.clock,
            tail: if self.place().tab == Tab::Flows { TAIL } else { 0 },
            tail_filter: by_lanes,
            tail_countries: self.way.countries(),
            is_frozen: self.is_frozen,
            about: self.card.and_then(Card::about),
            at: self.past.at,
            day: self.day(),
            comparison: self.comparison(),
        }
    }

    /// The view of the table.
    pub fn view(&self) -> View {
        let (filter, _) = self.way.filters();
        let selected = self.list.selected();
        let rows = match self.place().tab {
            Tab::Flows | Tab::Changes => 1,
            _ if self.filter.badges().is_empty() => self.wanted_rows,
            _ => self.wanted_rows.max(LOOKED_THROUGH),
        };
        View {
            span: self.span,
            dimension: self.place().dimension,
            filter,
            countries: self.way.countries(),
            sort: self.sort,
            once: self.counting.once,
            estimated: self.counting.estimated,
            rows,
            keep: selected.into_iter().chain(self.pins.iter().copied()).collect(),
            ..View::default()
        }
    }

    pub(super) fn services_view(&self) -> View {
        View { dimension: Dimension::Service, rows: 12, keep: Vec::new(), ..self.view() }
    }

    /// What a card asks for, whatever the way and the filter.
    pub fn card_views(&self, card: &Card) -> Vec<View> {
        card.views(&self.view())
    }

    pub(super) fn receive(&mut self, mut feed: Feed) {
        // What was under way when time was made to stand still, or another moment was gone to, is not what is wanted.
        if self.is_frozen && !feed.wish.is_frozen || self.past.at != feed.wish.at {
            let (wish, views) = (Arc::clone(&self.feed.wish), self.feed.views.clone());
            let (tail, lags, past) = (Arc::clone(&self.feed.tail), self.feed.lags.clone(), self.feed.past);
            let (strip, moves) = (self.feed.strip.clone(), self.feed.moves.clone());
            feed = Feed { wish, views, tail, lags, past, strip, moves, ..feed };
        }
        if self.feed.health.names != feed.health.names {
            self.labels.names.learn(&feed.health.names);
        }
        self.feed = feed;
        self.arrange();
    }

    /// Puts the rows in their order, and finds the selection again.
    pub(super) fn arrange(&mut self) {
        self.flows = self.feed.tail.to_vec();
        self.flow_sort.arrange(&mut self.flows);
        self.flow_list.arrange(&self.flows);
        match self.feed.answer(&self.view()) {
            Some(snapshot) => {
                let badges = self.filter.badges();
                let wanted = Wanted { sort: self.sort, pins: &self.pins, badges };
                self.table.arrange(Arc::clone(snapshot), wanted);
            }
            // It is on its way.
            None => self.table.clear(),
        }
        self.list.arrange(self.entries().as_slice());
    }

    /// What can be selected in the table.
    pub(super) fn entries(&self) -> Vec<Key> {
        match self.kind() {
            Kind::Exporters => self.exporters(),
            Kind::Changes(_) => {
                self.moves().map(|moves| moves.rows.iter().map(|row| row.key).collect()).unwrap_or_default()
            }
            Kind::Ranking(_) | Kind::Flows => self.table.keys().to_vec(),
        }
    }

    /// What moved, when that is of the spans that are wanted.
    pub fn moves(&self) -> Option<&Moves> {
        let moves = self.feed.moves.as_deref()?;
        (moves.asked == self.comparison()).then_some(moves)
    }

    /// Exporters and their domains, each once.
    pub fn exporters(&self) -> Vec<Key> {
        let all = self.feed.health.exporters.iter();
        let mut keys: Vec<Key> =
            all.map(|stats| Key::Exporter { address: stats.address, domain: stats.domain }).collect();
        keys.dedup();
        keys
    }

    pub(super) fn scroll(&mut self, motion: Motion) -> Option<super::Request> {
        use super::{Request, Screen};
        let moved = match (self.screen, self.kind()) {
            (Screen::Help | Screen::Card, _) => {
                self.offset = list::moved(self.offset, motion, self.room.rows.max(1), self.room.hidden);
                true
            }
            (Screen::Presets, _) => {
                let last = self.presets().len().saturating_sub(1);
                self.offset = list::moved(self.offset, motion, 5, last);
                true
            }
            (Screen::Columns, kind) => {
                let last = kind.wanted(usize::MAX, true).len().saturating_sub(1);
                self.offset = list::moved(self.offset, motion, 5, last);
                true
            }
            (Screen::Main, Kind::Flows) => self.flow_list.scroll(motion, &self.flows),
            (Screen::Main, _) => {
                self.want_more(motion);
                let entries = self.entries();
                self.list.scroll(motion, &entries)
            }
            (Screen::Copy | Screen::Filter | Screen::Ask, _) => false,
        };
        moved.then_some(Request::Redraw)
    }

    /// Asks for more rows when those that are there come to their end.
    fn want_more(&mut self, motion: Motion) {
        let (have, all) = (self.table.len(), self.snapshot().row_count.min(MOST));
        let near = self.list.offset() + 3 * self.room.rows.max(1);
        if have < all && motion == Motion::Last {
            self.wanted_rows = all.next_multiple_of(FEW);
        } else if have < all && have <= near {
            self.wanted_rows = (have * 2).clamp(FEW, MOST);
        }
    }
}

//! Keys and what they do.

use super::{App, Counting, Help, Kind, Request, Screen};
use crate::tui::app::table::SORTS;
use crate::tui::keys::{Action, Context, Key, Turn};
use crate::window::{Clock, Span};

impl App {
    pub(super) fn press(&mut self, key: Key) -> Option<Request> {
        let context = self.context();
        let action = self.keys.action(key, context);
        if context != Context::Line || matches!(action, Some(Action::Quit | Action::Suspend | Action::Repaint)) {
            return action.and_then(|action| self.act(action));
        }
        let acted = match (action, self.screen) {
            (Some(action), Screen::Filter) => return self.edit_filter(action, key),
            (Some(action), Screen::Ask) => return self.edit_asked(action, key),
            (Some(action), _) => self.edit_search(action, key),
            (None, Screen::Filter) => self.filter.take(key, &self.labels.names),
            (None, Screen::Ask) => self.type_asked(key),
            (None, _) => self.help.search.take(key, super::SEARCH),
        };
        acted.then_some(Request::Redraw)
    }

    pub(super) fn paste(&mut self, text: &str) -> Option<Request> {
        match (self.context(), self.screen) {
            (Context::Line, Screen::Filter) => self.filter.paste(text, &self.labels.names),
            (Context::Line, Screen::Ask) => self.paste_asked(text),
            (Context::Line, _) => self.help.search.insert(text, super::SEARCH),
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
            Action::Move(motion) => return self.scroll(motion),
            Action::Back => return self.back(),
            Action::CopyAs(form) => return self.copy(form),
            Action::Mouse => {
                self.has_mouse = !self.has_mouse;
                return Some(Request::Mouse(self.has_mouse));
            }
            Action::Help => self.toggle_help(),
            Action::Filter => {
                self.filter.open(&self.labels.names);
                self.screen = Screen::Filter;
            }
            Action::Copy => self.open_copy(),
            Action::Search => self.help.is_searching = true,
            Action::Columns => {
                self.offset = 0;
                self.screen = Screen::Columns;
            }
            Action::Choose if self.screen == Screen::Presets => self.choose_preset(),
            Action::Choose => self.choose_column(),
            Action::Presets => self.open_presets(),
            Action::Bundle => return self.bundle(),
            Action::Step(..)
            | Action::Now
            | Action::Jump
            | Action::Note
            | Action::Mark(_)
            | Action::Compare
            | Action::Freeze => self.travel(action),
            Action::View(tab) => self.go(tab),
            Action::NextView(turn) => {
                let tab = self.place().tab.turned(turn == Turn::Next);
                self.turn(super::Place::of(tab));
            }
            Action::Dimension(turn) => self.next_dimension(turn),
            Action::Open => self.open(),
            Action::Cell(turn) => self.move_cell(turn),
            Action::Only => self.narrow(true),
            Action::Except => self.narrow(false),
            Action::Explain => self.explain(),
            Action::Pin => self.pin(),
            Action::Remark(turn) => self.remark(turn),
            Action::Accept | Action::Complete | Action::History(_) => return None,
            _ => self.adjust(action),
        }
        Some(Request::Redraw)
    }

    /// What changes how figures look, and not which.
    fn adjust(&mut self, action: Action) {
        match action {
            Action::Span(Turn::Next) => self.span = self.span.longer(),
            Action::Span(Turn::Previous) => self.span = self.span.shorter(),
            Action::SpanAround if self.span == self.span.longer() => self.span = Span::ALL[0],
            Action::SpanAround => self.span = self.span.longer(),
            Action::Units => self.units = self.units.next(),
            Action::Sort(turn) => self.turn_sort(turn),
            Action::HostNames => self.labels.hosts = !self.labels.hosts,
            Action::ServiceNames => self.labels.services = !self.labels.services,
            Action::Privacy => self.labels.privacy = !self.labels.privacy,
            Action::Raw => self.counting.estimated = !self.counting.estimated,
            Action::Once => self.counting.once = !self.counting.once,
            Action::Clock => {
                let clock = if self.counting.clock == Clock::Flow { Clock::Arrival } else { Clock::Flow };
                self.counting = Counting { clock, ..self.counting };
            }
            _ => {}
        }
    }

    fn turn_sort(&mut self, turn: Turn) {
        match self.kind() {
            Kind::Flows => self.flow_sort = self.flow_sort.turned(turn),
            Kind::Exporters => {
                self.hint = Some("exporters stand in the order of their addresses");
                return;
            }
            Kind::Changes(_) => {
                self.hint = Some("what moved most stands first; `C` compares with something else");
                return;
            }
            Kind::Ranking(_) => {
                let at = SORTS.iter().position(|sort| *sort == self.sort).unwrap_or(0);
                let step = if turn == Turn::Next { 1 } else { SORTS.len() - 1 };
                self.sort = SORTS[(at + step) % SORTS.len()];
            }
        }
        self.arrange();
    }

    /// What the keys of a line do to the filter.
    fn edit_filter(&mut self, action: Action, key: Key) -> Option<Request> {
        let names = &self.labels.names;
        match action {
            Action::Accept => {
                if self.filter.accept(names).is_some() {
                    self.screen = Screen::Main;
                    self.arrange();
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
            _ => return self.help.search.take(key, super::SEARCH),
        }
        true
    }
}

//! Back in time: the moment that is looked at, the marks, and what shall be compared.

use super::{App, Kind, Place, Request, Screen, Tab};
use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::store::top::Order;
use crate::tui::app::stored::{Baseline, Comparison, Day, by};
use crate::tui::edit::Line;
use crate::tui::keys::{Action, Key, Stride, Turn};
use crate::tui::units::Units;
use crate::when::{self, Zone};
use crate::window::Span;

/// Moments are where slices of a window begin.
const GRAIN_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;

/// Octets of a note that is typed.
const NOTE: usize = 1_000;

/// Where in time the screen is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Past {
    /// The end of what is shown, where that is not now.
    pub(super) at: Option<Timestamp>,
    /// A and B.
    pub(super) marks: [Option<Timestamp>; 2],
    pub(super) baseline: Baseline,
}

/// Something that is typed into a line.
#[derive(Debug, Clone)]
pub struct Asking {
    pub what: What,
    pub line: Line,
    /// Why what was typed is not taken.
    pub error: Option<String>,
}

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Moment,
    Note,
}

/// Something that is done elsewhere, and answered later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    Note {
        at: Timestamp,
        text: String,
    },
    /// All there is to know of a span, in a folder, with a picture of the screen.
    Bundle {
        from: Timestamp,
        to: Timestamp,
        filter: Filter,
    },
}

impl App {
    /// The end of what is shown.
    pub fn moment(&self) -> Timestamp {
        self.past.at.unwrap_or_else(|| self.snapshot().until)
    }

    /// The moment that was gone back to.
    pub const fn past(&self) -> Option<Timestamp> {
        self.past.at
    }

    /// Whether time stands still.
    pub const fn is_still(&self) -> bool {
        self.is_frozen
    }

    /// Whether what is wished for of the past has not come yet.
    pub fn is_reading(&self) -> bool {
        self.past.at != self.feed.wish.at
    }

    pub const fn marks(&self) -> [Option<Timestamp>; 2] {
        self.past.marks
    }

    pub const fn baseline(&self) -> Baseline {
        self.past.baseline
    }

    pub fn zone(&self) -> Zone {
        self.zone.clone().unwrap_or(Zone::UTC)
    }

    /// A moment in few words.
    pub fn when(&self, at: Timestamp) -> String {
        when::shown_briefly(at, self.feed.now, &self.zone())
    }

    /// Whether there is anything to go back to.
    pub(super) const fn has_past(&self) -> bool {
        self.feed.is_stored
    }

    /// The day whose strip is shown.
    pub fn day(&self) -> Option<Day> {
        (self.has_past() && self.is_frozen).then(|| Day::around(self.moment(), self.feed.now))
    }

    /// What the view of changes compares.
    pub(super) fn comparison(&self) -> Option<Comparison> {
        let Kind::Changes(dimension) = self.kind() else { return None };
        by(dimension)?;
        let order = match self.units {
            Units::Bits | Units::Bytes => Order::Bytes,
            Units::Packets => Order::Packets,
            Units::Flows => Order::Flows,
        };
        let (baseline, [a, b]) = (self.past.baseline, self.past.marks);
        let end = if baseline == Baseline::Marks { b } else { None }.unwrap_or_else(|| self.comparable());
        let marked = a.filter(|_| baseline == Baseline::Marks).map(|a| self.span_until(a));
        Some(Comparison { span: self.span_until(end), baseline, marked, dimension, order })
    }

    /// The last moment up to which everything is stored, in whole minutes where the span has some.
    fn comparable(&self) -> Timestamp {
        let flushed = self.feed.storage.as_ref().and_then(|storage| storage.last_flush);
        let end = if self.is_frozen {
            self.moment()
        } else {
            flushed.map_or_else(|| self.moment(), |at| at.min(self.moment()))
        };
        let grain = if self.span == Span::TenSeconds { GRAIN_MS } else { Day::STEP_MS };
        Timestamp(end.0.div_euclid(grain).saturating_mul(grain))
    }

    fn span_until(&self, end: Timestamp) -> (Timestamp, Timestamp) {
        (end.plus(-1000 * self.span.seconds()), end)
    }

    /// What the keys of time do.
    pub(super) fn travel(&mut self, action: Action) {
        match action {
            Action::Step(stride, turn) => self.step(stride, turn),
            Action::Now => self.return_to_now(),
            Action::Jump => self.ask(What::Moment),
            Action::Note => self.ask(What::Note),
            Action::Mark(place) => self.mark(place),
            Action::Compare => self.compare(),
            Action::Freeze if self.past.at.is_some() => self.return_to_now(),
            Action::Freeze => self.is_frozen = !self.is_frozen,
            _ => {}
        }
    }

    fn step(&mut self, stride: Stride, turn: Turn) {
        let span = self.span.seconds() * 1000;
        let ms = match stride {
            Stride::Step => (span / 6).max(GRAIN_MS),
            Stride::Span => span,
            Stride::Day => DAY_MS,
        };
        let ms = if turn == Turn::Next { ms } else { -ms };
        if ms < 0 || self.past.at.is_some() {
            self.go_to(self.moment().plus(ms));
        } else {
            self.hint = Some("this is now; `left` and `[` go back");
        }
    }

    pub(super) fn go_to(&mut self, at: Timestamp) {
        if !self.has_past() {
            self.hint = Some("nothing is stored, so that there is no past to go to");
            return;
        }
        let at = Timestamp(at.0.div_euclid(GRAIN_MS).saturating_mul(GRAIN_MS));
        if self.feed.now.plus(-GRAIN_MS) < at {
            self.return_to_now();
            return;
        }
        self.past.at = Some(at);
        self.is_frozen = true;
    }

    fn return_to_now(&mut self) {
        self.past.at = None;
        self.is_frozen = false;
    }

    fn mark(&mut self, place: usize) {
        let at = self.moment();
        let name = if place == 0 { "A" } else { "B" };
        if let Some(mark) = self.past.marks.get_mut(place) {
            *mark = Some(at);
        }
        let next = match self.past.marks {
            [Some(_), Some(_)] => {
                self.past.baseline = Baseline::Marks;
                "; `7` shows what moved from A to B"
            }
            _ => "",
        };
        self.said = Some(format!("mark {name} is the {} until {}{next}", self.span.label(), self.when(at)));
    }

    /// The view of changes; in it, the next baseline.
    fn compare(&mut self) {
        if self.place().tab != Tab::Changes {
            let dimension = by(self.place().dimension).map(|_| self.place().dimension);
            let place = Place::of(Tab::Changes);
            self.turn(Place { dimension: dimension.unwrap_or(place.dimension), ..place });
            return;
        }
        let has_marks = self.past.marks.iter().all(Option::is_some);
        let all = Baseline::ALL.into_iter().filter(|baseline| has_marks || *baseline != Baseline::Marks);
        let all: Vec<_> = all.collect();
        let at = all.iter().position(|baseline| *baseline == self.past.baseline).map_or(0, |at| at + 1);
        self.past.baseline = all.get(at).copied().unwrap_or_default();
    }

    fn ask(&mut self, what: What) {
        self.asking = Some(Asking { what, line: Line::default(), error: None });
        self.screen = Screen::Ask;
    }

    /// What is typed into a line, and how it is going.
    pub const fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    /// What the keys of a line do to what is typed.
    pub(super) fn edit_asked(&mut self, action: Action, key: Key) -> Option<Request> {
        match action {
            Action::Accept => return self.accept(),
            Action::Back => self.leave_line(),
            _ => return self.type_asked(key).then_some(Request::Redraw),
        }
        Some(Request::Redraw)
    }

    pub(super) fn type_asked(&mut self, key: Key) -> bool {
        let Some(asking) = &mut self.asking else { return false };
        asking.error = None;
        asking.line.take(key, limit(asking.what))
    }

    pub(super) fn paste_asked(&mut self, text: &str) {
        if let Some(asking) = &mut self.asking {
            asking.line.insert(text, limit(asking.what));
        }
    }

    fn leave_line(&mut self) {
        self.asking = None;
        self.screen = Screen::Main;
    }

    fn accept(&mut self) -> Option<Request> {
        let (what, text) = self.asking.as_ref().map(|asking| (asking.what, asking.line.text().trim().to_owned()))?;
        if text.is_empty() {
            self.leave_line();
            return Some(Request::Redraw);
        }
        match what {
            What::Note => {
                self.leave_line();
                Some(Request::Errand(Errand::Note { at: self.moment(), text }))
            }
            What::Moment => {
                match when::moment_at(&text, self.feed.now, &self.zone()) {
                    Ok(at) if self.feed.now < at => self.refuse("that is still to come".to_owned()),
                    Ok(at) => {
                        self.leave_line();
                        self.go_to(at);
                    }
                    Err(error) => self.refuse(format!("{error}; {}", error.hint)),
                }
                Some(Request::Redraw)
            }
        }
    }

    fn refuse(&mut self, why: String) {
        if let Some(asking) = &mut self.asking {
            asking.error = Some(why);
        }
    }

    /// Has everything of the span in view written into a folder.
    pub(super) fn bundle(&mut self) -> Option<Request> {
        if !self.has_past() {
            self.hint = Some("nothing is stored that could be written out");
            return Some(Request::Redraw);
        }
        let (from, to) = self.span_until(if self.is_frozen { self.moment() } else { self.comparable() });
        let everywhere = if self.way.is_of_a_country() { ", of all countries" } else { "" };
        self.said = Some(format!("writing the bundle{everywhere}"));
        Some(Request::Errand(Errand::Bundle { from, to, filter: self.wish().of_all() }))
    }
}

const fn limit(what: What) -> usize {
    match what {
        What::Moment => when::TEXT,
        What::Note => NOTE,
    }
}

#[cfg(test)]
mod tests;

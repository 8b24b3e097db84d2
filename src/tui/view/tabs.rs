//! The views with their keys, and how figures are counted where that is not as usual.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::{App, Tab};
use crate::tui::keys::Action;
use crate::tui::units::{self, Figure};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::window::{Clock, Fold};

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let part = |(tab, rank): (Tab, u8)| {
        let key = app.keys().bindings().find(|(binding, _)| binding.action == Action::View(tab));
        let key = key.and_then(|(_, keys)| keys.first()).map(|key| format!("{key} ")).unwrap_or_default();
        let is_here = app.place().tab == tab;
        let style = if is_here { theme.strong().patch(theme.cursor_cell()) } else { theme.dim() };
        Part::new(format!("{key}{}", tab.label()), style, if is_here { 1 } else { rank })
    };
    let tabs = Tab::ALL.into_iter().zip(6..).map(part).collect();
    text::line(buf, text::inset(area), tabs, states(app, theme), 2, theme);
}

/// The last note about what is shown.
fn note(app: &App) -> Option<&str> {
    let (end, strip) = (app.moment(), app.feed().strip.as_ref().filter(|_| app.is_still())?);
    let begin = end.plus(-1000 * app.span().seconds());
    let note = strip.notes.iter().rfind(|note| begin <= note.at && note.at <= end)?;
    Some(app.labels().text(&note.text))
}

/// How figures are counted, where that is not as usual, and what was left out since it was reported twice.
pub(super) fn states(app: &App, theme: Theme) -> Vec<Part> {
    let (counting, snapshot) = (app.counting(), app.snapshot());
    let mut parts = Vec::new();
    let mut say = |text: String, rank| parts.push(Part::new(text, theme.notice(), rank));
    if counting.clock == Clock::Arrival {
        say("by arrival".to_owned(), 2);
    }
    if !counting.estimated {
        say("as reported".to_owned(), 2);
    } else if snapshot.is_sampled {
        say("~ estimated".to_owned(), 3);
    }
    if let Some(past) = app.feed().past {
        say(format!("complete since {}", units::clock(past, app.feed().utc_offset_s)), 3);
    }
    if let Some(note) = note(app) {
        say(format!("note: {note}"), 4);
    }
    if !counting.once {
        say("all reports".to_owned(), 2);
    }
    let folds = snapshot.folds.iter().zip(Fold::ALL).filter(|(tally, _)| tally.counts.bytes != 0);
    for (tally, fold) in folds {
        let verb = if counting.once { "once" } else { "twice" };
        say(format!("{} {verb}: {}", Figure::bytes(tally.counts.bytes), fold.label()), 5);
    }
    parts
}

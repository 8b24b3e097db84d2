//! The two lines below: the account of what became of everything, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::{App, Screen, Source};
use crate::tui::keys::{Action, Binding, Context, KEYS};
use crate::tui::units::{self, Figure};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;

/// What arrived, what of it was understood, waits or was lost, and whether it is stored.
pub(super) fn account(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let totals = &app.feed().health.totals;
    let mut parts = Vec::new();
    if !matches!(app.feed().source, Source::Stored { .. }) {
        parts.push(Part::new(format!("decoded {}", decoded(totals.decoded, totals.datagrams)), theme.plain(), 2));
        parts.push(Part::new(format!("waiting {}", Figure::count(totals.waiting)), theme.plain(), 4));
        if totals.expired != 0 {
            parts.push(Part::new(format!("never decoded {}", Figure::count(totals.expired)), theme.alarm(), 3));
        }
    }
    let style = if totals.lost == 0 { theme.plain() } else { theme.alarm() };
    parts.push(Part::new(format!("lost {}", Figure::count(totals.lost)), style, 1));
    parts.extend(storage(app, theme));
    text::line(buf, text::inset(area), parts, Vec::new(), 3, theme);
}

/// A share of datagrams, or nothing to speak of yet.
fn decoded(decoded: u64, datagrams: u64) -> String {
    if datagrams == 0 { "-".to_owned() } else { units::percent(decoded, datagrams, 2) }
}

fn storage(app: &App, theme: Theme) -> Vec<Part> {
    let Some(storage) = &app.feed().storage else {
        return vec![Part::new("nothing is stored", theme.notice(), 2)];
    };
    let buffer = Part::new(format!("buffer {}", Figure::count(storage.buffered)), theme.plain(), 5);
    if let Some(error) = &storage.failing {
        return vec![Part::new(format!("not flushed: {error}"), theme.alarm(), 0), buffer];
    }
    let flushed = storage.last_flush.map_or_else(
        || "not flushed yet".to_owned(),
        |at| format!("flushed {} ago", units::duration(app.feed().now.since(at))),
    );
    vec![
        Part::new(format!("stored {} rows, {flushed}", Figure::count(storage.rows)), theme.plain(), 3),
        buffer,
        Part::new(format!("file {}", Figure::bytes(storage.octets)), theme.plain(), 6),
    ]
}

/// The keys that hold now. Help and quit never leave; labels leave before keys do.
pub(super) fn keys(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let holds = |binding: &&Binding| {
        let here = binding.context == Context::Everywhere || app.screen() == Screen::Main;
        let back = app.screen() == Screen::Help && binding.action == Action::Back;
        back || here && !binding.label.is_empty()
    };
    let is_fixed = |binding: &&Binding| matches!(binding.action, Action::Help | Action::Quit);
    let labelled = |binding: &Binding| match binding.keys.first() {
        Some(key) if binding.label.is_empty() => format!("{key} back"),
        Some(key) => format!("{key} {}", binding.label),
        None => String::new(),
    };
    let right: Vec<_> = KEYS.iter().filter(holds).filter(is_fixed).map(labelled).collect();
    let others: Vec<_> = KEYS.iter().filter(holds).filter(|binding| !is_fixed(binding)).collect();
    let mut left: Vec<_> = others.iter().map(|binding| labelled(binding)).collect();
    let length = |texts: &[String]| texts.iter().map(|text| text.len() + 2).sum::<usize>();
    if usize::from(area.width) < length(&left) + length(&right) {
        left = others.iter().filter_map(|binding| binding.keys.first()).map(ToString::to_string).collect();
    }
    let parts = |texts: Vec<String>, from: u8| {
        (from..).zip(texts).map(|(rank, text)| Part::new(text, theme.dim(), rank)).collect::<Vec<_>>()
    };
    text::line(buf, text::inset(area), parts(left, 2), parts(right, 0), 2, theme);
}

//! The two lines below: the account of what became of everything, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::tui::app::{App, Screen, Source};
use crate::tui::keys::{Action, Binding, Context, Key};
use crate::tui::units::{self, Figure};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;

/// What arrived, what of it was understood, waits or was lost, and whether it is stored.
pub(super) fn account(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let totals = &app.feed().health.totals;
    let mut parts = Vec::new();
    // Of a database without a collector the last run may be long over.
    if !matches!(app.feed().source, Source::Stored { is_live: false, .. }) {
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
    let file = Part::new(format!("file {}", Figure::bytes(storage.octets)), theme.plain(), 6);
    if let Some(error) = &storage.failing {
        return vec![Part::new(format!("not flushed: {}", app.labels().text(error)), theme.alarm(), 0), buffer];
    }
    let flushed = storage.last_flush.map_or_else(
        || "not flushed yet".to_owned(),
        |at| format!("flushed {} ago", units::duration(app.feed().now.since(at))),
    );
    let stored = Part::new(format!("stored {} rows, {flushed}", Figure::count(storage.rows)), theme.plain(), 3);
    match app.feed().source {
        // What waits is known to the collector alone.
        Source::Stored { is_live: true, .. } => vec![stored, file],
        Source::Stored { is_live: false, .. } => vec![file],
        _ => vec![stored, buffer, file],
    }
}

/// The keys that hold now. Help and quit never leave where they hold; labels leave before keys do.
pub(super) fn keys(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let context = app.context();
    let is_fixed = |binding: &Binding| matches!(binding.action, Action::Help | Action::Quit);
    // The search of the help is a line without words to complete and without a past.
    let is_search = context == Context::Line && app.screen() == Screen::Help;
    let bindings = app
        .keys()
        .bindings()
        .filter(|(binding, _)| !(is_search && matches!(binding.action, Action::Complete | Action::History(_))));
    let mut holding: Vec<_> = bindings.filter_map(|(binding, keys)| held(binding, keys, context)).collect();
    if context == Context::Past {
        // Those of the past stand first, and others leave for them.
        holding.sort_by_key(|(binding, ..)| binding.context != Context::Past);
        shorten(&mut holding, usize::from(area.width));
    }
    let labelled = |&(binding, key, label): &(&Binding, Key, &str)| (is_fixed(binding), format!("{key} {label}"));
    let (right, mut left): (Vec<_>, Vec<_>) = holding.iter().map(labelled).partition(|(is_fixed, _)| *is_fixed);
    let length = |texts: &[(bool, String)]| texts.iter().map(|(_, text)| text.width() + 2).sum::<usize>();
    if usize::from(area.width) < length(&left) + length(&right) {
        let others = holding.iter().filter(|(binding, ..)| !is_fixed(binding));
        left = others.map(|(_, key, _)| (false, key.to_string())).collect();
    }
    let parts = |texts: Vec<(bool, String)>, from: u8| {
        (from..).zip(texts).map(|(rank, (_, text))| Part::new(text, theme.dim(), rank)).collect::<Vec<_>>()
    };
    text::line(buf, text::inset(area), parts(left, 2), parts(right, 0), 2, theme);
}

/// Takes bindings away from the end that hold at other times as well, until the labels of the others fit.
fn shorten(holding: &mut Vec<(&Binding, Key, &str)>, width: usize) {
    let needed = |holding: &[(&Binding, Key, &str)]| -> usize {
        holding.iter().map(|(_, key, label)| key.to_string().width() + label.width() + 3).sum()
    };
    while width < needed(holding)
        && let Some(at) = holding.iter().rposition(|(binding, ..)| binding.context == Context::Main)
    {
        holding.remove(at);
    }
}

/// A binding that the key line shows there, with its first key and its label.
fn held<'a>(binding: &'static Binding, keys: &[Key], context: Context) -> Option<(&'static Binding, Key, &'a str)> {
    let &key = keys.first()?;
    let is_here = binding.context == context || context == Context::Past && binding.context == Context::Main;
    if is_here {
        return (!binding.label.is_empty()).then_some((binding, key, binding.label));
    }
    if binding.context != Context::Everywhere || context == Context::Line {
        return None;
    }
    let is_over = !matches!(context, Context::Main | Context::Past);
    match (binding.action, binding.label) {
        (Action::Back, _) if is_over => Some((binding, key, "back")),
        (_, "") => None,
        (_, label) => Some((binding, key, label)),
    }
}

//! The strip of a day: how much passed when, where in it one is, and when nobody listened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::flow::Timestamp;
use crate::tui::app::{App, Day, Strip};
use crate::tui::view::text;
use crate::tui::view::theme::Theme;
use crate::when;

/// Columns between two times of day, at least.
const APART: usize = 11;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let (area, Some(day)) = (text::inset(area), app.day()) else { return };
    if area.is_empty() {
        return;
    }
    let columns = Columns { day, width: usize::from(area.width) };
    match app.feed().strip.as_deref() {
        Some(strip) if strip.from == day.from && strip.failed.is_none() => bars(buf, area, columns, strip, theme),
        Some(Strip { failed: Some(why), .. }) => {
            text::put(
                buf,
                area,
                0,
                0,
                &format!("the day cannot be read: {}", app.labels().text(why)),
                theme.notice(),
                theme,
            );
        }
        _ => text::put(buf, area, 0, 0, "reading the day", theme.dim(), theme),
    }
    here(buf, area, columns, app, theme);
    if 1 < area.height {
        axis(buf, Rect { y: area.y + 1, height: 1, ..area }, columns, app, theme);
    }
}

/// A day in so many columns.
#[derive(Clone, Copy)]
struct Columns {
    day: Day,
    width: usize,
}

impl Columns {
    /// The column of a moment; nothing for one of another day.
    fn of(self, at: Timestamp) -> Option<usize> {
        let (since, length) = (at.since(self.day.from), self.day.to.since(self.day.from).max(1));
        if since < 0 || length < since {
            return None;
        }
        let width = i64::try_from(self.width).unwrap_or(0);
        let column = usize::try_from(since.saturating_mul(width) / length).ok()?;
        Some(column.min(self.width.saturating_sub(1)))
    }
}

fn bars(buf: &mut Buffer, area: Rect, columns: Columns, strip: &Strip, theme: Theme) {
    let mut highest = vec![0_u64; columns.width];
    for (step, bytes) in (0_i64..).zip(&strip.steps) {
        let at = strip.from.plus(step.saturating_mul(strip.step_ms));
        if let Some(column) = columns.of(at).and_then(|column| highest.get_mut(column)) {
            *column = (*column).max(*bytes);
        }
    }
    let top = highest.iter().copied().max().unwrap_or(0);
    let is_gap = |column: usize| {
        let in_it = |&(from, to): &(Timestamp, Timestamp)| {
            let (first, last) = (columns.of(from), columns.of(to.plus(-1)));
            first.is_some_and(|first| first <= column) && last.is_some_and(|last| column <= last)
        };
        strip.gaps.iter().any(in_it)
    };
    for (x, bytes) in highest.iter().enumerate() {
        let (glyph, style) = match bar(*bytes, top, theme) {
            Some(glyph) => (glyph, theme.traffic()),
            None if is_gap(x) => (if theme.ascii { "x" } else { "×" }, theme.dim()),
            None => (if theme.ascii { "." } else { "·" }, theme.dim()),
        };
        text::put(buf, area, x, 0, glyph, style, theme);
    }
}

/// What is not nothing is seen.
fn bar(value: u64, top: u64, theme: Theme) -> Option<&'static str> {
    let levels = theme.levels();
    let level = (u128::from(value) * u128::try_from(levels.len()).unwrap_or(1)).div_ceil(u128::from(top.max(1)));
    levels.get(usize::try_from(level).ok()?.checked_sub(1)?).copied()
}

/// The span that is shown, in the strip.
fn here(buf: &mut Buffer, area: Rect, columns: Columns, app: &App, theme: Theme) {
    let end = app.moment();
    let begin = end.plus(-1000 * app.span().seconds());
    let Some(last) = columns.of(end.plus(-1)) else { return };
    let first = columns.of(begin).unwrap_or(0);
    for x in first..=last {
        let x = area.x + u16::try_from(x).unwrap_or(0);
        if let Some(cell) = buf.cell_mut((x, area.y)) {
            cell.set_style(theme.cursor_cell());
        }
    }
}

/// Times of day, the marks, and where there are notes.
fn axis(buf: &mut Buffer, area: Rect, columns: Columns, app: &App, theme: Theme) {
    let mut taken = vec![false; columns.width];
    let mut set = |x: usize, word: &str, style: Style| {
        let width = word.width();
        let around = x.saturating_sub(1)..(x + width + 1).min(columns.width);
        if columns.width < x + width || around.clone().any(|x| taken.get(x).copied().unwrap_or(true)) {
            return;
        }
        text::put(buf, area, x, 0, word, style, theme);
        taken.get_mut(x..x + width).unwrap_or_default().fill(true);
    };
    if let Some(x) = columns.of(app.moment()) {
        let word = app.when(app.moment());
        // Left of the end where there is no room at its right.
        let x = x.min(columns.width.saturating_sub(word.width()));
        set(x, &word, theme.strong());
    }
    if app.way().is_of_a_country() {
        set(0, "of all countries", theme.dim());
    }
    for (at, name) in app.marks().into_iter().zip(["A", "B"]) {
        if let Some(x) = at.and_then(|at| columns.of(at)) {
            set(x, name, theme.notice());
        }
    }
    let notes = app.feed().strip.iter().flat_map(|strip| &strip.notes);
    for x in notes.filter_map(|note| columns.of(note.at)) {
        set(x, "!", theme.notice());
    }
    let zone = app.zone();
    let hours = (columns.width / APART).clamp(1, 24);
    let every = [1_i64, 2, 3, 4, 6, 12, 24]
        .into_iter()
        .find(|hours_apart| 24 / hours_apart <= i64::try_from(hours).unwrap_or(1));
    let apart = every.unwrap_or(24) * 3_600_000;
    let mut at = when::hour_after(columns.day.from, apart, &zone);
    while at < columns.day.to {
        if let Some(x) = columns.of(at) {
            set(x, &when::time_of_day(at, &zone), theme.dim());
        }
        at = at.plus(apart);
    }
}

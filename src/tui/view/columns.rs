//! The choice of columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::view::card::{self, Entry, Section};
use crate::tui::view::theme::Theme;

/// Columns of the screen for which headings are named.
const WIDE: usize = 200;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let kind = app.kind();
    let columns = kind.columns(WIDE);
    let entry = |(line, column): (usize, usize)| {
        let heading = match columns.get(column).map_or("", |column| column.heading) {
            "" => "badges",
            heading => heading,
        };
        let mark = if app.columns().is_hidden(kind, column) { "[ ]" } else { "[x]" };
        let cursor = if line == app.top_offset() { ">" } else { " " };
        Entry::text(format!("{cursor} {mark} {heading}"))
    };
    let entries: Vec<Entry> = kind.wanted(usize::MAX, true).into_iter().enumerate().map(entry).collect();
    // The chosen line stays in sight.
    let room = usize::from(area.height).saturating_sub(5).max(1);
    let section = Section { heading: "Shown where there is room".to_owned(), entries };
    card::render(buf, area, "Columns", &[section], app.top_offset().saturating_sub(room / 2), theme);
}

//! The choice of named questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::view::card::{self, Entry, Section};
use crate::tui::view::theme::Theme;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let entry = |(line, preset): (usize, &crate::store::ask::presets::Preset)| {
        let cursor = if line == app.top_offset() { ">" } else { " " };
        Entry::named(format!("{cursor} {}", preset.name), &*preset.help)
    };
    let entries = app.presets().into_iter().enumerate().map(entry).collect();
    let room = usize::from(area.height).saturating_sub(5).max(1);
    let section = Section { heading: "`enter` asks it, and sets view, order and filter".to_owned(), entries };
    card::render(buf, area, "Questions", &[section], app.top_offset().saturating_sub(room / 2), theme);
}

//! The line for a moment to go to, or for a note.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::{App, What};
use crate::tui::view::filter_line::{edited, prompted};
use crate::tui::view::text;
use crate::tui::view::theme::Theme;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let Some(asking) = app.asking().filter(|_| !area.is_empty()) else { return };
    let area = text::inset(area);
    let (prompt, hint) = match asking.what {
        What::Moment => ("go to: ", "`03:10`, `yesterday 22:00`, `monday`, `-2h`, `2026-11-27 03:10`".to_owned()),
        What::Note => ("note: ", format!("it will stand at {}; `enter` writes it", app.when(app.moment()))),
    };
    edited(buf, area, prompted(area, prompt), &asking.line, theme);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let (words, style) = match &asking.error {
        Some(error) => (error.as_str(), theme.notice()),
        None => (hint.as_str(), theme.dim()),
    };
    for (y, line) in
        text::wrap(words, usize::from(below.width).max(1), 0).iter().take(usize::from(below.height)).enumerate()
    {
        text::put(buf, below, 0, y, line, style, theme);
    }
}

//! The line in which the filter is edited: the text with its cursor, what is wrong with it below its place, and how it may
//! go on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui::app::App;
use crate::tui::edit::Line;
use crate::tui::filter_line::FilterLine;
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;

const PROMPT: &str = "filter: ";

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let state = app.filter();
    let (full, line) = (state.line().text(), state.line());
    let shown = text::inset(area);
    let prompt = prompted(shown, PROMPT);
    let left = edited(buf, shown, prompt, line, theme);
    let column = |octet: usize| full.get(..octet).unwrap_or(full).width().saturating_sub(left) + prompt.len();
    match state.error() {
        Some(error) if 1 < area.height => {
            let (from, to) = (column(error.span.start), column(error.span.end).max(column(error.span.start) + 1));
            let carets = "^".repeat(to - from.max(prompt.len()).min(to - 1));
            text::put(buf, shown, from.max(prompt.len()), 1, &carets, theme.notice(), theme);
            let message = match &error.hint {
                Some(hint) => format!("{error} ({hint})"),
                None => error.to_string(),
            };
            // What is not finished is not wrong yet.
            let style = if error.span.start == full.len() { theme.dim() } else { theme.notice() };
            below(buf, Rect { y: shown.y + 2, height: area.height - 2, ..shown }, &message, style, state, theme);
        }
        _ => below(
            buf,
            Rect { y: shown.y + 1, height: area.height - 1, ..shown },
            "enter applies it",
            theme.dim(),
            state,
            theme,
        ),
    }
}

/// On a narrow screen the text needs the room more than its name does.
pub(super) const fn prompted(area: Rect, prompt: &'static str) -> &'static str {
    if area.width < 40 { "/" } else { prompt }
}

/// Draws a text with its cursor; gives back how many columns at its beginning are out of sight.
pub(super) fn edited(buf: &mut Buffer, area: Rect, prompt: &str, line: &Line, theme: Theme) -> usize {
    let full = line.text();
    let room = usize::from(area.width).saturating_sub(prompt.len() + 1).max(1);
    let skipped = skipped(full, line.cursor(), room);
    let left = full.get(..skipped).unwrap_or_default().width();
    text::put(buf, area, 0, 0, prompt, theme.strong(), theme);
    let visible = full.get(skipped..).unwrap_or_default();
    text::put(buf, area, prompt.len(), 0, &clip(visible, room), theme.plain(), theme);
    let cursor = full.get(..line.cursor()).unwrap_or(full).width().saturating_sub(left) + prompt.len();
    let under = full.get(line.cursor()..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
    text::put(buf, area, cursor, 0, under.encode_utf8(&mut [0; 4]), theme.cursor(), theme);
    left
}

/// What there is to say, and then how the word may go on.
fn below(buf: &mut Buffer, area: Rect, message: &str, style: ratatui::style::Style, state: &FilterLine, theme: Theme) {
    if area.height == 0 {
        return;
    }
    // What is not finished is best told by how it may go on.
    let typed = state.line().text().trim_end().len();
    let is_unfinished = state.error().is_some_and(|error| typed <= error.span.start) && !state.offered().is_empty();
    let mut parts = if is_unfinished { Vec::new() } else { vec![Part::new(message, style, 0)] };
    parts.extend((1..).zip(state.offered()).map(|(rank, word)| Part::new(word.as_str(), theme.dim(), rank)));
    text::line(buf, Rect { height: 1, ..area }, parts, Vec::new(), 2, theme);
}

/// Octets at the beginning that are out of sight, so that the cursor is not.
fn skipped(text: &str, cursor: usize, room: usize) -> usize {
    let before = text.get(..cursor).unwrap_or(text);
    let mut width = before.width();
    let mut skipped = 0;
    for letter in before.chars() {
        if width < room {
            break;
        }
        width -= letter.width().unwrap_or(0);
        skipped += letter.len_utf8();
    }
    skipped
}

/// As much as fits, without an ellipsis: there is one only where a text ends.
fn clip(text: &str, room: usize) -> String {
    let mut width = 0;
    let fits = |letter: &char| {
        width += letter.width().unwrap_or(0);
        width <= room
    };
    text.chars().take_while(fits).collect()
}

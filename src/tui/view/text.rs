//! Text in cells: cleaning what came from outside, fitting it into a width, and laying parts of a line out by priority.
//!
//! It knows nothing of what the text says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui::view::theme::Theme;

/// A part of a line. Parts with a higher `rank` leave first when the line gets short.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) rank: u8,
}

impl Part {
    pub(super) fn new(text: impl Into<String>, style: Style, rank: u8) -> Self {
        Self { text: text.into(), style, rank }
    }
}

/// `area` with one column free at both ends, where there is room for that.
pub(super) fn inset(area: Rect) -> Rect {
    let margin = u16::from(30 <= area.width);
    Rect { x: area.x + margin, width: area.width - 2 * margin, ..area }
}

/// `area` without so many columns at both ends.
pub(super) const fn inset_by(area: Rect, columns: u16) -> Rect {
    let taken = if area.width < 2 * columns { area.width / 2 } else { columns };
    Rect { x: area.x + taken, width: area.width - 2 * taken, ..area }
}

/// Draws `left` from the left and `right` up to the right edge of the first line of `area`, and drops parts until they fit.
pub(super) fn line(buf: &mut Buffer, area: Rect, mut left: Vec<Part>, mut right: Vec<Part>, gap: usize, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width);
    while room < length(&left, gap) + length(&right, gap) + if right.is_empty() { 0 } else { gap } {
        let Some(rank) = left.iter().chain(&right).map(|part| part.rank).max().filter(|_| 1 < left.len() + right.len())
        else {
            break;
        };
        let parts = if right.iter().any(|part| part.rank == rank) { &mut right } else { &mut left };
        if let Some(at) = parts.iter().rposition(|part| part.rank == rank) {
            parts.remove(at);
        }
    }
    draw(buf, area, 0, &left, gap, theme);
    draw(buf, area, room.saturating_sub(length(&right, gap)), &right, gap, theme);
}

fn length(parts: &[Part], gap: usize) -> usize {
    let text: usize = parts.iter().map(|part| part.text.width()).sum();
    text + gap * parts.len().saturating_sub(1)
}

fn draw(buf: &mut Buffer, area: Rect, at: usize, parts: &[Part], gap: usize, theme: Theme) {
    let mut x = at;
    for part in parts {
        put(buf, area, x, 0, &part.text, part.style, theme);
        x += part.text.width() + gap;
    }
}

/// Draws one text at a place inside `area`, cleaned, and cut at the area's right edge.
pub(super) fn put(buf: &mut Buffer, area: Rect, x: usize, y: usize, text: &str, style: Style, theme: Theme) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if width <= x || height <= y {
        return;
    }
    let text = cut(text, width - x, theme);
    let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else { return };
    buf.set_stringn(area.x + x, area.y + y, text, width - usize::from(x), style);
}

/// `text` in at most `width` columns, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, width: usize, theme: Theme) -> String {
    let text = clean(text, theme);
    if text.width() <= width {
        return text;
    }
    let mut kept = String::new();
    let mut columns = 1;
    for letter in text.chars() {
        columns += letter.width().unwrap_or(0);
        if width < columns {
            break;
        }
        kept.push(letter);
    }
    if width != 0 {
        kept.push_str(theme.ellipsis());
    }
    kept
}

/// `text` in at most `width` columns; what is cut is the middle, since both ends of an address tell it apart.
pub(super) fn cut_middle(text: &str, width: usize, theme: Theme) -> String {
    if text.len() <= width || !text.is_ascii() || width < 5 {
        return cut(text, width, theme);
    }
    let tail = (width - 1) / 2;
    let head = width - 1 - tail;
    let (head, tail) = (text.get(..head).unwrap_or(""), text.get(text.len() - tail..).unwrap_or(""));
    format!("{head}{}{tail}", theme.ellipsis())
}

/// Lines of at most `width` columns, broken between words; all but the first stand `indent` columns in.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let lead = text.len() - text.trim_start().len();
    let mut line = " ".repeat(lead);
    let mut fresh = true;
    for word in text.trim_start().split(' ').flat_map(|word| pieces(word, width.saturating_sub(indent).max(1))) {
        if !fresh && width < line.width() + 1 + word.width() {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    lines.push(line);
    lines
}

/// A word in parts that fit into a line, since an address or a query may be longer than one.
fn pieces(word: &str, width: usize) -> Vec<&str> {
    if word.width() <= width {
        return vec![word];
    }
    let mut pieces = Vec::new();
    let (mut from, mut columns) = (0, 0);
    for (at, letter) in word.char_indices() {
        let wide = letter.width().unwrap_or(0);
        if width < columns + wide && from < at {
            pieces.push(word.get(from..at).unwrap_or_default());
            (from, columns) = (at, 0);
        }
        columns += wide;
    }
    pieces.push(word.get(from..).unwrap_or_default());
    pieces
}

/// Replaces everything that could move the cursor, turn the reading direction or hide: the text may come from a file
/// name or from the network.
fn clean(text: &str, theme: Theme) -> String {
    let harmless = |letter: char| {
        let hidden = letter.is_control() || letter.width().is_none_or(|columns| columns == 0);
        let turning = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !(hidden || turning || theme.ascii && !letter.is_ascii())
    };
    text.chars().map(|letter| if harmless(letter) { letter } else { '?' }).collect()
}

//! A box over the rows with sections of entries: what is known of one thing. It stands in the middle, is as large as it
//! needs to be, and scrolls when there is not so much room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel, text};

/// Columns of the widest card; longer texts go on in the next line.
const WIDEST: usize = 100;

/// Columns of an entry's name, at most.
const NAME: usize = 16;

/// Entries with something in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    /// Empty for none.
    pub(super) heading: String,
    pub(super) entries: Vec<Entry>,
}

/// One line, or what becomes several where it is too long.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    name: String,
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Less important than the rest.
    Note,
    /// Something is wrong here.
    Alarm,
}

impl Entry {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::named("", text)
    }

    pub(super) fn named(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), kind: Kind::Text }
    }

    pub(super) fn note(text: impl Into<String>) -> Self {
        Self { kind: Kind::Note, ..Self::text(text) }
    }

    pub(super) fn alarm(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind: Kind::Alarm, ..Self::named(name, text) }
    }
}

/// A line as it is drawn: the name, the text and their styles.
type Drawn = (String, Style, String, Style);

/// Draws the card and gives back how many lines of it do not fit.
pub(super) fn render(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    sections: &[Section],
    offset: usize,
    theme: Theme,
) -> usize {
    if area.width < 4 || area.height < 3 {
        return bare(buf, area, sections, offset, theme);
    }
    let name = name_width(sections);
    let room = (usize::from(area.width) - 4).min(WIDEST);
    let lines = lines(sections, name, room, theme);
    let width = lines
        .iter()
        .map(|(label, _, text, _)| label.width().max(text.width() + name))
        .max()
        .unwrap_or(0)
        .max(title.width() + 2)
        .min(room);
    let height = lines.len().min(usize::from(area.height) - 2);
    let hidden = lines.len() - height;
    let place = middle(area, width + 4, height + 2);
    blank(buf, place);
    let first = offset.min(hidden);
    let aside =
        if hidden == 0 { String::new() } else { format!("{}-{} of {}", first + 1, first + height, lines.len()) };
    let inner = text::inset_by(panel(buf, place, Frame::Boxed, title, &aside, theme), 1);
    draw(buf, inner, &lines, first, name, theme);
    hidden
}

/// How many lines of it do not fit, without drawing it.
pub(super) fn hidden(area: Rect, sections: &[Section]) -> usize {
    let theme = Theme::default();
    let name = name_width(sections);
    if area.width < 4 || area.height < 3 {
        let lines = lines(sections, name.min(usize::from(area.width) / 2), usize::from(area.width), theme);
        return lines.len().saturating_sub(usize::from(area.height));
    }
    let room = (usize::from(area.width) - 4).min(WIDEST);
    lines(sections, name, room, theme).len().saturating_sub(usize::from(area.height) - 2)
}

/// Without a box, where none fits.
fn bare(buf: &mut Buffer, area: Rect, sections: &[Section], offset: usize, theme: Theme) -> usize {
    let name = name_width(sections).min(usize::from(area.width) / 2);
    let lines = lines(sections, name, usize::from(area.width), theme);
    blank(buf, area);
    let hidden = lines.len().saturating_sub(usize::from(area.height));
    draw(buf, area, &lines, offset.min(hidden), name, theme);
    hidden
}

fn draw(buf: &mut Buffer, area: Rect, lines: &[Drawn], first: usize, name: usize, theme: Theme) {
    for (y, (label, label_style, text, style)) in lines.iter().skip(first).take(usize::from(area.height)).enumerate() {
        // A heading has no text beside it, and may be wider than the names.
        let label = if text.is_empty() { label.clone() } else { text::cut(label, name.saturating_sub(1), theme) };
        text::put(buf, area, 0, y, &label, *label_style, theme);
        text::put(buf, area, name, y, text, *style, theme);
    }
}

/// Columns of the longest name with a gap, or none where nothing has a name.
fn name_width(sections: &[Section]) -> usize {
    let names = sections.iter().flat_map(|section| &section.entries).map(|entry| entry.name.width());
    names.max().filter(|&width| 0 < width).map_or(0, |width| width.min(NAME) + 2)
}

fn lines(sections: &[Section], name: usize, width: usize, theme: Theme) -> Vec<Drawn> {
    let mut lines: Vec<Drawn> = Vec::new();
    for section in sections {
        if !lines.is_empty() {
            lines.push(Default::default());
        }
        if !section.heading.is_empty() {
            lines.push((section.heading.clone(), theme.strong(), String::new(), theme.plain()));
        }
        for entry in &section.entries {
            let style = match entry.kind {
                Kind::Text => theme.plain(),
                Kind::Note => theme.dim(),
                Kind::Alarm => theme.alarm(),
            };
            let mut label = entry.name.clone();
            for text in text::wrap(&entry.text, width.saturating_sub(name).max(1), 0) {
                lines.push((std::mem::take(&mut label), theme.dim(), text, style));
            }
        }
    }
    lines
}

fn middle(area: Rect, width: usize, height: usize) -> Rect {
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// What lies below must not be seen between the lines.
fn blank(buf: &mut Buffer, area: Rect) {
    for position in area.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
}

#[cfg(test)]
mod tests;

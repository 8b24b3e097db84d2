//! A table: columns that leave by priority, of widths that depend on the screen alone, and rows of which only those in
//! sight are made into text.
//!
//! It does not know what its columns mean. What is selected, sorted and first in sight comes from the caller's state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use crate::tui::app::columns::Column;
use crate::tui::view::text;
use crate::tui::view::theme::Theme;

/// Columns with their places, for a screen of one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Number of the column, where it begins, and how wide it is.
    pub(super) list: Vec<(usize, usize, usize)>,
    width: usize,
}

impl Layout {
    /// The columns of `wanted` (all of them when it is empty) that fit, in their order there; `kept` stays whatever its
    /// rank, since rows are sorted by it or the cursor stands in it.
    pub(super) fn new(columns: &[Column], wanted: &[usize], kept: &[usize], width: usize) -> Self {
        let (gap, margin) = if width < 60 { (1, 0) } else { (2, 1) };
        let every: Vec<usize> = (0..columns.len()).collect();
        let order = if wanted.is_empty() { &every } else { wanted };
        let mut chosen: Vec<(usize, &Column)> = order.iter().filter_map(|&at| Some((at, columns.get(at)?))).collect();
        let needed = |chosen: &[(usize, &Column)]| {
            let widths: usize = chosen.iter().map(|(_, column)| column.width + gap).sum();
            widths.saturating_sub(gap) + 2 * margin
        };
        while width < needed(&chosen) {
            let leaves = |&(_, &(at, column)): &(usize, &(usize, &Column))| column.rank != 0 && !kept.contains(&at);
            let last =
                chosen.iter().enumerate().filter(leaves).max_by_key(|(place, (_, column))| (column.rank, *place));
            let Some(place) = last.map(|(place, _)| place) else { break };
            chosen.remove(place);
        }
        let missing = needed(&chosen).saturating_sub(width);
        let spare = width.saturating_sub(needed(&chosen));
        let widths = shared(&chosen, missing, spare);
        let mut x = margin;
        let list = chosen.iter().zip(widths).map(|(&(at, _), width)| {
            let place = (at, x, width);
            x += width + gap;
            place
        });
        Self { list: list.collect(), width }
    }

    #[cfg(test)]
    pub(super) fn has(&self, column: usize) -> bool {
        self.list.iter().any(|&(at, ..)| at == column)
    }
}

/// The widths of columns that lack some room, or have some to spare.
fn shared(chosen: &[(usize, &Column)], mut missing: usize, mut spare: usize) -> Vec<usize> {
    let mut widths: Vec<_> = chosen.iter().map(|(_, column)| column.width).collect();
    while 0 < missing {
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| 1 < **width) else { break };
        *widest -= 1;
        missing -= 1;
    }
    while 0 < spare {
        let before = spare;
        for ((_, column), width) in chosen.iter().zip(&mut widths) {
            if *width < column.widest && 0 < spare {
                *width += 1;
                spare -= 1;
            }
        }
        if before == spare {
            break;
        }
    }
    // Whatever nobody can use stands between text and numbers.
    if let Some(place) = chosen.iter().rposition(|(_, column)| !column.is_number)
        && let Some(width) = widths.get_mut(place)
    {
        *width += spare;
    }
    widths
}

/// Text of one place in the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
    /// What is cut of a text that is too long: its middle where both ends tell it apart, else its end.
    pub(super) cut_middle: bool,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn address(text: impl Into<String>) -> Self {
        Self { cut_middle: true, ..Self::new(text) }
    }

    /// A host: an address is told apart by both of its ends, a name by its beginning.
    pub(super) fn host(text: impl Into<String>) -> Self {
        let text = text.into();
        let cut_middle = text.trim_start_matches("* ").parse::<std::net::IpAddr>().is_ok();
        Self { cut_middle, ..Self::new(text) }
    }

    pub(super) fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// What the table shows besides its cells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// The column that rows are sorted by.
    pub(super) sorted: Option<usize>,
    /// The column in which the cursor stands.
    pub(super) column: Option<usize>,
    /// The place of the selected row among all.
    pub(super) selected: Option<usize>,
}

/// How many rows fit below the headings, of which the last line says how many there are beyond.
pub(super) const fn room(height: usize, total: usize) -> usize {
    let lines = height.saturating_sub(1);
    if lines < total { lines.saturating_sub(1) } else { lines }
}

/// Draws headings and the rows from `offset` on, of so many that are there and so many that there are; `cell` is asked for those in sight alone. `beyond` makes the last line
/// of those that do not fit.
#[expect(clippy::too_many_arguments, reason = "a table is all of these")]
pub(super) fn render(
    buf: &mut Buffer,
    area: Rect,
    (columns, layout): (&[Column], &Layout),
    (offset, rows, total): (usize, usize, usize),
    marks: Marks,
    cell: impl Fn(usize, usize, usize) -> Cell,
    beyond: impl Fn(usize, usize, usize) -> Cell,
    theme: Theme,
) {
    if area.is_empty() {
        return;
    }
    line(buf, area, 0, (columns, layout), theme.dim(), None, theme, |at, _| {
        let mark = if marks.sorted == Some(at) { theme.sorted() } else { "" };
        Cell::new(format!("{mark}{}", columns.get(at).map_or("", |column| column.heading)))
    });
    let fits = room(usize::from(area.height), total);
    let last = rows.min(offset.saturating_add(fits));
    for (y, row) in (offset..last).enumerate() {
        let is_selected = marks.selected == Some(row);
        let style = if is_selected { theme.selected() } else { theme.plain() };
        let cursor = marks.column.filter(|_| is_selected);
        line(buf, area, y + 1, (columns, layout), style, cursor, theme, |at, width| cell(row, at, width));
    }
    if last < total && fits + 1 < usize::from(area.height) {
        let y = last - offset + 1;
        line(buf, area, y, (columns, layout), theme.dim(), None, theme, |at, width| beyond(at, width, total - last));
    }
}

#[expect(clippy::too_many_arguments, reason = "a line is all of these")]
fn line(
    buf: &mut Buffer,
    area: Rect,
    y: usize,
    (columns, layout): (&[Column], &Layout),
    style: Style,
    cursor: Option<usize>,
    theme: Theme,
    cell: impl Fn(usize, usize) -> Cell,
) {
    text::put(buf, area, 0, y, &" ".repeat(layout.width), style, theme);
    for &(at, x, width) in &layout.list {
        let cell = cell(at, width);
        let text = if cell.cut_middle {
            text::cut_middle(&cell.text, width, theme)
        } else {
            text::cut(&cell.text, width, theme)
        };
        let is_number = columns.get(at).is_some_and(|column| column.is_number);
        let lead = if is_number { width.saturating_sub(text.width()) } else { 0 };
        // On the selected row colours would become backgrounds.
        let is_reversed = style.add_modifier.contains(Modifier::REVERSED);
        let own = if is_reversed { Style { fg: None, ..cell.style } } else { cell.style };
        let mut style = style.patch(own);
        if cursor == Some(at) {
            style = style.patch(theme.cursor_cell());
        }
        text::put(buf, area, x + lead, y, &text, style, theme);
    }
}

#[cfg(test)]
mod tests;

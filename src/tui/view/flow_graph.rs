//! A graph with two directions: what comes in grows up from the middle, what goes out hangs down from it. Columns that may
//! still grow, since their records have not come yet, are drawn lighter.
//!
//! Both sides have one scale, so that heights can be compared.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::view::text;
use crate::tui::view::theme::Theme;

/// One column, oldest first: what came in, what went out, and whether that is all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) is_settled: bool,
}

/// The top of a scale: the next of 1, 2 or 5 times a power of ten, so that it rarely moves.
pub(super) fn round_top(highest: u64) -> u64 {
    let highest = highest.max(1);
    let power = 10_u64.pow(highest.ilog10());
    [1, 2, 5, 10].into_iter().map(|times| power.saturating_mul(times)).find(|&top| highest <= top).unwrap_or(u64::MAX)
}

/// The largest value of all columns.
pub(super) fn highest(bars: &[Bar]) -> u64 {
    bars.iter().map(|bar| bar.up.max(bar.down)).max().unwrap_or(0)
}

/// Lines above the middle, of so many. What goes out gets a third, and none where there is but one line.
pub(super) const fn above(height: usize) -> usize {
    if height < 3 { height } else { height - height / 3 }
}

/// Draws as many of the last columns as there is room for, the newest at the right edge. `top` is the end of the scale.
pub(super) fn render(buf: &mut Buffer, area: Rect, bars: &[Bar], top: u64, theme: Theme) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let skipped = bars.len().saturating_sub(width);
    let shown = bars.get(skipped..).unwrap_or_default();
    let left = width - shown.len();
    let up = above(height);
    // Both directions are measured by the lines above, and what goes out is cut where its lines end.
    for (x, bar) in shown.iter().enumerate() {
        let x = left + x;
        for (y, glyph) in column(bar.up, top, up, up, theme.levels()).enumerate() {
            let glyph = if bar.is_settled || glyph.is_empty() { glyph } else { theme.unsettled() };
            text::put(buf, area, x, up - 1 - y, glyph, theme.traffic(), theme);
        }
        for (y, glyph) in column(bar.down, top, up, height - up, theme.drops()).enumerate() {
            let glyph = if bar.is_settled || glyph.is_empty() { glyph } else { theme.unsettled() };
            text::put(buf, area, x, up + y, glyph, theme.outbound(), theme);
        }
    }
}

/// The cells of one column from the middle outwards, where `full` lines are the whole scale and `lines` there are.
fn column(
    value: u64,
    top: u64,
    full: usize,
    lines: usize,
    levels: &'static [&'static str],
) -> impl Iterator<Item = &'static str> {
    let steps = u128::try_from(levels.len() * full).unwrap_or(1);
    // What is not nothing is seen.
    let filled = (u128::from(value) * steps).div_ceil(u128::from(top.max(1)));
    let filled = usize::try_from(filled).unwrap_or(usize::MAX);
    (0..lines).map(move |line| {
        let level = filled.saturating_sub(line * levels.len()).min(levels.len());
        level.checked_sub(1).and_then(|level| levels.get(level)).copied().unwrap_or("")
    })
}

/// A row of small bars for a cell of a table: the last values, the highest one nearly full, nothing as a line at the bottom.
pub(super) fn sparkline(values: &[u64], width: usize, theme: Theme) -> String {
    let skipped = values.len().saturating_sub(width);
    let shown = values.get(skipped..).unwrap_or_default();
    let top = shown.iter().copied().max().unwrap_or(0);
    // A full cell would touch the one of the row above.
    let levels = theme.levels();
    let levels = levels.get(..levels.len().saturating_sub(1)).unwrap_or(levels);
    let bar = |value: u64| {
        let level = (u128::from(value) * u128::try_from(levels.len()).unwrap_or(1)).div_ceil(u128::from(top.max(1)));
        let level = usize::try_from(level).unwrap_or(0);
        level.checked_sub(1).and_then(|level| levels.get(level)).copied().unwrap_or(if theme.ascii { "." } else { "_" })
    };
    let blank = std::iter::repeat_n(" ", width - shown.len());
    blank.chain(shown.iter().map(|&value| bar(value))).collect()
}

#[cfg(test)]
mod tests;

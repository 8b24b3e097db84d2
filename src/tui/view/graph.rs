//! Traffic over the span, one column per so many seconds.
//!
//! Columns stand at fixed multiples of their seconds since 1970, not at "so long ago": a column that is complete keeps its
//! height while it moves left. The last one is the average of what it has so far.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::units::{Figure, Units};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, header, panel};
use crate::window::{Snapshot, Span, Tally};

/// Columns that every span divides into evenly, widest first.
const WIDTHS: [usize; 7] = [240, 180, 120, 60, 30, 20, 10];

/// Columns of the scale: a rate and a space.
const SCALE: usize = Figure::RATE_WIDTH + 1;

/// The width of the graph's box on a screen this wide; what is left beside it is for the protocols.
pub(super) fn boxed_width(screen: u16) -> u16 {
    let room = usize::from(screen).saturating_sub(SCALE + 4 + 25);
    let columns = WIDTHS.into_iter().find(|&columns| columns <= room).unwrap_or(WIDTHS[WIDTHS.len() - 1]);
    u16::try_from(columns + SCALE + 4).unwrap_or(screen)
}

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    let snapshot = app.snapshot();
    let units = app.units();
    if area.height <= 1 {
        return one_line(buf, area, snapshot, units, theme);
    }
    let (now, seconds) = header::lately(snapshot);
    let title = format!("Traffic, last {}", snapshot.span.label());
    let average = units.rate(snapshot.total, snapshot.seconds);
    let now = units.rate(now, seconds);
    if matches!(frame, Frame::Boxed) {
        let columns = columns(snapshot, usize::from(area.width).saturating_sub(SCALE + 4));
        let peak = units.rate(peak(&columns, units), 1);
        let aside = match area.width {
            100.. => format!("now {now}   average {average}   peak {peak}"),
            _ => format!("now {now}   peak {peak}"),
        };
        let inner = panel(buf, area, frame, &title, &aside, theme);
        let top = scale(&columns, units);
        let height = usize::from(inner.height);
        for (y, value) in [(0, top), (height / 2, top / 2), (height.saturating_sub(1), 0)] {
            let label = Figure::per_second(value, 1, units.label());
            text::put(buf, inner, 1, y, &format!("{label:>9}"), theme.dim(), theme);
        }
        let chart = Rect { x: inner.x + 11, width: inner.width.saturating_sub(12), ..inner };
        return bars(buf, chart, &columns, units, top, theme);
    }
    let inner = panel(buf, area, frame, &title, "", theme);
    let legend = 4 + 2 + Figure::RATE_WIDTH + 1;
    let columns = columns(snapshot, usize::from(inner.width).saturating_sub(legend + 3));
    let drawn = columns.len();
    let chart = Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(1), ..inner };
    let peak = peak(&columns, units);
    bars(buf, chart, &columns, units, units.measure(peak), theme);
    let peak = units.rate(peak, 1);
    for (y, (label, figure)) in [("now", now), ("avg", average), ("peak", peak)].into_iter().enumerate() {
        text::put(buf, inner, drawn + 3, y, &format!("{label:4}"), theme.dim(), theme);
        text::put(buf, inner, drawn + 8, y, &format!("{figure:>9}"), theme.plain(), theme);
    }
}

fn one_line(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, units: Units, theme: Theme) {
    let columns = columns(snapshot, usize::from(area.width).saturating_sub(Figure::RATE_WIDTH + 1));
    let peak = peak(&columns, units);
    bars(buf, area, &columns, units, units.measure(peak), theme);
    let peak = units.rate(peak, 1);
    let text = if columns.len() + 25 <= usize::from(area.width) {
        format!("{}, peak {peak}", snapshot.span.label())
    } else {
        format!("{peak:>9}")
    };
    let rest = Rect { x: area.x + u16::try_from(columns.len()).unwrap_or(0).min(area.width), ..area };
    let rest = Rect { width: area.right().saturating_sub(rest.x), ..rest };
    text::line(buf, rest, Vec::new(), vec![Part::new(text, theme.plain(), 0)], 0, theme);
}

/// A column: what its seconds brought on average, in each second.
fn columns(snapshot: &Snapshot, room: usize) -> Vec<Tally> {
    let Some(wanted) = WIDTHS.into_iter().find(|&columns| columns <= room) else { return Vec::new() };
    let span = snapshot.span.seconds();
    let count = i64::try_from(wanted).unwrap_or(1);
    if span <= count {
        let times = usize::try_from(count / span).unwrap_or(1);
        return snapshot.series.iter().flat_map(|&second| std::iter::repeat_n(second, times)).collect();
    }
    let step = span / count;
    let over = snapshot.at.0.div_euclid(1000) - 1;
    let last = over.div_euclid(step);
    let mut sums = vec![(Tally::default(), 0_u64); wanted];
    for (ago, second) in (0_i64..).zip(snapshot.series.iter().rev()) {
        let behind = usize::try_from(last - (over - ago).div_euclid(step)).unwrap_or(0);
        let Some((sum, seconds)) = wanted.checked_sub(behind + 1).and_then(|at| sums.get_mut(at)) else { break };
        sum.counts.add(second.counts);
        sum.flows = sum.flows.saturating_add(second.flows);
        *seconds += 1;
    }
    sums.into_iter().map(|(sum, seconds)| per_second(sum, seconds)).collect()
}

const fn per_second(mut sum: Tally, seconds: u64) -> Tally {
    let seconds = if seconds == 0 { 1 } else { seconds };
    sum.counts.bytes /= seconds;
    sum.counts.packets /= seconds;
    sum.flows /= seconds;
    sum
}

fn peak(columns: &[Tally], units: Units) -> Tally {
    columns.iter().copied().max_by_key(|&column| units.measure(column)).unwrap_or_default()
}

/// The top of the scale: the next of 1, 2 or 5 times a power of ten, so that it rarely moves.
fn scale(columns: &[Tally], units: Units) -> u64 {
    let peak = units.measure(peak(columns, units)).max(1);
    let power = 10_u64.pow(peak.ilog10());
    [1, 2, 5, 10].into_iter().map(|times| power.saturating_mul(times)).find(|&top| peak <= top).unwrap_or(u64::MAX)
}

fn bars(buf: &mut Buffer, area: Rect, columns: &[Tally], units: Units, top: u64, theme: Theme) {
    let levels = theme.levels();
    let height = usize::from(area.height);
    let steps = u128::try_from(levels.len() * height).unwrap_or(1);
    for (x, &column) in columns.iter().enumerate() {
        let value = units.measure(column);
        // What is not nothing is seen.
        let filled = (u128::from(value) * steps).div_ceil(u128::from(top.max(1)));
        let filled = usize::try_from(filled).unwrap_or(0);
        for y in 0..height {
            let level = filled.saturating_sub((height - 1 - y) * levels.len()).min(levels.len());
            let Some(glyph) = level.checked_sub(1).and_then(|level| levels.get(level)) else { continue };
            text::put(buf, area, x, y, glyph, theme.traffic(), theme);
        }
    }
}

const _: () = assert!(Span::Hour.seconds() % 240 == 0);

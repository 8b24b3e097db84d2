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
    let title = format!("Traffic, last {}", snapshot.view.span.label());
    if matches!(frame, Frame::Boxed) {
        let columns = fitting(snapshot, usize::from(area.width).saturating_sub(SCALE + 4));
        let [now, average, peak] = figures(snapshot, &columns, units);
        let aside = match area.width {
            100.. => format!("now {now}   average {average}   peak {peak}"),
            _ => format!("now {now}   peak {peak}"),
        };
        let inner = panel(buf, area, frame, &title, &aside, theme);
        return scaled(buf, inner, &columns, units, theme);
    }
    let inner = panel(buf, area, frame, &title, "", theme);
    let legend = 4 + 2 + Figure::RATE_WIDTH + 1;
    let columns = fitting(snapshot, usize::from(inner.width).saturating_sub(legend + 3));
    let drawn = columns.len();
    let chart = Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(1), ..inner };
    bars(buf, chart, &columns, units, highest(&columns, units), theme);
    let figures = figures(snapshot, &columns, units);
    for (y, (label, figure)) in ["now", "avg", "peak"].into_iter().zip(figures).enumerate() {
        text::put(buf, inner, drawn + 3, y, &format!("{label:4}"), theme.dim(), theme);
        text::put(buf, inner, drawn + 8, y, &format!("{figure:>9}"), theme.plain(), theme);
    }
}

/// With a scale at the left.
fn scaled(buf: &mut Buffer, area: Rect, columns: &[Tally], units: Units, theme: Theme) {
    let top = round_top(highest(columns, units));
    let height = usize::from(area.height);
    for (y, value) in [(0, top), (height / 2, top / 2), (height.saturating_sub(1), 0)] {
        let label = Figure::per_second(value, 1, units.label());
        text::put(buf, area, 1, y, &format!("{label:>9}"), theme.dim(), theme);
    }
    let left = 11.min(area.width);
    let chart = Rect { x: area.x + left, width: area.width - left, ..area };
    bars(buf, chart, columns, units, top, theme);
}

fn one_line(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, units: Units, theme: Theme) {
    let columns = fitting(snapshot, usize::from(area.width).saturating_sub(Figure::RATE_WIDTH + 1));
    bars(buf, area, &columns, units, highest(&columns, units), theme);
    let [_, _, peak] = figures(snapshot, &columns, units);
    let text = if columns.len() + 25 <= usize::from(area.width) {
        format!("{}, peak {peak}", snapshot.view.span.label())
    } else {
        format!("{peak:>9}")
    };
    let left = u16::try_from(columns.len()).unwrap_or(0).min(area.width);
    let rest = Rect { x: area.x + left, width: area.width - left, ..area };
    text::line(buf, rest, Vec::new(), vec![Part::new(text, theme.plain(), 0)], 0, theme);
}

/// Now, on average and at the peak. Now is a mean of ten seconds, so the peak is the highest of those and of what is drawn.
fn figures(snapshot: &Snapshot, drawn: &[Tally], units: Units) -> [Figure; 3] {
    let (now, seconds) = header::lately(snapshot);
    let tens = usize::try_from(shown(snapshot) / 10).unwrap_or(1);
    let current = units.measure(per_second(now, seconds));
    let peak = highest(&columns(snapshot, tens), units).max(highest(drawn, units)).max(current);
    let average = units.rate(snapshot.everything(), snapshot.seconds);
    [units.rate(now, seconds), average, Figure::per_second(peak, 1, units.label())]
}

/// As many columns as there is room for.
fn fitting(snapshot: &Snapshot, room: usize) -> Vec<Tally> {
    let count = WIDTHS.into_iter().find(|&columns| columns <= room).unwrap_or(0);
    columns(snapshot, count)
}

/// Seconds that the graph shows.
fn shown(snapshot: &Snapshot) -> i64 {
    snapshot.view.span.seconds().max(Span::FiveMinutes.seconds())
}

/// So many columns: what the seconds of each brought on average, in each second.
fn columns(snapshot: &Snapshot, count: usize) -> Vec<Tally> {
    let now = snapshot.at.0.div_euclid(1000);
    let step = shown(snapshot) / i64::try_from(count).unwrap_or(1).max(1);
    let from = now.saturating_sub(shown(snapshot));
    let column = |n: i64| {
        let middle = from.saturating_add(n.saturating_mul(step)).saturating_add(step / 2);
        let point = snapshot.series.iter().rev().find(|point| point.start <= middle);
        point.map_or_else(Tally::default, |point| per_second(point.sum(), point.seconds))
    };
    (0..i64::try_from(count).unwrap_or(0)).map(column).collect()
}

const fn per_second(mut sum: Tally, seconds: u64) -> Tally {
    let seconds = if seconds == 0 { 1 } else { seconds };
    sum.counts.bytes /= seconds;
    sum.counts.packets /= seconds;
    sum.flows /= seconds;
    sum
}

fn highest(columns: &[Tally], units: Units) -> u64 {
    columns.iter().map(|&column| units.measure(column)).max().unwrap_or(0)
}

/// The top of the scale: the next of 1, 2 or 5 times a power of ten, so that it rarely moves.
fn round_top(highest: u64) -> u64 {
    let highest = highest.max(1);
    let power = 10_u64.pow(highest.ilog10());
    [1, 2, 5, 10].into_iter().map(|times| power.saturating_mul(times)).find(|&top| highest <= top).unwrap_or(u64::MAX)
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

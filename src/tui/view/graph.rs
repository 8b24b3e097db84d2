//! Traffic over the last minutes: what comes in grows up, what goes out hangs down, and what is not settled yet is lighter.
//!
//! A column stands for so many seconds before now. Slices of the window are ten seconds and more, so that a column keeps
//! its height while it moves left.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::{App, Source};
use crate::tui::units::{Figure, Units};
use crate::tui::view::flow_graph::{self, Bar};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, header, panel};
use crate::window::{Point, Snapshot, Span, Tally};

/// How many columns there may be, widest first: slices of the shortest graph are drawn equally wide.
const WIDTHS: [usize; 10] = [240, 210, 180, 150, 120, 90, 60, 30, 20, 10];

/// Columns of the scale: a rate and a space.
const SCALE: usize = Figure::RATE_WIDTH + 1;

/// Columns of the figures at the right: an arrow or a word, and a rate.
const LEGEND: usize = 5 + Figure::RATE_WIDTH + 1;

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let (snapshot, units) = (app.snapshot(), app.units());
    if area.height <= 2 {
        return one_line(buf, area, snapshot, units, theme);
    }
    let title = match app.past() {
        Some(at) => format!("Traffic, {} until {}", label(snapshot), app.when(at)),
        None => format!("Traffic, last {}", label(snapshot)),
    };
    let frame = if matches!(frame, Frame::Boxed) { frame } else { Frame::Ruled };
    let inner = panel(buf, area, frame, &title, &settled(app), theme);
    let inner = text::inset(inner);
    let width = usize::from(inner.width);
    let scale = if 100 <= width { SCALE } else { 0 };
    let bars = bars(snapshot, units, width.saturating_sub(scale + LEGEND + 1));
    let top = flow_graph::round_top(flow_graph::highest(&bars));
    let (left, columns) = (u16::try_from(scale).unwrap_or(0), u16::try_from(bars.len()).unwrap_or(0));
    let chart = Rect { x: inner.x + left, width: columns, ..inner };
    flow_graph::render(buf, chart, &bars, top, theme);
    let height = usize::from(inner.height);
    if 0 < scale {
        let middle = flow_graph::above(height);
        for (y, value) in [(0, top), (middle.saturating_sub(1), 0)] {
            let label = Figure::per_second(value, 1, units.label());
            text::put(buf, inner, 0, y, &format!("{label:>9}"), theme.dim(), theme);
        }
    }
    legend(buf, inner, scale + bars.len() + 1, &bars, (snapshot, units), theme);
}

/// Which moment figures are settled up to. What a collector elsewhere has not written yet is not settled either.
fn settled(app: &App) -> String {
    let (feed, snapshot) = (app.feed(), app.snapshot());
    let stands = app.frozen_since().is_some() || feed.wish.at.is_some();
    let unwritten = match feed.source {
        Source::Stored { is_live: true, .. } if !stands => feed.now.since(snapshot.at) / 1000,
        _ => 0,
    };
    match snapshot.unsettled_s().saturating_add(unwritten) {
        ..=0 => "settled".to_owned(),
        seconds => format!("settled to -{seconds} s"),
    }
}

/// Now and the peak of what comes in, then of what goes out.
fn legend(buf: &mut Buffer, area: Rect, x: usize, bars: &[Bar], (snapshot, units): (&Snapshot, Units), theme: Theme) {
    let [down, up] = theme.arrows();
    let now = header::lately(snapshot);
    let peak = |of: &dyn Fn(&Bar) -> u64| bars.iter().filter(|bar| bar.is_settled).map(of).max().unwrap_or(0);
    let figure = |amount: u64| Figure::per_second(amount, 1, units.label());
    let height = usize::from(area.height);
    let above = flow_graph::above(height);
    let (peak_in, peak_out) = (figure(peak(&|bar| bar.up)), figure(peak(&|bar| bar.down)));
    let mut lines = vec![(0, down, units.rate(now.down, now.seconds), theme.traffic())];
    if 2 <= above {
        lines.push((1, "peak", peak_in, theme.dim()));
    }
    if above < height {
        lines.push((above, up, units.rate(now.up, now.seconds), theme.outbound()));
    }
    if above + 1 < height {
        lines.push((above + 1, "peak", peak_out, theme.dim()));
    }
    for (y, word, figure, style) in lines {
        text::put(buf, area, x, y, &format!("{word:4} {figure:>9}"), style, theme);
    }
}

fn one_line(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, units: Units, theme: Theme) {
    let area = text::inset(area);
    let mut bars = bars(snapshot, units, usize::from(area.width).saturating_sub(Figure::RATE_WIDTH + 1));
    // There is one line, and it is of everything.
    for bar in &mut bars {
        *bar = Bar { up: bar.up.saturating_add(bar.down), down: 0, ..*bar };
    }
    let highest = flow_graph::highest(&bars);
    let columns = u16::try_from(bars.len()).unwrap_or(0).min(area.width);
    flow_graph::render(buf, Rect { width: columns, ..area }, &bars, highest, theme);
    let peak = Figure::per_second(highest, 1, units.label());
    let text = if bars.len() + 26 <= usize::from(area.width) {
        format!("{}, peak {peak}", label(snapshot))
    } else {
        format!("{peak:>9}")
    };
    let rest = Rect { x: area.x + columns, width: area.width - columns, ..area };
    text::line(buf, rest, Vec::new(), vec![Part::new(text, theme.plain(), 0)], 0, theme);
}

/// Seconds that the graph shows.
fn shown(snapshot: &Snapshot) -> i64 {
    snapshot.view.span.seconds().max(Span::FiveMinutes.seconds())
}

fn label(snapshot: &Snapshot) -> &'static str {
    snapshot.view.span.max(Span::FiveMinutes).label()
}

/// As many columns as there is room for: what the slice in its middle brought on average, in each second.
fn bars(snapshot: &Snapshot, units: Units, room: usize) -> Vec<Bar> {
    let count = WIDTHS.into_iter().find(|&columns| columns <= room).unwrap_or(0);
    let columns = i64::try_from(count).unwrap_or(0);
    let shown_ms = shown(snapshot).saturating_mul(1000);
    let from = snapshot.at.0.saturating_sub(shown_ms);
    // Where nothing enters or leaves, there is one direction.
    let has_ways = snapshot.series.iter().any(|point| !point.ways().sum().counts.is_zero());
    let mut points = snapshot.series.iter().peekable();
    let mut current: Option<&Point> = None;
    let column = |n: i64| {
        let middle = from.saturating_add(shown_ms.saturating_mul(2 * n + 1) / (2 * columns).max(1));
        while let Some(point) = points.next_if(|point| point.start.saturating_mul(1000) <= middle) {
            current = Some(point);
        }
        let Some(point) = current else { return Bar { is_settled: true, ..Bar::default() } };
        let measure = |tally: Tally| units.measure(tally) / point.seconds.max(1);
        let ways = point.ways();
        if has_ways {
            Bar { up: measure(ways.down), down: measure(ways.up), is_settled: point.is_settled }
        } else {
            Bar { up: measure(point.sum()), down: 0, is_settled: point.is_settled }
        }
    };
    (0..columns).map(column).collect()
}

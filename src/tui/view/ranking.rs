//! The table of rows: who, over what, how much each way, and since when.
//!
//! Only the rows in sight are made into text. Which columns there are, and how wide, depends on the width of the screen
//! and on the sort alone, never on the rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::tui::app::columns::{Column, Kind, ranking, sorted};
use crate::tui::app::{App, Tab, table as order};
use crate::tui::units::{self, Figure, Units};
use crate::tui::view::table::{self, Cell, Layout, Marks};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, crumbs, flow_graph, panel, text};
use crate::window::{Badge, Badges, Key, Row, Snapshot, Ways};

/// The columns of a table on a screen so wide, and their places.
pub(super) fn layout(app: &App, width: usize) -> (Vec<Column>, Layout) {
    let kind = app.kind();
    let columns = kind.columns(width);
    let wanted = app.columns().wanted(kind, width, app.labels().names.has_places());
    let mut kept: Vec<usize> = app.cell().into_iter().collect();
    if let Kind::Changes(_) = kind {
        kept.push(crate::tui::app::columns::change::DIFFERENCE);
    }
    if let Kind::Ranking(_) = kind {
        kept.extend(sorted(app.sort()));
    }
    let layout = Layout::new(&columns, &wanted, &kept, width);
    (columns, layout)
}

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let (rows, snapshot) = (app.table(), app.snapshot());
    let inner = {
        let total = snapshot.row_count.max(rows.len());
        let room = table::room(super::inside(area, frame), total);
        let (first, last) = (app.offset() + usize::from(!rows.is_empty()), rows.len().min(app.offset() + room));
        let aside = match (rows.is_empty(), total) {
            (true, _) => String::new(),
            (false, total) => format!("{first}-{last} of {}", units::exact(total as u64)),
        };
        let title = title(app, usize::from(area.width).saturating_sub(aside.width() + 10), theme);
        panel(buf, area, frame, &title, &aside, theme)
    };
    let (columns, layout) = layout(app, usize::from(inner.width));
    if rows.is_empty() {
        let line = Rect { y: inner.y + 1.min(inner.height), height: inner.height.saturating_sub(1), ..inner };
        text::put(buf, line, 1, 0, &nothing(app), theme.dim(), theme);
    }
    let marks = Marks {
        sorted: sorted(app.sort()),
        column: app.cell(),
        selected: app.selected().and_then(|key| rows.position(key)),
    };
    let total = if app.filter().badges().is_empty() { snapshot.row_count.max(rows.len()) } else { rows.len() };
    let rest = rest(app, usize::from(inner.height));
    table::render(
        buf,
        inner,
        (&columns, &layout),
        (app.offset(), rows.len(), total),
        marks,
        |row, column, width| rows.row(row).map_or_else(Cell::default, |of| cell(app, of, column, width, row, theme)),
        |column, width, beyond| beyond_cell(app, column, width, beyond, rest, theme),
        theme,
    );
}

/// Where one is, and how rows are ranked.
fn title(app: &App, width: usize, theme: Theme) -> String {
    let span = match app.past() {
        Some(at) => format!("{} until {}", app.span().label(), app.when(at)),
        None => format!("last {}", app.span().label()),
    };
    let by = format!(" by {}, {span}", order::label(app.sort()));
    let mut filter = String::new();
    if !app.filter().text().is_empty() {
        filter = format!(", of {}", app.labels().text(app.filter().text()));
    }
    let way = crumbs::title(&super::way(app), width.saturating_sub(by.width() + filter.width()).max(12), theme);
    format!("{way}{by}{filter}")
}

fn nothing(app: &App) -> String {
    let snapshot = app.snapshot();
    if snapshot.at == crate::flow::Timestamp::default() || app.is_reading() {
        return "one moment".to_owned();
    }
    match (app.filter().text(), app.place().tab) {
        ("", Tab::Hosts | Tab::Services) | ("", _) => format!("no flow in the last {}", app.span().label()),
        _ => format!("no flow in the last {} that the filter lets through", app.span().label()),
    }
}

fn cell(app: &App, row: &Row, column: usize, width: usize, at: usize, theme: Theme) -> Cell {
    let (labels, snapshot, units) = (app.labels(), app.snapshot(), app.units());
    let average = |at: usize| row.averages.get(at).map_or(0, |[down, up]| down.saturating_add(*up));
    match column {
        ranking::NAME => {
            let mark = if at < app.table().pinned() { "* " } else { "" };
            let name = match row.key {
                Key::Conversation { inside, .. } => labels.host(inside),
                key => labels.key(key, &app.feed().health),
            };
            Cell::host(format!("{mark}{name}"))
        }
        ranking::OUTSIDE => match row.key {
            Key::Conversation { outside, .. } => Cell::host(labels.host(outside)),
            _ => Cell::default(),
        },
        ranking::SERVICE => match row.key {
            Key::Conversation { protocol, port, .. } => Cell::new(labels.service(protocol, port)),
            _ => Cell::default(),
        },
        ranking::BADGES => Cell::new(badges(row.badges, theme)).styled(theme.notice()),
        ranking::PLACE => match row.key {
            Key::Conversation { outside, .. } => Cell::new(labels.place(outside)),
            Key::Host(address) | Key::Source(address) | Key::Destination(address) => Cell::new(labels.place(address)),
            _ => Cell::default(),
        },
        ranking::RATE => one_rate(row.ways, snapshot, units, theme),
        ranking::DOWN => Cell::new(rate(row.ways.down, snapshot, units, width)).styled(theme.traffic()),
        ranking::UP => Cell::new(rate(row.ways.up, snapshot, units, width)).styled(theme.outbound()),
        ranking::TEN => Cell::new(bytes_rate(average(0), units, width)),
        ranking::MINUTE => Cell::new(bytes_rate(average(1), units, width)),
        ranking::FIVE => Cell::new(bytes_rate(average(2), units, width)),
        ranking::TOTAL => Cell::new(Figure::bytes(row.total.sum().counts.bytes).to_string()),
        ranking::PEAK => Cell::new(bytes_rate(row.peak, units, width)),
        ranking::PACKETS => Cell::new(Figure::count(row.ways.sum().counts.packets).to_string()),
        ranking::FLOWS => Cell::new(Figure::count(row.ways.sum().flows).to_string()),
        ranking::SPARK => Cell::new(trend(row, snapshot, width, theme)).styled(theme.traffic()),
        ranking::SINCE => Cell::new(since(row, app)),
        _ => Cell::default(),
    }
}

/// A rate, with its unit where there is room for that.
fn rate(tally: crate::window::Tally, snapshot: &Snapshot, units: Units, width: usize) -> String {
    short(units.rate(tally, snapshot.seconds), width)
}

fn short(figure: Figure, width: usize) -> String {
    if width < Figure::RATE_WIDTH { figure.without_unit() } else { figure.to_string() }
}

/// Averages are of bytes; where packets or flows are shown they stay what they are.
fn bytes_rate(bytes: u64, units: Units, width: usize) -> String {
    let figure = match units {
        Units::Bytes => Figure::per_second(bytes, 1, Units::Bytes.label()),
        _ => Figure::per_second(bytes.saturating_mul(8), 1, Units::Bits.label()),
    };
    short(figure, width)
}

/// Both directions together, with the arrow of the larger one.
fn one_rate(ways: Ways, snapshot: &Snapshot, units: Units, theme: Theme) -> Cell {
    let [down, up] = theme.arrows();
    let is_up = units.measure(ways.down) < units.measure(ways.up);
    let (arrow, style) = if is_up { (up, theme.outbound()) } else { (down, theme.traffic()) };
    Cell::new(format!("{arrow}{:>6}", units.rate(ways.sum(), snapshot.seconds).without_unit())).styled(style)
}

/// In one or two cells each: `N` new, `▲12x` grown, `1` one-way.
pub(super) fn badges(badges: Badges, theme: Theme) -> String {
    let words = badges.iter().map(|badge| badge_mark(badge, badges.growth, theme));
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn badge_mark(badge: Badge, growth: u16, theme: Theme) -> String {
    match badge {
        Badge::New => "N".to_owned(),
        Badge::Gone => "-".to_owned(),
        Badge::Grown => {
            let mark = if theme.ascii { "^" } else { "▲" };
            if 0 < growth { format!("{mark}{}x", growth.min(999)) } else { mark.to_owned() }
        }
        Badge::OneWay => "1".to_owned(),
        Badge::SynOnly => "S".to_owned(),
        Badge::FanOut => "F".to_owned(),
        Badge::Estimated => "~".to_owned(),
        Badge::Assumed => "?".to_owned(),
    }
}

/// The last settled points, as many as there is room for, each in bytes per second.
fn trend(row: &Row, snapshot: &Snapshot, width: usize, theme: Theme) -> String {
    let points = snapshot.series.iter().zip(&row.series).filter(|(point, _)| point.is_settled);
    let values: Vec<u64> = points.map(|(point, bytes)| bytes / point.seconds.max(1)).collect();
    flow_graph::sparkline(&values, width, theme)
}

/// When it began, as far as the last hour tells.
pub(super) fn since(row: &Row, app: &App) -> String {
    let snapshot = app.snapshot();
    let first = crate::flow::Timestamp(row.first.saturating_mul(1000));
    if row.first == i64::MAX {
        return "-".to_owned();
    }
    // What was there when the window began may be older than that.
    if 3_540_000 < snapshot.at.since(first) {
        return ">1 h".to_owned();
    }
    units::clock(first, app.feed().utc_offset_s).chars().take(5).collect()
}

/// What all rows together have that are not in sight.
fn rest(app: &App, height: usize) -> Ways {
    let rows = app.table();
    let total = app.snapshot().row_count.max(rows.len());
    let last = rows.len().min(app.offset() + table::room(height, total));
    rows.without_first(last)
}

fn beyond_cell(app: &App, column: usize, width: usize, beyond: usize, rest: Ways, theme: Theme) -> Cell {
    let (snapshot, units) = (app.snapshot(), app.units());
    match column {
        ranking::NAME => Cell::new(format!("{} {} more", theme.ellipsis(), units::exact(beyond as u64))),
        _ if !app.filter().badges().is_empty() => Cell::default(),
        ranking::RATE => one_rate(rest, snapshot, units, theme),
        ranking::DOWN => Cell::new(rate(rest.down, snapshot, units, width)),
        ranking::UP => Cell::new(rate(rest.up, snapshot, units, width)),
        ranking::PACKETS => Cell::new(Figure::count(rest.sum().counts.packets).to_string()),
        ranking::FLOWS => Cell::new(Figure::count(rest.sum().flows).to_string()),
        _ => Cell::default(),
    }
}

//! Who sends to whom: the table.
//!
//! Only the rows in sight are made into text. Which columns there are, and how wide, depends on the width of the screen
//! and on the sort alone, never on the rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::flow::Counts;
use crate::tui::app::{App, Sort};
use crate::tui::units::{self, Figure};
use crate::tui::view::text;
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel};
use crate::window::{Key, Row, Tally};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Source,
    Destination,
    Service,
    Rate,
    Recent,
    Total,
    Packets,
    Flows,
}

impl Column {
    const ALL: [Self; 8] = [
        Self::Source,
        Self::Destination,
        Self::Service,
        Self::Rate,
        Self::Recent,
        Self::Total,
        Self::Packets,
        Self::Flows,
    ];

    /// In the order in which they come as the screen gets wider; the first three always stay.
    const BY_PRIORITY: [Self; 8] = [
        Self::Source,
        Self::Destination,
        Self::Rate,
        Self::Service,
        Self::Total,
        Self::Recent,
        Self::Packets,
        Self::Flows,
    ];

    const fn heading(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Service => "service",
            Self::Rate => "rate",
            Self::Recent => "last 10 s",
            Self::Total => "total",
            Self::Packets => "packets",
            Self::Flows => "flows",
        }
    }

    /// The least columns it needs.
    const fn width(self) -> usize {
        match self {
            Self::Source | Self::Destination => 15,
            Self::Service => 10,
            Self::Rate | Self::Recent => Figure::RATE_WIDTH,
            Self::Total => Figure::BYTES_WIDTH,
            // The heading, and a mark before it.
            Self::Packets | Self::Flows => 8,
        }
    }

    /// What more it can use, in the order of [`Column::ALL`].
    const fn widest(self) -> usize {
        match self {
            Self::Source | Self::Destination => 39,
            Self::Service => 18,
            Self::Rate | Self::Recent | Self::Total | Self::Packets | Self::Flows => self.width(),
        }
    }

    const fn is_number(self) -> bool {
        !matches!(self, Self::Source | Self::Destination | Self::Service)
    }

    const fn sorts(self, sort: Sort) -> bool {
        matches!((self, sort), (Self::Total, Sort::Bytes) | (Self::Packets, Sort::Packets) | (Self::Flows, Sort::Flows))
    }
}

/// Columns with their widths, from the left.
struct Columns {
    list: Vec<(Column, usize)>,
    gap: usize,
    margin: usize,
}

impl Columns {
    fn new(width: usize, sort: Sort) -> Self {
        let (gap, margin) = if width < 60 { (1, 0) } else { (2, 1) };
        let mut room = width.saturating_sub(2 * margin) + gap;
        let mut chosen: Vec<Column> = Vec::new();
        let sorted = Column::ALL.into_iter().find(|column| column.sorts(sort) && *column != Column::Total);
        let (first, rest) = Column::BY_PRIORITY.split_at(3);
        for column in first.iter().copied().chain(sorted).chain(rest.iter().copied()) {
            if chosen.contains(&column) {
                continue;
            }
            let needed = column.width() + gap;
            if room < needed && 3 <= chosen.len() {
                break;
            }
            room = room.saturating_sub(needed);
            chosen.push(column);
        }
        let list = Column::ALL.into_iter().filter(|column| chosen.contains(column));
        let mut columns = Self { list: list.map(|column| (column, column.width())).collect(), gap, margin };
        columns.shrink(width);
        columns.grow(room);
        columns
    }

    /// Takes what is missing from the addresses.
    fn shrink(&mut self, width: usize) {
        let needed: usize = self.list.iter().map(|(_, width)| width + self.gap).sum();
        let mut missing = (needed + 2 * self.margin).saturating_sub(width + self.gap);
        for (_, width) in self.list.iter_mut().take(2).rev() {
            let taken = missing.div_ceil(2).min(width.saturating_sub(1));
            *width -= taken;
            missing -= taken;
        }
        if let Some((_, width)) = self.list.first_mut() {
            *width = width.saturating_sub(missing);
        }
    }

    /// Gives what is left to the addresses and to the service.
    fn grow(&mut self, mut room: usize) {
        while 0 < room {
            let before = room;
            for (column, width) in &mut self.list {
                if *width < column.widest() && 0 < room {
                    *width += 1;
                    room -= 1;
                }
            }
            if before == room {
                break;
            }
        }
        // Whatever nobody can use stands between text and numbers.
        if let Some((_, width)) = self.list.iter_mut().rfind(|(column, _)| !column.is_number()) {
            *width += room;
        }
    }
}

/// How many rows fit at once.
pub(super) fn room(area: Rect, frame: Frame, app: &App) -> usize {
    let around = match frame {
        Frame::Boxed => 3,
        Frame::Ruled => 2,
        Frame::Bare => 1,
    };
    let lines = usize::from(area.height).saturating_sub(around);
    // The last line says how many there are beyond.
    if lines < app.snapshot().row_count.max(app.rows().len()) { lines.saturating_sub(1) } else { lines }
}

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let snapshot = app.snapshot();
    let mut title = format!("Conversations by {}, last {}", app.sort().label(), snapshot.view.span.label());
    if !app.filter().text().is_empty() {
        title.push_str(&format!(", of {}", app.labels().text(app.filter().text())));
    }
    let visible = app.rows().iter().skip(app.offset()).take(room(area, frame, app));
    let first = app.offset() + usize::from(!app.rows().is_empty());
    let last = app.offset() + visible.len();
    let aside = format!("{first}-{last} of {}", units::exact(snapshot.row_count as u64));
    let inner = panel(buf, area, frame, &title, &aside, theme);
    let columns = Columns::new(usize::from(inner.width), app.sort());
    headings(buf, inner, &columns, app, theme);
    if app.rows().is_empty() {
        let text = format!("no flow in the last {}", snapshot.view.span.label());
        text::put(buf, inner, columns.margin, 1, &text, theme.dim(), theme);
    }
    let mut rest = snapshot.sum.sum();
    for row in app.rows().iter().take(app.offset()) {
        rest = without(rest, row.ways.sum());
    }
    let mut y = 1;
    for row in visible {
        rest = without(rest, row.ways.sum());
        let style = if app.selected() == Some(row.key) { theme.selected() } else { theme.plain() };
        draw(buf, inner, y, &columns, style, theme, |column, width| cell(row, column, width, app, theme));
        y += 1;
    }
    let beyond = snapshot.row_count.saturating_sub(last);
    if 0 < beyond {
        draw(buf, inner, y, &columns, theme.dim(), theme, |column, _| beyond_cell(beyond, rest, column, app, theme));
    }
}

fn headings(buf: &mut Buffer, area: Rect, columns: &Columns, app: &App, theme: Theme) {
    let sorted = columns.list.iter().map(|&(column, _)| column).find(|column| column.sorts(app.sort()));
    draw(buf, area, 0, columns, theme.dim(), theme, |column, width| {
        let mark = if sorted == Some(column) { theme.sorted() } else { "" };
        match column {
            Column::Recent if width < 9 => "10 s".to_owned(),
            _ => format!("{mark}{}", column.heading()),
        }
    });
}

/// Draws one line of the table, from what each column has to say.
fn draw(
    buf: &mut Buffer,
    area: Rect,
    y: usize,
    columns: &Columns,
    style: Style,
    theme: Theme,
    say: impl Fn(Column, usize) -> String,
) {
    let mut line = " ".repeat(columns.margin);
    for (i, &(column, width)) in columns.list.iter().enumerate() {
        if 0 < i {
            line.push_str(&" ".repeat(columns.gap));
        }
        let text = text::cut(&say(column, width), width, theme);
        line.push_str(&if column.is_number() { format!("{text:>width$}") } else { format!("{text:width$}") });
    }
    let width = usize::from(area.width);
    text::put(buf, area, 0, y, &format!("{line:width$}"), style, theme);
}

fn cell(row: &Row, column: Column, width: usize, app: &App, theme: Theme) -> String {
    match column {
        Column::Source => text::cut_middle(&ends(row, app).0, width, theme),
        Column::Destination => text::cut_middle(&ends(row, app).1, width, theme),
        Column::Service => service(row.key, app),
        Column::Recent => recent(row, app).to_string(),
        Column::Rate | Column::Total | Column::Packets | Column::Flows => figure(row.ways.sum(), column, app),
    }
}

/// The two ends as they are shown, the inside first.
fn ends(row: &Row, app: &App) -> (String, String) {
    match row.key {
        Key::Conversation { inside, outside, .. } => (app.labels().host(inside), app.labels().host(outside)),
        _ => Default::default(),
    }
}

/// The rate of the last ten seconds.
fn recent(row: &Row, app: &App) -> Figure {
    let [[down, up], ..] = row.averages;
    let counts = Counts { bytes: down.saturating_add(up), packets: 0 };
    app.units().rate(Tally { counts, flows: 0 }, 1)
}

fn beyond_cell(beyond: usize, rest: Tally, column: Column, app: &App, theme: Theme) -> String {
    match column {
        Column::Source => format!("{} {} more", theme.ellipsis(), units::exact(beyond as u64)),
        Column::Destination | Column::Service | Column::Recent => String::new(),
        Column::Rate | Column::Total | Column::Packets | Column::Flows => figure(rest, column, app),
    }
}

fn figure(tally: Tally, column: Column, app: &App) -> String {
    match column {
        Column::Packets => Figure::count(tally.counts.packets).to_string(),
        Column::Flows => Figure::count(tally.flows).to_string(),
        Column::Total => Figure::bytes(tally.counts.bytes).to_string(),
        _ => app.units().rate(tally, app.snapshot().seconds).to_string(),
    }
}

fn service(key: Key, app: &App) -> String {
    let Key::Conversation { protocol, port, .. } = key else { return String::new() };
    app.labels().service(protocol, port).into_owned()
}

const fn without(mut total: Tally, part: Tally) -> Tally {
    total.counts.bytes = total.counts.bytes.saturating_sub(part.counts.bytes);
    total.counts.packets = total.counts.packets.saturating_sub(part.counts.packets);
    total.flows = total.flows.saturating_sub(part.flows);
    total
}

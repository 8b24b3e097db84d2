//! What moved between two spans: the rows whose part in the difference is largest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::flow::Counts;
use crate::tui::app::columns::{change, ranking as named};
use crate::tui::app::{App, Baseline, Comparison, Move, Moves};
use crate::tui::units::{self, Figure, Units};
use crate::tui::view::table::{self, Cell, Marks};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel, ranking, text};
use crate::window::{Key, Tally};

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let moves = app.moves();
    let aside = moves.map_or_else(String::new, |moves| format!("{} moved", units::exact(moves.keys as u64)));
    let inner = panel(buf, area, frame, &title(app), &aside, theme);
    let Some(moves) = moves.filter(|moves| moves.failed.is_none() && !moves.rows.is_empty()) else {
        let line = Rect { y: inner.y + 1.min(inner.height), height: inner.height.saturating_sub(1), ..inner };
        return text::put(buf, line, 1, 0, &nothing(app, moves), theme.dim(), theme);
    };
    let mut inner = inner;
    let summary = super::take_top(&mut inner, 1);
    total(buf, text::inset(summary), app, moves, theme);
    let (columns, layout) = ranking::layout(app, usize::from(inner.width));
    let selected = app.selected().and_then(|key| moves.rows.iter().position(|row| row.key == key));
    let marks = Marks { sorted: Some(change::DIFFERENCE), column: app.cell(), selected };
    table::render(
        buf,
        inner,
        (&columns, &layout),
        (app.offset(), moves.rows.len(), moves.keys.max(moves.rows.len())),
        marks,
        |row, column, width| {
            moves.rows.get(row).map_or_else(Cell::default, |of| cell(app, moves, of, column, width, theme))
        },
        |column, _, beyond| match column {
            named::NAME => Cell::new(format!("{} {} more", theme.ellipsis(), units::exact(beyond as u64))),
            _ => Cell::default(),
        },
        theme,
    );
}

/// Rows that fit into so many lines.
pub(super) fn room(height: usize, app: &App) -> usize {
    let count = app.moves().map_or(0, |moves| moves.keys.max(moves.rows.len()));
    table::room(height.saturating_sub(1), count)
}

fn title(app: &App) -> String {
    let mut against = app.baseline().label().to_owned();
    if let (Baseline::Marks, [Some(a), Some(_)]) = (app.baseline(), app.marks()) {
        against = format!("A, until {}", app.when(a));
    }
    let mut filter = String::new();
    if !app.filter().text().is_empty() {
        filter = format!(", of {}", app.labels().text(app.filter().text()));
    }
    let end = app.moves().and_then(|moves| moves.asked).map(|asked| format!(", until {}", app.when(asked.span.1)));
    // Last, since a narrow screen cuts what is last.
    let end = end.unwrap_or_default();
    let way = super::way(app).join(" > ");
    let everywhere = if app.way().is_of_a_country() { ", of all countries" } else { "" };
    format!("{way}: what moved, {} against {against}{filter}{everywhere}{end}", app.span().label())
}

fn nothing(app: &App, moves: Option<&Moves>) -> String {
    match moves {
        None if !app.feed().is_stored => "nothing is stored, so that there is nothing to compare with".to_owned(),
        None => "reading both spans".to_owned(),
        Some(Moves { failed: Some(why), .. }) => format!("it cannot be read: {}", app.labels().text(why)),
        Some(_) => "nothing moved".to_owned(),
    }
}

/// What all rows together did.
fn total(buf: &mut Buffer, area: Rect, app: &App, moves: &Moves, theme: Theme) {
    let difference = i128::from(moves.total_now) - i128::from(moves.total_before);
    let rate = |amount: u64| rate(app.units(), amount, seconds(moves));
    let about = if moves.is_exact { "" } else { ", small parts may be missing" };
    let words = format!(
        "total {} ({} before, {} now{about})",
        signed(difference, |amount| rate(amount).to_string()),
        rate(moves.total_before),
        rate(moves.total_now),
    );
    text::put(buf, area, 0, 0, &text::cut(&words, usize::from(area.width), theme), theme.strong(), theme);
}

fn seconds(moves: &Moves) -> u64 {
    let span = moves.asked.map_or((0, 1000), |Comparison { span: (from, to), .. }| (from.0, to.0));
    (span.1.saturating_sub(span.0) / 1000).max(1).unsigned_abs()
}

/// Amounts are in the measure that was asked for.
fn rate(units: Units, amount: u64, seconds: u64) -> Figure {
    let tally = match units {
        Units::Bits | Units::Bytes => Tally { counts: Counts { bytes: amount, packets: 0 }, flows: 0 },
        Units::Packets => Tally { counts: Counts { bytes: 0, packets: amount }, flows: 0 },
        Units::Flows => Tally { flows: amount, ..Tally::default() },
    };
    units.rate(tally, seconds)
}

fn signed(difference: i128, amount: impl Fn(u64) -> String) -> String {
    let size = amount(u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX));
    match difference {
        0 => size,
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

fn cell(app: &App, moves: &Moves, row: &Move, column: usize, width: usize, theme: Theme) -> Cell {
    let labels = app.labels();
    let seconds = seconds(moves);
    let short = |amount: u64, width: usize| {
        let figure = rate(app.units(), amount, seconds);
        if width < Figure::RATE_WIDTH { figure.without_unit() } else { figure.to_string() }
    };
    match column {
        named::NAME => match row.key {
            Key::Conversation { inside, .. } => Cell::host(labels.host(inside)),
            Key::Host(_) | Key::Source(_) | Key::Destination(_) => Cell::host(labels.key(row.key, &app.feed().health)),
            key => Cell::new(labels.key(key, &app.feed().health)),
        },
        named::OUTSIDE => match row.key {
            Key::Conversation { outside, .. } => Cell::host(labels.host(outside)),
            _ => Cell::default(),
        },
        named::SERVICE => match row.key {
            Key::Conversation { protocol, port, .. } => Cell::new(labels.service(protocol, port)),
            _ => Cell::default(),
        },
        change::MARK => Cell::new(mark(row)).styled(theme.notice()),
        change::BEFORE => Cell::new(short(row.before, width)),
        change::NOW => Cell::new(short(row.now, width)),
        change::DIFFERENCE => {
            let style = if row.now < row.before { theme.outbound() } else { theme.traffic() };
            Cell::new(signed(row.difference(), |amount| short(amount, width.saturating_sub(1)))).styled(style)
        }
        change::SHARE => Cell::new(share(row, moves)),
        _ => Cell::default(),
    }
}

/// Nothing can be called new of which something may be missing.
const fn mark(row: &Move) -> &'static str {
    match (row.before, row.now, row.missing) {
        (0, _, 0) => "new",
        (_, 0, 0) => "gone",
        _ => "",
    }
}

/// The part in the difference of everything; below nothing for what went the other way.
fn share(row: &Move, moves: &Moves) -> String {
    let all = i128::from(moves.total_now) - i128::from(moves.total_before);
    match row.difference().saturating_mul(100).checked_div(all) {
        Some(share @ -999..=999) => format!("{share} %"),
        // Where nearly nothing moved on the whole, parts of it say nothing.
        _ => "-".to_owned(),
    }
}

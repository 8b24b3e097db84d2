//! Which protocols the traffic is made of: a panel with bars, or one line.
//!
//! Shares are of what rates are measured in, bytes or packets, over the span.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::names;
use crate::tui::app::App;
use crate::tui::units::{self, Figure};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel};
use crate::window::{Key, Row};

/// Columns of name and percentage, with the spaces around them.
const TEXT: usize = 1 + 10 + 1 + 7 + 2;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    if area.height == 1 {
        return one_line(buf, area, app, theme);
    }
    let snapshot = app.protocols();
    let inner = panel(buf, area, Frame::Boxed, "Protocols", "", theme);
    let width = usize::from(inner.width);
    let shows_rate = TEXT + 12 + Figure::RATE_WIDTH + 2 <= width;
    let bar = width.saturating_sub(TEXT + 1 + if shows_rate { Figure::RATE_WIDTH + 1 } else { 0 });
    let whole = app.units().measure(snapshot.everything());
    for (y, share) in snapshot.rows.iter().take(usize::from(inner.height)).enumerate() {
        let part = app.units().measure(share.ways.sum());
        let name = text::cut(&label(share), 10, theme);
        text::put(buf, inner, 1, y, &name, theme.plain(), theme);
        text::put(buf, inner, 12, y, &format!("{:>7}", units::percent(part, whole, 1)), theme.plain(), theme);
        text::put(buf, inner, TEXT, y, &filled(part, whole, bar, theme), theme.traffic(), theme);
        if shows_rate {
            let rate = format!("{:>9}", app.units().rate(share.ways.sum(), snapshot.seconds));
            text::put(buf, inner, width - 1 - Figure::RATE_WIDTH, y, &rate, theme.plain(), theme);
        }
    }
}

fn one_line(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let snapshot = app.protocols();
    let whole = app.units().measure(snapshot.everything());
    let mut parts = vec![Part::new("protocols", theme.dim(), 1)];
    for (rank, share) in (2..).zip(snapshot.rows.iter().take(8)) {
        let percent = units::percent(app.units().measure(share.ways.sum()), whole, 1);
        parts.push(Part::new(format!("{} {percent}", label(share)), theme.plain(), rank));
    }
    text::line(buf, text::inset(area), parts, Vec::new(), 3, theme);
}

fn label(share: &Row) -> String {
    match share.key {
        Key::Protocol(number) => names::protocol_label(number).into_owned(),
        _ => "other".to_owned(),
    }
}

fn filled(part: u64, whole: u64, width: usize, theme: Theme) -> String {
    let lengths = theme.lengths();
    let steps = u128::try_from(width * lengths.len()).unwrap_or(0);
    let filled = (u128::from(part) * steps).checked_div(u128::from(whole)).unwrap_or(0).min(steps);
    let filled = usize::try_from(filled).unwrap_or(0).max(usize::from(part != 0));
    let mut bar = lengths.last().copied().unwrap_or("").repeat(filled / lengths.len());
    if let Some(rest) = (filled % lengths.len()).checked_sub(1).and_then(|rest| lengths.get(rest)) {
        bar.push_str(rest);
    }
    bar
}

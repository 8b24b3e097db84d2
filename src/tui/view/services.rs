//! Which services the traffic is made of: one line with shares and bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::units;
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel};

/// Columns of the bar of everything.
const BAR: usize = 40;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let is_boxed = 3 <= area.height;
    let inner = if is_boxed { panel(buf, area, Frame::Boxed, "Services", "", theme) } else { area };
    let Some(snapshot) = app.services() else { return };
    let whole = app.units().measure(snapshot.everything());
    let mut parts = Vec::new();
    let mut shown = 0_u64;
    for (rank, row) in (1..).zip(snapshot.rows.iter().take(8)) {
        let part = app.units().measure(row.ways.sum());
        if part == 0 || !is_boxed && part.saturating_mul(100) < whole {
            break;
        }
        shown = shown.saturating_add(part);
        let name = app.labels().key(row.key, &app.feed().health);
        let mut text = format!("{name} {}", units::percent(part, whole, if is_boxed { 1 } else { 0 }));
        if is_boxed {
            text.push(' ');
            text.push_str(&filled(part, whole, BAR, theme));
        }
        parts.push(Part::new(text, theme.plain(), rank));
    }
    let other = whole.saturating_sub(shown);
    if other != 0 && 8 <= snapshot.rows.len() {
        parts.push(Part::new(format!("other {}", units::percent(other, whole, 1)), theme.dim(), 0));
    }
    text::line(buf, text::inset(inner), parts, Vec::new(), if is_boxed { 3 } else { 2 }, theme);
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

//! The picture of an [`App`]: it draws and changes nothing.
//!
//! ```text
//!  flowglass  LIVE  0.0.0.0:2055  exporters 3 (192.168.1.1 +2)       412 Mb/s  1.20 k flows/s  lost 0  03:12:40   header
//! ╭ Traffic, last 1 min ──────────────── now 412 Mb/s  peak 498 Mb/s ╮╭ Protocols ────────────────────────────╮
//! │ 500 Mb/s  ▁▂▃▄▅▆▇█                                               ││ tcp  96.4 %  █████████▋      398 Mb/s │   graph, protocols
//! ╰──────────────────────────────────────────────────────────────────╯╰───────────────────────────────────────╯
//! ╭ Conversations by bytes, last 1 min ───────────────────────────────────────────────────── 500 of 1 278 ╮
//! │ source             destination            service       rate      last 10 s     total  packets  flows  │           conversations
//! ╰────────────────────────────────────────────────────────────────────────────────────────────────────────╯
//!  decoded 100.00 %  waiting 0  lost 0  stored 301 k rows, flushed 3 s ago  buffer 812                                 account
//!  space freeze  s sort  w span  u units                                                         ? help  q quit        keys
//! ```
//!
//! A smaller screen loses the boxes, then the graph's height, the protocols and the key line; the header, the account and
//! the rows stay. Sizes depend on the terminal alone and never on the figures, so nothing jumps.

mod card;
mod conversations;
mod copy;
#[cfg_attr(not(test), expect(dead_code, reason = "for views that lead into each other"))]
mod crumbs;
mod empty;
mod filter_line;
#[cfg_attr(not(test), expect(dead_code, reason = "for figures that have two directions"))]
mod flow_graph;
mod footer;
mod graph;
mod header;
mod help;
mod protocols;
#[cfg_attr(not(test), expect(dead_code, reason = "for the views that come beside the conversations"))]
mod table;
mod text;
mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Widget};
use unicode_width::UnicodeWidthStr;

use crate::tui::app::{App, Event, Screen, Stage};
use crate::tui::view::text::Part;
pub use crate::tui::view::theme::{Depth, Scheme, Theme};

/// Draws everything.
pub fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let places = Places::new(area, app);
    header::render(buf, places.header, app, theme);
    if let Some(notice) = app.notice() {
        let part = Part::new(notice, theme.notice(), 0);
        text::line(buf, text::inset(places.notice), vec![part], Vec::new(), 0, theme);
    }
    match (app.screen(), app.stage()) {
        (Screen::Help, _) => help::render(buf, places.body, app, theme),
        (_, Stage::Silent | Stage::NoFlows) => empty::render(buf, places.body, app, theme),
        (_, Stage::Flows) => {
            graph::render(buf, places.graph, places.frame, app, theme);
            protocols::render(buf, places.protocols, app, theme);
            conversations::render(buf, places.conversations, places.frame, app, theme);
        }
    }
    match app.screen() {
        Screen::Filter => filter_line::render(buf, places.edit, app, theme),
        Screen::Copy => copy::render(buf, places.body, app, theme),
        Screen::Main | Screen::Help => {}
    }
    footer::account(buf, places.account, app, theme);
    footer::keys(buf, places.keys, app, theme);
}

/// What the state has to know of the picture, so that a page is a page.
pub fn room(area: Rect, app: &App) -> Event {
    let places = Places::new(area, app);
    Event::Room {
        rows: conversations::room(places.conversations, places.frame, app),
        help_hidden: help::hidden(places.body, app),
    }
}

/// The letters of a picture, line by line, without what is blank at the ends.
pub fn text(buf: &Buffer) -> String {
    let mut lines: Vec<String> = Vec::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut line = String::new();
        let mut skipped = 0;
        for x in buf.area.left()..buf.area.right() {
            let symbol = buf.cell((x, y)).map_or(" ", ratatui::buffer::Cell::symbol);
            // What is two columns wide stands in the first of them.
            if skipped == 0 {
                line.push_str(symbol);
                skipped = symbol.width().saturating_sub(1);
            } else {
                skipped -= 1;
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.truncate(last);
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// What is around the panels.
#[derive(Debug, Clone, Copy, Default)]
enum Frame {
    Boxed,
    /// A line with the title above.
    Ruled,
    #[default]
    Bare,
}

/// Where everything stands. A place without room is empty.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    frame: Frame,
    header: Rect,
    notice: Rect,
    /// Where the filter is edited.
    edit: Rect,
    /// All between header and account.
    body: Rect,
    graph: Rect,
    protocols: Rect,
    conversations: Rect,
    account: Rect,
    keys: Rect,
}

impl Places {
    fn new(area: Rect, app: &App) -> Self {
        let mut rest = area;
        let mut places = Self { header: take_top(&mut rest, 1), ..Self::default() };
        if 7 <= area.height {
            places.keys = take_bottom(&mut rest, 1);
        }
        places.account = take_bottom(&mut rest, 1);
        if app.notice().is_some() {
            // On a small screen it takes the place of the keys, which are known by then.
            places.notice = if area.height < 16 { std::mem::take(&mut places.keys) } else { take_top(&mut rest, 1) };
        }
        if app.screen() == Screen::Filter {
            // Rather the line alone than no line.
            let height = if area.height < 10 { 1 } else { 3 };
            places.edit = take_bottom(&mut rest, height);
            if places.edit.is_empty() {
                places.edit = std::mem::take(&mut places.account);
            }
            if places.edit.is_empty() {
                places.edit = std::mem::take(&mut places.header);
            }
        }
        places.body = rest;
        places.frame = match (area.width, area.height) {
            (100.., 30..) => Frame::Boxed,
            (_, 16..) => Frame::Ruled,
            _ => Frame::Bare,
        };
        if matches!(places.frame, Frame::Boxed) {
            let mut top = take_top(&mut rest, 10);
            places.graph = take_left(&mut top, graph::boxed_width(area.width));
            places.protocols = top;
        } else {
            places.graph = take_top(
                &mut rest,
                match area.height {
                    ..9 => 0,
                    9..20 => 1,
                    20..28 => 4,
                    _ => 6,
                },
            );
            places.protocols = take_bottom(&mut rest, u16::from(20 <= area.height));
        }
        places.conversations = rest;
        places
    }
}

fn take_top(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let taken = Rect { height, ..*rest };
    *rest = Rect { y: rest.y + height, height: rest.height - height, ..*rest };
    taken
}

fn take_bottom(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    rest.height -= height;
    Rect { y: rest.y + rest.height, height, ..*rest }
}

fn take_left(rest: &mut Rect, width: u16) -> Rect {
    let width = width.min(rest.width);
    let taken = Rect { width, ..*rest };
    *rest = Rect { x: rest.x + width, width: rest.width - width, ..*rest };
    taken
}

/// Draws the frame of a panel with a title at the left and one at the right, and gives back what is inside.
fn panel(buf: &mut Buffer, area: Rect, frame: Frame, title: &str, aside: &str, theme: Theme) -> Rect {
    if area.is_empty() {
        return area;
    }
    let inner = match frame {
        Frame::Boxed => {
            let block = Block::bordered().border_set(theme.border()).border_style(theme.dim());
            let inner = block.inner(area);
            block.render(area, buf);
            inner
        }
        Frame::Ruled => {
            let rule = theme.rule().repeat(usize::from(area.width));
            text::put(buf, area, 0, 0, &rule, theme.dim(), theme);
            Rect { y: area.y + 1, height: area.height - 1, ..area }
        }
        Frame::Bare => return area,
    };
    let heading = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(4), height: 1, ..area };
    let mut right = Vec::new();
    if !aside.is_empty() {
        right.push(Part::new(format!(" {aside} "), theme.plain(), 1));
    }
    text::line(buf, heading, vec![Part::new(format!(" {title} "), theme.strong(), 0)], right, 1, theme);
    inner
}

#[cfg(test)]
mod tests;

//! The picture of an [`App`]: it draws and changes nothing.
//!
//! ```text
//!  flowglass  LIVE  0.0.0.0:2055  exporters 192.168.1.1 +2     ↓ 412 Mb/s  ↑ 38.1 Mb/s  1.20 k flows/s  lost 0  03:12:40   header
//!  1 Overview  2 Conversations  3 Hosts  4 Services  5 Exporters  6 Flows                     12 MB once: by two exporters   tabs
//! ╭ Traffic, last 05:00 ─────────────────────────────────────────────────────────────────────────── settled to -62 s ╮
//! │ 500 Mb/s  ▁▂▃▄▅▆▇█                                                                                ↓     412 Mb/s │   graph
//! ╰──────────────────────────────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ Conversations by rate, last 1 min ──────────────────────────────────────────────────────────────── 1-20 of 1 278 ╮
//! │ inside             outside                service           down         up    total  trend   since              │   rows
//! ╰──────────────────────────────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ Services ────────────────────────────────────────────────────────────────────────────────────────────────────────╮
//! │ https 96.4 % ██████████████████████████████   quic 2.0 % █                                                       │   services
//! ╰──────────────────────────────────────────────────────────────────────────────────────────────────────────────────╯
//!  decoded 100.00 %  waiting 0  lost 0  stored 301 k rows, flushed 3 s ago  buffer 812                                     account
//!  / filter  enter open  f only  e explain  space freeze  s sort  w span  u units  y copy                 ? help  q quit   keys
//! ```
//!
//! A smaller screen loses the boxes, then the graph's height, the services, the tabs and the key line; the header, the
//! account and the rows stay. Sizes depend on the terminal alone and never on the figures, so nothing jumps.

mod ask_line;
mod card;
mod cards;
mod changes;
mod columns;
mod copy;
mod crumbs;
mod empty;
mod filter_line;
mod flow_graph;
mod flows;
mod footer;
mod graph;
mod header;
mod health;
mod help;
mod presets;
mod ranking;
mod services;
mod svg;
mod table;
mod tabs;
mod text;
mod theme;
mod timeline;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Widget};
use unicode_width::UnicodeWidthStr;

use crate::tui::app::columns::Kind;
use crate::tui::app::{App, Event, Room, Screen, Stage, Tab};
pub use crate::tui::view::svg::svg;
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
        (_, Stage::Flows) => rows(buf, &places, app, theme),
    }
    match app.screen() {
        Screen::Filter => filter_line::render(buf, places.edit, app, theme),
        Screen::Copy => copy::render(buf, places.body, app, theme),
        Screen::Columns => columns::render(buf, places.body, app, theme),
        Screen::Card => cards::render(buf, places.body, app, theme),
        Screen::Presets => presets::render(buf, places.body, app, theme),
        Screen::Ask => ask_line::render(buf, places.edit, app, theme),
        Screen::Main | Screen::Help => {}
    }
    footer::account(buf, places.account, app, theme);
    footer::keys(buf, places.keys, app, theme);
}

/// The view itself.
fn rows(buf: &mut Buffer, places: &Places, app: &App, theme: Theme) {
    tabs::render(buf, places.tabs, app, theme);
    timeline::render(buf, places.timeline, app, theme);
    graph::render(buf, places.graph, places.frame, app, theme);
    services::render(buf, places.services, app, theme);
    match app.kind() {
        Kind::Flows => flows::render(buf, places.rows, places.frame, app, theme),
        Kind::Exporters => health::render(buf, places.rows, places.frame, app, theme),
        Kind::Changes(_) => changes::render(buf, places.rows, places.frame, app, theme),
        Kind::Ranking(_) => ranking::render(buf, places.rows, places.frame, app, theme),
    }
}

/// What the state has to know of the picture, so that a page is a page.
pub fn room(area: Rect, app: &App) -> Event {
    let places = Places::new(area, app);
    let (height, width) = (inside(places.rows, places.frame), inner_width(places.rows, places.frame));
    let rows = match app.kind() {
        Kind::Flows => table::room(height, app.flows().len()),
        Kind::Exporters => health::room(height, app),
        Kind::Changes(_) => changes::room(height, app),
        Kind::Ranking(_) => table::room(height, app.snapshot().row_count.max(app.table().len())),
    };
    let (_, layout) = ranking::layout(app, width);
    let hidden = match app.screen() {
        Screen::Help => help::hidden(places.body, app),
        Screen::Card => cards::hidden(places.body, app),
        _ => 0,
    };
    Event::Room(Room { rows, columns: layout.list.iter().map(|&(column, ..)| column).collect(), hidden })
}

/// Lines inside a frame.
const fn inside(area: Rect, frame: Frame) -> usize {
    let around = match frame {
        Frame::Boxed => 2,
        Frame::Ruled => 1,
        Frame::Bare => 0,
    };
    (area.height as usize).saturating_sub(around)
}

const fn inner_width(area: Rect, frame: Frame) -> usize {
    match frame {
        Frame::Boxed => (area.width as usize).saturating_sub(2),
        Frame::Ruled | Frame::Bare => area.width as usize,
    }
}

/// The steps that led here, as words.
fn way(app: &App) -> Vec<String> {
    let here = app.place();
    let mut last = match (here.tab, here.dimension) {
        (Tab::Flows, _) => "flows",
        (Tab::Exporters, crate::window::Dimension::Exporter) => "exporters and their health",
        (_, dimension) => dimension.label(),
    }
    .to_owned();
    let steps = app.way().steps();
    if steps.is_empty() {
        // A title begins with a capital.
        last = last.chars().take(1).flat_map(char::to_uppercase).chain(last.chars().skip(1)).collect();
        return vec![last];
    }
    let mut words = Vec::new();
    for step in steps {
        words.push(app.labels().key(step.key, &app.feed().health));
    }
    words.push(last);
    words
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
    tabs: Rect,
    /// The strip of a day, while time stands still.
    timeline: Rect,
    graph: Rect,
    services: Rect,
    rows: Rect,
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
        if matches!(app.screen(), Screen::Filter | Screen::Ask) {
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
        if 18 <= area.height {
            places.tabs = take_top(&mut rest, 1);
        }
        if app.day().is_some() {
            places.timeline = take_top(
                &mut rest,
                match area.height {
                    ..10 => 0,
                    10..18 => 1,
                    _ => 2,
                },
            );
        }
        let is_overview = app.place().tab == Tab::Overview;
        let is_boxed = matches!(places.frame, Frame::Boxed);
        places.graph = take_top(
            &mut rest,
            match (is_overview, area.height) {
                (_, ..9) => 0,
                (true, ..18) => 1,
                (true, ..34) => 4 + 2 * u16::from(is_boxed),
                (true, _) => 9,
                (false, ..34) => 0,
                (false, _) => 5,
            },
        );
        if is_overview && 20 <= area.height {
            places.services = take_bottom(&mut rest, if is_boxed { 3 } else { 1 });
        }
        places.rows = rest;
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

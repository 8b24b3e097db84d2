//! The newest flows as they come, one record a row.

use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::flow::FlowRecord;
use crate::tui::app::App;
use crate::tui::app::columns::flow;
use crate::tui::units::{self, Figure};
use crate::tui::view::table::{self, Cell, Marks};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, crumbs, panel, ranking, text};

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let flows = app.flows();
    let aside = match flows.len() {
        0 => String::new(),
        length => format!("the newest {}", units::exact(length as u64)),
    };
    let mut by = format!(" by {}", app.flow_sort().label());
    if !app.filter().text().is_empty() {
        by.push_str(&format!(", of {}", app.labels().text(app.filter().text())));
    }
    let room = usize::from(area.width).saturating_sub(aside.width() + by.width() + 10).max(12);
    let title = format!("{}{by}", crumbs::title(&super::way(app), room, theme));
    let inner = panel(buf, area, frame, &title, &aside, theme);
    let (columns, layout) = ranking::layout(app, usize::from(inner.width));
    if flows.is_empty() {
        let line = Rect { y: inner.y + 1.min(inner.height), height: inner.height.saturating_sub(1), ..inner };
        text::put(buf, line, 1, 0, "no flow that matches has come lately", theme.dim(), theme);
    }
    let marks = Marks {
        sorted: None,
        column: app.cell(),
        selected: app.selected_flow().and_then(|flow| flows.iter().position(|other| *other == flow)),
    };
    table::render(
        buf,
        inner,
        (&columns, &layout),
        (app.offset(), flows.len(), flows.len()),
        marks,
        |row, column, width| flows.get(row).map_or_else(Cell::default, |flow| cell(app, flow, column, width)),
        |column, _, beyond| match column {
            flow::SRC => Cell::new(format!("{} {} more", theme.ellipsis(), units::exact(beyond as u64))),
            _ => Cell::default(),
        },
        theme,
    );
}

fn cell(app: &App, flow: &FlowRecord, column: usize, width: usize) -> Cell {
    let (labels, key) = (app.labels(), flow.key);
    let end = |address: IpAddr, port: u16| {
        let host = labels.host(address);
        // The port is nothing without its host, and a host something without its port.
        let whole = if port == 0 { host.clone() } else { format!("{host} {port}") };
        Cell::host(if whole.width() <= width { whole } else { host })
    };
    match column {
        flow::TIME => Cell::new(units::clock(flow.last, app.feed().utc_offset_s)),
        flow::SRC => end(key.src_ip, key.src_port),
        flow::DST => end(key.dst_ip, key.dst_port),
        flow::PROTOCOL => Cell::new(service(app, flow)),
        flow::BYTES => Cell::new(Figure::bytes(counted(app, flow, flow.counts.bytes)).to_string()),
        flow::PACKETS => Cell::new(Figure::count(counted(app, flow, flow.counts.packets)).to_string()),
        flow::DURATION => Cell::new(lasted(flow)),
        flow::FLAGS => Cell::new(if key.protocol == 6 { flags(flow.tcp_flags) } else { String::new() }),
        flow::INTERFACES => Cell::new(format!("{} > {}", flow.in_if, flow.out_if)),
        flow::EXPORTER => Cell::host(labels.host(flow.exporter)),
        _ => Cell::default(),
    }
}

/// Of two ports the lower one names the service.
pub(super) fn service(app: &App, flow: &FlowRecord) -> String {
    let key = crate::window::ConversationKey::of(flow);
    app.labels().service(key.protocol, key.port).into_owned()
}

/// As reported, or as sampling makes of it.
pub(super) fn counted(app: &App, flow: &FlowRecord, count: u64) -> u64 {
    if app.counting().estimated { count.saturating_mul(u64::from(flow.sampling.rate.max(1))) } else { count }
}

pub(super) fn lasted(flow: &FlowRecord) -> String {
    let ms = flow.last.since(flow.first);
    match ms {
        0 => "-".to_owned(),
        1..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => units::duration(ms),
    }
}

/// As nfdump shows them: a letter or a point for each.
pub(super) fn flags(bits: u16) -> String {
    const LETTERS: [(u16, char); 6] = [(0x20, 'U'), (0x10, 'A'), (0x08, 'P'), (0x04, 'R'), (0x02, 'S'), (0x01, 'F')];
    LETTERS.iter().map(|&(bit, letter)| if bits & bit == 0 { '.' } else { letter }).collect()
}

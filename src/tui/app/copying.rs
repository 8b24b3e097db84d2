//! What is selected, for other programs.

use std::net::IpAddr;

use super::{App, Card, Kind, Request, Screen};
use crate::flow::FlowRecord;
use crate::tui::copy::{self, Between, Figures, Selection};
use crate::tui::keys::Form;
use crate::window::{Key, Row};

/// What was copied, or why it could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub form: Form,
    pub text: Result<String, &'static str>,
}

impl App {
    /// What the selected row stands for.
    pub fn selection(&self) -> Option<Selection> {
        match (self.card, self.kind()) {
            (Some(Card::Host(address)), _) => Some(Selection::Host(address)),
            (Some(Card::Flow(flow)), _) => Some(Selection::Flow(flow.key)),
            (_, Kind::Flows) => Some(Selection::Flow(self.selected_flow()?.key)),
            _ => Selection::of(self.selected()?),
        }
    }

    pub(super) fn copy(&mut self, form: Form) -> Option<Request> {
        let snapshot = self.snapshot();
        let between = Between { from: snapshot.from, to: snapshot.at, utc_offset_s: self.feed.utc_offset_s };
        let figures = self.figures();
        let text = match (self.selection(), form) {
            (Some(selection), form) => copy::translate(selection, between, &figures, form),
            (None, Form::Csv | Form::Markdown) => Ok(copy::plain(&figures, between, form)),
            (None, _) => Err("no filter tells such rows apart; the figures can be copied"),
        };
        self.copied = Some(Copied { form, text: text.clone() });
        self.screen = Screen::Copy;
        Some(text.map_or(Request::Redraw, Request::Copy))
    }

    /// The selected row as exact figures.
    fn figures(&self) -> Figures {
        match self.kind() {
            Kind::Flows => flow_figures(self.selected_flow().as_ref()),
            _ => self.row_figures(),
        }
    }

    fn row_figures(&self) -> Figures {
        let names = &self.labels.names;
        let name = |at: IpAddr| names.host(at).map_or_else(|| at.to_string(), |name| name.to_string());
        let is_conversation = matches!(self.selected(), Some(Key::Conversation { .. }));
        let row = |row: &Row| {
            let tally = row.ways.sum();
            let mut cells = Vec::new();
            let mut ends = Vec::new();
            match row.key {
                Key::Conversation { inside, outside, protocol, port } => {
                    ends = vec![inside, outside];
                    cells.extend(ends.iter().map(IpAddr::to_string));
                    cells.extend(ends.iter().map(|end| name(*end)));
                    cells.push(self.labels.service(protocol, port).into_owned());
                }
                key => cells.push(self.labels.key(key, &self.feed.health)),
            }
            cells.extend([tally.counts.bytes, tally.counts.packets, tally.flows].map(|count| count.to_string()));
            let (down, up) = (row.ways.down.counts.bytes, row.ways.up.counts.bytes);
            cells.extend([down, up, row.total.sum().counts.bytes].map(|count| count.to_string()));
            cells.push(row.first.saturating_mul(1000).to_string());
            if names.has_places() && is_conversation {
                let places: Vec<_> = ends.iter().map(|at| names.place(*at)).collect();
                cells.extend(places.iter().map(|place| place.asn.map(|asn| asn.to_string()).unwrap_or_default()));
                cells.extend(places.iter().map(|place| place.country.as_deref().unwrap_or_default().to_owned()));
            }
            cells
        };
        let mut headings = if is_conversation {
            vec!["inside_ip", "outside_ip", "inside", "outside", "service"]
        } else {
            vec!["name"]
        };
        headings.extend(["bytes", "packets", "flows", "down_bytes", "up_bytes", "total_bytes", "first_ms"]);
        if names.has_places() && is_conversation {
            headings.extend(["inside_as", "outside_as", "inside_country", "outside_country"]);
        }
        Figures { headings, rows: self.selected_row().map(row).into_iter().collect() }
    }
}

/// In the words of the database.
fn flow_figures(flow: Option<&FlowRecord>) -> Figures {
    let headings = vec![
        "received_ms",
        "first_ms",
        "last_ms",
        "exporter",
        "domain",
        "src_ip",
        "dst_ip",
        "src_port",
        "dst_port",
        "protocol",
        "tcp_flags",
        "bytes",
        "packets",
        "in_if",
        "out_if",
    ];
    let row = |flow: &FlowRecord| {
        let key = flow.key;
        let mut cells = vec![flow.received.0.to_string(), flow.first.0.to_string(), flow.last.0.to_string()];
        cells.extend([
            flow.exporter.to_string(),
            flow.domain.to_string(),
            key.src_ip.to_string(),
            key.dst_ip.to_string(),
        ]);
        cells.extend([key.src_port.to_string(), key.dst_port.to_string(), key.protocol.to_string()]);
        cells.extend([flow.tcp_flags.to_string(), flow.counts.bytes.to_string(), flow.counts.packets.to_string()]);
        cells.extend([flow.in_if.to_string(), flow.out_if.to_string()]);
        cells
    };
    Figures { headings, rows: flow.map(row).into_iter().collect() }
}

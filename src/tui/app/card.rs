//! What explains one thing, and what the window is asked for it.

use std::net::IpAddr;

use crate::filter::{self, Filter};
use crate::flow::{FlowRecord, ObservationDomainId};
use crate::names;
use crate::tui::app::About;
use crate::tui::copy::Selection;
use crate::window::{Dimension, Key, Sort, View};

/// What is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    Host(IpAddr),
    Flow(FlowRecord),
    Exporter(IpAddr, ObservationDomainId),
    /// Whatever else has figures.
    Row(Key),
}

/// Conversations from which the part of a host is guessed.
const LOOKED_AT: usize = 200;

impl Card {
    /// What explains a row, where the cursor stands in its second name when `second` is so.
    pub(super) const fn of(key: Key, second: bool) -> Self {
        match key {
            Key::Conversation { outside, .. } if second => Self::Host(outside),
            Key::Conversation { inside, .. } => Self::Host(inside),
            Key::Host(address) | Key::Source(address) | Key::Destination(address) => Self::Host(address),
            Key::Exporter { address, domain } => Self::Exporter(address, domain),
            other => Self::Row(other),
        }
    }

    /// Of what it wants more than views have.
    pub(super) const fn about(self) -> Option<About> {
        match self {
            Self::Host(address) => Some(About::Host(address)),
            Self::Flow(flow) => Some(About::Flow(flow)),
            Self::Exporter(..) | Self::Row(_) => None,
        }
    }

    /// What it wants to see besides what is there: of a host itself with its peers, its services, who saw it, and its
    /// conversations; of an exporter itself and its interfaces.
    pub fn views(&self, base: &View) -> Vec<View> {
        let of = |selection: Selection, dimension, rows, keep: Vec<Key>| View {
            dimension,
            filter: only(selection),
            countries: Vec::new(),
            sort: Sort::Rate,
            rows,
            keep,
            ..base.clone()
        };
        match *self {
            Self::Host(address) => {
                let of = |dimension, rows, keep| of(Selection::Host(address), dimension, rows, keep);
                vec![
                    of(Dimension::Host, 12, vec![Key::Host(address)]),
                    of(Dimension::Service, 6, Vec::new()),
                    of(Dimension::Exporter, 4, Vec::new()),
                    of(Dimension::Conversation, LOOKED_AT, Vec::new()),
                ]
            }
            Self::Exporter(address, domain) => {
                let selection = Selection::Exporter { address, domain: Some(domain) };
                vec![of(selection, Dimension::Interface, 12, Vec::new())]
            }
            Self::Flow(_) | Self::Row(_) => Vec::new(),
        }
    }
}

fn only(selection: Selection) -> Filter {
    let text = selection.filter().unwrap_or_default();
    filter::parse(&text, &names::meanings).unwrap_or_else(|_| Filter::all())
}

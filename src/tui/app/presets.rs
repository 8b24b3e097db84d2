//! Named questions, one key away: each is a view, an order and a filter.

use super::{App, Place, Screen, Tab};
use crate::store::ask::By;
use crate::store::ask::presets::{Kind, Preset};
use crate::store::top::Order;
use crate::window::{Dimension, Sort};

impl App {
    /// The questions that can be asked, the operator's own last.
    pub fn presets(&self) -> Vec<&Preset> {
        self.presets.iter().collect()
    }

    pub(super) fn open_presets(&mut self) {
        self.offset = 0;
        self.screen = Screen::Presets;
    }

    /// Asks the chosen one.
    pub(super) fn choose_preset(&mut self) {
        let Some(preset) = self.presets.iter().nth(self.offset).cloned() else { return };
        let (place, sort, badge) = shown(&preset);
        let text = match (&*preset.filter, badge) {
            ("any", "") => String::new(),
            ("any", badge) => badge.to_owned(),
            (filter, "") => filter.to_owned(),
            (filter, badge) => format!("({filter}) and {badge}"),
        };
        match self.filter.set(&text, &self.labels.names) {
            Ok(_) => self.said = Some(format!("{}; `/` shows the filter", preset.help)),
            Err(error) => self.said = Some(error.to_string()),
        }
        self.sort = sort;
        self.way.restart(place);
        self.leave();
    }
}

/// Where on screen a question is answered: the view, the order, and a condition on rows.
fn shown(preset: &Preset) -> (Place, Sort, &'static str) {
    let (by, order, badge) = match preset.kind {
        Kind::Top(by, order) => (by, order, ""),
        Kind::New(by, order) => (by, order, "new"),
        Kind::FanOut => (By::Source, Order::Flows, ""),
    };
    let (tab, dimension) = match by {
        By::Host => (Tab::Hosts, Dimension::Host),
        By::Source => (Tab::Conversations, Dimension::Source),
        By::Destination => (Tab::Conversations, Dimension::Destination),
        By::Service => (Tab::Services, Dimension::Service),
        By::Protocol => (Tab::Services, Dimension::Protocol),
        By::Exporter => (Tab::Exporters, Dimension::Exporter),
        By::Interface => (Tab::Exporters, Dimension::Interface),
        By::Vlan => (Tab::Exporters, Dimension::Vlan),
        By::As => (Tab::Hosts, Dimension::As),
        By::Dscp => (Tab::Services, Dimension::Dscp),
        By::Application => (Tab::Services, Dimension::Application),
        By::Conversation | By::Pair | By::Path => (Tab::Conversations, Dimension::Conversation),
    };
    let sort = match order {
        Order::Bytes => Sort::Rate,
        Order::Packets => Sort::Packets,
        Order::Flows => Sort::Flows,
    };
    (Place { tab, dimension }, sort, badge)
}

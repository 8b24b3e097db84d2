//! What rows stand for: the dimensions that a window can be ranked by, and the keys of their rows.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::filter::Prefixes;
use crate::flow::{FlowRecord, ObservationDomainId};
use crate::window::lanes::{LaneKey, Sense, Way};
use crate::window::local;

/// Who sends to whom over which service, in one direction. Ephemeral ports are folded: of two ports the lower one is the
/// service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey {
    pub src_ip: IpAddr,
    pub dst_ip: IpAddr,
    pub protocol: u8,
    /// 0 for protocols without ports.
    pub port: u16,
}

impl ConversationKey {
    pub fn of(flow: &FlowRecord) -> Self {
        let key = &flow.key;
        Self { src_ip: key.src_ip, dst_ip: key.dst_ip, protocol: key.protocol, port: key.service_port() }
    }
}

/// Where addresses are: which networks are inside, and which country an address is in, as far as somebody knows. That is
/// asked once per lane, when countries are looked at.
#[derive(Clone)]
pub struct Atlas {
    local: Prefixes,
    countries: Option<Arc<Lookup>>,
}

/// Two letters (ISO 3166-1); `None` where nobody knows.
pub type Country = Option<[u8; 2]>;

type Lookup = dyn Fn(IpAddr) -> Country + Send + Sync;

impl Atlas {
    pub fn new(lookup: impl Fn(IpAddr) -> Country + Send + Sync + 'static) -> Self {
        Self { countries: Some(Arc::new(lookup)), ..Self::default() }
    }

    /// Takes other networks for inside.
    #[must_use]
    pub fn with_local(self, local: Prefixes) -> Self {
        Self { local, ..self }
    }

    /// Whether an address is inside. Prefixes are tried in order, where they are few.
    pub fn is_inside(&self, address: IpAddr) -> bool {
        match self.local.as_slice() {
            few if few.len() <= 16 => few.iter().any(|prefix| prefix.contains(address)),
            _ => self.local.contains(address),
        }
    }

    fn country(&self, address: IpAddr) -> Country {
        self.countries.as_ref().and_then(|lookup| lookup(address))
    }

    /// Whether one of two ends is in each of these countries.
    pub fn touches(&self, ends: [IpAddr; 2], countries: &[Country]) -> bool {
        countries.iter().all(|country| ends.iter().any(|end| self.country(*end) == *country))
    }
}

impl fmt::Debug for Atlas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Atlas").field("local", &self.local).field("countries", &self.countries.is_some()).finish()
    }
}

impl Default for Atlas {
    fn default() -> Self {
        Self { local: local(), countries: None }
    }
}

/// By what rows are told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Two hosts and a service, both directions in one row.
    #[default]
    Conversation,
    /// What it received is down, what it sent is up.
    Host,
    Source,
    Destination,
    /// Towards the inside is down; where neither or both ends are inside, what the service answers.
    Service,
    Protocol,
    Exporter,
    /// In through it is down, out through it is up.
    Interface,
    /// From it is down, towards it is up.
    As,
    /// Of the ends, by an [`Atlas`]; likewise.
    Country,
    Vlan,
    Dscp,
    Application,
}

impl Dimension {
    pub const ALL: [Self; 13] = [
        Self::Conversation,
        Self::Host,
        Self::Source,
        Self::Destination,
        Self::Service,
        Self::Protocol,
        Self::Exporter,
        Self::Interface,
        Self::As,
        Self::Country,
        Self::Vlan,
        Self::Dscp,
        Self::Application,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Conversation => "conversations",
            Self::Host => "hosts",
            Self::Source => "sources",
            Self::Destination => "destinations",
            Self::Service => "services",
            Self::Protocol => "protocols",
            Self::Exporter => "exporters",
            Self::Interface => "interfaces",
            Self::As => "autonomous systems",
            Self::Country => "countries",
            Self::Vlan => "VLANs",
            Self::Dscp => "DSCP",
            Self::Application => "applications",
        }
    }
}

/// What one row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `inside` is the local end. Where both are or neither is, it is the end that is not the service, and where ports do
    /// not tell, the lower address.
    Conversation {
        inside: IpAddr,
        outside: IpAddr,
        protocol: u8,
        /// The service; 0 for protocols without ports.
        port: u16,
    },
    Host(IpAddr),
    Source(IpAddr),
    Destination(IpAddr),
    Service {
        protocol: u8,
        port: u16,
    },
    Protocol(u8),
    Exporter {
        address: IpAddr,
        domain: ObservationDomainId,
    },
    Interface {
        address: IpAddr,
        domain: ObservationDomainId,
        interface: u32,
    },
    /// 0 where the exporter does not tell.
    As(u32),
    Country(Country),
    Vlan(u16),
    Dscp(u8),
    Application(u64),
}

/// The rows that a lane adds to: one for which it is down, one for which it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) down: Option<Key>,
    pub(super) up: Option<Key>,
}

impl Rows {
    pub(super) fn of(dimension: Dimension, lane: &LaneKey, way: &Way, sense: Sense, atlas: &Atlas) -> Self {
        let one = |key| Self::toward(key, is_down(lane, sense));
        let exporter = (way.exporter, way.domain);
        let interface = |interface| Some(Key::Interface { address: exporter.0, domain: exporter.1, interface });
        match dimension {
            Dimension::Conversation => {
                let down = is_down(lane, sense);
                let (inside, outside) = if down { (lane.dst, lane.src) } else { (lane.src, lane.dst) };
                one(Key::Conversation { inside, outside, protocol: lane.protocol, port: lane.service() })
            }
            Dimension::Host => Self { down: Some(Key::Host(lane.dst)), up: Some(Key::Host(lane.src)) },
            Dimension::Source => Self { down: None, up: Some(Key::Source(lane.src)) },
            Dimension::Destination => Self { down: Some(Key::Destination(lane.dst)), up: None },
            Dimension::Service => one(Key::Service { protocol: lane.protocol, port: lane.service() }),
            Dimension::Protocol => one(Key::Protocol(lane.protocol)),
            Dimension::Exporter => one(Key::Exporter { address: exporter.0, domain: exporter.1 }),
            Dimension::Interface => Self { down: interface(way.in_if), up: interface(way.out_if) },
            Dimension::As => Self { down: Some(Key::As(way.src_as)), up: Some(Key::As(way.dst_as)) },
            Dimension::Country => {
                let country = |address| Some(Key::Country(atlas.country(address)));
                Self { down: country(lane.src), up: country(lane.dst) }
            }
            Dimension::Vlan => one(Key::Vlan(way.vlan)),
            Dimension::Dscp => one(Key::Dscp(way.tos >> 2)),
            Dimension::Application => one(Key::Application(way.application)),
        }
    }

    const fn toward(key: Key, down: bool) -> Self {
        if down { Self { down: Some(key), up: None } } else { Self { down: None, up: Some(key) } }
    }
}

/// Towards the inside; where that does not tell, what the service answers; else towards the lower address.
fn is_down(lane: &LaneKey, sense: Sense) -> bool {
    match sense {
        Sense::In => true,
        Sense::Out => false,
        Sense::Internal | Sense::Transit if lane.src_port == lane.dst_port => lane.dst < lane.src,
        Sense::Internal | Sense::Transit => lane.is_answer(),
    }
}

//! What things are called on the screen: by name or by number, or behind a mask.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::collector::options::names::NameKind;
use crate::collector::stats::Health;
use crate::flow::ObservationDomainId;
use crate::names::{self, Names};
use crate::tui::privacy::{HIDDEN, Mask};
use crate::window::Key;

/// Names, and which of them are wanted.
#[derive(Debug, Clone)]
pub struct Labels {
    pub names: Arc<Names>,
    /// Hosts by name, where there is one.
    pub hosts: bool,
    /// Services by name, where there is one.
    pub services: bool,
    /// Nothing on screen tells who somebody is.
    pub privacy: bool,
    mask: Mask,
}

impl Default for Labels {
    fn default() -> Self {
        Self { names: Arc::default(), hosts: true, services: true, privacy: false, mask: Mask::default() }
    }
}

impl Labels {
    /// A host's name, its address, or its mask.
    pub fn host(&self, address: IpAddr) -> String {
        if self.privacy {
            return self.mask.host(address);
        }
        let name = if self.hosts { self.names.host(address) } else { None };
        name.map_or_else(|| address.to_string(), |name| name.to_string())
    }

    /// A host by its address, which is what a person types elsewhere, or its mask.
    pub fn address(&self, address: IpAddr) -> String {
        if self.privacy { self.mask.host(address) } else { address.to_string() }
    }

    pub fn socket(&self, address: SocketAddr) -> String {
        if self.privacy { format!("{}:{}", self.mask.host(address.ip()), address.port()) } else { address.to_string() }
    }

    /// A path, an error or anything else that may name somebody.
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        if self.privacy { HIDDEN } else { text }
    }

    /// `https`, `tcp/8443`, or `icmp` where there are no ports.
    pub fn service(&self, protocol: u8, port: u16) -> Cow<'_, str> {
        let name = if self.services { self.names.service(protocol, port) } else { None };
        match (name, port) {
            (Some(name), _) => name.into(),
            (None, 0) => names::protocol_label(protocol),
            (None, port) => format!("{}/{port}", names::protocol_label(protocol)).into(),
        }
    }

    /// What a row stands for, in a word or two.
    pub fn key(&self, key: Key, health: &Health) -> String {
        match key {
            Key::Conversation { inside, outside, .. } => format!("{} - {}", self.host(inside), self.host(outside)),
            Key::Host(address) | Key::Source(address) | Key::Destination(address) => self.host(address),
            Key::Service { protocol, port } => self.service(protocol, port).into_owned(),
            Key::Protocol(number) => names::protocol_label(number).into_owned(),
            Key::Exporter { address, domain } => self.exporter(address, domain),
            Key::Interface { address, domain, interface } => {
                let own = self.own_name((address, domain), NameKind::Interface, interface.into(), health);
                let name = own.unwrap_or_else(|| format!("interface {interface}"));
                format!("{name}, {}", self.exporter(address, domain))
            }
            Key::As(0) => "not told".to_owned(),
            Key::As(number) => format!("AS{number}"),
            Key::Country(None) => "not known".to_owned(),
            Key::Country(Some(letters)) => letters.map(char::from).iter().collect(),
            Key::Vlan(0) => "untagged".to_owned(),
            Key::Vlan(id) => format!("VLAN {id}"),
            Key::Dscp(class) => dscp(class),
            Key::Application(0) => "not told".to_owned(),
            Key::Application(id) => {
                let mut named = health.names.iter().filter_map(|of| of.names.find(NameKind::Application, id));
                named.next().map_or_else(|| format!("application {}", id & 0xff_ffff), str::to_owned)
            }
        }
    }

    pub fn exporter(&self, address: IpAddr, domain: ObservationDomainId) -> String {
        match domain.0 {
            0 => self.host(address),
            domain => format!("{} domain {domain}", self.host(address)),
        }
    }

    /// What an exporter calls something of its own.
    pub fn own_name(
        &self,
        exporter: (IpAddr, ObservationDomainId),
        kind: NameKind,
        id: u64,
        health: &Health,
    ) -> Option<String> {
        let mut names = health.names.iter().filter(|of| (of.address, of.domain) == exporter);
        names.find_map(|of| of.names.find(kind, id)).map(|name| self.text(name).to_owned())
    }

    /// `AS64512 Example, DE`, as far as files know.
    pub fn place(&self, address: IpAddr) -> String {
        if self.privacy || !self.names.has_places() {
            return String::new();
        }
        let place = self.names.place(address);
        let number = place.asn.map(|number| format!("AS{number}"));
        let who =
            [number.as_deref(), place.organisation.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        [Some(who).filter(|who| !who.is_empty()).as_deref(), place.country.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The class by its usual name (RFC 4594), and its number.
fn dscp(class: u8) -> String {
    let name = match class {
        0 => return "best effort (0)".to_owned(),
        46 => "EF".to_owned(),
        44 => "VA".to_owned(),
        1 => "LE".to_owned(),
        8 | 16 | 24 | 32 | 40 | 48 | 56 => format!("CS{}", class / 8),
        10..=38 if class.is_multiple_of(2) => format!("AF{}{}", class / 8, class % 8 / 2),
        _ => return format!("DSCP {class}"),
    };
    format!("{name} ({class})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let names = Names::default().with_hosts([("192.0.2.7".parse().unwrap(), "nas.lan".into())]);
        Labels { names: Arc::new(names), ..Labels::default() }
    }

    #[test]
    fn hosts_and_services_have_names_where_they_are_wanted() {
        let (nas, other) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
        let named = labels();
        assert_eq!(named.host(nas), "nas.lan");
        assert_eq!(named.host(other), "192.0.2.8");
        assert_eq!(
            [named.service(17, 443), named.service(6, 40404), named.service(1, 0)],
            ["quic", "tcp/40404", "icmp"]
        );
        let plain = Labels { hosts: false, services: false, ..labels() };
        assert_eq!(plain.host(nas), "192.0.2.7");
        assert_eq!(plain.service(17, 443), "udp/443");
    }

    #[test]
    fn privacy_leaves_nothing_that_tells_who_it_is() {
        let labels = Labels { privacy: true, ..labels() };
        let nas = "192.0.2.7".parse().unwrap();
        let masked = labels.host(nas);
        assert!(masked.starts_with("host-"), "{masked}");
        assert_eq!(labels.address(nas), masked);
        assert_eq!(labels.socket(SocketAddr::new(nas, 2055)), format!("{masked}:2055"));
        assert_eq!(labels.text("/home/anna/flows.db"), HIDDEN);
        assert_eq!(labels.service(17, 443), "quic", "a service is nobody");
    }
}

//! What things are called on the screen: by name or by number, or behind a mask.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::names::{self, Names};
use crate::tui::privacy::{HIDDEN, Mask};

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

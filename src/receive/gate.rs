//! Who may send: the allow-list, which is asked before anything of a datagram is read.
//!
//! It is no firewall: what it turns away has been taken from the kernel. It keeps the table of exporters, the database
//! and the figures free of strangers, and says who knocked.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::collector::stats::Barred;

/// The allow-list, and what it turned away.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    allowed: Vec<IpNet>,
    barred: Barred,
}

impl Gate {
    /// Lets those through whose address is in one of the prefixes; without any prefix, everybody.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, barred: Barred::default() }
    }

    /// Lets others through from now on; what was counted stays.
    pub fn allow(&mut self, allowed: Vec<IpNet>) {
        self.allowed = allowed;
    }

    /// Whether a datagram is to be read; one that is not is counted. An IPv4 address that is mapped into IPv6 is taken
    /// as itself.
    pub fn admits(&mut self, from: SocketAddr) -> bool {
        let address = from.ip().to_canonical();
        let is_allowed = self.allowed.is_empty() || self.allowed.iter().any(|prefix| prefix.contains(&address));
        if !is_allowed {
            let datagrams = self.barred.datagrams.saturating_add(1);
            self.barred = Barred { datagrams, last: Some(SocketAddr::new(address, from.port())) };
        }
        is_allowed
    }

    pub const fn barred(&self) -> Barred {
        self.barred
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(allowed: &[&str]) -> Gate {
        Gate::new(allowed.iter().map(|prefix| prefix.parse().unwrap()).collect())
    }

    #[test]
    fn without_a_prefix_everybody_is_heard() {
        let mut gate = gate(&[]);
        assert!(gate.admits("192.0.2.1:2055".parse().unwrap()) && gate.admits("[2001:db8::1]:9".parse().unwrap()));
        assert_eq!(gate.barred(), Barred::default());
    }

    #[test]
    fn only_addresses_of_a_prefix_are_heard_and_the_last_other_one_is_kept() {
        let mut gate = gate(&["192.0.2.0/25", "2001:db8::/32"]);
        let heard = ["192.0.2.127:1", "[2001:db8:ffff::]:1", "[::ffff:192.0.2.3]:1"];
        assert!(heard.iter().all(|from| gate.admits(from.parse().unwrap())), "{gate:?}");
        let others = ["192.0.2.128:1", "[2001:db9::]:1", "[::ffff:192.0.3.1]:77"];
        assert!(!others.iter().any(|from| gate.admits(from.parse().unwrap())), "{gate:?}");
        assert_eq!(gate.barred(), Barred { datagrams: 3, last: Some("192.0.3.1:77".parse().unwrap()) });
    }
}

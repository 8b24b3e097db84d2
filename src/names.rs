//! Names for numbers and addresses, as people who run networks say them: 443 over UDP is "quic", 53 is "dns", 58 is
//! "icmp6", and 192.168.1.2 is what reverse DNS, `/etc/hosts` or the operator's own file call it.
//!
//! It does not look into packets and holds nobody up: [`Names`] answers at once with what is known by now. A port's name
//! is a guess at what runs there and never evidence of it. Two tables are compiled in: `services.csv`, from Debian's
//! `/etc/services` and the ports that vendors and projects document, and `protocols.csv`, from IANA's protocol numbers as
//! updated on 2026-03-09; the functions here know no more than those, [`Names`] knows the rest.

mod applications;
mod book;
mod dns;
mod files;
mod geo;
mod text;

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::filter::Meaning;
pub use crate::names::book::{Dns, Error, Names, Options};
pub use crate::names::geo::Place;
pub use crate::names::text::safe;

const SERVICES_CSV: &str = include_str!("names/services.csv");
const PROTOCOLS_CSV: &str = include_str!("names/protocols.csv");

/// Ordered by port and protocol number, for a binary search: the table is too sparse to index.
static SERVICES: LazyLock<Vec<((u16, u8), &'static str)>> = LazyLock::new(|| {
    let mut services: Vec<_> = rows(SERVICES_CSV).filter_map(parse_service).collect();
    // The file is in order of the protocol's name, which is not the order of its number.
    services.sort_unstable_by_key(|&(key, _)| key);
    services
});

static PROTOCOLS: LazyLock<[Option<&'static str>; 256]> = LazyLock::new(|| {
    let mut names = [None; 256];
    for (number, name) in rows(PROTOCOLS_CSV).filter_map(parse_protocol) {
        names[usize::from(number)] = Some(name);
    }
    names
});

/// The service that usually listens on `port` of this IP protocol. Only TCP, UDP and SCTP have any.
pub fn service(protocol: u8, port: u16) -> Option<&'static str> {
    let at = SERVICES.binary_search_by_key(&(port, protocol), |&(key, _)| key).ok()?;
    SERVICES.get(at).map(|&(_, name)| name)
}

/// The name of an IP protocol number; none where IANA gives it no keyword.
pub fn protocol(number: u8) -> Option<&'static str> {
    PROTOCOLS[usize::from(number)]
}

/// Text for any protocol number: "tcp", or "proto 253" where there is no name.
pub fn protocol_label(number: u8) -> Cow<'static, str> {
    match protocol(number) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("proto {number}")),
    }
}

/// What a word means in a filter: the protocol and the services of this name, in any case.
pub fn meanings(word: &str) -> Vec<Meaning> {
    let protocols =
        (0..=u8::MAX).filter(|&number| protocol(number).is_some_and(|name| name.eq_ignore_ascii_case(word)));
    let services = SERVICES.iter().filter(|(_, name)| name.eq_ignore_ascii_case(word));
    let ports = services.map(|&((port, protocol), _)| Meaning::Port { protocol, port });
    protocols.map(Meaning::Protocol).chain(ports).collect()
}

/// Every name that is compiled in, some of them more than once.
fn all() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|&(_, name)| name).chain(PROTOCOLS.iter().copied().flatten())
}

/// The lines of a table after its header.
fn rows(csv: &'static str) -> impl Iterator<Item = &'static str> {
    csv.lines().skip(1)
}

/// `port,protocol,name`. Nothing comes of a malformed line, and the caller skips it without a word:
/// the tables are compiled in, and a test fails if one has such a line.
fn parse_service(line: &'static str) -> Option<((u16, u8), &'static str)> {
    let (port, rest) = line.split_once(',')?;
    let (protocol, name) = rest.split_once(',')?;
    let protocol = match protocol {
        "tcp" => 6,
        "udp" => 17,
        "sctp" => 132,
        _ => return None,
    };
    Some(((port.parse().ok()?, protocol), name))
}

/// `number,name`, and malformed lines as for services.
fn parse_protocol(line: &'static str) -> Option<(u8, &'static str)> {
    let (number, name) = line.split_once(',')?;
    Some((number.parse().ok()?, name))
}

#[cfg(test)]
mod tests;

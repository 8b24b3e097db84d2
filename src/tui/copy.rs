//! What is selected, in the words of other tools: filters, a query, a table.
//!
//! It touches no clipboard. Times are UTC wherever a person reads them; for nfdump they are local, as it wants them.

use std::net::IpAddr;

use jiff::tz::Offset;

use crate::flow::{FlowKey, ObservationDomainId, Timestamp};
use crate::tui::keys::Form;
use crate::window::Key;

/// What a row, or a part of it, stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    Host(IpAddr),
    /// Both directions between two hosts; the port is 0 where there are none, and is that of either of them.
    Conversation {
        hosts: (IpAddr, IpAddr),
        service: Option<(u8, u16)>,
    },
    /// One direction.
    Flow(FlowKey),
    Service {
        protocol: u8,
        port: u16,
    },
    Exporter {
        address: IpAddr,
        domain: Option<ObservationDomainId>,
    },
    Interface {
        exporter: IpAddr,
        domain: ObservationDomainId,
        index: u32,
    },
    Source(IpAddr),
    Destination(IpAddr),
    As(u32),
    Vlan(u16),
    Dscp(u8),
    Application(u64),
}

/// The time that the figures cover, and what its clock adds to UTC in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    pub from: Timestamp,
    pub to: Timestamp,
    pub utc_offset_s: i32,
}

/// The figures of what is selected, as they stand on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    pub headings: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// The selection in this form.
///
/// # Errors
/// Why there is no such form of it.
pub fn translate(
    selection: Selection,
    between: Between,
    figures: &Figures,
    form: Form,
) -> Result<String, &'static str> {
    Ok(match form {
        Form::Filter => selection.filter().ok_or("there is no filter for it")?,
        Form::Nfdump => {
            let time = |at| local(at, between.utc_offset_s, "%Y/%m/%d.%H:%M:%S");
            format!("-t {}-{} '{}'", time(between.from), time(between.to), selection.known_to_nfdump()?)
        }
        Form::Tcpdump => selection.tcpdump()?,
        Form::Sql => selection.sql(between),
        Form::Csv => csv(figures),
        Form::Markdown => markdown(figures, between),
    })
}

/// The figures alone, as CSV or else as Markdown.
pub fn plain(figures: &Figures, between: Between, form: Form) -> String {
    if form == Form::Csv { csv(figures) } else { markdown(figures, between) }
}

impl Selection {
    /// What a row stands for; nothing where no filter can tell it apart.
    pub const fn of(key: Key) -> Option<Self> {
        Some(match key {
            Key::Conversation { inside, outside, protocol, port } => {
                Self::Conversation { hosts: (inside, outside), service: Some((protocol, port)) }
            }
            Key::Host(address) => Self::Host(address),
            Key::Source(address) => Self::Source(address),
            Key::Destination(address) => Self::Destination(address),
            Key::Service { protocol, port } => Self::Service { protocol, port },
            Key::Protocol(protocol) => Self::Service { protocol, port: 0 },
            Key::Exporter { address, domain } => Self::Exporter { address, domain: Some(domain) },
            Key::Interface { address, domain, interface } => {
                Self::Interface { exporter: address, domain, index: interface }
            }
            Key::As(number) => Self::As(number),
            Key::Vlan(id) => Self::Vlan(id),
            Key::Dscp(class) => Self::Dscp(class),
            // What is larger is no number in a filter.
            Key::Application(id) if id <= i64::MAX.cast_unsigned() => Self::Application(id),
            Key::Country(_) | Key::Application(_) => return None,
        })
    }

    /// nfdump has no test for domains.
    fn known_to_nfdump(self) -> Result<String, &'static str> {
        let known = match self {
            Self::Exporter { address, .. } => Self::Exporter { address, domain: None },
            Self::Interface { exporter, index, .. } => return Ok(format!("router ip {exporter} and if {index}")),
            Self::Dscp(class) => return Ok(format!("tos {}", class << 2)),
            Self::Application(_) => return Err("nfdump has no filter for applications"),
            other => other,
        };
        known.filter().ok_or("nfdump has no filter for it")
    }

    /// As text for the filter line.
    pub fn filter(self) -> Option<String> {
        Some(match self {
            Self::Host(address) => format!("ip {address}"),
            Self::Conversation { hosts: (a, b), service } => {
                let both = format!("(src ip {a} and dst ip {b}) or (src ip {b} and dst ip {a})");
                match service {
                    None => both,
                    Some((protocol, 0)) => format!("proto {} and ({both})", protocol_word(protocol)),
                    Some((protocol, port)) => {
                        format!("proto {} and port {port} and ({both})", protocol_word(protocol))
                    }
                }
            }
            Self::Flow(key) => {
                let FlowKey { src_ip, dst_ip, src_port, dst_port, protocol } = key;
                let word = protocol_word(protocol);
                if has_ports(key) {
                    format!(
                        "proto {word} and src ip {src_ip} and src port {src_port} and dst ip {dst_ip} and dst port {dst_port}"
                    )
                } else {
                    format!("proto {word} and src ip {src_ip} and dst ip {dst_ip}")
                }
            }
            Self::Service { protocol, port: 0 } => format!("proto {}", protocol_word(protocol)),
            Self::Service { protocol, port } => format!("proto {} and port {port}", protocol_word(protocol)),
            Self::Exporter { address, domain: None } => format!("router ip {address}"),
            Self::Exporter { address, domain: Some(domain) } => format!("router ip {address} and domain {domain}"),
            Self::Interface { exporter, domain, index } => {
                format!("router ip {exporter} and domain {domain} and if {index}")
            }
            Self::Source(address) => format!("src ip {address}"),
            Self::Destination(address) => format!("dst ip {address}"),
            Self::As(number) => format!("as {number}"),
            Self::Vlan(id) => format!("src vlan {id}"),
            Self::Dscp(class) => format!("dscp {class}"),
            Self::Application(id) => format!("application {id}"),
        })
    }

    fn tcpdump(self) -> Result<String, &'static str> {
        let conversation = |a, b, service| match service {
            None => format!("host {a} and host {b}"),
            Some((protocol, 0)) => format!("{} and host {a} and host {b}", primitive(protocol)),
            Some((protocol, port)) => format!("{} and host {a} and host {b} and port {port}", primitive(protocol)),
        };
        Ok(match self {
            Self::Host(address) => format!("host {address}"),
            Self::Conversation { hosts: (a, b), service } => conversation(a, b, service),
            Self::Flow(key) if has_ports(key) => {
                let FlowKey { src_ip, dst_ip, src_port, dst_port, protocol } = key;
                let both = format!("host {src_ip} and host {dst_ip} and port {src_port} and port {dst_port}");
                format!("{} and {both}", primitive(protocol))
            }
            Self::Flow(key) => conversation(key.src_ip, key.dst_ip, Some((key.protocol, 0))),
            Self::Service { protocol, port: 0 } => primitive(protocol),
            Self::Service { protocol, port } => format!("{} and port {port}", primitive(protocol)),
            Self::Source(address) => format!("src host {address}"),
            Self::Destination(address) => format!("dst host {address}"),
            Self::Vlan(id) => format!("vlan {id}"),
            Self::Dscp(class) => format!("ip[1] & 0xfc == {}", class << 2),
            Self::Application(_) => return Err("a packet does not say which application it is of"),
            Self::As(_) => return Err("a packet does not say which autonomous system it is of"),
            Self::Exporter { .. } => return Err("tcpdump cannot tell which exporter saw a packet"),
            Self::Interface { .. } => return Err("tcpdump knows no interface of another host"),
        })
    }

    fn sql(self, between: Between) -> String {
        let either = |of: &dyn Fn(&str) -> String| format!("({} OR {})", of("src"), of("dst"));
        let directed = |a, b| format!("(src_ip = '{a}' AND dst_ip = '{b}')");
        let conditions = match self {
            Self::Host(address) => vec![either(&|end| format!("{end}_ip = '{address}'"))],
            Self::Conversation { hosts: (a, b), service } => {
                let mut conditions = vec![format!("({} OR {})", directed(a, b), directed(b, a))];
                conditions.extend(service.into_iter().flat_map(|(protocol, port)| service_sql(protocol, port)));
                conditions
            }
            Self::Flow(key) => vec![
                format!("src_ip = '{}' AND src_port = {}", key.src_ip, key.src_port),
                format!("dst_ip = '{}' AND dst_port = {}", key.dst_ip, key.dst_port),
                format!("protocol = {}", key.protocol),
            ],
            Self::Service { protocol, port } => service_sql(protocol, port),
            Self::Exporter { address, domain } => {
                let mut conditions = vec![format!("exporter = '{address}'")];
                conditions.extend(domain.map(|domain| format!("domain = {domain}")));
                conditions
            }
            Self::Source(address) => vec![format!("src_ip = '{address}'")],
            Self::Destination(address) => vec![format!("dst_ip = '{address}'")],
            Self::As(number) => vec![format!("(src_as = {number} OR dst_as = {number})")],
            Self::Vlan(id) => vec![format!("vlan = {id}")],
            Self::Dscp(class) => vec![format!("tos >> 2 = {class}")],
            Self::Application(0) => vec!["ifnull(application, 0) = 0".to_owned()],
            Self::Application(id) => vec![format!("application = {id}")],
            Self::Interface { exporter, domain, index } => {
                vec![
                    format!("exporter = '{exporter}' AND domain = {domain}"),
                    format!("(in_if = {index} OR out_if = {index})"),
                ]
            }
        };
        // A condition on the key reads that time only.
        let (from, to) = (between.from.0, between.to.0);
        let time = format!("{from} << 20 <= id AND id < {to} << 20");
        format!("SELECT * FROM flow\nWHERE {time}\n  AND {}\nORDER BY id;", conditions.join("\n  AND "))
    }
}

const fn has_ports(key: FlowKey) -> bool {
    key.src_port != 0 || key.dst_port != 0
}

fn service_sql(protocol: u8, port: u16) -> Vec<String> {
    let mut conditions = vec![format!("protocol = {protocol}")];
    if port != 0 {
        conditions.push(format!("(src_port = {port} OR dst_port = {port})"));
    }
    conditions
}

/// What nfdump, and this program, write for a protocol.
fn protocol_word(protocol: u8) -> String {
    match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmp6".to_owned(),
        132 => "sctp".to_owned(),
        number => number.to_string(),
    }
}

/// What pcap-filter writes for a protocol.
fn primitive(protocol: u8) -> String {
    match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmp6".to_owned(),
        132 => "sctp".to_owned(),
        number => format!("proto {number}"),
    }
}

/// RFC 4180, with what a spreadsheet would take for a formula made text.
fn csv(figures: &Figures) -> String {
    let quoted = |cell: &str| {
        let cell = if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() };
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let mut text = figures.headings.join(",");
    for row in &figures.rows {
        let cells: Vec<_> = row.iter().map(|cell| quoted(cell)).collect();
        text.push('\n');
        text.push_str(&cells.join(","));
    }
    text
}

fn markdown(figures: &Figures, between: Between) -> String {
    let escaped =
        |cell: &String| cell.replace('\\', "\\\\").replace('|', "\\|").replace('`', "\\`").replace('<', "\\<");
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let (from, to) = (local(between.from, 0, "%Y-%m-%d %H:%M:%S"), local(between.to, 0, "%Y-%m-%d %H:%M:%S"));
    let mut text = format!("{from} to {to} UTC\n\n");
    text.push_str(&line(figures.headings.iter().map(|&heading| heading.to_owned()).collect()));
    text.push_str(&line(figures.headings.iter().map(|_| "---".to_owned()).collect()));
    for row in &figures.rows {
        text.push_str(&line(row.iter().map(escaped).collect()));
    }
    text.trim_end().to_owned()
}

/// A time as a clock shows it that adds so many seconds to UTC; the year 1970 for one that no calendar has.
fn local(at: Timestamp, utc_offset_s: i32, format: &str) -> String {
    let offset = Offset::from_seconds(utc_offset_s).unwrap_or(Offset::UTC);
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    offset.to_datetime(at).strftime(format).to_string()
}

#[cfg(test)]
mod tests;

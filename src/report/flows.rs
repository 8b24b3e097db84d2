//! Flows one by one as they are read: a table whose columns do not wait for the last row, JSON lines, CSV.

use std::io::{self, Write};

use serde_json::Value;

use crate::flow::{FlowRecord, Timestamp};
use crate::names;
use crate::report::amount::amount;
use crate::report::answers::{Format, Look};
use crate::report::grid::{csv_line, plain};
use crate::report::json::{COLUMNS, json_line, values};

/// Writes the titles of a list of flows, where its form has any.
///
/// # Errors
/// When `out` fails.
pub fn flows_head(out: &mut impl Write, look: Look) -> io::Result<()> {
    match look.format {
        Format::Json => Ok(()),
        Format::Csv => csv_line(out, COLUMNS.iter().copied()),
        Format::Table => {
            let (bold, plain) = if look.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
            let line =
                line(&["first", "lasted", "protocol", "source", "destination", "flags", "bytes", "packets", "from"]);
            writeln!(out, "{bold}{}{plain}", line.trim_end())
        }
    }
}

/// Writes one flow.
///
/// # Errors
/// When `out` fails.
pub fn flow_line(
    out: &mut impl Write,
    look: Look,
    flow: &FlowRecord,
    shown: &dyn Fn(Timestamp) -> String,
) -> io::Result<()> {
    match look.format {
        Format::Json => json_line(out, flow),
        Format::Csv => {
            let values: Vec<String> = values(flow)?.iter().map(|value: &Value| plain(value)).collect();
            csv_line(out, values.iter().map(String::as_str))
        }
        Format::Table => writeln!(out, "{}", row(look, flow, shown).trim_end()),
    }
}

fn row(look: Look, flow: &FlowRecord, shown: &dyn Fn(Timestamp) -> String) -> String {
    let end = |ip: std::net::IpAddr, port: u16| match (ip, port) {
        (ip, 0) => ip.to_string(),
        (std::net::IpAddr::V6(ip), port) => format!("[{ip}]:{port}"),
        (ip, port) => format!("{ip}:{port}"),
    };
    let rate = u64::from(if look.raw { 1 } else { flow.sampling.rate.max(1) });
    let mark = if rate == 1 { "" } else { "~" };
    let count = |count: u64, unit: &str| format!("{mark}{}", amount(count.saturating_mul(rate), unit));
    let ms = flow.last.since(flow.first);
    line(&[
        &shown(flow.first),
        &format!("{}.{:03} s", ms / 1000, ms % 1000),
        &names::protocol_label(flow.key.protocol),
        &end(flow.key.src_ip, flow.key.src_port),
        &end(flow.key.dst_ip, flow.key.dst_port),
        &flags(flow),
        &count(flow.counts.bytes, "B"),
        &count(flow.counts.packets, ""),
        &flow.exporter.to_string(),
    ])
}

/// Widths that hold an IPv4 address with its port; longer ones move their row to the right.
fn line(cells: &[&str; 9]) -> String {
    let [first, lasted, protocol, source, destination, flags, bytes, packets, from] = cells;
    format!(
        "{first:<23} {lasted:>11}  {protocol:<8} {source:<21} {destination:<21} {flags:<6} {bytes:>9} {packets:>8}  {from}"
    )
}

/// TCP flags as tcpdump's users know them; a dot where one was not seen.
fn flags(flow: &FlowRecord) -> String {
    if flow.key.protocol != 6 {
        return String::new();
    }
    let seen = |(bit, name)| if flow.tcp_flags & (1_u16 << bit) != 0 { name } else { '.' };
    [(5_u16, 'U'), (4, 'A'), (3, 'P'), (2, 'R'), (1, 'S'), (0, 'F')].map(seen).iter().collect()
}

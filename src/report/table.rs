//! One plain table for people and scripts: the largest conversations, the protocols, and the account of what arrived.

use std::io::{self, Write};

use humansize::{DECIMAL, format_size};

use crate::collector::stats::{ExporterStats, Health};
use crate::names;
use crate::window::{Key, Row, Snapshot};

/// Writes the `rows` largest conversations by bytes and the protocols.
///
/// # Errors
/// When `out` fails.
pub fn top(out: &mut impl Write, snapshot: &Snapshot, protocols: &Snapshot, rows: usize) -> io::Result<()> {
    let total = snapshot.everything();
    writeln!(
        out,
        "{} in {} s: {} flows, {} packets, {} conversations",
        size(total.counts.bytes),
        snapshot.seconds,
        total.flows,
        total.counts.packets,
        snapshot.row_count
    )?;
    writeln!(out)?;
    let shown: Vec<[String; 7]> = snapshot.rows.iter().take(rows).map(|row| cells(snapshot, row)).collect();
    let head = ["inside", "outside", "service", "rate", "bytes", "packets", "flows"].map(str::to_owned);
    aligned(out, &[&[head], shown.as_slice()].concat())?;
    let hidden = snapshot.row_count.saturating_sub(shown.len());
    if hidden != 0 {
        writeln!(out, "… {hidden} more")?;
    }
    writeln!(out)?;
    let protocols: Vec<[String; 7]> = protocols
        .rows
        .iter()
        .map(|share| {
            let name = match share.key {
                Key::Protocol(number) => names::protocol_label(number),
                _ => "other".into(),
            };
            let counts = share.ways.sum().counts;
            let percent = percent(counts.bytes, total.counts.bytes);
            let rate = rate(snapshot.per_second(counts.bytes));
            let (packets, flows) = (counts.packets.to_string(), share.ways.sum().flows.to_string());
            [name.into_owned(), percent, String::new(), rate, size(counts.bytes), packets, flows]
        })
        .collect();
    let head = ["protocol", "share", "", "rate", "bytes", "packets", "flows"].map(str::to_owned);
    aligned(out, &[&[head], protocols.as_slice()].concat())
}

/// Writes one line of what became of the datagrams, and one for each exporter that says something of itself.
///
/// # Errors
/// When `out` fails.
pub fn account(out: &mut impl Write, health: &Health) -> io::Result<()> {
    let totals = health.totals;
    let dropped: u64 = health.sockets.iter().map(|socket| socket.dropped).sum();
    writeln!(
        out,
        "datagrams {}  decoded {}  malformed {}  foreign {}  refused {}  sets waiting {}  expired {}  lost {}  kernel dropped {}",
        totals.datagrams,
        totals.decoded,
        totals.malformed,
        totals.foreign,
        totals.refused,
        totals.waiting,
        totals.expired,
        totals.lost,
        dropped
    )?;
    if let Some(from) = health.barred.last {
        writeln!(out, "not allowed {}, the last one from {from}", health.barred.datagrams)?;
    }
    for stats in &health.exporters {
        let said = said(stats);
        if !said.is_empty() {
            writeln!(out, "exporter {} domain {} {}: {said}", stats.address, stats.domain, stats.version)?;
        }
    }
    Ok(())
}

/// What an exporter says of itself, as far as it does, and what it sends that nobody knows.
pub fn said(stats: &ExporterStats) -> String {
    let mut said = stats.said;
    let told = said.fields().into_iter().filter_map(|(_, name, count)| Some((name.replace('_', " "), (*count)?)));
    let found = [("unknown elements", stats.unknown_elements), ("facts without room", stats.refused_facts)];
    let found = found.into_iter().filter(|(_, count)| *count != 0).map(|(name, count)| (name.to_owned(), count));
    told.chain(found).map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join("  ")
}

fn cells(snapshot: &Snapshot, row: &Row) -> [String; 7] {
    let counts = row.ways.sum().counts;
    let Key::Conversation { inside, outside, protocol, port } = row.key else { return Default::default() };
    let service = match names::service(protocol, port) {
        Some(name) => name.to_owned(),
        None if port == 0 => names::protocol_label(protocol).into_owned(),
        None => format!("{port}/{}", names::protocol_label(protocol)),
    };
    [
        inside.to_string(),
        outside.to_string(),
        service,
        rate(snapshot.per_second(counts.bytes)),
        size(counts.bytes),
        counts.packets.to_string(),
        row.ways.sum().flows.to_string(),
    ]
}

/// Text columns to the left, numbers (from the fourth on) to the right.
fn aligned(out: &mut impl Write, rows: &[[String; 7]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let text = if column < 3 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(&text);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    format_size(bytes, DECIMAL)
}

/// Bits per second, as lines are sold.
fn rate(bytes: u64) -> String {
    let bits = bytes.saturating_mul(8);
    format_size(bits, DECIMAL.base_unit(humansize::BaseUnit::Bit)).replace("bits", "b") + "/s"
}

fn percent(part: u64, whole: u64) -> String {
    let permille = u128::from(part).saturating_mul(1000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{} %", permille / 10, permille % 10)
}

//! Lists that no filter chooses: exporters with their health, and notes.

use std::io::{self, Write};

use serde_json::Value;

use crate::flow::Timestamp;
use crate::report::amount::amount;
use crate::report::answers::Format;
use crate::report::grid::{Grid, Record, Side, csv};
use crate::store::history::Account;
use crate::store::notes::Note;

/// # Errors
/// When `out` fails.
pub fn exporters(
    out: &mut impl Write,
    (format, color): (Format, bool),
    accounts: &[Account],
    (now, shown): (Timestamp, &dyn Fn(Timestamp) -> String),
) -> io::Result<()> {
    if format != Format::Table {
        return records(out, format, &accounts.iter().map(record).collect::<Vec<_>>(), &names());
    }
    let columns =
        [("exporter", Side::Left), ("domain", Side::Right), ("version", Side::Left), ("last seen", Side::Left)];
    let counts = ["ago", "flows", "lost", "malformed", "waiting", "expired", "restarts", "sampling", "clock"];
    let counts = counts.map(|title| (title, Side::Right));
    let mut grid = Grid::new(&[&columns[..], &counts].concat(), color);
    for Account { stats, .. } in accounts {
        let rate = if stats.sampling.rate < 2 { "none".to_owned() } else { format!("1:{}", stats.sampling.rate) };
        grid.rows.push(vec![
            stats.address.to_string(),
            stats.domain.to_string(),
            stats.version.to_string(),
            shown(stats.last_seen),
            ago(now.since(stats.last_seen)),
            amount(stats.flows, ""),
            amount(stats.lost, ""),
            amount(stats.malformed, ""),
            amount(stats.waiting, ""),
            amount(stats.expired, ""),
            amount(stats.restarts, ""),
            rate,
            format!("{:+.1} s", stats.clock_skew_ms as f64 / 1000.0),
        ]);
    }
    grid.write(out)
}

/// # Errors
/// When `out` fails.
pub fn notes(
    out: &mut impl Write,
    (format, color): (Format, bool),
    notes: &[Note],
    shown: &dyn Fn(Timestamp) -> String,
) -> io::Result<()> {
    if format == Format::Table {
        let mut grid = Grid::new(&[("time", Side::Left), ("note", Side::Left)], color);
        grid.rows.extend(notes.iter().map(|note| vec![shown(note.at), note.text.clone()]));
        return grid.write(out);
    }
    let list: Vec<_> = notes
        .iter()
        .map(|note| {
            let values = [note.at.0.into(), note.written.0.into(), Value::from(note.text.clone())];
            Record(["at_ms", "written_ms", "text"].into_iter().zip(values).collect())
        })
        .collect();
    records(out, format, &list, &["at_ms", "written_ms", "text"])
}

fn records(out: &mut impl Write, format: Format, records: &[Record], columns: &[&str]) -> io::Result<()> {
    if format == Format::Csv {
        return csv(out, columns, records);
    }
    serde_json::to_writer(&mut *out, records)?;
    out.write_all(b"\n")
}

fn names() -> Vec<&'static str> {
    let nobody = crate::collector::stats::ExporterStats::new(
        std::net::Ipv4Addr::UNSPECIFIED.into(),
        crate::flow::ObservationDomainId(0),
        crate::flow::Version::V9,
        Timestamp(0),
    );
    record(&Account { run: None, stats: nobody, lost: None }).0.iter().map(|(name, _)| *name).collect()
}

/// Under the names of the table `exporters`.
fn record(account: &Account) -> Record {
    let stats = &account.stats;
    let mut record = Record::default();
    record.put("exporter", stats.address.to_string());
    record.put("domain", stats.domain.0);
    record.put("version", stats.version.number());
    record.put("run", account.run.map(|run| run.0));
    record.put("first_seen_ms", stats.first_seen.0);
    record.put("last_seen_ms", stats.last_seen.0);
    record.put("clock_skew_ms", stats.clock_skew_ms);
    record.put("sampling", stats.sampling.rate);
    for (name, count) in [
        ("datagrams", stats.datagrams),
        ("octets", stats.octets),
        ("records", stats.records),
        ("flows", stats.flows),
        ("options_records", stats.options_records),
        ("templates", stats.templates),
        ("template_records", stats.template_records),
        ("redefined", stats.redefined),
        ("borrowed", stats.borrowed),
        ("waiting", stats.waiting),
        ("expired", stats.expired),
        ("malformed", stats.malformed),
        ("lost", stats.lost),
        ("reordered", stats.reordered),
        ("restarts", stats.restarts),
        ("sampler_drops", stats.sampler_drops),
    ] {
        record.put(name, count);
    }
    let mut said = stats.said;
    record.0.extend(said.fields().into_iter().map(|(_, name, count)| (name, count.map_or(Value::Null, Value::from))));
    record
}

fn ago(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

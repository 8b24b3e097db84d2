//! One series of each kind per exporter and domain.

use std::sync::Arc;

use crate::collector::stats::{ExporterStats, Health};
use crate::metrics::{EXPORTERS, Family, Kind, Labels, Value, seconds};

/// A name, its help, whether it only grows, and the value.
type Entry = (&'static str, &'static str, Kind, Value);

pub(super) fn families(health: &Health) -> Vec<Family> {
    let mut exporters: Vec<_> = health.exporters.iter().collect();
    // Those that were first stay, so that no series comes and goes with the others' traffic.
    exporters.sort_by_key(|stats| (stats.first_seen, stats.address, stats.domain, stats.version));
    exporters.truncate(EXPORTERS);
    let mut families: Vec<Family> = Vec::new();
    for stats in exporters {
        let labels = labels(stats);
        for (position, (name, help, kind, value)) in entries(stats).into_iter().enumerate() {
            if families.len() <= position {
                families.push(Family::new(format!("exporter_{name}"), kind, help));
            }
            if let Some(family) = families.get_mut(position) {
                family.samples.push((Arc::clone(&labels), value));
            }
        }
        said(stats, &labels, &mut families);
    }
    families
}

fn labels(stats: &ExporterStats) -> Labels {
    Arc::new(vec![
        ("exporter", stats.address.to_string()),
        ("domain", stats.domain.0.to_string()),
        ("version", stats.version.to_string()),
    ])
}

/// What exporters say of themselves stands behind the rest, for those that say it.
fn said(stats: &ExporterStats, labels: &Labels, families: &mut Vec<Family>) {
    for (_, name, value) in stats.said.clone().fields() {
        let Some(value) = *value else { continue };
        let name = format!("exporter_says_{name}");
        let help = "What the exporter says of itself in its options records.";
        let at = families.iter().position(|family| family.name == name).unwrap_or_else(|| {
            families.push(Family::new(name, Kind::Gauge, help));
            families.len() - 1
        });
        if let Some(family) = families.get_mut(at) {
            family.samples.push((Arc::clone(labels), value.into()));
        }
    }
}

/// Every account of an exporter; a test counts them.
fn entries(stats: &ExporterStats) -> Vec<Entry> {
    [&received(stats)[..], &judged(stats)[..]].concat()
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Entry {
    (name, help, Kind::Counter, Value::Count(value))
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Entry {
    (name, help, Kind::Gauge, Value::Count(value))
}

fn number(name: &'static str, help: &'static str, value: f64) -> Entry {
    (name, help, Kind::Gauge, Value::Number(value))
}

/// What came, and what it was made of.
fn received(stats: &ExporterStats) -> [Entry; 16] {
    [
        counter("packets", "Datagrams of the exporter and domain.", stats.datagrams),
        counter("bytes", "UDP payload octets.", stats.octets),
        counter("records", "Data records of flows as sent.", stats.records),
        counter("flows", "Flow records made of them.", stats.flows),
        counter("options_records", "Records of options.", stats.options_records),
        counter("meaningless_records", "Records with no address and no counter in them.", stats.meaningless),
        gauge("templates", "Templates known now.", stats.templates),
        counter("template_records", "Template records received, repetitions included.", stats.template_records),
        counter("redefined_templates", "Templates that came again with other fields.", stats.redefined),
        counter("rejected_templates", "Templates that cannot be used.", stats.rejected_templates),
        counter("forgotten_templates", "Templates that made room for others.", stats.forgotten_templates),
        counter("sets", "Data sets received.", stats.data_sets),
        counter("decoded_sets", "Data sets decoded, at once or after they had waited.", stats.decoded_sets),
        counter("surplus_records", "Records beyond what a datagram of its length may give.", stats.surplus),
        counter("withdrawals", "Withdrawals of templates, which UDP must ignore.", stats.withdrawals),
        counter(
            "borrowed_sets",
            "Sets decoded with a template of another source port or a former run.",
            stats.borrowed,
        ),
    ]
}

/// What could not be used, what was lost, and what the exporter is like.
fn judged(stats: &ExporterStats) -> [Entry; 17] {
    [
        gauge("waiting_sets", "Sets that wait for a template now.", stats.waiting),
        counter("expired_sets", "Sets that waited in vain, or found no room to wait.", stats.expired),
        counter("overrun_sets", "Sets whose last record was cut short.", stats.overruns),
        counter("reserved_sets", "Sets with a reserved id, samples of a format that is not read.", stats.reserved),
        counter("malformed_packets", "Datagrams with a broken length.", stats.malformed),
        gauge("lost_units", "Flows, datagrams or records that sequence numbers say were lost.", stats.lost),
        counter("reordered_packets", "Datagrams that came late.", stats.reordered),
        counter("restarts", "Times that sequence numbers began anew.", stats.restarts),
        counter("trailing_bytes", "Octets behind the last record.", stats.trailing),
        counter("counter_samples", "Counter samples of sFlow.", stats.counter_samples),
        counter("sampler_drops", "Samples that an sFlow agent dropped by its own count.", stats.sampler_drops),
        number("first_seen_timestamp_seconds", "When the first datagram came.", seconds(stats.first_seen.0)),
        number("last_seen_timestamp_seconds", "When the last datagram came.", seconds(stats.last_seen.0)),
        number("clock_skew_seconds", "The exporter's clock minus this host's.", seconds(stats.clock_skew_ms)),
        gauge("sampling_rate", "One of so many is reported; 0 when nobody says.", stats.sampling.rate.into()),
        counter("unknown_elements", "Elements that the registry does not know.", stats.unknown_elements),
        counter("refused_facts", "Names, rates and speeds that found no room.", stats.refused_facts),
    ]
}

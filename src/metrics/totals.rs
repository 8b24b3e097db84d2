//! Everything that is not of a single exporter: datagrams, sets, sockets, the write queue, the database, the limits.

use crate::collector::Limits;
use crate::collector::stats::{Barred, Health, PassedOver, SocketStats, Totals};
use crate::metrics::{EXPORTERS, Facts, Family, Kind, Value, seconds};
use crate::store::writer::WriterStats;

pub(super) fn families(facts: &Facts) -> Vec<Family> {
    let mut families = vec![
        gauge("build_info", "The program.").with(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64),
        gauge("start_time_seconds", "When the run began, in Unix seconds.").with(&[], seconds(facts.started.0)),
    ];
    families.extend(arrivals(&facts.health));
    families.extend(sockets(&facts.health.sockets));
    families.extend(limits(facts));
    if let Some(stats) = &facts.storage {
        families.extend(storage(stats));
    }
    if let Some(space) = facts.space {
        families
            .push(gauge("filesystem_size_bytes", "Of the file system that holds the database.").with(&[], space.total));
        families.push(
            gauge("filesystem_avail_bytes", "What a user without privileges can still write there.")
                .with(&[], space.available),
        );
    }
    families
}

fn counter(name: &str, help: &'static str) -> Family {
    Family::new(name, Kind::Counter, help)
}

fn gauge(name: &str, help: &'static str) -> Family {
    Family::new(name, Kind::Gauge, help)
}

/// What came, and what became of it.
fn arrivals(health: &Health) -> Vec<Family> {
    let Totals {
        datagrams,
        octets,
        decoded,
        malformed,
        foreign,
        refused,
        flows,
        waiting,
        expired,
        lost,
        data_sets,
        decoded_sets,
        waiting_octets,
        template_octets,
        fact_octets,
        last_foreign: _,
    } = health.totals;
    let Barred { datagrams: barred, last: _ } = health.barred;
    let PassedOver { window, json } = health.passed_over;
    vec![
        counter("input_udp_packets", "Datagrams received, those of senders that may not send left out.")
            .with(&[], datagrams),
        counter("input_udp_bytes", "UDP payload octets of them.").with(&[], octets),
        counter("input_barred_packets", "Datagrams of senders that the allow-list does not name.").with(&[], barred),
        counter("decoder_packets", "Datagrams by what became of them; together they are all that were received.")
            .with(&[("result", "decoded")], decoded)
            .with(&[("result", "malformed")], malformed)
            .with(&[("result", "foreign")], foreign)
            .with(&[("result", "refused")], refused),
        counter("decoder_flows", "Flow records handed on.").with(&[], flows),
        counter("decoder_sets", "Data sets of NetFlow v9 and IPFIX received.").with(&[], data_sets),
        counter("decoder_decoded_sets", "Data sets decoded, at once or after they had waited.").with(&[], decoded_sets),
        counter("decoder_expired_sets", "Data sets that waited in vain for a template, or found no room to wait.")
            .with(&[], expired),
        gauge("decoder_waiting_sets", "Data sets that wait for a template now.").with(&[], waiting),
        gauge("decoder_missing_templates", "Templates that sets need and that did not come.")
            .with(&[], health.missing.len() as u64),
        gauge("lost_units", "What sequence numbers say was lost; a datagram that comes late takes it back.")
            .with(&[], lost),
        gauge("held_bytes", "Octets that are held for exporters now.")
            .with(&[("kind", "waiting_sets")], waiting_octets)
            .with(&[("kind", "templates")], template_octets)
            .with(&[("kind", "facts")], fact_octets),
        counter("passed_over_flows", "Flows that an outlet did not take in time; they are stored all the same.")
            .with(&[("outlet", "window")], window)
            .with(&[("outlet", "json")], json),
        gauge("exporters", "Exporters and domains heard.").with(&[], health.exporters.len() as u64),
        gauge("exporters_without_series", "Exporters and domains beyond those that have series of their own.")
            .with(&[], health.exporters.len().saturating_sub(EXPORTERS) as u64),
    ]
}

/// One of each per socket; the operator says how many there are.
fn sockets(sockets: &[SocketStats]) -> Vec<Family> {
    let each = |family: Family, of: fn(&SocketStats) -> u64| {
        sockets
            .iter()
            .fold(family, |family, socket| family.with(&[("listener", &socket.listen.to_string())], of(socket)))
    };
    vec![
        each(
            counter(
                "input_udp_in_dropped_packets",
                "Datagrams that the kernel dropped since the receive buffer was full.",
            ),
            |socket| socket.dropped,
        ),
        each(counter("input_udp_truncated_packets", "Datagrams that were longer than UDP can say."), |socket| {
            socket.truncated
        }),
        each(
            gauge("input_udp_buffer_size_bytes", "Receive buffer granted by the kernel, its overhead included."),
            |socket| socket.buffer,
        ),
        each(
            gauge("input_udp_buffer_asked_bytes", "Receive buffer asked for, the kernel's overhead included."),
            |socket| socket.buffer_asked,
        ),
        each(gauge("input_udp_buffer_used_bytes", "Receive buffer in use now."), |socket| socket.queued),
    ]
}

fn limits(facts: &Facts) -> Vec<Family> {
    let Limits {
        exporters,
        sessions,
        domains,
        templates,
        fields,
        waiting_sets,
        waiting_octets,
        all_waiting_octets,
        all_template_octets,
        all_fact_octets,
        flow_octets,
        waiting_ms,
        idle_ms,
    } = facts.limits;
    let limit = |family: Family, name, value: usize| family.with(&[("limit", name)], value as u64);
    let mut bounds = gauge("limit", "Bounds on what the network can fill.");
    for (name, value) in [
        ("exporters", exporters),
        ("sessions_per_exporter", sessions),
        ("domains_per_exporter", domains),
        ("templates_per_session", templates),
        ("fields_per_template", fields),
        ("octets_per_flow", flow_octets),
    ] {
        bounds = limit(bounds, name, value);
    }
    bounds = bounds.with(&[("limit", "waiting_sets_per_domain")], waiting_sets);
    bounds = bounds.with(&[("limit", "queued_flows")], facts.queue_limit);
    let mut octets = gauge("limit_bytes", "Bounds on what the network can fill, in octets.");
    for (name, value) in [
        ("waiting_sets_per_domain", waiting_octets),
        ("waiting_sets", all_waiting_octets),
        ("templates", all_template_octets),
        ("facts", all_fact_octets),
        ("all", facts.limits.octets()),
    ] {
        octets = limit(octets, name, value);
    }
    let times = gauge("limit_seconds", "Times after which something is let go.")
        .with(&[("limit", "waiting_set")], seconds(waiting_ms))
        .with(&[("limit", "idle_exporter")], seconds(idle_ms));
    vec![bounds, octets, times]
}

fn storage(stats: &WriterStats) -> Vec<Family> {
    let WriterStats {
        path: _,
        rows,
        flushes,
        buffered,
        dropped_flows,
        dropped_batches,
        failures,
        last_error: _,
        last_flush,
        took_ms,
        rollups_behind,
        size,
        pruned,
        oldest,
        notice: _,
    } = stats;
    let at = |time: &Option<crate::flow::Timestamp>| time.map(|time| Value::Number(seconds(time.0)));
    let when = |family: Family, time| match at(time) {
        Some(time) => family.with(&[], time),
        None => family,
    };
    vec![
        counter("stored_flows", "Flows written to the database.").with(&[], *rows),
        counter("flushes", "Flushes that succeeded.").with(&[], *flushes),
        gauge("flush_failures", "Flushes that failed since the last one that did not.").with(&[], *failures),
        gauge("flush_duration_seconds", "How long the last flush took.")
            .with(&[], seconds(i64::try_from(*took_ms).unwrap_or(i64::MAX))),
        when(gauge("last_flush_timestamp_seconds", "When the last flush succeeded."), last_flush),
        gauge("queued_flows", "Flows that wait to be written.").with(&[], *buffered as u64),
        counter("dropped_flows", "Flows dropped since the write queue was full.").with(&[], *dropped_flows),
        counter("dropped_batches", "Batches of flows dropped since the write queue was full.")
            .with(&[], *dropped_batches),
        counter("pruned_flows", "Flows deleted since they were too old or too many.").with(&[], *pruned),
        gauge("database_size_bytes", "The database on disk, its write-ahead log included.").with(&[], *size),
        when(gauge("oldest_flow_timestamp_seconds", "When the oldest flow that is kept was received."), oldest),
        gauge("rollups_behind", "1 while roll-ups are made of rows that a former run has left.")
            .with(&[], u64::from(*rollups_behind)),
    ]
}

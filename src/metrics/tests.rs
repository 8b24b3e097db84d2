use super::*;
use crate::collector::stats::{Barred, ExporterStats, SocketStats, Totals};
use crate::flow::{ObservationDomainId, Version};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn exporter(n: u32) -> ExporterStats {
    let address = std::net::Ipv4Addr::from_bits(0xc000_0200 | n).into();
    let mut stats = ExporterStats::new(address, ObservationDomainId(n), Version::Ipfix, NOW.plus(n.into()));
    stats.datagrams = u64::from(n) + 1;
    stats
}

fn facts(exporters: u32) -> Facts {
    let totals = Totals { datagrams: 10, decoded: 6, malformed: 1, foreign: 2, refused: 1, ..Totals::default() };
    let socket = SocketStats {
        listen: "[::]:2055".parse().unwrap(),
        buffer_asked: 64,
        buffer: 32,
        queued: 1,
        dropped: 7,
        truncated: 0,
    };
    let health = Health {
        totals,
        sockets: vec![socket],
        barred: Barred { datagrams: 3, last: None },
        exporters: (0..exporters).rev().map(exporter).collect(),
        ..Health::default()
    };
    Facts {
        health: Arc::new(health),
        limits: Limits::default(),
        queue_limit: 2_000_000,
        storage: Some(WriterStats { rows: 5, last_flush: Some(NOW), ..WriterStats::default() }),
        space: None,
        started: NOW,
    }
}

#[test]
fn every_account_is_a_line_with_its_labels() {
    let text = text(&facts(1)).unwrap();
    for line in [
        "flowglass_decoder_packets_total{result=\"foreign\"} 2",
        "flowglass_input_udp_packets_total 10",
        "flowglass_input_barred_packets_total 3",
        "flowglass_input_udp_in_dropped_packets_total{listener=\"[::]:2055\"} 7",
        "flowglass_exporter_packets_total{exporter=\"192.0.2.0\",domain=\"0\",version=\"IPFIX\"} 1",
        "flowglass_limit{limit=\"exporters\"} 1024",
        "flowglass_limit_bytes{limit=\"waiting_sets\"} 67108864",
        "flowglass_stored_flows_total 5",
        "flowglass_last_flush_timestamp_seconds 1790000000.0",
        "# TYPE flowglass_queued_flows gauge",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

/// Conventions of Prometheus that `promtool check metrics` asks for.
#[test]
fn names_keep_the_conventions() {
    let text = text(&facts(2)).unwrap();
    let mut kinds = std::collections::BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(kinds.insert(name, kind).is_none(), "{name} is there twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(!name.ends_with("_total"), "{name}");
        assert!(
            !["octets", "_ms", "percent"].iter().any(|unit| name.ends_with(unit)) || name.contains("_says_"),
            "{name}"
        );
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = name.strip_suffix("_total").unwrap_or(name);
        assert_eq!(kinds[base] == "counter", name.ends_with("_total"), "{line}");
    }
}

#[test]
fn only_so_many_exporters_have_series_and_the_first_ones_stay() {
    let many = u32::try_from(EXPORTERS).unwrap() + 3;
    let text = text(&facts(many)).unwrap();
    let series = text.lines().filter(|line| line.starts_with("flowglass_exporter_packets_total{")).count();
    assert_eq!(series, EXPORTERS);
    assert!(text.contains("flowglass_exporters_without_series 3\n"));
    assert!(text.contains("domain=\"0\"") && !text.contains(&format!("domain=\"{}\"", many - 1)));
}

/// A new account of exporters is a new metric. What it says of itself is of another kind, and three are labels.
#[test]
fn every_account_of_an_exporter_has_a_series() {
    let stats = format!("{:#?}", exporter(0));
    let is_field = |line: &&str| line.starts_with("    ") && !line.starts_with("     ") && line.contains(": ");
    let fields = stats.lines().filter(is_field).count();
    let text = text(&facts(1)).unwrap();
    let families = text.lines().filter(|line| line.starts_with("# TYPE flowglass_exporter_")).count();
    assert_eq!(families, fields - 4, "{stats}");
}

//! Captures that other people recorded, against an independent decoder: every one below the folder that
//! `FLOWGLASS_CORPUS` names. Without it the test says so and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;

use flowglass::flow::{FlowKey, FlowRecord, Version};
use serde::Deserialize;

use crate::support::{Decoded, decode};

#[derive(Debug, Deserialize)]
struct Case {
    versions: String,
    ports: Vec<(u16, String)>,
    reference: Reference,
    nfdump: Option<Nfdump>,
}

/// What nfdump says of a capture of sFlow, whose packets the reference does not read.
#[derive(Debug, Deserialize)]
struct Nfdump {
    sflow: Option<Tuples>,
}

#[derive(Debug, Deserialize)]
struct Tuples {
    distinct_tuples: usize,
    tuples: Vec<Tuple>,
}

/// Addresses, ports and protocol. A protocol without ports has none, or zeros.
type Tuple = (String, String, Option<u16>, Option<u16>, u8);

#[derive(Debug, Deserialize)]
struct Reference {
    counts: BTreeMap<String, u64>,
    #[serde(default)]
    octets: u64,
    #[serde(default)]
    packets: u64,
    #[serde(default)]
    other_sums: BTreeMap<String, u64>,
    #[serde(flatten)]
    tuples: Option<Tuples>,
}

/// Cases in which the reference is another opinion, and what we say instead.
const KNOWN: &[(&str, &str, Five)] = &[
    ("calmh__procera-truncated", "one octet short of its own length: malformed (RFC 7011 §9.1)", Five([2, 0, 0, 0, 0])),
    ("fluent__v9-data-first", "data before its template waits for it", Five([3, 2, 0, 120, 2])),
    ("python-netflow__v9-data-first", "data before its template waits for it", Five([3, 32, 0, 608_992, 828])),
    ("logstash__Netflow-5-invalid-01", "counts 55,582 records in 1,440 octets", Five([1, 0, 0, 0, 0])),
    ("logstash__Netflow-5-invalid-02", "counts 163 records in 1,440 octets", Five([1, 0, 0, 0, 0])),
    (
        "telegraf__issue_14370",
        "its last set is longer than the message: malformed (RFC 7011 §9.1)",
        Five([1, 0, 0, 0, 0]),
    ),
    ("gopacket__sflow_test.go.L0225", "its only sample is shorter than its record: malformed", Five([1, 0, 0, 0, 0])),
];

/// Cases of sFlow in which nfdump sees other packets than we do.
const KNOWN_TUPLES: &[(&str, &str)] = &[
    (
        "gopacket__sflow_test.go.L0241",
        "it takes the tunnel (record 1024) for the packet, which the sample does not have",
    ),
    ("pktvisor__sflow_keyed.pcap", "it leaves the addresses of records 3 and 4 out"),
    ("vflow__sflow-decoder_test-L0106", "it gives up at the first AS path; reference and tshark see all five samples"),
];

/// The five numbers of a case: datagrams, flow data records, options records, bytes, packets. Of sFlow they are
/// datagrams, flow samples, counter samples, samples of other formats, packets: the reference sums frames, we what is
/// IP in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Five([u64; 5]);

impl Five {
    fn expected(reference: &Reference) -> Self {
        let count = |name: &str| reference.counts.get(name).copied().unwrap_or(0);
        if reference.counts.contains_key("sflow_samples") {
            let flow_samples = count("sflow_sample_0:1") + count("sflow_sample_0:3");
            let counter_samples = count("sflow_sample_0:2") + count("sflow_sample_0:4");
            let others = count("sflow_samples") - flow_samples - counter_samples;
            return Self([count("datagrams"), flow_samples, counter_samples, others, flow_samples]);
        }
        // Exporters that count in totals, or per initiator, send no delta at all.
        let or = |delta: u64, others: [&str; 2]| match delta {
            0 => others.iter().filter_map(|id| reference.other_sums.get(*id)).copied().next().unwrap_or(0),
            delta => delta,
        };
        let bytes = or(reference.octets, ["85", "231"]);
        let packets = or(reference.packets, ["86", "298"]);
        Self([count("datagrams"), count("records"), count("options_records"), bytes, packets])
    }

    fn ours(decoded: &Decoded) -> Self {
        let (bytes, packets) = decoded.counts();
        let (datagrams, records) = (decoded.health.totals.datagrams, decoded.sum(|s| s.records));
        if decoded.health.exporters.iter().any(|stats| stats.version == Version::Sflow) {
            return Self([
                datagrams,
                records,
                decoded.sum(|s| s.counter_samples),
                decoded.sum(|s| s.reserved),
                packets,
            ]);
        }
        Self([datagrams, records, decoded.sum(|s| s.options_records), bytes, packets])
    }
}

#[test]
fn captures_of_others_decode_to_their_reference() {
    let Some(folder) = env::var_os("FLOWGLASS_CORPUS") else {
        println!("skipped: FLOWGLASS_CORPUS names no folder of captures");
        return;
    };
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng")) {
        let Ok(text) = fs::read_to_string(path.with_extension("json")) else { continue };
        let case: Case = serde_json::from_str(&text).unwrap();
        compared += 1;
        if let Some(difference) = compare(path, &case) {
            wrong.push(difference);
        }
    }
    println!("{compared} captures compared, {} differ", wrong.len());
    assert!(compared > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn compare(path: &Path, case: &Case) -> Option<String> {
    let ports: Vec<u16> = case.ports.iter().map(|(port, _)| *port).collect();
    let decoded = decode(path, &ports);
    let (ours, expected) = (Five::ours(&decoded), Five::expected(&case.reference));
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    println!("{name}\t{}\t{:?}\t{:?}", case.versions, ours.0, expected.0);
    if let Some((_, why, known)) = KNOWN.iter().find(|(known, ..)| *known == name) {
        println!("{name}: known disagreement: {why}");
        return (ours != *known).then(|| format!("{name}: {:?}, known {:?}: {why}", ours.0, known.0));
    }
    if ours != expected {
        return Some(format!(
            "{name} ({}): {:?}, reference {:?}, other {:?}, faults {:?}",
            case.versions, ours.0, expected.0, case.reference.other_sums, decoded.faults
        ));
    }
    if let Some((_, why)) = KNOWN_TUPLES.iter().find(|(known, _)| *known == name) {
        println!("{name}: known disagreement: {why}");
        return None;
    }
    let theirs = match case.versions.as_str() {
        "v1" | "v7" => case.reference.tuples.as_ref()?,
        "sflow5" => case.nfdump.as_ref()?.sflow.as_ref()?,
        _ => return None,
    };
    let (ours, expected) = (tuples(&decoded.flows), theirs.set());
    let same = if theirs.tuples.len() < theirs.distinct_tuples { expected.is_subset(&ours) } else { expected == ours };
    (!same).then(|| format!("{name} ({}): {ours:?}, expected {expected:?}", case.versions))
}

impl Tuples {
    fn set(&self) -> BTreeSet<FlowKey> {
        let key = |(src_ip, dst_ip, src_port, dst_port, protocol): &Tuple| {
            let port = |port: &Option<u16>| port.filter(|_| !matches!(protocol, 1 | 58)).unwrap_or(0);
            let (src_port, dst_port) = (port(src_port), port(dst_port));
            let (src_ip, dst_ip) = (src_ip.parse().unwrap(), dst_ip.parse().unwrap());
            FlowKey { src_ip, dst_ip, src_port, dst_port, protocol: *protocol }
        };
        self.tuples.iter().map(key).collect()
    }
}

fn tuples(flows: &[FlowRecord]) -> BTreeSet<FlowKey> {
    flows.iter().map(|flow| flow.key).collect()
}

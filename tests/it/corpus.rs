//! Captures that other people recorded, against an independent decoder: every one below the folder that
//! `FLOWGLASS_CORPUS` names. Without it the test says so and passes.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::support::{Decoded, decode};

#[derive(Debug, Deserialize)]
struct Case {
    versions: String,
    ports: Vec<(u16, String)>,
    reference: Reference,
}

#[derive(Debug, Deserialize)]
struct Reference {
    counts: BTreeMap<String, u64>,
    #[serde(default)]
    octets: u64,
    #[serde(default)]
    packets: u64,
    #[serde(default)]
    other_sums: BTreeMap<String, u64>,
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
];

/// The five numbers of a case: datagrams, flow data records, options records, bytes, packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Five([u64; 5]);

impl Five {
    fn expected(reference: &Reference) -> Self {
        let count = |name: &str| reference.counts.get(name).copied().unwrap_or(0);
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
        let totals = decoded.health.totals;
        Self([totals.datagrams, decoded.sum(|s| s.records), decoded.sum(|s| s.options_records), bytes, packets])
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
        if !case.versions.split(',').all(|version| ["v1", "v5", "v7", "v9", "ipfix"].contains(&version.trim())) {
            println!("{}: {} is not read", path.display(), case.versions);
            continue;
        }
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
    (ours != expected).then(|| {
        format!(
            "{name} ({}): {:?}, reference {:?}, other {:?}, faults {:?}",
            case.versions, ours.0, expected.0, case.reference.other_sums, decoded.faults
        )
    })
}

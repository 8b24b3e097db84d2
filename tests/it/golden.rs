//! Captures of real exporters below `fixtures`: the flows are those of `expected.jsonl`, and their sums are those of an
//! independent decoder. `UPDATE=1` writes `expected.jsonl` anew, to be read before it is committed.

use std::env;
use std::fs;
use std::path::Path;

use flowglass::report;
use serde_json::Value;

use crate::support::{decode, package};

#[test]
fn captures_of_real_exporters_decode_as_expected() {
    let mut cases: Vec<_> = fs::read_dir(package().join("fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("capture.pcap").exists())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        check(&case);
    }
}

fn check(case: &Path) {
    let decoded = decode(&case.join("capture.pcap"), &[]);
    let name = case.display();
    let mut lines = Vec::new();
    for flow in &decoded.flows {
        report::json_line(&mut lines, flow).unwrap();
    }
    let lines = String::from_utf8(lines).unwrap();
    let expected = case.join("expected.jsonl");
    if env::var_os("UPDATE").is_some() {
        fs::write(&expected, &lines).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap_or_default();
    for (number, (ours, theirs)) in lines.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}: flow {}", number + 1);
    }
    assert_eq!(lines.lines().count(), expected.lines().count(), "{name}: number of flows");
    let reference: Value = serde_json::from_str(&fs::read_to_string(case.join("reference.json")).unwrap()).unwrap();
    let (bytes, packets) = decoded.counts();
    let ours = [
        ("datagrams", decoded.health.totals.datagrams),
        ("records", decoded.sum(|stats| stats.records)),
        ("options_records", decoded.sum(|stats| stats.options_records)),
        ("bytes", bytes),
        ("packets", packets),
    ];
    for (key, value) in ours {
        assert_eq!(reference[key].as_u64(), Some(value), "{name}: {key}");
    }
    let totals = decoded.health.totals;
    assert_eq!((totals.malformed, totals.foreign, totals.waiting, totals.lost), (0, 0, 0, 0), "{name}");
}

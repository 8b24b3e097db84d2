//! Captures of real exporters below `fixtures`: the flows are those of `expected.jsonl`, and their sums are those of an
//! independent decoder. `UPDATE=1` writes `expected.jsonl` anew, to be read before it is committed.

use std::env;
use std::fs;
use std::path::Path;

use flowglass::demo::exporters::IptNetflow;
use flowglass::demo::traffic::{Traffic, Via};
use flowglass::flow::{FlowRecord, Timestamp};
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
    for tuple in reference["tuples"].as_array().into_iter().flatten() {
        assert!(decoded.flows.iter().any(|flow| is_same(flow, tuple)), "{name}: {tuple} is missing");
    }
    let totals = decoded.health.totals;
    assert_eq!((totals.malformed, totals.foreign, totals.waiting, totals.lost), (0, 0, 0, 0), "{name}");
}

/// Whether a flow is what the independent decoder says: addresses, ports, protocol, bytes, packets. ICMP has no ports
/// with us, and a record without addresses has `0.0.0.0`.
fn is_same(flow: &FlowRecord, tuple: &Value) -> bool {
    let address = |index: usize| match tuple[index].as_str() {
        None | Some("") => "0.0.0.0".to_owned(),
        Some(text) => text.parse::<std::net::IpAddr>().unwrap().to_string(),
    };
    let number = |index: usize| tuple[index].as_u64().unwrap_or(0);
    let icmp = matches!(flow.key.protocol, 1 | 58);
    let ports = icmp || (u64::from(flow.key.src_port), u64::from(flow.key.dst_port)) == (number(2), number(3));
    ports
        && flow.key.src_ip.to_string() == address(0)
        && flow.key.dst_ip.to_string() == address(1)
        && u64::from(flow.key.protocol) == number(4)
        && (flow.counts.bytes, flow.counts.packets) == (number(5), number(6))
}

/// The gateway's capture is built, not recorded: a quarter of a minute of made-up traffic in the shape of ipt_NETFLOW, to a collector
/// that was started in the middle, so that the first data sets stand before their templates.
#[test]
fn the_gateway_capture_is_what_the_emitter_makes() {
    let path = package().join("fixtures/ucg-max/capture.pcap");
    let made = ucg_max();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(fs::read(&path).unwrap_or_default() == made, "write it anew with `UPDATE=1`");
}

fn ucg_max() -> Vec<u8> {
    let start = Timestamp(1_763_800_000_000);
    let mut traffic = Traffic::new(7, start);
    let mut gateway = IptNetflow::new(start);
    let mut pcap = Vec::new();
    pcap.extend([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0]);
    for second in 1..=18 {
        let now = start.plus(second * 1000);
        let (mut flows, mut datagrams) = (Vec::new(), Vec::new());
        traffic.step(now, &mut flows);
        flows.retain(|flow| flow.via == Via::Gateway);
        gateway.export(now, &flows, &mut datagrams);
        // The collector was started after three seconds.
        for payload in datagrams.iter().filter(|_| 3 < second) {
            frame(&mut pcap, now, payload);
        }
    }
    pcap
}

/// A record of classic pcap with an Ethernet frame from a gateway to port 2055.
fn frame(pcap: &mut Vec<u8>, at: Timestamp, payload: &[u8]) {
    let length = u16::try_from(28 + payload.len()).unwrap();
    let octets = i64::from(length) + 14;
    for word in [at.0 / 1000, at.0 % 1000 * 1000, octets, octets] {
        pcap.extend(u32::try_from(word).unwrap().to_le_bytes());
    }
    pcap.extend([2, 0, 0, 0, 0, 20, 2, 0, 0, 0, 0, 1, 8, 0]);
    pcap.extend([0x45, 0]);
    pcap.extend(length.to_be_bytes());
    pcap.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 168, 1, 1, 192, 168, 1, 20]);
    pcap.extend([50_000_u16, 2055, length - 20, 0].iter().flat_map(|word| word.to_be_bytes()));
    pcap.extend(payload);
}

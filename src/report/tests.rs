use std::net::Ipv4Addr;

use super::*;
use crate::collector::options::Said;
use crate::collector::stats::{ExporterStats, Health};
use crate::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Timestamp, Version};
use crate::window::{Dimension, Limits, Span, View, Window};

fn flow(host: u8, bytes: u64, dst_port: u16) -> FlowRecord {
    let exporter = Ipv4Addr::LOCALHOST.into();
    let mut flow = FlowRecord::blank(Timestamp(1_700_000_000_000), exporter, ObservationDomainId(7), Version::Ipfix);
    flow.key = FlowKey {
        src_ip: Ipv4Addr::new(10, 0, 0, host).into(),
        dst_ip: "2001:db8::1".parse().unwrap(),
        src_port: 50_000,
        dst_port,
        protocol: 6,
    };
    flow.counts = Counts { bytes, packets: 3 };
    flow
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_flow_is_one_line_of_json_without_empty_fields() {
    insta::assert_snapshot!(text(|out| json_line(out, &flow(1, 1500, 443))), @r#"{"received_ms":1700000000000,"first_ms":1700000000000,"last_ms":1700000000000,"time_source":"export","exporter":"127.0.0.1","domain":7,"version":10,"src_ip":"10.0.0.1","dst_ip":"2001:db8::1","src_port":50000,"dst_port":443,"protocol":6,"tcp_flags":0,"tos":0,"bytes":1500,"packets":3,"in_if":0,"out_if":0}"#);
}

#[test]
fn the_table_is_aligned_and_says_what_it_leaves_out() {
    let mut window = Window::new(Limits::default());
    for (host, bytes, port) in [(1, 15_000_000, 443), (2, 900, 22), (3, 12, 12_345)] {
        window.record(&flow(host, bytes, port));
    }
    let snapshot = window.snapshot(&Span::TenSeconds.into(), Timestamp(1_700_000_004_000));
    let by_protocol = View { dimension: Dimension::Protocol, ..snapshot.view.clone() };
    let protocols = window.snapshot(&by_protocol, snapshot.at);
    insta::assert_snapshot!(text(|out| top(out, &snapshot, &protocols, 2)));
    insta::assert_snapshot!(text(|out| account(out, &Health::default())));
}

#[test]
fn the_account_has_a_line_for_exporters_that_say_something_of_themselves() {
    let exporter = |host| {
        let address = Ipv4Addr::new(192, 0, 2, host).into();
        ExporterStats::new(address, ObservationDomainId(7), Version::Ipfix, Timestamp(0))
    };
    let mut stats = exporter(1);
    stats.said = Said { not_sent_flows: Some(0), active_timeout_s: Some(60), ..Default::default() };
    stats.unknown_elements = 2;
    let health = Health { exporters: vec![stats, exporter(2)], ..Default::default() };
    let text = text(|out| account(out, &health));
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(lines, ["exporter 192.0.2.1 domain 7 IPFIX: not sent flows 0  active timeout s 60  unknown elements 2"]);
}

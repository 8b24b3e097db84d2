use std::net::Ipv4Addr;

use super::*;
use crate::flow::{Counts, Version};

const NOW: i64 = 1_700_000_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn is_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_private())
}

fn record(exporter: u8, port: u16, at: i64) -> FlowRecord {
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, exporter));
    let blank = FlowRecord::blank(Timestamp(NOW + at), exporter, ObservationDomainId(0), Version::Ipfix);
    let key =
        FlowKey { src_ip: ip("10.0.0.5"), dst_ip: ip("198.51.100.9"), src_port: port, dst_port: 443, protocol: 6 };
    FlowRecord { first: Timestamp(NOW + at - 5000), counts: Counts { bytes: 100, packets: 1 }, key, ..blank }
}

fn folds(records: &[FlowRecord]) -> Vec<Option<Fold>> {
    let mut once = Once::new();
    once.advance(Timestamp(NOW));
    records.iter().map(|record| once.look(record, is_local).fold).collect()
}

#[test]
fn a_second_exporter_on_the_path_is_folded_and_another_flow_is_not() {
    let reports = [record(1, 50_000, 0), record(2, 50_000, 1000), record(1, 50_000, 2000), record(2, 50_001, 2000)];
    // The first one of a lone observer was not claimed; the second one is.
    assert_eq!(folds(&reports), [None, None, Some(Fold::Path), None]);
    let again = [record(1, 1, 0), record(2, 2, 0), record(1, 50_000, 1000), record(2, 50_000, 1500)];
    assert_eq!(folds(&again)[3], Some(Fold::Path));
}

#[test]
fn both_sides_of_one_exporter_are_folded() {
    let with = |direction, in_if, out_if, at| FlowRecord { direction, in_if, out_if, ..record(1, 50_000, at) };
    let ingress = with(Direction::Ingress, 1, 2, 0);
    let egress = with(Direction::Egress, 1, 2, 10);
    let warm = FlowRecord { key: ingress.key.reversed(), ..egress };
    assert_eq!(folds(&[warm, ingress, egress]), [None, None, Some(Fold::BothSides)]);
}

#[test]
fn who_takes_over_a_path_is_believed_once_the_claim_is_over() {
    let reports = [
        record(2, 1, 0),
        record(1, 50_000, 0),
        record(2, 50_000, 10_000),
        record(2, 50_000, 200_000),
        record(1, 50_000, 201_000),
    ];
    assert_eq!(folds(&reports), [None, None, Some(Fold::Path), None, Some(Fold::Path)]);
}

#[test]
fn a_translated_flow_is_shown_as_its_inside_host_and_folded() {
    let mut once = Once::new();
    once.advance(Timestamp(NOW));
    let public = ip("203.0.113.1");
    let inside = FlowRecord { nat_src_ip: Some(public), nat_src_port: 61_000, ..record(1, 50_000, 0) };
    assert_eq!(once.look(&inside, is_local), Seen { key: inside.key, fold: None });
    // The other side of the gateway, which knows nothing of translation.
    let mut outside = record(1, 61_000, 1000);
    outside.key.src_ip = public;
    outside.in_if = 9;
    assert_eq!(once.look(&outside, is_local), Seen { key: inside.key, fold: Some(Fold::Translation) });
    // The answer, and an answer that names the inside host itself.
    let answer = FlowRecord { key: outside.key.reversed(), ..outside };
    assert_eq!(once.look(&answer, is_local).key, inside.key.reversed());
    let port = 61_001;
    let mut named = record(1, port, 1000);
    named.key = FlowKey { src_ip: public, ..named.key }.reversed();
    (named.nat_dst_ip, named.nat_dst_port) = (Some(ip("10.0.0.7")), 40_000);
    let seen = once.look(&named, is_local).key;
    assert_eq!((seen.dst_ip, seen.dst_port), (ip("10.0.0.7"), 40_000));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut once = Once::new();
    once.advance(Timestamp(NOW));
    for n in 0..3 * u32::try_from(CLAIMS).unwrap() {
        let mut flow = record(u8::try_from(n % 2).unwrap(), 50_000, 0);
        flow.key.src_ip = Ipv4Addr::from_bits(0x0a00_0000 + n).into();
        flow.nat_src_ip = Some(Ipv4Addr::from_bits(0xcb00_0000 + n).into());
        once.look(&flow, is_local);
    }
    assert!(once.claims.iter().all(|generation| generation.len() <= CLAIMS));
    assert!(once.translations.iter().all(|generation| generation.len() <= TRANSLATIONS));
    for in_if in 0..2 * u32::try_from(OBSERVERS).unwrap() {
        once.look(&FlowRecord { in_if, ..record(1, 1, 0) }, is_local);
    }
    assert_eq!(once.by_number.len(), OBSERVERS);
}

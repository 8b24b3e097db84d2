//! Headers as they lie on the wire, spaced by layer.

use std::net::{IpAddr, Ipv4Addr};

use hex_literal::hex;

use super::*;
use crate::flow::{ObservationDomainId, Timestamp, Version};

const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const MACS: [u8; 12] = hex!("0200 0000 0002 0200 0000 0001");
const UDP: [u8; 8] = hex!("0035 c000 0008 0000");

fn parsed(protocol: u32, layers: &[&[u8]]) -> (Option<Ip>, FlowRecord) {
    let mut flow = FlowRecord::blank(Timestamp(0), NOBODY, ObservationDomainId(0), Version::Sflow);
    (read(protocol, &layers.concat(), &mut flow), flow)
}

fn ipv4_header(protocol: u8, fragment: [u8; 2]) -> Vec<u8> {
    let [a, b] = fragment;
    [hex!("45 b8 0054 0001").as_slice(), &[a, b, 64, protocol], &hex!("0000 0a000001 0a000002")].concat()
}

fn ipv6_header(next: u8) -> Vec<u8> {
    [
        hex!("6b812345 0020").as_slice(),
        &[next, 64],
        &hex!("20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002"),
    ]
    .concat()
}

fn text(flow: &FlowRecord) -> String {
    let FlowKey { src_ip, dst_ip, src_port, dst_port, protocol } = flow.key;
    format!("{src_ip} {src_port} {dst_ip} {dst_port} {protocol}")
}

#[test]
fn tags_and_labels_are_taken_off_in_any_number() {
    let check = |between: &[u8], vlan: u16, mpls: u32| {
        let (ip, flow) = parsed(ETHERNET, &[&MACS, between, &ipv4_header(17, [0, 0]), &UDP]);
        assert_eq!(ip, Some(Ip { offset: 12 + between.len(), length: 84 }));
        assert_eq!((text(&flow).as_str(), flow.tos), ("10.0.0.1 53 10.0.0.2 49152 17", 0xb8));
        assert_eq!((flow.dst_mac, flow.src_mac), ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]));
        assert_eq!((flow.vlan, flow.mpls), (vlan, mpls));
    };
    check(&hex!("0800"), 0, 0);
    check(&hex!("8100 a064 0800"), 100, 0);
    // Of stacked tags the outer one; a priority tag has no id.
    check(&hex!("88a8 00c8 8100 0064 0800"), 200, 0);
    check(&hex!("8100 e000 8100 0064 0800"), 100, 0);
    check(&hex!("8847 00064040 00065140"), 0, 0x640);
    check(&hex!("8864 11 00 0001 0056 0021"), 0, 0);
}

#[test]
fn ports_flags_and_types_come_from_the_transport_header() {
    let check = |protocol: u8, transport: &[u8], expected: (&str, u16, u16)| {
        let (_, flow) = parsed(IPV4, &[&ipv4_header(protocol, [0x40, 0]), transport]);
        assert_eq!((text(&flow).as_str(), flow.tcp_flags, flow.icmp), expected);
    };
    let tcp = hex!("01bb c000 00000001 00000002 5112");
    check(6, &tcp, ("10.0.0.1 443 10.0.0.2 49152 6", 0x112, 0));
    check(132, &hex!("0b59 0b59 00000001"), ("10.0.0.1 2905 10.0.0.2 2905 132", 0, 0));
    check(1, &hex!("0301 ffff"), ("10.0.0.1 0 10.0.0.2 0 1", 0, 0x0301));
    check(47, &tcp, ("10.0.0.1 0 10.0.0.2 0 47", 0, 0));
    // What is cut is unknown, what stands before it is not.
    check(6, &tcp[..13], ("10.0.0.1 443 10.0.0.2 49152 6", 0, 0));
    check(6, &tcp[..3], ("10.0.0.1 0 10.0.0.2 0 6", 0, 0));
}

#[test]
fn only_the_first_fragment_has_ports() {
    let ports = |fragment| text(&parsed(IPV4, &[&ipv4_header(17, fragment), &UDP]).1);
    assert_eq!(ports([0x20, 0]), "10.0.0.1 53 10.0.0.2 49152 17");
    assert_eq!(ports([0x20, 1]), "10.0.0.1 0 10.0.0.2 0 17");
}

#[test]
fn ipv4_options_stand_before_the_ports() {
    let mut header = ipv4_header(17, [0, 0]);
    header[0] = 0x46;
    let (_, flow) = parsed(IPV4, &[&header, &hex!("94040000"), &UDP]);
    assert_eq!(text(&flow), "10.0.0.1 53 10.0.0.2 49152 17");
}

#[test]
fn ipv6_extension_headers_are_walked_to_the_transport() {
    let check = |next: u8, extensions: &[u8], expected: &str| {
        let (ip, flow) = parsed(IPV6, &[&ipv6_header(next), extensions, &UDP]);
        assert_eq!(ip, Some(Ip { offset: 0, length: 72 }));
        assert_eq!((text(&flow).as_str(), flow.tos), (expected, 0xb8));
    };
    let whole = "2001:db8::1 53 2001:db8::2 49152 17";
    check(17, &[], whole);
    // Hop-by-hop of eight octets, destination options of 16, the first fragment, authentication of 12.
    let chain =
        hex!("3c00 000000000000 2c01 0000000000000000000000000000 3300 0001 00000001 1101 0000 00000000 00000000");
    check(0, &chain, whole);
    check(44, &hex!("1100 0008 00000001"), "2001:db8::1 0 2001:db8::2 0 17");
    check(50, &[], "2001:db8::1 0 2001:db8::2 0 50");
    // Longer than the sample.
    check(60, &hex!("11ff 000000000000"), "2001:db8::1 0 2001:db8::2 0 60");
}

#[test]
fn what_is_no_ip_packet_is_none() {
    let none = |protocol: u32, octets: &[u8]| {
        let (ip, flow) = parsed(protocol, &[octets]);
        assert_eq!((ip, flow.key), (None, FlowKey::default()));
    };
    none(ETHERNET, &[&MACS, hex!("0806 0001 0800").as_slice()].concat());
    none(ETHERNET, &[&MACS, hex!("8847 00064140 00000000").as_slice()].concat());
    // IPv6 where IPv4 is announced, and the other way round; a header of 16 octets.
    none(IPV4, &ipv6_header(17));
    none(IPV6, &[ipv4_header(17, [0, 0]), vec![0; 20]].concat());
    none(IPV4, &[&[0x44], &[0; 30][..]].concat());
    none(7, &ipv4_header(17, [0, 0]));
}

//! Whole datagrams of sFlow through one collector.

use std::net::{Ipv4Addr, SocketAddr};

use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::collector::Limits;
use crate::collector::room::{Held, Pools};
use crate::collector::stats::ExporterStats;
use crate::flow::{Counts, TimeSource, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// UDP over IPv4 in a tagged frame of 64 octets; the packet is 32 octets long and 10 were filled up.
const PACKET: [u8; 46] = hex!(
    "0200 0000 0002 0200 0000 0001 8100 0064 0800"
    "45 b8 0020 0001 0000 40 11 0000 0a000001 0a000002"
    "0035 c000 000c 0000"
);

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A sample or a record.
fn structure(format: u32, body: &[u8]) -> Vec<u8> {
    let mut octets = [words(&[format, u32::try_from(body.len()).unwrap()]), body.to_vec()].concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn flow_sample(records: &[Vec<u8>]) -> Vec<u8> {
    flow_sample_of([3, 4], 0, records)
}

fn flow_sample_of([input, output]: [u32; 2], drops: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(records.len()).unwrap();
    structure(1, &[words(&[1, 3, 512, 512, drops, input, output, count]), records.concat()].concat())
}

fn packet_header(protocol: u32, frame: u32, stripped: u32, octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).unwrap();
    let mut body = [words(&[protocol, frame, stripped, length]), octets.to_vec()].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    structure(1, &body)
}

fn datagram(sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    from_agent(1, sequence, samples)
}

fn from_agent(agent: u8, sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let head = [hex!("00000005 00000001 c00002").as_slice(), &[agent], &hex!("00000007")].concat();
    let count = u32::try_from(samples.len()).unwrap();
    [head, words(&[sequence, 100_000, count]), samples.concat()].concat()
}

struct Bench {
    collector: Collector,
    flows: Vec<FlowRecord>,
}

impl Bench {
    fn new() -> Self {
        Self { collector: Collector::new(Limits::default()), flows: Vec::new() }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        self.send_from(50_000, payload)
    }

    fn send_from(&mut self, port: u16, payload: &[u8]) -> Result<(), Malformed> {
        let from: SocketAddr = (Ipv4Addr::new(192, 0, 2, 9), port).into();
        self.collector.datagram(NOW, from, payload, &mut self.flows)
    }

    fn stats(&self) -> ExporterStats {
        self.collector.health().exporters.remove(0)
    }
}

/// The one flow of a sample with these records.
fn one(records: &[Vec<u8>]) -> FlowRecord {
    sampled(&flow_sample(records))
}

fn sampled(sample: &[u8]) -> FlowRecord {
    let mut bench = Bench::new();
    bench.send(&datagram(1, &[sample.to_vec()])).unwrap();
    let [flow] = bench.flows.try_into().unwrap();
    flow
}

#[test]
fn a_sampled_packet_is_a_flow_of_one_packet() {
    let flow = one(&[packet_header(1, 64, 4, &PACKET)]);
    assert_eq!(flow.counts, Counts { bytes: 32, packets: 1 });
    let sampling = Sampling { rate: 512, kind: SamplingKind::Packet, source: SamplingSource::Record };
    assert_eq!((flow.sampling, flow.direction), (sampling, Direction::Ingress));
    assert_eq!((flow.first, flow.last, flow.time_source), (NOW, NOW, TimeSource::Export));
    assert_eq!((flow.version, flow.domain.0, flow.in_if, flow.out_if), (Version::Sflow, 7, 3, 4));
    assert_eq!(flow.exporter.to_string(), "192.0.2.9");
    assert_eq!((flow.key.src_ip.to_string().as_str(), flow.key.src_port, flow.vlan), ("10.0.0.1", 53, 100));
    assert_eq!(flow.src_mac, [2, 0, 0, 0, 0, 1]);
}

#[test]
fn bytes_are_those_of_the_ip_layer() {
    let bytes = |frame, stripped, octets: &[u8]| one(&[packet_header(1, frame, stripped, octets)]).counts.bytes;
    assert_eq!(bytes(64, 4, &PACKET), 32);
    // An IP header that claims more than the frame held.
    let mut lie = PACKET;
    lie[20..22].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(bytes(64, 4, &lie), 64 - 18);
    // One that does not say, as before segmentation by the network card: the frame without tag, header and check.
    lie[20..22].copy_from_slice(&[0, 0]);
    assert_eq!(bytes(9018, 4, &lie), 9018 - 18 - 4);
    // No IP at all: the frame, so that every octet is somewhere.
    let mut arp = PACKET;
    arp[16..18].copy_from_slice(&[0x08, 0x06]);
    let flow = one(&[packet_header(1, 64, 4, &arp)]);
    assert_eq!((flow.counts, flow.key), (Counts { bytes: 64, packets: 1 }, FlowKey::default()));
    assert_eq!(flow.dst_mac, [2, 0, 0, 0, 0, 2]);
    // A sample that says nothing of its packet is a packet all the same.
    assert_eq!(one(&[]).counts, Counts { bytes: 0, packets: 1 });
}

#[test]
fn packets_without_a_link_header_begin_with_ip() {
    let flow = one(&[packet_header(11, 32, 0, &PACKET[18..])]);
    assert_eq!((flow.counts.bytes, flow.key.dst_port, flow.src_mac), (32, 49_152, [0; 6]));
}

#[test]
fn agents_may_tell_the_ip_layer_or_the_frame_without_octets() {
    let four = structure(3, &hex!("00000054 00000006 0a000001 0a000002 000001bb 0000c000 00000012 000000b8"));
    let six = structure(
        4,
        &hex!(
            "00000060 0000003a 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002"
            "00000000 00000080 00000000 00000010"
        ),
    );
    let frame = structure(2, &hex!("00000066 0200 0000 0001 0000 0200 0000 0002 0000 00000800"));
    let flow = one(&[four.clone(), frame.clone()]);
    assert_eq!((flow.counts.bytes, flow.key.src_port, flow.key.dst_port), (84, 443, 49_152));
    assert_eq!((flow.key.protocol, flow.tcp_flags, flow.tos, flow.dst_mac), (6, 0x12, 0xb8, [2, 0, 0, 0, 0, 2]));
    let flow = one(&[frame.clone(), six]);
    assert_eq!((flow.counts.bytes, flow.key.src_ip.to_string().as_str()), (96, "2001:db8::1"));
    assert_eq!((flow.icmp, flow.key.dst_port, flow.key.protocol, flow.tos), (0x8000, 0, 58, 0x10));
    assert_eq!(one(&[frame]).counts, Counts { bytes: 102, packets: 1 });
    // The packet itself says more, whichever comes first.
    let packet = packet_header(1, 64, 4, &PACKET);
    for records in [[four.clone(), packet.clone()], [packet, four]] {
        assert_eq!((one(&records).counts.bytes, one(&records).key.protocol), (32, 17));
    }
}

#[test]
fn switch_router_and_gateway_add_what_they_know() {
    let switch = structure(1001, &words(&[200, 0, 300, 0]));
    let router = structure(1002, &hex!("00000001 c0000202 00000018 00000010"));
    let gateway = structure(
        1003,
        &hex!(
            "00000002 20010db8 00000000 00000000 000000ff 0000fde8 0000fde9 0000fdea"
            "00000002 00000002 00000002 0000fdeb 0000fdec 00000001 00000001 0000fded"
            "00000000 00000064"
        ),
    );
    let flow = one(&[packet_header(1, 64, 4, &PACKET), switch, router, gateway.clone()]);
    assert_eq!((flow.vlan, flow.post_vlan, flow.src_mask, flow.dst_mask), (200, 300, 24, 16));
    assert_eq!((flow.src_as, flow.dst_as), (65_001, 65_005));
    assert_eq!(flow.next_hop.unwrap().to_string(), "2001:db8::ff");
    // Unknown VLANs leave the tag of the frame, an unknown next hop leaves none.
    let switch = structure(1001, &words(&[u32::MAX, 0, u32::MAX, 0]));
    let router = structure(1002, &words(&[0, 24, 16]));
    let flow = one(&[switch, packet_header(1, 64, 4, &PACKET), router]);
    assert_eq!((flow.vlan, flow.post_vlan, flow.next_hop, flow.src_mask), (100, 0, None, 24));
    // A path of more systems than there are octets.
    let mut long = gateway;
    long[48..52].copy_from_slice(&[0xff; 4]);
    Bench::new().send(&datagram(1, &[flow_sample(&[long])])).unwrap_err();
}

#[test]
fn interfaces_are_indexes_or_say_what_became_of_the_packet() {
    let check = |input, output, expected| {
        let flow = sampled(&flow_sample_of([input, output], 0, &[]));
        assert_eq!((flow.in_if, flow.out_if, flow.direction, flow.forwarding), expected);
    };
    check(3, 4, (3, 4, Direction::Ingress, 0));
    check(4, 3, (4, 3, Direction::Egress, 0));
    check(5, 6, (5, 6, Direction::Unknown, 0));
    // Of the agent itself.
    check(0x3fff_ffff, 3, (0, 3, Direction::Egress, 0));
    // Discarded for an unknown reason, by an access list; sent to several.
    check(3, 0x4000_0100, (3, 0, Direction::Ingress, 128));
    check(3, 0x4000_0102, (3, 0, Direction::Ingress, 129));
    check(3, 0x8000_0002, (3, 0, Direction::Ingress, 0));
}

#[test]
fn expanded_samples_have_wider_indexes() {
    let head = words(&[1, 0, 0x4000_0001, 512, 512, 0, 0, 0x4000_0001, 1, 257, 1]);
    let flow = sampled(&structure(3, &[head, packet_header(1, 64, 4, &PACKET)].concat()));
    assert_eq!((flow.in_if, flow.out_if, flow.forwarding, flow.counts.bytes), (0x4000_0001, 0, 137, 32));
    assert_eq!((flow.direction, flow.sampling.rate), (Direction::Ingress, 512));
    let flow = sampled(&structure(3, &words(&[1, 0, 1, 512, 512, 0, 0, u32::MAX, 2, 9, 0])));
    assert_eq!((flow.in_if, flow.out_if, flow.forwarding), (0, 0, 0));
}

#[test]
fn counter_samples_tell_speeds_and_names_and_make_no_flow() {
    let speed = structure(1, &[words(&[3, 6, 2, 0x540b_e400]), vec![0; 72]].concat());
    let name = structure(1005, &hex!("00000007 65746830 2f310a00"));
    let compact = structure(2, &[words(&[1, 3, 2]), speed, name.clone()].concat());
    let expanded = structure(4, &[words(&[1, 0, 0x0100_0000, 1]), name].concat());
    let mut bench = Bench::new();
    bench.send(&datagram(1, &[compact, expanded])).unwrap();
    let (stats, address) = (bench.stats(), Ipv4Addr::new(192, 0, 2, 9).into());
    assert_eq!((stats.counter_samples, stats.records, bench.flows.len()), (2, 0, 0));
    let facts = bench.collector.facts(address, ObservationDomainId(7), Version::Sflow).unwrap();
    assert_eq!(facts.interface_speeds.iter().collect::<Vec<_>>(), [(&3, &10_000_000_000)]);
    let names: Vec<_> = facts.names.iter().map(|(_, index, name)| (index, name)).collect();
    assert_eq!(names, [(3, "eth0/1"), (0x0100_0000, "eth0/1")]);
}

#[test]
fn speeds_are_bounded() {
    let (mut facts, mut pools, mut held) =
        (options::ExporterFacts::default(), Pools::new(&Limits::default()), Held::default());
    let mut room = Room { pools: &mut pools, held: &mut held };
    for index in 0..=u32::try_from(options::FACTS).unwrap() {
        facts.learn_speed(index, 1, &mut room.facts());
    }
    facts.learn_speed(0, 2, &mut room.facts());
    assert_eq!((facts.interface_speeds.len(), facts.refused, facts.interface_speeds[&0]), (options::FACTS, 1, 2));
}

#[test]
fn unknown_formats_are_skipped_by_their_length() {
    let vendor = |format: u32| structure(4413 << 12 | format, &[0xff; 5]);
    let packet = packet_header(1, 64, 4, &PACKET);
    let mut bench = Bench::new();
    let sample = flow_sample(&[vendor(1), structure(2100, &[1; 8]), packet]);
    bench.send(&datagram(1, &[vendor(1), structure(5, &[0; 40]), sample])).unwrap();
    assert_eq!((bench.flows.len(), bench.flows[0].counts.bytes), (1, 32));
    assert_eq!((bench.stats().reserved, bench.stats().records), (2, 1));
}

#[test]
fn samples_before_a_broken_one_are_kept() {
    let good = flow_sample(&[packet_header(1, 64, 4, &PACKET)]);
    let mut broken = good.clone();
    // The record is longer than its sample.
    broken[47] += 1;
    let mut bench = Bench::new();
    let fault = bench.send(&datagram(1, &[good.clone(), broken, good.clone()])).unwrap_err();
    assert_eq!(fault, Malformed::Truncated { part: Part::Record, offset: 188, needed: 65, available: 64 });
    assert_eq!((bench.flows.len(), bench.stats().records, bench.stats().malformed), (1, 1, 1));
    // More samples are announced than there are, or fewer.
    let mut short = datagram(2, std::slice::from_ref(&good));
    short[27] = 2;
    bench.send(&short).unwrap_err();
    short[27] = 0;
    bench.send(&short).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().trailing), (2, good.len() as u64));
}

#[test]
fn an_agent_has_an_address_of_a_known_family() {
    let mut bench = Bench::new();
    bench
        .send(&hex!("00000005 00000002 20010db8 00000000 00000000 00000001 00000000 00000001 00000000 00000000"))
        .unwrap();
    bench.send(&hex!("00000005 00000000 00000000 00000001 00000000 00000000")).unwrap();
    let fault = bench.send(&hex!("00000005 00000003 00000000 00000001 00000000 00000000")).unwrap_err();
    assert_eq!(fault.to_string(), "address at offset 4 is of family 3, neither IPv4 nor IPv6");
    // Versions 2 and 4 of sFlow are foreign.
    assert_eq!(bench.send(&hex!("00000004 00000001")), Err(Malformed::Version { version: 0 }));
    let totals = bench.collector.health().totals;
    assert_eq!((totals.decoded, totals.malformed, totals.foreign), (2, 1, 1));
}

#[test]
fn datagrams_are_counted_per_agent_whatever_port_they_come_from() {
    let mut bench = Bench::new();
    for (port, agent, sequence) in [(1, 1, 10), (2, 2, 500), (3, 1, 11), (4, 2, 501), (5, 1, 15)] {
        bench.send_from(port, &from_agent(agent, sequence, &[])).unwrap();
    }
    assert_eq!((bench.stats().lost, bench.stats().datagrams), (3, 5));
}

#[test]
fn drops_of_a_sampler_are_counted_from_its_first_sample_on() {
    let mut bench = Bench::new();
    for (sequence, drops) in (1..).zip([100, 100, 105, 0, 2]) {
        bench.send(&datagram(sequence, &[flow_sample_of([3, 4], drops, &[])])).unwrap();
    }
    assert_eq!((bench.stats().sampler_drops, bench.stats().lost), (7, 0));
}

/// A datagram with every kind of sample and record that is read.
fn everything() -> Vec<u8> {
    let records = [
        packet_header(1, 64, 4, &PACKET),
        structure(2, &[1; 24]),
        structure(3, &[1; 32]),
        structure(4, &[1; 56]),
        structure(1001, &[1; 16]),
        structure(1002, &words(&[1, 1, 24, 16])),
        structure(1003, &words(&[1, 1, 2, 3, 4, 1, 2, 2, 5, 6, 0, 100])),
    ];
    let expanded = [words(&[1, 0, 1, 512, 512, 0, 0, 1, 1, 257, 7]), records.concat()].concat();
    let counters = [structure(1, &[1; 88]), structure(1005, &hex!("00000004 65746830"))].concat();
    let samples = [
        flow_sample(&records),
        structure(2, &[words(&[1, 3, 2]), counters.clone()].concat()),
        structure(3, &expanded),
        structure(4, &[words(&[1, 0, 3, 2]), counters].concat()),
        structure(5, &[0; 40]),
    ];
    datagram(1, &samples)
}

#[test]
fn a_datagram_may_end_anywhere() {
    let whole = everything();
    let mut bench = Bench::new();
    bench.send(&whole).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().counter_samples, bench.stats().reserved), (2, 2, 1));
    for end in 4..whole.len() {
        let mut bench = Bench::new();
        bench.send(&whole[..end]).unwrap_err();
        assert!(bench.flows.len() <= 2, "cut at {end}");
    }
}

proptest! {
    #[test]
    fn no_octets_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8)) {
        let mut payload = everything();
        for (index, octet) in changes {
            // Behind the version, so that it stays sFlow.
            let at = 4 + index.index(payload.len() - 4);
            payload[at] = octet;
        }
        let mut bench = Bench::new();
        let _ = bench.send(&payload);
        // Every flow has taken at least the octets of a sample.
        prop_assert!(bench.flows.len() <= payload.len() / 40);
        prop_assert!(bench.flows.iter().all(|flow| flow.counts.packets == 1));
    }

    #[test]
    fn no_packet_panics(protocol in prop::sample::select(vec![1_u32, 11, 12, 13]), octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let flow = one(&[packet_header(protocol, 64, 4, &octets)]);
        prop_assert!(flow.counts.bytes <= 200);
    }
}

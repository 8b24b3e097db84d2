use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::flow::{ObservationDomainId, Sampling, Timestamp, Version};
use crate::store::tests;
use crate::store::tests::filter::chosen;
use crate::store::tests::{NOW, Place, any_flow};

#[test]
fn frequent_values_take_few_octets() {
    let mut flow = FlowRecord::blank(Timestamp(0), Ipv4Addr::LOCALHOST.into(), ObservationDomainId(0), Version::V9);
    (flow.key.protocol, flow.tcp_flags, flow.key.src_port, flow.key.dst_port) = (6, 0x1f, 443, 65_535);
    (flow.direction, flow.time_source) = (Direction::Egress, TimeSource::Uptime);
    (flow.in_if, flow.out_if, flow.src_as, flow.dst_as) = (10_101, 7, 64_500, 3_320);
    assert!(traits(&flow) < 1 << 23, "three octets");
    assert!(i32::try_from(ports(&flow)).is_ok(), "four");
    assert_eq!(narrow(Ipv4Addr::new(192, 0, 2, 1)), -1_073_741_311);
    assert!(interfaces(&flow) < 1 << 23 && i32::try_from(systems(&flow)).is_ok(), "three, and four");
    let times = |first_ago, last_ago| Times { first_ago, last_ago }.pack();
    assert!(times(60_000, 60_000) < 1 << 23, "three");
    assert!(times(9_000_000, 60_000) < 1 << 47, "six");
    assert!(Origin { exporter: 1, sampling: 0 }.pack() < 1 << 7, "one");
    let sampling = Sampling { rate: 1_000, ..Sampling::default() }.pack();
    assert!(Origin { exporter: 9, sampling }.pack() < 1 << 47, "six");
}

#[test]
fn two_numbers_that_do_not_fit_stand_apart() {
    let times = |first_ago, last_ago| Times { first_ago, last_ago }.pack() == APART;
    assert!(!times(4_194_303 + 549_755_813_887, 4_194_303) && !times(-4_194_304, -4_194_304));
    assert!(times(4_194_304, 4_194_304) && times(0, -4_194_305) && times(549_755_813_888, 0) && times(1, 2));
    assert!(times(i64::MIN, i64::MAX) && times(i64::MAX, i64::MIN));
    let origin = |exporter| Origin { exporter, sampling: 7 }.pack() == APART;
    assert!(!origin(0) && !origin(1_048_575) && origin(1_048_576) && origin(-1));
}

/// What [`APART`] stands for may be a number all the same.
#[test]
fn numbers_at_the_end_of_64_bits_are_no_text() {
    let place = Place::new();
    let mut flow = tests::flow(NOW, 1);
    (flow.in_if, flow.out_if, flow.src_as, flow.dst_as) = (u32::MAX, u32::MAX >> 1, u32::MAX, u32::MAX >> 1);
    (flow.counts.bytes, flow.counts.packets) = (u64::MAX >> 1, u64::MAX >> 1);
    assert_eq!([interfaces(&flow), systems(&flow)], [APART; 2]);
    place.write(&[flow, tests::flow(NOW, 2), flow]);
    assert_eq!(place.read(), [flow, tests::flow(NOW, 2), flow]);
}

/// An exporter whose row is beyond what a number holds, and one whose clock is days off.
#[test]
fn what_stands_apart_is_found_and_read_like_all_else() {
    let place = Place::new();
    let mut far = tests::flow(NOW, 1);
    far.exporter = "192.0.2.200".parse().unwrap();
    far.sampling = Sampling { rate: 512, ..Sampling::default() };
    (far.first, far.last) = (NOW.plus(-300_000_000), NOW.plus(-200_000_000));
    let mut ahead = far;
    (ahead.first, ahead.last) = (NOW.plus(300_000_000), NOW.plus(300_005_000));
    let near = tests::flow(NOW, 2);
    place.write(&[near]);
    place
        .sqlite()
        .execute(
            "INSERT INTO exporters (id, address, domain, version, first_seen_ms, last_seen_ms) VALUES (1048576, ?1, ?2, ?3, 0, 0)",
            (far.exporter.to_string(), far.domain.0, far.version.number()),
        )
        .unwrap();
    place.write(&[far, ahead]);
    assert_eq!(
        place.ask::<i64>("SELECT count(*) FROM flows WHERE typeof(origin) = 'text' AND typeof(times) = 'text'"),
        2
    );
    assert_eq!(place.read(), [near, far, ahead]);
    let view =
        "SELECT group_concat(concat_ws(' ', exporter, sampling, received_ms - first_ms, received_ms - last_ms), ', ')
                FROM flow WHERE exporter = '192.0.2.200'";
    assert_eq!(place.ask::<String>(view), "192.0.2.200 512 300000000 200000000, 192.0.2.200 512 -300000000 -300005000");
    let count = |filter: &str| count(&place, filter);
    assert_eq!(
        ["router ip 192.0.2.200", "sampling 512", "duration > 99999999", "duration 5000"].map(count),
        [2, 2, 1, 1]
    );
}

/// How many rows a filter chooses.
fn count(place: &Place, filter: &str) -> usize {
    chosen(place, &crate::filter::parse(filter, &|_| Vec::new()).unwrap()).len()
}

#[test]
fn a_prefix_is_found_whatever_its_sign() {
    let place = Place::new();
    let sources = ["0.0.0.1", "127.255.255.255", "128.0.0.0", "255.255.255.255", "192.0.2.1"];
    let flows = sources.map(|source| {
        let mut flow = tests::flow(NOW, 1);
        flow.key.src_ip = source.parse::<Ipv4Addr>().unwrap().into();
        flow
    });
    let v6 = {
        let mut flow = tests::flow(NOW, 1);
        flow.key.src_ip = Ipv6Addr::LOCALHOST.into();
        flow
    };
    place.write(&flows);
    place.write(&[v6]);
    let count = |prefix: &str| count(&place, &format!("src {prefix}"));
    assert_eq!(
        ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "192.0.2.0/24", "128.0.0.0", "::/0"].map(count),
        [5, 2, 3, 1, 1, 1]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_packed_comes_back(flow in any_flow()) {
        let mut read = FlowRecord::blank(flow.received, flow.exporter, flow.domain, flow.version);
        put_ports(ports(&flow), &mut read);
        put_traits(traits(&flow), &mut read);
        put_systems(systems(&flow), &mut read);
        put_interfaces(interfaces(&flow), &mut read);
        prop_assert_eq!((read.in_if, read.out_if), (flow.in_if, flow.out_if));
        prop_assert_eq!((read.src_as, read.dst_as), (flow.src_as, flow.dst_as));
        prop_assert_eq!((read.key.src_port, read.key.dst_port), (flow.key.src_port, flow.key.dst_port));
        prop_assert_eq!(
            (read.key.protocol, read.tcp_flags, read.direction, read.time_source, read.tos, read.icmp),
            (flow.key.protocol, flow.tcp_flags, flow.direction, flow.time_source, flow.tos, flow.icmp)
        );
    }
}

//! Filters in memory against filters in SQL.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::Index;
use rusqlite::params_from_iter;

use super::{NOW, Place, any_flow, flow, flows};
use crate::filter::{self, End, Filter, Number};
use crate::flow::FlowRecord;
use crate::names;
use crate::store::sql::where_clause;

const NUMBERS: &[(&str, Number, End)] = &[
    ("proto", Number::Protocol, End::Src),
    ("port", Number::Port, End::Src),
    ("dst port", Number::Port, End::Dst),
    ("service", Number::Service, End::Src),
    ("nport", Number::NatPort, End::Dst),
    ("as", Number::As, End::Src),
    ("src mask", Number::Mask, End::Src),
    ("in if", Number::Interface, End::Src),
    ("out if", Number::Interface, End::Dst),
    ("vlan", Number::Vlan, End::Dst),
    ("tos", Number::Tos, End::Src),
    ("dscp", Number::Dscp, End::Src),
    ("icmp-type", Number::IcmpType, End::Src),
    ("icmp-code", Number::IcmpCode, End::Src),
    ("packets", Number::Packets, End::Src),
    ("bytes", Number::Bytes, End::Src),
    ("duration", Number::Duration, End::Src),
    ("pps", Number::Pps, End::Src),
    ("bps", Number::Bps, End::Src),
    ("bpp", Number::Bpp, End::Src),
    ("domain", Number::Domain, End::Src),
    ("version", Number::Version, End::Src),
    ("sampling", Number::Sampling, End::Src),
    ("event", Number::Event, End::Src),
    ("end-reason", Number::EndReason, End::Src),
    ("forwarding", Number::Forwarding, End::Src),
    ("mpls", Number::Mpls, End::Src),
    ("vrf", Number::Vrf, End::Src),
    ("application", Number::Application, End::Src),
];
const COMPARISONS: &[&str] = &["=", "!=", "<", "<=", ">", ">="];

/// A test that speaks of a value of this flow, so that there is something to find.
pub(super) fn about(flow: &FlowRecord, kind: usize, comparison: usize, length: u8) -> String {
    let net = |address: IpAddr| format!("{address}/{}", length % if address.is_ipv4() { 33 } else { 129 });
    let or = |address: Option<IpAddr>| address.unwrap_or(flow.exporter);
    let key = flow.key;
    match kind {
        0 => format!("ip {}", key.src_ip),
        1 => format!("dst net {}", net(key.dst_ip)),
        2 => format!("src and dst net {}", net(key.src_ip)),
        3 => format!("ip in [{} {} 10/8 ::/3]", net(key.src_ip), net(key.dst_ip)),
        4 => format!("nip {}", or(flow.nat_src_ip)),
        5 => format!("dst nnet {}", net(or(flow.nat_dst_ip))),
        6 => format!("next ip {}", or(flow.next_hop)),
        7 => format!("router ip in [{} 192.0.2.9]", flow.exporter),
        8 => format!("flags {}", flow.tcp_flags),
        9 => format!("proto tcp and (flags any {} or not flags {length})", flow.tcp_flags >> 1),
        10 => format!("flags = {}", flow.tcp_flags),
        11 => ["inet", "inet6", "any", "sampled", "dir ingress", "dir in [unknown egress]"][usize::from(length) % 6]
            .into(),
        12 => "src mac 00:00:00:00:00:00".to_owned(),
        13 => format!("port in [{} {}-65535 53]", key.dst_port, key.src_port),
        kind => {
            let (word, number, end) = NUMBERS[kind % NUMBERS.len()];
            let value = number.of(flow, end).unwrap_or(8);
            format!("{word} {} {value}", COMPARISONS[comparison % COMPARISONS.len()])
        }
    }
}

/// Rows that the condition chooses, by their place.
pub(in crate::store) fn chosen(place: &Place, filter: &Filter) -> Vec<usize> {
    let connection = place.sqlite();
    let (condition, values) = where_clause(filter);
    let sql = format!(
        "SELECT (SELECT count(*) FROM flows AS g WHERE g.id < f.id) FROM flows AS f LEFT JOIN details AS d USING (id)
         WHERE {condition} ORDER BY f.id"
    );
    let mut query = connection.prepare(&sql).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let rows = query.query_map(params_from_iter(values), |row| row.get::<_, u32>(0)).unwrap();
    rows.map(|row| row.unwrap() as usize).collect()
}

fn matching(flows: &[FlowRecord], filter: &Filter) -> Vec<usize> {
    (0..flows.len()).filter(|at| filter.matches(&flows[*at])).collect()
}

#[test]
fn the_longest_list_is_no_chain_too_deep_for_sqlite() {
    let place = Place::new();
    place.write(&flows(NOW, 0..3));
    let hosts: Vec<_> = (1..=700).map(|n| format!("::{n:x}")).collect();
    let text = format!("src ip in [{}] or not (src net 10.0.0.0/31 or src ip 10.0.0.3)", hosts.join(" "));
    let filter = filter::parse(&text, &names::meanings).unwrap();
    assert_eq!(chosen(&place, &filter), [2]);
}

#[test]
fn no_value_becomes_text_of_the_query() {
    let filter = filter::parse("ip 192.0.2.77 and router ip 198.51.100.9 and bytes 4711", &names::meanings).unwrap();
    let (sql, values) = where_clause(&filter);
    assert!(["192", "198", "4711"].iter().all(|text| !sql.contains(text)), "{sql}");
    assert_eq!(values.len(), sql.matches('?').count());
    assert!(!filter.matches(&flow(NOW, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sql_and_memory_choose_the_same_flows(
        flows in proptest::collection::vec(any_flow(), 1..12),
        tests in proptest::collection::vec((any::<Index>(), 0..60_usize, 0..6_usize, any::<u8>(), 0..4_u8), 40..80),
    ) {
        let place = Place::new();
        place.write(&flows);
        // In the order of their keys.
        let flows = place.read();
        let mut previous = "any".to_owned();
        for (which, kind, comparison, length, join) in tests {
            let test = about(which.get(&flows), kind, comparison, length);
            let text = match join {
                0 => test.clone(),
                1 => format!("not ({test}) and {previous}"),
                2 => format!("{test} or not ({previous})"),
                _ => format!("{previous} and not {test} or {test}"),
            };
            // Nothing is below 0 or above the highest.
            let Ok(filter) = filter::parse(&text, &names::meanings) else { continue };
            let again = filter::parse(&filter.to_string(), &names::meanings);
            prop_assert_eq!(again.as_ref(), Ok(&filter));
            prop_assert_eq!(chosen(&place, &filter), matching(&flows, &filter), "{}", filter);
            previous = format!("({test})");
        }
    }
}

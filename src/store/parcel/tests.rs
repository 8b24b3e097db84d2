use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::store::tests::any_flow;

#[test]
fn most_flows_take_a_fourth_of_a_record() {
    assert_eq!(size_of::<Plain>(), 64);
    assert_eq!(size_of::<FlowRecord>(), 232);
}

proptest! {
    #[test]
    fn a_parcel_gives_back_what_it_was_made_of(
        flows in prop::collection::vec((any_flow(), any::<[bool; 3]>()), 0..40)
    ) {
        // A third is between IPv4 hosts, half of them of about when they come, and one exporter reports several.
        let flows: Vec<FlowRecord> = flows
            .into_iter()
            .map(|(flow, [narrow, same, near])| {
                let ends = |ip: IpAddr| if narrow && ip.is_ipv6() { Ipv4Addr::new(192, 0, 2, 7).into() } else { ip };
                let exporter = if same { Ipv4Addr::LOCALHOST.into() } else { flow.exporter };
                let key = FlowKey { src_ip: ends(flow.key.src_ip), dst_ip: ends(flow.key.dst_ip), ..flow.key };
                let (first, last) = match near {
                    true => (flow.received.plus(-i64::from(flow.in_if >> 1)), flow.received.plus(30_000)),
                    false => (flow.first, flow.last),
                };
                FlowRecord { key, exporter, first, last, ..flow }
            })
            .collect();
        let parcel = Parcel::new(&flows);
        prop_assert_eq!(parcel.len(), flows.len());
        let near = |flow: &&FlowRecord| {
            [flow.first, flow.last].iter().all(|time| (-(1 << 31)..1 << 31).contains(&flow.received.since(*time)))
        };
        let plain = flows.iter().filter(near).filter(|flow| plain_ends(flow).is_some()).count();
        prop_assert_eq!(parcel.plain.len(), plain);
        let mut given = Vec::new();
        let all = parcel.each(|flow| {
            given.push(*flow);
            Ok::<_, Infallible>(())
        });
        prop_assert!(all.is_ok());
        prop_assert_eq!(given, flows);
    }
}

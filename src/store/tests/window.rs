//! The window's rankings under a filter against those that SQL gives for the same span.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::Index;

use super::filter::{about, chosen};
use super::{NOW, Place, any_flow};
use crate::filter::{self, Filter};
use crate::flow::{FlowRecord, Timestamp, share};
use crate::names;
use crate::window::{self, Key, Limits, Snapshot, Span, View, Window};

/// Any record at all, but of the last hour, and of hosts that nobody translates.
fn recent() -> impl Strategy<Value = FlowRecord> {
    (any_flow(), 0..3_400_000_i64, 0..200_000_i64, 0..100_000_u64, any::<bool>()).prop_map(
        |(flow, ago, lasting, bytes, near)| {
            let last = NOW.plus(-ago);
            let mut flow = FlowRecord {
                received: last,
                first: last.plus(-lasting),
                last,
                nat_src_ip: None,
                nat_dst_ip: None,
                ..flow
            };
            flow.counts.bytes = bytes;
            if near {
                flow.key.src_ip = IpAddr::from([10, 0, 0, flow.key.src_port.to_be_bytes()[1] % 8]);
            }
            flow
        },
    )
}

/// What these records come to in the time of the snapshot, by the two hosts and the service, whichever is the inside.
fn expected(flows: &[FlowRecord], snapshot: &Snapshot) -> BTreeMap<([IpAddr; 2], u8, u16), u64> {
    let mut sums = BTreeMap::new();
    for flow in flows {
        let key = window::ConversationKey::of(flow);
        let mut hosts = [key.src_ip, key.dst_ip];
        hosts.sort_unstable();
        *sums.entry((hosts, key.protocol, key.port)).or_insert(0) += share(flow, snapshot.from, snapshot.until).bytes;
    }
    sums.retain(|_, bytes| *bytes != 0);
    sums
}

fn rows(snapshot: &Snapshot) -> BTreeMap<([IpAddr; 2], u8, u16), u64> {
    let row = |row: &window::Row| {
        let Key::Conversation { inside, outside, protocol, port } = row.key else { panic!("{:?}", row.key) };
        let mut hosts = [inside, outside];
        hosts.sort_unstable();
        ((hosts, protocol, port), row.ways.sum().counts.bytes)
    };
    snapshot.rows.iter().map(row).collect()
}

/// What a filter shows: of the whole window where lanes decide it, else of a window of what matches.
fn seen(flows: &[FlowRecord], filter: &Filter, now: Timestamp) -> Snapshot {
    let mut window = Window::new(Limits::default());
    let by_lanes = window::decides(filter);
    let view = View { once: false, estimated: false, ..View::from(Span::QuarterHour) };
    // Both windows end where everything is settled.
    flows.iter().filter(|flow| by_lanes || filter.matches(flow)).for_each(|flow| window.record(flow));
    let view = if by_lanes { View { filter: filter.clone(), ..view } } else { view };
    window.snapshot(&view, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_window_and_sql_rank_the_same_under_any_filter(
        flows in proptest::collection::vec(recent(), 1..24),
        tests in proptest::collection::vec((any::<Index>(), 0..60_usize, 0..6_usize, any::<u8>(), any::<bool>()), 20..40),
    ) {
        let place = Place::new();
        place.write(&flows);
        let stored = place.read();
        for (which, kind, comparison, length, not) in tests {
            let test = about(which.get(&stored), kind, comparison, length);
            let text = if not { format!("not ({test})") } else { test };
            let Ok(filter) = filter::parse(&text, &names::meanings) else { continue };
            let snapshot = seen(&stored, &filter, NOW.plus(1000));
            let of_sql: Vec<FlowRecord> = chosen(&place, &filter).into_iter().map(|at| stored[at]).collect();
            prop_assert_eq!(rows(&snapshot), expected(&of_sql, &snapshot), "{}", filter);
        }
    }
}

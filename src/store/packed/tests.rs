use std::net::Ipv6Addr;
use std::panic::catch_unwind;

use proptest::prelude::*;

use super::*;
use crate::flow::{ObservationDomainId, Timestamp, Version};
use crate::store::history::History;
use crate::store::schema;
use crate::store::tests::{NOW, Place, any_flow};
use crate::store::writer::{Options, Writer};
use crate::store::{Error, tests};

/// The rows of a file as version 11 had them.
fn unpacked() -> String {
    let address =
        |column: &str| format!("CASE typeof({column}) WHEN 'integer' THEN {column} & 4294967295 ELSE {column} END");
    format!(
        "SELECT id, exporter, first_ago, last_ago, {}, {}, {SRC_PORT}, {DST_PORT}, {PROTOCOL}, {TCP_FLAGS}, {TOS}, {ICMP},
                {DIRECTION}, bytes, packets, sampling, in_if, out_if, {SRC_AS}, {DST_AS}, {TIME_SOURCE} FROM new.flows AS f",
        address("f.src"),
        address("f.dst"),
    )
}

/// Makes an older file of what another one holds.
pub(in crate::store) fn older(place: &Place, new: &Place, version: usize) {
    let old = place.sqlite();
    for migration in schema::MIGRATIONS.iter().take(version) {
        old.execute_batch(migration).unwrap();
    }
    let seen = "id, address, domain, version, first_seen_ms, last_seen_ms";
    old.execute_batch(&format!(
        "ATTACH '{}' AS new; INSERT INTO flows {}; INSERT INTO details SELECT * FROM new.details;
         INSERT INTO exporters ({seen}) SELECT {seen} FROM new.exporters;",
        new.path.display(),
        unpacked(),
    ))
    .unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", i32::try_from(version).unwrap()).unwrap();
}

#[test]
fn frequent_values_take_few_octets() {
    let mut flow = FlowRecord::blank(Timestamp(0), Ipv4Addr::LOCALHOST.into(), ObservationDomainId(0), Version::V9);
    (flow.key.protocol, flow.tcp_flags, flow.key.src_port, flow.key.dst_port) = (6, 0x1f, 443, 65_535);
    (flow.direction, flow.time_source) = (Direction::Egress, TimeSource::Uptime);
    assert!(traits(&flow) < 1 << 23, "three octets");
    assert!(i32::try_from(ports(&flow)).is_ok(), "four");
    assert_eq!(narrow(Ipv4Addr::new(192, 0, 2, 1)), -1_073_741_311);
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
    let count = |prefix: &str| {
        let filter = crate::filter::parse(&format!("src {prefix}"), &|_| Vec::new()).unwrap();
        let (sql, values) = crate::store::sql::where_clause(&filter);
        let sql = format!("SELECT count(*) FROM flows AS f LEFT JOIN details AS d USING (id) WHERE {sql}");
        place.sqlite().query_row(&sql, rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(
        ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "192.0.2.0/24", "128.0.0.0", "::/0"].map(count),
        [5, 2, 3, 1, 1, 1]
    );
}

#[test]
fn bringing_flows_over_goes_on_where_it_was_cut_short() {
    let (place, new) = (Place::new(), Place::new());
    new.write(&tests::flows(NOW, 0..50));
    older(&place, &new, 11);
    let killed = || Writer::open_telling(&place.path, Options::default(), &mut |_, _| panic!("killed")).map(drop);
    catch_unwind(killed).unwrap_err();
    // What a first transaction leaves behind.
    place
        .sqlite()
        .execute_batch(&format!(
            "CREATE TEMP TABLE moved AS SELECT id AS moved FROM unpacked ORDER BY id LIMIT 20;
             INSERT INTO flows SELECT {FROM_UNPACKED} FROM unpacked WHERE id IN (SELECT moved FROM moved);
             DELETE FROM unpacked WHERE id IN (SELECT moved FROM moved);"
        ))
        .unwrap();
    assert!(matches!(History::open(&place.path), Err(Error::OlderSchema { found: 11, .. })), "nobody reads a half");
    let mut told = Vec::new();
    Writer::open_telling(&place.path, Options::default(), &mut |all, done| told.push((all, done))).map(drop).unwrap();
    assert_eq!(told, [(30, 0)]);
    assert_eq!(place.read(), tests::flows(NOW, 0..50));
    let left = "SELECT count(*) FROM sqlite_schema WHERE name IN ('unpacked', 'flow')";
    assert_eq!(place.ask::<i64>(left), 1, "the view alone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_older_file_holds_what_it_held(flows in prop::collection::vec(any_flow(), 1..20)) {
        let (place, new) = (Place::new(), Place::new());
        new.write(&flows);
        older(&place, &new, 11);
        let text = "SELECT json_group_array(json_array(id, src_ip, dst_ip, src_port, dst_port, protocol, tcp_flags, tos, icmp,
                    direction, time_source, bytes, in_if, src_as, dst_as)) FROM flow";
        Writer::open(&place.path, Options::default()).map(drop).unwrap();
        prop_assert_eq!(place.read(), new.read());
        prop_assert_eq!(place.ask::<String>(text), new.ask::<String>(text));
        prop_assert_eq!(place.ask::<String>("PRAGMA integrity_check"), "ok");
    }

    #[test]
    fn what_is_packed_comes_back(flow in any_flow()) {
        let mut read = FlowRecord::blank(flow.received, flow.exporter, flow.domain, flow.version);
        put_ports(ports(&flow), &mut read);
        put_traits(traits(&flow), &mut read);
        put_systems(systems(&flow), &mut read);
        prop_assert_eq!((read.src_as, read.dst_as), (flow.src_as, flow.dst_as));
        prop_assert_eq!((read.key.src_port, read.key.dst_port), (flow.key.src_port, flow.key.dst_port));
        prop_assert_eq!(
            (read.key.protocol, read.tcp_flags, read.direction, read.time_source, read.tos, read.icmp),
            (flow.key.protocol, flow.tcp_flags, flow.direction, flow.time_source, flow.tos, flow.icmp)
        );
    }
}

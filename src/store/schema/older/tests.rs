use std::panic::catch_unwind;

use proptest::prelude::*;

use super::*;
use crate::store::history::History;
use crate::store::packed::{
    DIRECTION, DST_AS, DST_PORT, EXPORTER, FIRST_AGO, ICMP, IN_IF, LAST_AGO, OUT_IF, PROTOCOL, SAMPLING, SRC_AS,
    SRC_PORT, TCP_FLAGS, TIME_SOURCE, TOS,
};
use crate::store::tests::{NOW, Place, any_flow};
use crate::store::writer::{Options, Writer};
use crate::store::{Error, schema, tests};

/// The rows of a file as version 12, or 11 and those before, had them.
fn as_in(version: usize) -> String {
    let address =
        |column: &str| format!("CASE typeof({column}) WHEN 'integer' THEN {column} & 4294967295 ELSE {column} END");
    let columns = if version < 12 {
        format!(
            "id, {EXPORTER}, {FIRST_AGO}, {LAST_AGO}, {}, {}, {SRC_PORT}, {DST_PORT}, {PROTOCOL}, {TCP_FLAGS}, {TOS}, {ICMP},
             {DIRECTION}, bytes, packets, {SAMPLING}, {IN_IF}, {OUT_IF}, {SRC_AS}, {DST_AS}, {TIME_SOURCE}",
            address("f.src"),
            address("f.dst"),
        )
    } else {
        format!(
            "src, dst, ports, traits, {EXPORTER}, {FIRST_AGO}, {LAST_AGO}, bytes, packets, {SAMPLING}, {IN_IF}, {OUT_IF},
             {SRC_AS} << 32 | {DST_AS}, id"
        )
    };
    format!("SELECT {columns} FROM new.flows AS f")
}

/// Makes an older file of what another one holds.
pub(in crate::store) fn older(place: &Place, new: &Place, version: usize) {
    let old = place.sqlite();
    for migration in schema::MIGRATIONS.iter().take(version) {
        old.execute_batch(migration).unwrap();
    }
    let seen = "id, address, domain, version, first_seen_ms, last_seen_ms";
    old.execute_batch(&format!(
        "DROP TABLE IF EXISTS unpacked; ATTACH '{}' AS new; INSERT INTO flows {};
         INSERT INTO details SELECT * FROM new.details;
         INSERT INTO exporters ({seen}) SELECT {seen} FROM new.exporters;",
        new.path.display(),
        as_in(version),
    ))
    .unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", i32::try_from(version).unwrap()).unwrap();
}

#[test]
fn bringing_flows_over_goes_on_where_it_was_cut_short() {
    for (version, older_table) in [(11, &OLDER[1]), (12, &OLDER[0])] {
        let (place, new) = (Place::new(), Place::new());
        new.write(&tests::flows(NOW, 0..50));
        older(&place, &new, version);
        let killed = || Writer::open_telling(&place.path, Options::default(), &mut |_, _| panic!("killed")).map(drop);
        catch_unwind(killed).unwrap_err();
        // What a first transaction leaves behind.
        let (table, select) = (older_table.table, older_table.select());
        place
            .sqlite()
            .execute_batch(&format!(
                "CREATE TEMP TABLE moved AS SELECT id AS moved FROM {table} ORDER BY id LIMIT 20;
                 INSERT INTO flows {select} WHERE id IN (SELECT moved FROM moved);
                 DELETE FROM {table} WHERE id IN (SELECT moved FROM moved);"
            ))
            .unwrap();
        assert!(matches!(History::open(&place.path), Err(Error::OlderSchema { found: 12, .. })), "nobody reads a half");
        finish(&place, 30);
    }
}

/// A file that a program of version 12 had begun to bring over.
#[test]
fn a_half_of_a_half_is_brought_over_in_the_order_of_its_rows() {
    let (place, new) = (Place::new(), Place::new());
    new.write(&tests::flows(NOW, 0..50));
    older(&place, &new, 12);
    let old = place.sqlite();
    let eleven =
        schema::MIGRATIONS[0].split("CREATE TABLE details").next().unwrap().replace("TABLE flows", "TABLE unpacked");
    let newer = as_in(11);
    old.execute_batch(&format!(
        "{eleven}; ATTACH '{}' AS new; INSERT INTO unpacked {newer} ORDER BY id LIMIT -1 OFFSET 20;
         DELETE FROM flows WHERE id IN (SELECT id FROM unpacked);",
        new.path.display()
    ))
    .unwrap();
    drop(old);
    assert!(matches!(History::open(&place.path), Err(Error::OlderSchema { .. })));
    finish(&place, 50);
}

/// Brings over what is left, which is so many, and finds what [`tests::flows`] made.
fn finish(place: &Place, left: u64) {
    let mut told = Vec::new();
    Writer::open_telling(&place.path, Options::default(), &mut |all, done| told.push((all, done))).map(drop).unwrap();
    assert_eq!(told.first(), Some(&(left, 0)));
    assert_eq!(place.read(), tests::flows(NOW, 0..50));
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('unpacked', 'flows_12', 'flow')";
    assert_eq!(place.ask::<i64>(tables), 1, "the view alone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_older_file_holds_what_it_held(flows in prop::collection::vec(any_flow(), 1..20), version in 11..13_usize) {
        let (place, new) = (Place::new(), Place::new());
        new.write(&flows);
        older(&place, &new, version);
        let text = "SELECT json_group_array(json_array(id, src_ip, dst_ip, src_port, dst_port, protocol, tcp_flags, tos, icmp,
                    direction, time_source, bytes, in_if, out_if, src_as, dst_as, exporter, sampling, sampling_kind,
                    sampling_source, first_ms, last_ms)) FROM flow";
        Writer::open(&place.path, Options::default()).map(drop).unwrap();
        prop_assert_eq!(place.read(), new.read());
        prop_assert_eq!(place.ask::<String>(text), new.ask::<String>(text));
        prop_assert_eq!(place.ask::<String>("PRAGMA integrity_check"), "ok");
    }
}

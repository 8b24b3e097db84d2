use super::*;
use crate::{filter, names};

/// 2026-03-09 03:10:00 to 03:15:00 UTC, on a clock an hour ahead.
const BETWEEN: Between =
    Between { from: Timestamp(1_773_025_800_000), to: Timestamp(1_773_026_100_000), utc_offset_s: 3_600 };

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn flow(protocol: u8, src_port: u16, dst_port: u16) -> Selection {
    let (src_ip, dst_ip) = (address("10.1.2.3"), address("203.0.113.9"));
    Selection::Flow(FlowKey { src_ip, dst_ip, src_port, dst_port, protocol })
}

fn selections() -> Vec<(&'static str, Selection)> {
    let hosts = (address("10.1.2.3"), address("203.0.113.9"));
    let six = (address("2001:db8::1"), address("2001:db8::2"));
    let exporter = address("192.0.2.1");
    vec![
        ("host", Selection::Host(hosts.0)),
        ("host v6", Selection::Host(six.0)),
        ("conversation", Selection::Conversation { hosts, service: None }),
        ("conversation https", Selection::Conversation { hosts, service: Some((6, 443)) }),
        ("conversation icmp6", Selection::Conversation { hosts: six, service: Some((58, 0)) }),
        ("conversation gre", Selection::Conversation { hosts, service: Some((47, 0)) }),
        ("flow", flow(6, 60_000, 443)),
        ("flow icmp", flow(1, 0, 0)),
        ("service", Selection::Service { protocol: 17, port: 53 }),
        ("protocol", Selection::Service { protocol: 47, port: 0 }),
        ("exporter", Selection::Exporter { address: exporter, domain: None }),
        ("domain", Selection::Exporter { address: exporter, domain: Some(ObservationDomainId(7)) }),
        ("interface", Selection::Interface { exporter, domain: ObservationDomainId(7), index: 3 }),
        ("source", Selection::Source(hosts.0)),
        ("destination", Selection::Destination(hosts.1)),
        ("as", Selection::As(64_512)),
        ("vlan", Selection::Vlan(20)),
        ("dscp", Selection::Dscp(46)),
    ]
}

fn figures() -> Figures {
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    Figures {
        headings: vec!["inside", "outside", "bytes"],
        rows: vec![row(["nas.lan", "a, \"b\" | c", "12"]), row(["=cmd()", "-1+1", "3"])],
    }
}

#[test]
fn every_selection_in_every_language() {
    let mut text = String::new();
    for (name, selection) in selections() {
        for form in [Form::Filter, Form::Nfdump, Form::Tcpdump, Form::Sql] {
            let said = translate(selection, BETWEEN, &Figures::default(), form);
            let said = said.unwrap_or_else(|why| format!("({why})"));
            text.push_str(&format!("{name}, {form:?}\n{said}\n\n"));
        }
    }
    insta::assert_snapshot!("translations", text.trim_end());
}

#[test]
fn tables_are_safe_where_they_are_pasted() {
    let csv = translate(selections()[0].1, BETWEEN, &figures(), Form::Csv).unwrap();
    assert_eq!(csv, "inside,outside,bytes\nnas.lan,\"a, \"\"b\"\" | c\",12\n'=cmd(),'-1+1,3");
    let markdown = translate(selections()[0].1, BETWEEN, &figures(), Form::Markdown).unwrap();
    let expected = "2026-03-09 03:10:00 to 2026-03-09 03:15:00 UTC\n\n| inside | outside | bytes |\n| --- | --- | --- |\n\
                    | nas.lan | a, \"b\" \\| c | 12 |\n| =cmd() | -1+1 | 3 |";
    assert_eq!(markdown, expected);
}

#[test]
fn filters_are_those_of_this_program() {
    for (name, selection) in selections() {
        let text = selection.filter().unwrap();
        filter::parse(&text, &names::meanings).unwrap_or_else(|error| panic!("{name}: {}", error.render(&text)));
    }
}

#[test]
fn queries_run_and_read_only_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    drop(crate::store::writer::Writer::open(&path, crate::store::writer::Options::default()).unwrap());
    let database = rusqlite::Connection::open(&path).unwrap();
    for (name, selection) in selections() {
        let sql = selection.sql(BETWEEN);
        let rows = database.prepare(&sql).and_then(|mut query| query.query([])?.next().map(|row| row.is_some()));
        assert_eq!(rows, Ok(false), "{name}: {sql}");
        let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = plan.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan[0].contains("USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{name}: {plan:?}");
    }
}

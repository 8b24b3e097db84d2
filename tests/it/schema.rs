//! The page about the database against the database: every table and column, and every query on it.

use std::collections::BTreeMap;
use std::fs;

use rusqlite::Connection;

use crate::questions::{Stored, flow};
use crate::support::package;

fn page() -> String {
    fs::read_to_string(package().join("docs/schema.md")).unwrap()
}

fn columns(database: &Connection, table: &str) -> Vec<String> {
    let mut query = database.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
    query.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_page_has_every_table_and_column() {
    let stored = Stored::new(&[flow(0, 1, 1)]);
    let database = Connection::open(&stored.path).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut query = database.prepare(tables).unwrap();
    let tables: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected: BTreeMap<_, _> = tables.into_iter().map(|name| (name.clone(), columns(&database, &name))).collect();
    let page = page();
    let documented: BTreeMap<_, _> = page
        .split("\n### `")
        .skip(1)
        .map(|section| {
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            let columns: Vec<_> = rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
            (section.split('`').next().unwrap().to_owned(), columns)
        })
        .collect();
    assert_eq!(documented, expected);
    // Of the view, which shares rows.
    let view = page.split("## The view `flow`").nth(1).unwrap().split("\n## ").next().unwrap();
    for column in columns(&database, "flow") {
        assert!(view.contains(&format!("`{column}`")), "{column}");
    }
}

/// The page's queries speak of the last hour, so the flows are of now.
#[test]
fn the_queries_of_the_page_run_and_find_something() {
    let now = jiff::Timestamp::now().as_millisecond() - 60_000;
    let made = |host, port, flags| {
        let mut flow = flow(0, host, 1_000);
        let ago = flow.received.0 - now;
        for time in [&mut flow.received, &mut flow.first, &mut flow.last] {
            time.0 -= ago;
        }
        (flow.key.dst_port, flow.tcp_flags) = (port, flags);
        flow
    };
    let stored = Stored::new(&[made(1, 443, 0x1b), made(2, 53, 0x1b), made(3, 22, 2)]);
    let database = Connection::open(&stored.path).unwrap();
    // A collector that was away for a minute.
    for (id, started) in [(100, now), (101, now + 60_000)] {
        let copy = format!(
            "CREATE TEMP TABLE t AS SELECT * FROM collector_runs LIMIT 1;
             UPDATE t SET id = {id}, started_ms = {started}, last_alive_ms = {started};
             INSERT INTO collector_runs SELECT * FROM t; DROP TABLE t;"
        );
        database.execute_batch(&copy).unwrap();
    }
    let page = page();
    let queries: Vec<_> = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(queries.len(), 10);
    for sql in queries {
        let mut query = database.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let mut rows = query.query([]).unwrap();
        assert!(rows.next().unwrap().is_some(), "nothing found by {sql}");
    }
}

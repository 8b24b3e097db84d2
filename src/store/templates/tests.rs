use std::net::Ipv4Addr;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::collector::stats::Health;
use crate::flow::{ObservationDomainId, Version};
use crate::store::writer::{Options, Writer};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn template(id: u16, fields: &[FieldSpecifier]) -> KnownTemplate {
    KnownTemplate {
        exporter: Ipv4Addr::new(192, 0, 2, 1).into(),
        domain: ObservationDomainId(7),
        version: Version::V9,
        template: Template { id: TemplateId(id), scopes: 0, fields: fields.to_vec() }.into(),
        received: NOW.plus(i64::from(id)),
    }
}

fn bytes() -> FieldSpecifier {
    FieldSpecifier { element: ElementId::Iana(1), length: 4 }
}

fn open(folder: &TempDir) -> Writer {
    Writer::open(&folder.path().join("flows.db"), Options::default()).unwrap()
}

/// Writes with one writer and reads with the next.
fn round(folder: &TempDir, templates: Vec<KnownTemplate>) -> Stored {
    let mut writer = open(folder);
    writer.keep_templates(templates.into());
    writer.close(NOW, &Health::default()).unwrap();
    open(folder).stored_templates().unwrap()
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path.join("flows.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_has_gone_from_the_collector_goes_from_the_table() {
    let folder = TempDir::new().unwrap();
    let (a, b, c) = (template(256, &[bytes()]), template(257, &[bytes()]), template(258, &[bytes()]));
    assert_eq!(round(&folder, vec![a.clone(), b.clone()]).templates, [b.clone(), a]);
    assert_eq!(round(&folder, vec![b.clone(), c.clone()]).templates, [c, b]);
    assert_eq!(round(&folder, Vec::new()), Stored::default());
}

#[test]
fn a_flush_without_news_leaves_the_table_alone() {
    let folder = TempDir::new().unwrap();
    let mut writer = open(&folder);
    writer.keep_templates([template(256, &[bytes()])].into());
    writer.flush(NOW, &Health::default()).unwrap();
    sql(folder.path(), "UPDATE templates SET domain = 8");
    writer.flush(NOW, &Health::default()).unwrap();
    assert_eq!(writer.stored_templates().unwrap().templates[0].domain, ObservationDomainId(8));
}

#[test]
fn templates_of_a_flush_that_failed_are_written_by_the_next() {
    let folder = TempDir::new().unwrap();
    let mut writer = open(&folder);
    sql(folder.path(), "ALTER TABLE collector_runs RENAME TO away");
    writer.keep_templates([template(256, &[bytes()])].into());
    writer.flush(NOW, &Health::default()).unwrap_err();
    sql(folder.path(), "ALTER TABLE away RENAME TO collector_runs");
    writer.flush(NOW, &Health::default()).unwrap();
    assert_eq!(writer.stored_templates().unwrap().templates.len(), 1);
}

#[test]
fn a_damaged_row_costs_its_own_template_only() {
    let folder = TempDir::new().unwrap();
    let known = (256..264).map(|id| template(id, &[bytes()])).collect();
    round(&folder, known);
    sql(
        folder.path(),
        "UPDATE templates SET fields = '1:4 rubbish' WHERE id = 256;
         UPDATE templates SET address = 'nowhere' WHERE id = 257;
         UPDATE templates SET version = 77 WHERE id = 258;
         UPDATE templates SET scopes = -1 WHERE id = 259;
         UPDATE templates SET id = 65536 WHERE id = 260;
         UPDATE templates SET domain = 1 << 40 WHERE id = 261;
         UPDATE templates SET fields = '1:70000' WHERE id = 262;",
    );
    let stored = open(&folder).stored_templates().unwrap();
    assert_eq!((stored.templates, stored.damaged), (vec![template(263, &[bytes()])], 7));
}

#[test]
fn no_more_rows_are_read_than_are_ever_written() {
    let folder = TempDir::new().unwrap();
    round(&folder, Vec::new());
    sql(
        folder.path(),
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
         INSERT INTO templates SELECT '192.0.2.1', i, 10, 256, 0, i, '1:4' FROM n",
    );
    let templates = open(&folder).stored_templates().unwrap().templates;
    assert_eq!((templates.len(), templates[0].received), (STORED, Timestamp(19_999)));
}

fn any_field() -> impl Strategy<Value = FieldSpecifier> {
    let element = prop_oneof![
        any::<u16>().prop_map(ElementId::Iana),
        (any::<u32>(), any::<u16>()).prop_map(|(pen, id)| ElementId::Vendor { pen, id }),
        any::<u16>().prop_map(ElementId::V9Scope),
    ];
    (element, any::<u16>()).prop_map(|(element, length)| FieldSpecifier { element, length })
}

proptest! {
    #[test]
    fn fields_come_back_as_they_were(fields in prop::collection::vec(any_field(), 0..20)) {
        let back: Option<Vec<_>> = text(&fields).split_whitespace().map(field).collect();
        prop_assert_eq!(back, Some(fields));
    }

    #[test]
    fn no_text_panics(anything in ".{0,40}") {
        field(&anything);
    }
}

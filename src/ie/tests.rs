use super::*;

#[test]
fn registry_equals_the_iana_file() {
    let csv = include_str!("../../fixtures/iana/ipfix-information-elements.csv");
    let rows: Vec<String> = csv.lines().skip(1).map(str::to_owned).collect();
    let ours: Vec<String> = registry::IANA
        .iter()
        .map(|row| {
            let kind = format!("{:?}", row.kind);
            let (head, tail) = kind.split_at(1);
            format!("{},{},{}{},{}", row.id, row.name, head.to_lowercase(), tail, row.units)
        })
        .collect();
    assert_eq!(ours, rows);
}

#[test]
fn tables_are_sorted_and_have_no_row_twice() {
    assert!(registry::IANA.is_sorted_by(|a, b| a.id < b.id));
    assert!(registry::VENDOR.is_sorted_by(|a, b| a.0 < b.0));
    for (pen, rows) in registry::VENDOR {
        assert!(rows.is_sorted_by(|a, b| a.id < b.id), "vendor {pen}");
    }
}

#[test]
fn names_read_like_the_registry() {
    let check = |id: ElementId, name: &str| assert_eq!(id.to_string(), name);
    check(ElementId::Iana(1), "octetDeltaCount");
    check(ElementId::Vendor { pen: REVERSE, id: 1 }, "reverse octetDeltaCount");
    check(ElementId::Iana(40_001), "element 40001");
    check(ElementId::Vendor { pen: 99_999, id: 7 }, "element 99999/7");
    check(ElementId::V9Scope(1), "scope system");
}

//! The page about conformance against the tests that it names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::package;

/// Collects the names of all functions below a folder; that one of them is a test is for its author to see.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let declared = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split_once('('));
            names.extend(declared.map(|(name, _)| name.to_owned()));
        }
    }
}

/// What is wrong with the last cell of each row: a test that does not exist, or neither a test nor a reason.
fn faults(page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cell = line.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        if matches!(cell, "held by") {
            continue;
        }
        let named: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        faults.extend(named.iter().filter(|name| !known.contains(**name)).map(|name| format!("no test `{name}`")));
        let reasoned = ["non-goal: ", "not yet: "].iter().any(|word| cell.contains(word));
        if named.is_empty() && !reasoned {
            faults.push(format!("neither test nor reason: {line}"));
        }
    }
    faults
}

#[test]
fn every_rule_is_held_by_a_test_or_has_a_reason() {
    let mut known = BTreeSet::new();
    functions(&package().join("src"), &mut known);
    functions(&package().join("tests"), &mut known);
    let page = fs::read_to_string(package().join("docs/conformance.md")).unwrap();
    let faults = faults(&page, &known);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let rows = page.lines().filter(|line| line.starts_with("| ")).count();
    assert!(130 < rows, "{rows} rows");
}

#[test]
fn a_row_without_test_or_reason_is_found() {
    let known = BTreeSet::from(["a_test".to_owned()]);
    let count = |page: &str| faults(page, &known).len();
    assert_eq!(count("| 1 | rule | held by |\n| 2 | rule | `a_test` |\n| 3 | rule | non-goal: no one asks |"), 0);
    assert_eq!(count("| 2 | rule | `another` |"), 1);
    assert_eq!(count("| 2 | rule | of course |"), 1);
}

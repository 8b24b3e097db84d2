//! What no compiler checks: the order of the modules, which crate may be used where, and what must not stand anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::package;

/// The modules in the order in which a reader meets them: each may import only those to its left.
const ORDER: &[&str] = &[
    "ie",
    "flow",
    "when",
    "wire",
    "filter",
    "collector",
    "window",
    "store",
    "names",
    "report",
    "doctor",
    "metrics",
    "tui",
    "receive",
    "capture",
    "demo",
    "config",
    "cli",
    "run",
];

/// Where a crate may be used: a file's path below `src`, or its beginning.
const CRATES: &[(&str, &[&str])] = &[
    ("anyhow", &["config", "cli", "run"]),
    ("bytes", &["run/http", "report/columnar"]),
    ("clap", &["cli", "main", "run/manual"]),
    ("clap_complete", &["cli", "run/manual"]),
    ("clap_mangen", &["run/manual"]),
    ("crossbeam_channel", &["run"]),
    ("crossterm", &["tui.rs", "tui/terminal"]),
    ("domain", &["names/dns/message"]),
    ("etherparse", &["capture"]),
    ("hashbrown", &["collector", "window", "store"]),
    ("http_body_util", &["run/http"]),
    ("humansize", &["report", "doctor", "tui/units"]),
    ("humantime", &["cli"]),
    ("hyper", &["run/http"]),
    ("hyper_util", &["run/http"]),
    ("indicatif", &["run/replay", "run/questions"]),
    ("ipnet", &["collector/options", "receive/gate", "config", "cli", "run.rs"]),
    ("jiff", &["when", "run", "tui/copy"]),
    ("landlock", &["run/confine"]),
    ("libc", &["receive"]),
    ("listenfd", &["run/intake"]),
    ("maxminddb", &["names/geo"]),
    ("parquet", &["report/columnar"]),
    ("pcap_parser", &["capture"]),
    ("prometheus_client", &["metrics"]),
    ("ratatui", &["tui/view", "tui/terminal", "tui.rs"]),
    ("rusqlite", &["store"]),
    ("sd_notify", &["run/service"]),
    ("serde", &["names/geo", "report", "doctor", "tui/remembered"]),
    ("serde_json", &["report", "run/examine"]),
    ("socket2", &["receive"]),
    ("strsim", &["filter", "cli", "tui/keys"]),
    ("tempfile", &["run", "tui/remembered"]),
    ("tokio", &["run", "tui.rs"]),
    ("toml", &["cli", "tui/remembered"]),
    ("tracing", &["run", "config", "cli"]),
    ("tracing_subscriber", &["run"]),
];

/// Lines of a file beyond which it has two subjects. Tables of data are exempt.
const LINES: usize = 700;

/// Source files below `src`, by their path there; tests and their support are not the program.
fn sources() -> BTreeMap<String, String> {
    let root = package().join("src");
    let mut sources = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                sources.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    sources
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// The top-level module that a file belongs to.
fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// A file's code without its comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// What imports to the right, as `file imports module`.
fn turned_around(sources: &BTreeMap<String, String>) -> Vec<String> {
    let rank = |module: &str| ORDER.iter().position(|other| *other == module);
    let mut wrong = Vec::new();
    for (file, text) in sources {
        let Some(own) = rank(module(file)) else { continue };
        let code = code(text);
        for (at, name) in ORDER.iter().enumerate() {
            let imports = code.contains(&format!("crate::{name}::")) || code.contains(&format!("crate::{name};"));
            let grouped = code.split("crate::{").skip(1).any(|group| {
                let group = group.split(';').next().unwrap();
                group.split([',', '{', '}']).any(|part| part.trim().split("::").next() == Some(name))
            });
            if own < at && (imports || grouped) {
                wrong.push(format!("{file} imports {name}"));
            }
        }
    }
    wrong
}

#[test]
fn modules_import_only_to_the_left() {
    let sources = sources();
    let wrong = turned_around(&sources);
    assert!(wrong.is_empty(), "{wrong:?}");
    let declared: Vec<_> = sources["lib.rs"].lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
    let expected: Vec<_> = ORDER.iter().map(|module| format!("{module};")).collect();
    assert_eq!(declared, expected, "lib.rs declares the modules in reading order");
}

#[test]
fn an_import_turned_around_is_found() {
    let found = |text: &str| turned_around(&BTreeMap::from([("window/x.rs".to_owned(), text.to_owned())]));
    assert_eq!(found("use crate::store::Error;"), ["window/x.rs imports store"]);
    assert_eq!(found("use crate::{flow, run};"), ["window/x.rs imports run"]);
    assert_eq!(found("use crate::{flow::{A, B}, tui::app::{C}};"), ["window/x.rs imports tui"]);
    assert_eq!(found("fn f() { crate::cli::go() }"), ["window/x.rs imports cli"]);
    assert!(found("use crate::flow::Counts; // not crate::run::x").is_empty());
}

#[test]
fn each_crate_is_used_only_where_it_belongs() {
    for (file, text) in sources() {
        let code = code(&text);
        for (name, places) in CRATES {
            let used = code.contains(&format!("{name}::")) && !code.contains(&format!("_{name}::"));
            let allowed = places.iter().any(|place| file.starts_with(place));
            assert!(allowed || !used, "{file} uses {name}");
        }
    }
}

#[test]
fn unsafe_stands_in_one_file() {
    for (file, text) in sources() {
        let has = code(&text).lines().any(|line| line.contains("unsafe ") || line.contains("unsafe_code"));
        assert!(!has || file == "receive.rs", "{file}");
    }
}

#[test]
fn files_have_one_subject() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES || file == "ie/registry.rs", "{file} has {lines} lines");
        assert!(!file.ends_with("/mod.rs"), "{file}");
    }
}

#[test]
fn every_module_says_what_it_is() {
    for (file, text) in sources() {
        assert!(text.starts_with("//!"), "{file} begins without module documentation");
    }
}

/// A merge that was left half done is text, which no compiler reads.
#[test]
fn no_page_has_the_marks_of_a_merge() {
    let mut pages: Vec<PathBuf> = ["docs", "."]
        .iter()
        .flat_map(|folder| fs::read_dir(package().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    assert!(pages.iter().any(|page| page.ends_with("ARCHITECTURE.md")));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let is_mark = |line: &&str| ["<<<<<<<", ">>>>>>>", "======="].iter().any(|mark| line.starts_with(mark));
        assert_eq!(text.lines().find(is_mark), None, "{}", page.display());
    }
}

/// The key table of the README is the one of the program. `UPDATE=1` writes it anew.
#[test]
fn the_readme_has_the_table_of_keys() {
    let text = fs::read_to_string(readme()).unwrap();
    let start = text.find("| key | what it does |").unwrap();
    let length = text[start..].find("\n\n").unwrap() + 1;
    let table = flowglass::tui::keys::Keys::default().markdown();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(readme(), format!("{}{table}{}", &text[..start], &text[start + length..])).unwrap();
    } else {
        assert_eq!(text[start..start + length], table);
    }
}

fn readme() -> PathBuf {
    package().join("README.md")
}

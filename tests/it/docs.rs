//! The README against the program: its commands parse, and its variables, defaults and pictures are the real ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::{CommandFactory, Parser};
use flowglass::cli::Cli;
use flowglass::{filter, names};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::program::{Collector, expected, fixture, run, stored, text};
use crate::support::package;

/// Pages with commands in them, and how many of this program there are at least.
const PAGES: &[(&str, usize)] = &[
    ("README.md", 5),
    ("SECURITY.md", 1),
    ("docs/install.md", 3),
    ("docs/exporters.md", 2),
    ("docs/operations.md", 3),
    ("docs/troubleshooting.md", 3),
];

fn page(name: &str) -> String {
    fs::read_to_string(package().join(name)).unwrap()
}

#[test]
fn the_commands_of_the_pages_parse() {
    for (name, least) in PAGES {
        let page = page(name);
        let commands: Vec<_> = code_lines(&page).filter_map(arguments).collect();
        assert!(*least <= commands.len(), "{name}: {commands:?}");
        for command in commands {
            if let Err(error) = Cli::try_parse_from(&command) {
                panic!("{name}: {}: {error}", command.join(" "));
            }
        }
    }
}

/// Whatever the shell is given is a sentence of its grammar, and each file of the repository that it names is there.
#[test]
fn the_shell_of_the_pages_is_shell() {
    for (name, _) in PAGES {
        let page = page(name);
        for block in page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n")) {
            let output = Command::new("bash").args(["-n", "-c", block]).output().unwrap();
            assert!(output.status.success(), "{name}: {block}\n{}", text(&output.stderr));
            let words = block.split_whitespace().filter(|word| word.starts_with("packaging/"));
            words.for_each(|word| assert!(package().join(word).exists(), "{name}: {word}"));
        }
    }
}

/// The backup of the page is made while a collector writes, checked, and taken over by another one.
#[test]
fn the_backup_of_the_page_is_whole_and_can_be_restored() {
    let page = page("docs/operations.md");
    let command = code_lines(&page).find(|line| line.contains("VACUUM INTO")).unwrap();
    let sql = command.split('"').nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut collector = Collector::start(&["--db", &at("flows.db"), "--flush-interval", "1s"]);
    collector.replay(&fixture("softflowd-v9"));
    let (bytes, packets, flows) = expected(&["softflowd-v9"]);
    let mut written = 0;
    while written < flows {
        let line = collector.wait_for(|line| line.contains("flush flows="));
        written += line.split("flows=").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    }
    let sql = sql.replace("/var/backups/flows.db", &at("backup.db"));
    Connection::open(at("flows.db")).unwrap().execute_batch(&sql).unwrap();
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    let output = run(&["check", "--db", &at("backup.db")]);
    let told = text(&output.stdout);
    assert!(output.status.success() && told.contains(&format!("sound: {flows} flows")), "{told}");
    let collector = Collector::start(&["--db", &at("backup.db"), "--retention", "forever", "--max-size", "unlimited"]);
    collector.replay(&fixture("softflowd-v5"));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    let (more_bytes, more_packets, more_flows) = expected(&["softflowd-v5"]);
    assert_eq!(stored(Path::new(&at("backup.db"))), (bytes + more_bytes, packets + more_packets, flows + more_flows));
    assert!(run(&["check", "--db", &at("backup.db")]).status.success());
    // One byte that is not where it should be.
    let database = Connection::open(at("backup.db")).unwrap();
    database.execute_batch("UPDATE rollup SET bytes = bytes + 1 WHERE dimension = 3 AND grain = 1").unwrap();
    let output = run(&["check", "--db", &at("backup.db")]);
    assert!(text(&output.stdout).contains("differs: the hour from ") && output.status.code() == Some(1));
}

#[test]
fn what_the_shell_does_is_no_argument() {
    assert_eq!(arguments("flowglass --json | jq .").unwrap(), ["flowglass", "--json"]);
    assert_eq!(arguments("flowglass --no-ui 2>log.txt # why").unwrap(), ["flowglass", "--no-ui"]);
    assert_eq!(arguments("NETFLOW_PORT=9995 flowglass").unwrap(), ["flowglass"]);
    assert_eq!(arguments("cargo run --release -- demo").unwrap(), ["flowglass", "demo"]);
    assert_eq!(arguments("softflowd -i eth0"), None);
}

#[test]
fn the_variables_of_the_readme_are_those_of_the_program() {
    let readme = readme();
    let mut documented = variables(&readme);
    assert!(documented.remove("NO_COLOR").is_some(), "NO_COLOR is read beside the command line");
    let command = Cli::command();
    let arguments = command.get_arguments().filter_map(|argument| Some((argument.get_env()?, argument)));
    let defined: BTreeMap<_, _> = arguments.map(|(name, argument)| (name.to_str().unwrap(), argument)).collect();
    assert_eq!(documented.keys().collect::<Vec<_>>(), defined.keys().collect::<Vec<_>>());
    for (name, row) in documented {
        let argument = defined[name];
        let flag = format!("`--{}`", argument.get_long().unwrap());
        assert!(row.contains(&flag), "{name} is {flag}: {row}");
        for default in argument.get_default_values() {
            let default = format!("`{}`", default.to_str().unwrap());
            assert!(row.contains(&default), "{name} is {default} by default: {row}");
        }
    }
}

#[test]
fn the_files_that_the_pages_point_at_exist() {
    for (name, _) in PAGES {
        let page = page(name);
        let targets: Vec<_> = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
        assert!(!targets.is_empty() || *name != "README.md");
        let folder = package().join(name);
        for target in targets.iter().filter(|target| !target.contains("://")) {
            assert!(folder.parent().unwrap().join(target).exists(), "{name}: {target}");
        }
    }
}

/// Each example of the page is read, and one marked with a cross is refused.
#[test]
fn the_filters_of_the_page_parse() {
    let page = fs::read_to_string(package().join("docs/filters.md")).unwrap();
    let examples: Vec<_> = code_lines(&page).filter(|line| !line.is_empty()).collect();
    assert!(30 <= examples.len(), "{examples:?}");
    for example in examples {
        let (text, is_wrong) = example.strip_prefix("✗ ").map_or((example, false), |text| (text, true));
        match filter::parse(text, &names::meanings) {
            Ok(_) => assert!(!is_wrong, "{text}"),
            Err(error) => assert!(is_wrong, "{}", error.render(text)),
        }
    }
}

fn readme() -> String {
    fs::read_to_string(package().join("README.md")).unwrap()
}

/// Lines of the fenced blocks.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").skip(1).step_by(2).flat_map(|block| block.lines().skip(1))
}

/// What a line of shell gives to the program, its name first; nothing when it starts another one.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let mut arguments: Vec<_> = line
        .strip_prefix("sudo ")
        .unwrap_or(line)
        .split_whitespace()
        .take_while(|word| !word.starts_with(['|', '#', ';', '&']) && !word.contains('>'))
        .skip_while(|word| word.contains('='))
        .collect();
    if arguments.starts_with(&["cargo", "run", "--release", "--"]) {
        arguments.splice(..4, ["flowglass"]);
    }
    (arguments.first() == Some(&"flowglass")).then_some(arguments)
}

/// The table below the heading *Environment*: variable and row.
fn variables(readme: &str) -> BTreeMap<&str, &str> {
    let section = readme.split("\n## ").find(|section| section.starts_with("Environment\n")).unwrap();
    let rows = section.lines().filter_map(|line| Some((line.strip_prefix("| `")?, line)));
    rows.map(|(row, line)| (row.split('`').next().unwrap(), line)).collect()
}

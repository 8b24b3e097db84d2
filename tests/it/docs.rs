//! The README against the program: its commands parse, and its variables, defaults and pictures are the real ones.

use std::collections::BTreeMap;
use std::fs;

use clap::{CommandFactory, Parser};
use flowglass::cli::Cli;
use flowglass::{filter, names};

use crate::support::package;

#[test]
fn the_commands_of_the_readme_parse() {
    let readme = readme();
    let commands: Vec<_> = code_lines(&readme).filter_map(arguments).collect();
    assert!(5 <= commands.len(), "{commands:?}");
    for command in commands {
        if let Err(error) = Cli::try_parse_from(&command) {
            panic!("{}: {error}", command.join(" "));
        }
    }
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
fn the_files_that_the_readme_points_at_exist() {
    let readme = readme();
    let targets: Vec<_> = readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(!targets.is_empty());
    for target in targets.iter().filter(|target| !target.contains("://")) {
        assert!(package().join(target).exists(), "{target}");
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

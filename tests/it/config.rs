//! The configuration file, the environment and the flags: which one wins, what is refused and how it is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use clap::CommandFactory;
use flowglass::cli::Cli;
use flowglass::cli::file::KEYS;
use flowglass::cli::sections;
use flowglass::tui::opening;
use tempfile::TempDir;

use crate::program::{command, text};
use crate::support::package;

/// A folder with a configuration in it.
fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowglass.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn config(text: &str, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let (_folder, path) = written(text);
    let mut command = command();
    command.arg("config").args(args).env("FLOWGLASS_CONFIG", path).envs(environment.iter().copied());
    command.output().unwrap()
}

/// What `flowglass config` shows: for each key, behind its section and a dot, its value and where it is from.
fn shown(output: &Output) -> BTreeMap<String, (String, String)> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut section = String::new();
    let mut shown = BTreeMap::new();
    for line in text(&output.stdout).lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
            continue;
        }
        let (setting, origin) = line.rsplit_once("  # ").unwrap();
        let (key, value) = setting.split_once(" = ").unwrap_or_else(|| (setting.trim(), ""));
        shown.insert(format!("{section}{key}"), (value.trim().to_owned(), origin.to_owned()));
    }
    shown
}

/// The lines of a sample that are wanted, with the sections that they stand in.
fn lines_of<'a>(sample: &'a str, wanted: impl Fn(&'a str) -> Option<&'a str>) -> Vec<&'a str> {
    let line = |line: &'a str| {
        let heading = line.strip_prefix('#').filter(|line| line.starts_with('['));
        heading.or_else(|| wanted(line))
    };
    sample.lines().filter_map(line).collect()
}

#[test]
fn the_sample_says_exactly_the_defaults() {
    let sample = fs::read_to_string(package().join("packaging/flowglass.toml")).unwrap();
    let without_origins =
        |output: &Output| shown(output).into_iter().map(|(key, (value, _))| (key, value)).collect::<BTreeMap<_, _>>();
    let defaults = without_origins(&config("", &[], &[]));
    assert_eq!(without_origins(&config(&sample, &[], &[])), defaults);
    let set = lines_of(&sample, |line| line.strip_prefix('#').filter(|line| line.starts_with(char::is_alphabetic)));
    let spelled_out = config(&set.join("\n"), &[], &[]);
    assert_eq!(without_origins(&spelled_out), defaults);
    let from_file = shown(&spelled_out).values().filter(|(_, origin)| origin.contains("flowglass.toml:")).count();
    let headings = set.iter().filter(|line| line.starts_with('[')).count();
    assert_eq!(from_file, set.len() - headings, "each of them was read from the file");
    assert_eq!(headings, sections::NAMES.len());
    // What has no default has an example, and it can be read.
    let examples = lines_of(&sample, |line| line.strip_prefix("# for example: "));
    let read = shown(&config(&examples.join("\n"), &[], &[]));
    assert_eq!(read["names.file"].0, "\"/etc/hosts\"");
    let named = |key: &&&str| {
        let begins = |line: &&str| line.strip_prefix(**key).is_some_and(|rest| rest.starts_with(" = "));
        set.iter().chain(&examples).any(|line| begins(&line.trim_start()))
    };
    // A file of names stands with the names.
    let missing: Vec<_> = KEYS.iter().chain(&opening::KEYS).filter(|key| !named(key) && **key != "names").collect();
    assert!(missing.is_empty(), "the sample lacks {missing:?}");
}

/// A new flag is either a key as well, or stands here since it belongs to one run.
#[test]
fn every_flag_that_lasts_is_a_key() {
    let of_one_run = ["config", "json", "no-db", "no-ui", "once", "rows", "help", "version", "view"];
    let command = Cli::command();
    let flags = command.get_arguments().filter_map(|argument| argument.get_long());
    let unknown: Vec<_> = flags.filter(|flag| !KEYS.contains(flag) && !of_one_run.contains(flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn flags_win_over_the_environment_that_over_the_file_and_that_over_defaults() {
    let file = "port = 1001\nretention = \"1d\"\nmax-size = '10%'\n";
    let output = config(file, &["--port", "1003"], &[("NETFLOW_PORT", "1002"), ("FLOWGLASS_RETENTION", "2d")]);
    let shown = shown(&output);
    let is = |key: &str, value: &str, origin: &str| {
        let (found, from) = &shown[key];
        assert!(found == value && from.ends_with(origin), "{key}: {found} from {from}");
    };
    is("port", "1003", "command line");
    is("retention", "\"2d\"", "FLOWGLASS_RETENTION");
    is("max-size", "\"10%\"", "flowglass.toml:3");
    is("flush-interval", "\"10s\"", "default");
}

#[test]
fn what_config_shows_is_a_configuration_that_says_the_same() {
    let file =
        "listen = ['127.0.0.1:2055', '[::1]:9995']\nsampling = [100, '10.0.0.0/8=7']\nascii = true\ndb = '/a \"b\"'";
    let first = config(file, &[], &[]);
    let second = config(&text(&first.stdout), &[], &[]);
    let values = |output| shown(output).into_values().map(|(value, _)| value).collect::<Vec<_>>();
    assert_eq!(values(&first), values(&second));
    assert_eq!(shown(&second)["listen"].0, r#"["127.0.0.1:2055", "[::1]:9995"]"#);
    assert_eq!(shown(&second)["sampling"].0, r#"["100", "10.0.0.0/8=7"]"#);
}

#[test]
fn what_cannot_be_used_is_told_with_its_line() {
    let refused = |text_: &str| {
        let output = config(text_, &[], &[]);
        assert_eq!(output.status.code(), Some(2), "{text_}");
        assert!(output.stdout.is_empty());
        text(&output.stderr)
    };
    let told = |text: &str, says: &str| {
        let log = refused(text);
        assert!(log.contains(says), "{log}");
        assert!(log.contains("flowglass.toml:"), "{log}");
    };
    told("port = 1\n\nretension = '7d'\n", ":3: unknown key `retension`\nhint: did you mean `retention`?");
    told("max_size = '50%'", ":1: unknown key `max_size`\nhint: did you mean `max-size`?");
    told("[no-such-thing-at-all]\nx = 1", ":1: unknown section `no-such-thing-at-all`\nhint: `flowglass config` lists");
    told("\"a\\u001b[31m\" = 1", "unknown key `a\\u{1b}[31m`");
    told("# why\nport = 70000", ":2: `port`: 70000 is not in 0..=65535");
    told("retention = '1s'", ":1: `retention`: must be at least 1m, or `forever`");
    told("color = 'blue'", ":1: `color`: must be one of auto, always, 16, 256, truecolor, never");
    told("port = [1, 2]", ":1: `port` takes one value, not a list");
    told("ascii = 'yes'", ":1: `ascii` is true or false");
    told("port = 2055.5", ":1: `port` cannot be a float; write it in quotes");
    told("host = '0.0.0.0'\nport 2055", ":2: ");
    told("port = 1\nport = 2", ":2: ");
}

#[test]
fn sections_are_shown_with_where_they_are_from() {
    let file = "theme = 'light'\n\n[screen]\nview = 'Hosts, countries'\nascii = true\nhidden-columns.flows = ['flags']\n\
                [keys]\nfreeze = 'z'\noverview = 1\nmouse = []\n\
                [presets]\nmail = 'dst port 25'\n[presets.udp]\nfilter = 'proto udp'\nby = 'source'\n\
                [names]\nfile = '/etc/hosts'\n'192.0.2.7' = 'nas'\n";
    let first = config(file, &[], &[]);
    let (second, given) = (config(&text(&first.stdout), &[], &[]), shown(&first));
    for (key, value, line) in [
        ("theme", "\"light\"", 1),
        ("ascii", "true", 5),
        ("screen.view", "\"Hosts, countries\"", 4),
        ("screen.hidden-columns.flows", "[\"flags\"]", 6),
        ("keys.freeze", "[\"z\"]", 8),
        ("keys.overview", "[\"1\"]", 9),
        ("keys.mouse", "[]", 10),
        ("presets.mail.filter", "\"dst port 25\"", 12),
        ("presets.udp.by", "\"source\"", 15),
        ("names.\"192.0.2.7\"", "\"nas\"", 18),
        ("names.file", "\"/etc/hosts\"", 17),
    ] {
        let (found, origin) = &given[key];
        assert!(found == value && origin.ends_with(&format!(":{line}")), "{key}: {found} from {origin}");
    }
    assert_eq!(given["keys.units"], ("[\"u\"]".to_owned(), "default".to_owned()));
    assert!(!given.contains_key("names") && given.contains_key("screen.#sort is not set"));
    let values = |shown: BTreeMap<String, (String, String)>| shown.into_iter().map(|(key, (value, _))| (key, value));
    assert!(values(shown(&second)).eq(values(given)), "{}", text(&first.stdout));
}

#[test]
fn what_sections_cannot_have_is_told_with_the_nearest_word() {
    for (file, told) in [
        ("[key]\nquit = 'x'", ":1: unknown section `key`\nhint: did you mean `keys`?"),
        ("keys = 'x'", ":1: `keys` is a section\nhint: write `[keys]`"),
        ("[keys]\nfreez = 'z'", ":2: no such action: `freez`\nhint: did you mean `freeze`?"),
        ("[keys]\n\"a\\u001b[31m\" = 'z'", ":2: no such action: `a\\u{1b}[31m`"),
        ("[keys]\nfreeze = 'alt-x'", ":2: `freeze`: `alt-x` is no key"),
        ("[keys]\n\nfreeze = 's'", ":3: `s` is both `freeze` and `sort`"),
        ("[keys]\nquit = []", ":2: `quit` must keep a key"),
        ("[keys.main]\nquit = 'x'", ":2: `main.quit` is no action"),
        ("[screen]\nunit = 'bits'", ":2: unknown key `unit` in `[screen]`\nhint: did you mean `units`?"),
        ("[screen]\nhost_names = true", ":2: unknown key `host_names` in `[screen]`\nhint: did you mean `host-names`?"),
        ("[screen]\nunits = 'bit'", ":2: `units` must be one of bits, bytes, packets, flows"),
        ("[screen]\nspan = ['1m']", ":2: `span` takes one value"),
        ("[screen]\ntheme = 'blue'", ":2: `theme`: "),
        ("theme = 'dark'\n[screen]\ntheme = 'light'", ":3: `theme` stands in line 1 as well"),
        (
            "[screen.hidden-columns]\nflow = ['flags']",
            ":2: unknown key `hidden-columns.flow` in `[screen]`\nhint: did you mean `flows`?",
        ),
        ("[screen.hidden-columns]\nflows = ['flag']", ":2: `hidden-columns.flows` must be one of source, "),
        ("[presets]\nmail = 'dst prt 25'", ":2: `mail.filter` is no filter\ndst prt 25\n"),
        (
            "[presets.mail]\nfilters = 'any'",
            ":2: unknown key `mail.filters` in `[presets]`\nhint: did you mean `filter`?",
        ),
        ("[presets.mail]\nby = 'hosts'", ":2: `mail.by` must be one of conversation, host, "),
        ("[presets]\n'two words' = 'any'", ":2: `two words` is no name of a question"),
        ("[names]\nnas = '192.0.2.7'", ":2: `nas` is no address"),
        ("[names]\n'192.0.2.7' = '\u{200b}'", ":2: the name of `192.0.2.7` has no letter"),
    ] {
        let output = config(file, &[], &[]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(text(&output.stderr).contains(told), "{file}: {}", text(&output.stderr));
    }
}

#[test]
fn own_questions_are_listed_and_answered() {
    let (_folder, path) = written("[presets]\nmail = 'dst port 25'\n[presets.uploads]\nhelp = 'mine'\nby = 'source'\n");
    let asked = |args: &[&str]| command().arg("ask").args(args).env("FLOWGLASS_CONFIG", &path).output().unwrap();
    let listed = text(&asked(&[]).stdout);
    assert!(listed.ends_with("mail         dst port 25\nuploads      mine\n"), "{listed}");
    assert_eq!(listed.matches("uploads").count(), 1, "{listed}");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("flows.db");
    let capture = crate::program::fixture("softflowd-v9");
    let mut replay = command();
    replay.args(["replay", "--no-ui", "--db"]).args([&database, &capture]);
    assert!(replay.output().unwrap().status.success());
    let mut answer = command();
    answer.args(["ask", "uploads", "--from", "2000-01-01", "--format", "json", "--db"]).arg(&database);
    let answer = answer.env("FLOWGLASS_CONFIG", &path).output().unwrap();
    assert!(answer.status.success() && text(&answer.stdout).contains("source"), "{}", text(&answer.stderr));
}

#[test]
fn a_file_that_was_named_must_be_there_and_usual_ones_need_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut named = command();
    named.args(["config", "--config"]).arg(folder.path().join("none.toml"));
    let output = named.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("none.toml"), "{}", text(&output.stderr));
    let mut usual = command();
    usual.arg("config").env_remove("FLOWGLASS_CONFIG").env("XDG_CONFIG_HOME", folder.path());
    assert!(usual.output().unwrap().status.success());
    fs::create_dir(folder.path().join("flowglass")).unwrap();
    fs::write(folder.path().join("flowglass/flowglass.toml"), "port = 77").unwrap();
    assert_eq!(shown(&usual.output().unwrap())["port"].0, "77");
    // One that is broken is no reason not to say what there is to say.
    fs::write(folder.path().join("flowglass/flowglass.toml"), "port =").unwrap();
    assert!(!usual.output().unwrap().status.success());
}

/// A port that is typed counts, whatever list of addresses the file has.
#[test]
fn a_port_that_is_typed_wins_over_a_list_in_the_file() {
    let (_folder, path) = written("listen = ['127.0.0.1:1']\nhost = '127.0.0.1'\n");
    let mut run = command();
    run.args(["--once", "1", "--no-db", "--port", "0"]).env("FLOWGLASS_CONFIG", &path);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("address=127.0.0.1:"), "{}", text(&output.stderr));
}

#[test]
fn a_demonstration_leaves_the_database_of_the_file_alone() {
    let (folder, path) = written("");
    let database = folder.path().join("flows.db");
    fs::write(&path, format!("db = '{}'", database.display())).unwrap();
    let mut run = command();
    run.args(["demo", "--once", "1"]).env("FLOWGLASS_CONFIG", &path);
    assert!(run.output().unwrap().status.success());
    assert!(!database.exists());
}

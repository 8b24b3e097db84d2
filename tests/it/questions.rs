//! The commands that answer from what is stored, as a person and as a script use them.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flowglass::collector::stats::Health;
use flowglass::flow::{Counts, FlowKey, FlowRecord, ObservationDomainId, Sampling, Timestamp, Version};
use flowglass::store::writer::{Options, Writer};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{Collector, command};

/// The beginning of an hour, and of a minute in every time zone.
const NOON: i64 = 1_790_000_400_000 / 3_600_000 * 3_600_000;

/// A database of made-up flows.
pub(crate) struct Stored {
    folder: TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn flow(ms: i64, host: u8, bytes: u64) -> FlowRecord {
    let received = Timestamp(NOON + ms);
    FlowRecord {
        key: FlowKey {
            src_ip: Ipv4Addr::new(10, 0, 0, host).into(),
            dst_ip: Ipv4Addr::new(203, 0, 113, 7).into(),
            src_port: 50_000,
            dst_port: 443,
            protocol: 6,
        },
        counts: Counts { bytes, packets: 3 },
        tcp_flags: 0x1b,
        first: received.plus(-1_000),
        last: received.plus(-500),
        dst_as: 15_169,
        ..FlowRecord::blank(received, IpAddr::from([192, 0, 2, 1]), ObservationDomainId(1), Version::Ipfix)
    }
}

impl Stored {
    pub(crate) fn new(flows: &[FlowRecord]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flows.db");
        let writer = Writer::open(&path, Options::default()).unwrap();
        writer.push(flows);
        writer.close(Timestamp(NOON), &Health::default()).unwrap();
        Self { folder, path }
    }

    fn spawn(&self, line: &str) -> Command {
        let mut command = command();
        command.env("TZ", "UTC").arg("--db").arg(&self.path).args(line.split(' ').filter(|word| !word.is_empty()));
        command
    }

    /// Over ten minutes from noon on, unless the line says otherwise.
    fn run(&self, line: &str) -> Output {
        let span = format!("--from {NOON} --to {}", NOON + 600_000);
        let line =
            if line.contains("--from") || line.contains("--last") { line.to_owned() } else { format!("{line} {span}") };
        self.spawn(&line).output().unwrap()
    }

    fn stdout(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.stdout(&format!("{line} --format json"))).unwrap()
    }
}

/// Twenty flows of four hosts in ten minutes, of which host 3 sends most, and one that was sampled.
fn few() -> Stored {
    let mut flows: Vec<_> = (1..=20).map(|n| flow(n * 20_000, (n % 4) as u8, 1_000 * (n as u64 % 4 + 1))).collect();
    let sampled = Sampling { rate: 100, ..Sampling::default() };
    flows.push(FlowRecord { sampling: sampled, ..flow(30_000, 9, 10) });
    Stored::new(&flows)
}

#[test]
fn a_ranking_is_a_table_json_and_csv() {
    let stored = few();
    let table = stored.stdout("top --by source -n 2");
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("source, 20"), "{table}");
    assert_eq!(lines[1].split_whitespace().next(), Some("source"));
    assert_eq!(lines[2].split_whitespace().take(5).collect::<Vec<_>>(), ["10.0.0.3", "267", "b/s", "20.0", "kB"]);
    assert!(lines[4].starts_with("total"), "{table}");
    assert_eq!(lines[5], "… 3 more");
    let json = stored.json("top --by source -n 2");
    assert_eq!(
        (json["source"].as_str(), json["exact"].as_bool(), json["keys"].as_u64()),
        (Some("roll-ups"), Some(true), Some(5))
    );
    assert_eq!(
        (json["rows"][0]["src_ip"].as_str(), json["rows"][0]["bytes"].as_u64()),
        (Some("10.0.0.3"), Some(20_000))
    );
    assert_eq!(json["total"]["bytes"].as_u64(), Some(50_010));
    assert_eq!(json["total"]["est_bytes"].as_u64(), Some(51_000));
    let csv = stored.stdout("top --by source -n 1 --format csv");
    assert_eq!(csv, "src_ip,bytes,packets,flows,est_bytes,est_packets,missing\n10.0.0.3,20000,15,5,20000,15,0\n");
}

#[test]
fn estimates_are_marked_and_can_be_turned_off() {
    let stored = few();
    let row = |line: &str| stored.stdout(line).lines().find(|line| line.starts_with("10.0.0.9")).unwrap().to_owned();
    assert!(row("top --by source").contains("~1.00 kB"), "{}", row("top --by source"));
    assert!(row("top --by source --raw").contains(" 10 B"));
}

#[test]
fn every_ranking_has_titles_for_what_it_says() {
    let stored = few();
    for by in [
        "conversation",
        "host",
        "source",
        "destination",
        "service",
        "protocol",
        "exporter",
        "interface",
        "as",
        "vlan",
        "dscp",
        "application",
        "pair",
        "path",
    ] {
        let table = stored.stdout(&format!("top --by {by}"));
        assert!(3 <= table.lines().count(), "{by}: {table}");
        let csv = stored.stdout(&format!("top --by {by} --format csv"));
        let columns: Vec<_> = csv.lines().map(|line| line.split(',').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{by}: {csv}");
        let json = stored.json(&format!("top --by {by}"));
        let names: Vec<_> = csv.lines().next().unwrap().split(',').collect();
        for name in names {
            assert!(json["rows"][0].get(name).is_some(), "{by}: {name} in {json}");
        }
        assert_eq!(json["total"]["flows"].as_u64(), Some(21), "{by}");
    }
}

#[test]
fn stderr_says_where_an_answer_is_from() {
    let stored = few();
    let told = |line: &str| String::from_utf8(stored.run(line).stderr).unwrap();
    assert_eq!(told("top"), "from roll-ups\n");
    assert_eq!(told("top bytes > 2000"), "from 10 rows\n");
    assert_eq!(told("top --rows-only"), "from 21 rows\n");
    assert_eq!(told("top --format json"), "");
    assert_eq!(stored.json("top bytes > 2000")["source"].as_str(), Some("rows"));
}

#[test]
fn flows_are_listed_with_a_filter_of_several_words() {
    let stored = few();
    let table = stored.stdout("flows src ip 10.0.0.3 and service https");
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(table.lines().nth(1).unwrap().contains("10.0.0.3:50000"), "{table}");
    assert!(table.contains(".APRSF") || table.contains(".AP.SF"), "{table}");
    let json = stored.stdout("flows src ip 10.0.0.3 --format json -n 2");
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[0]["bytes"].as_u64()), (2, Some(4_000)));
    let csv = stored.stdout("flows src ip 10.0.0.3 --format csv");
    assert!(csv.starts_with("received_ms,first_ms,last_ms,"), "{csv}");
    assert_eq!(csv.lines().count(), 6);
}

#[test]
fn a_series_sums_up_to_the_ranking() {
    let stored = few();
    let json = stored.json("rates --step 1m");
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    let sum: u64 = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).sum();
    assert_eq!((sum, json["total"]["bytes"].as_u64()), (50_010, Some(50_010)));
    let seconds = stored.json("rates --step 7s src ip 10.0.0.3");
    assert_eq!((seconds["total"]["bytes"].as_u64(), seconds["source"].as_str()), (Some(20_000), Some("rows")));
    let table = stored.stdout("rates --step 2m");
    assert_eq!(table.lines().count(), 2 + 5 + 1, "{table}");
    assert!(table.contains('█'), "{table}");
}

#[test]
fn changes_say_who_is_new_and_what_part_it_has() {
    let mut flows: Vec<_> = (0..10).map(|n| flow(n * 60_000 + 30_000 - 600_000, 1, 1_000)).collect();
    flows.extend((0..10).map(|n| flow(n * 60_000 + 30_000, 1, 1_000)));
    flows.extend((0..10).map(|n| flow(n * 60_000 + 30_000, 5, 9_000)));
    let stored = Stored::new(&flows);
    let table = stored.stdout("changes --by source");
    assert!(table.contains("total +1.20 kb/s"), "{table}");
    let row = table.lines().find(|line| line.contains("10.0.0.5")).unwrap();
    assert!(row.trim_start().starts_with("100 %") && row.ends_with("(new)"), "{table}");
    assert!(!table.contains("10.0.0.1"), "{table}");
    let json = stored.json("changes --by source --against yesterday");
    assert_eq!((json["total"]["before"].as_u64(), json["total"]["now"].as_u64()), (Some(0), Some(100_000)));
    assert_eq!(json["rows"][0]["contribution"].as_f64(), Some(90.0));
    for against in ["last-week", "usual"] {
        assert!(stored.stdout(&format!("changes --against {against}")).contains("(new)"));
    }
}

#[test]
fn questions_with_a_name_find_what_they_are_for() {
    let mut flows = Vec::new();
    for n in 0..50_u16 {
        let mut syn = flow(i64::from(n) * 1_000 + 10_000, 66, 60);
        (syn.counts.packets, syn.tcp_flags) = (1, 2);
        (syn.key.dst_ip, syn.key.dst_port) = (Ipv4Addr::new(10, 0, 1, (n % 25) as u8).into(), 22 + n / 25);
        flows.push(syn);
    }
    let mut dns = flow(70_000, 7, 80);
    (dns.key.dst_ip, dns.key.dst_port, dns.key.protocol, dns.tcp_flags) = (Ipv4Addr::new(9, 9, 9, 9).into(), 53, 17, 0);
    flows.extend([dns, dns, flow(80_000, 8, 5_000_000), flow(-86_400_000, 8, 1)]);
    let stored = Stored::new(&flows);
    let first = |name: &str| stored.json(&format!("ask {name}"))["rows"][0].clone();
    assert_eq!(
        (first("dns-clients")["src_ip"].as_str(), first("dns-clients")["flows"].as_u64()),
        (Some("10.0.0.7"), Some(2))
    );
    assert_eq!(first("dns-servers")["dst_ip"].as_str(), Some("9.9.9.9"));
    assert_eq!(first("dns-pairs")["src_ip"].as_str(), Some("10.0.0.7"));
    assert_eq!(first("uploads")["src_ip"].as_str(), Some("10.0.0.8"));
    let scan = first("scans");
    assert_eq!(
        (scan["src_ip"].as_str(), scan["targets"].as_u64(), scan["hosts"].as_u64()),
        (Some("10.0.0.66"), Some(50), Some(25))
    );
    assert_eq!(first("failed")["src_ip"].as_str(), Some("10.0.0.66"));
    let new = stored.json("ask new-hosts -n 1000");
    let hosts: Vec<_> = new["rows"].as_array().unwrap().iter().map(|row| row["ip"].as_str().unwrap()).collect();
    assert!(hosts.contains(&"10.0.0.7") && !hosts.contains(&"10.0.0.8"), "{hosts:?}");
    let list = stored.stdout("ask");
    assert!(list.contains("dns-clients") && list.contains("scans"), "{list}");
    let wrong = stored.run("ask nothing");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("hint: there are dns-clients"));
}

#[test]
fn wrong_filters_and_spans_are_told_with_the_place() {
    let stored = few();
    let told = |line: &str| {
        let output = stored.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("top port 70000").contains("port 70000\n     ^^^^^\n"), "{}", told("top port 70000"));
    assert!(told("flows --from soon").contains("soon\n^^^^\n`soon` is no moment\nhint: write `03:10`"));
    assert!(told("rates --last 1h --step 0s").contains("no length of time"));
    assert!(told("rates --last 30d --step 1s").contains("more than 100000 steps"));
    let missing = command().args(["top", "--db", "/nonexistent/flows.db"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("hint: start a collector"));
}

#[test]
fn export_has_three_forms_with_the_same_flows() {
    let stored = few();
    let jsonl = stored.stdout("export");
    assert_eq!(jsonl.lines().count(), 21);
    let csv = stored.folder.path().join("flows.csv");
    stored.stdout(&format!("export src ip 10.0.0.3 --form csv -o {}", csv.display()));
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 6);
    let parquet = stored.folder.path().join("flows.parquet");
    stored.stdout(&format!("export --form parquet -o {}", parquet.display()));
    let octets = fs::read(&parquet).unwrap();
    assert!(octets.starts_with(b"PAR1") && octets.ends_with(b"PAR1"));
    read_by_python(&parquet);
}

/// What others read in the file, where one of them is installed.
fn read_by_python(path: &Path) {
    let script = crate::support::package().join("fixtures/parquet.py");
    let output = Command::new("python3").arg(script).arg(path).output();
    let Ok(output) = output else {
        println!("skipped: python3 is missing, nobody else reads the Parquet file");
        return;
    };
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(77) {
        println!("skipped: {told}");
        return;
    }
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("21 rows, 50010 bytes, src_ip VARCHAR, received_ms TIMESTAMP"), "{told}");
}

#[test]
fn a_bundle_has_the_report_and_its_figures() {
    let stored = few();
    let noted = stored.spawn(&format!("note --at {} what *was* that", NOON + 60_000)).output().unwrap();
    assert!(noted.status.success(), "{}", String::from_utf8_lossy(&noted.stderr));
    let folder = stored.folder.path().join("incident");
    stored.stdout(&format!("export --bundle {}", folder.display()));
    let report = fs::read_to_string(folder.join("report.md")).unwrap();
    for part in ["what \\*was\\* that", "## Rates", "## Changes", "## By conversation", "21 flows in `flows.csv`"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    for file in ["rates.csv", "changes.csv", "top-host.csv", "flows.csv"] {
        assert!(1 < fs::read_to_string(folder.join(file)).unwrap().lines().count(), "{file}");
    }
    let again = stored.run(&format!("export --bundle {}", folder.display()));
    assert_eq!(again.status.code(), Some(1), "what is there is not overwritten");
}

#[test]
fn notes_are_written_beside_a_running_collector() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("flows.db");
    let collector = Collector::start(&["--db", path.to_str().unwrap(), "--flush-interval", "1s"]);
    let run = |words: &[&str]| {
        let output = command().arg("note").args(words).arg("--db").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["uplink", "moved"]);
    assert!(run(&[]).contains("uplink moved"));
    let mut lines = csv_lines(&run(&["--last", "1h", "--format", "csv"]));
    assert_eq!(lines.len(), 2);
    assert!(lines.remove(1).ends_with(",uplink moved"));
    collector.signal(Signal::TERM);
    collector.killed();
    assert!(run(&[]).contains("uplink moved"));
}

fn csv_lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn exporters_are_listed_with_their_health() {
    let stored = few();
    let table = stored.spawn("exporters").output().unwrap();
    assert!(String::from_utf8_lossy(&table.stdout).contains("192.0.2.1"));
    let json: serde_json::Value =
        serde_json::from_slice(&stored.spawn("exporters --format json").output().unwrap().stdout).unwrap();
    assert_eq!((json[0]["exporter"].as_str(), json[0]["version"].as_u64()), (Some("192.0.2.1"), Some(10)));
    assert!(json[0].get("lost").is_some());
}

fn many() -> Stored {
    let flows: Vec<_> = (0..200_000).map(|n| flow(n * 3, (n % 200) as u8, 1_000)).collect();
    Stored::new(&flows)
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let stored = many();
    let mut child = stored.spawn(&format!("flows --from {NOON} --to {}", NOON + 600_000)).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 200];
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The pipe is full and nobody reads: the signal comes while it waits, and then it reads no more.
#[test]
fn a_signal_ends_a_read_and_says_so() {
    let stored = many();
    let line = format!("flows --from {NOON} --to {}", NOON + 600_000);
    let mut child = stored.spawn(&line).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 200];
    stdout.read_exact(&mut first).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("flows until then\nflowglass: interrupted"), "{told}");
}

#[test]
fn help_shows_what_is_the_commands_own() {
    let help =
        |words: &[&str]| String::from_utf8(command().args(words).arg("--help").output().unwrap().stdout).unwrap();
    let top = help(&["top"]);
    for said in ["Examples:", "--by <", "--last <TIME>", "[FILTER]", "--db <FILE>", "yesterday 22:00"] {
        assert!(top.contains(said), "{said}: {top}");
    }
    for hidden in ["--port", "--receive-buffer", "--no-ui"] {
        assert!(!top.contains(hidden), "{hidden}: {top}");
    }
    assert!(help(&[]).contains("--receive-buffer") && help(&["replay"]).contains("--no-ui"));
    for name in ["flows", "rates", "changes", "ask", "export", "note"] {
        assert!(help(&[name]).contains("Examples:"), "{name}");
    }
}

//! Set-ups that are broken on purpose: `flowglass doctor` names each first and rightly, from outside.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowglass::collector::{self, Limits};
use flowglass::flow::Timestamp;
use flowglass::ie::ElementId;
use flowglass::store::writer::{Options, Writer};
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};
use flowglass::wire::{ipfix, v5};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Collector, PATIENCE, command, run, text};

const MINUTE_MS: i64 = 60_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.0 / 1000).unwrap()
}

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        Self { _folder: folder, path }
    }

    fn db(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn collector(&self, args: &[&str]) -> Collector {
        Collector::start(&[&["--db", self.db(), "--flush-interval", "1s"], args].concat())
    }

    /// What the doctor says of the collector on `port`, with its exit code.
    fn doctor(&self, port: u16, args: &[&str]) -> (Option<i32>, Value) {
        let port = port.to_string();
        let common = ["doctor", "--format", "json", "--db", self.db(), "--port", &port, "--host", "127.0.0.1"];
        told(&run(&[&common, args].concat()))
    }

    /// Asks until the first finding is `id`.
    fn first_is(&self, port: u16, id: &str, args: &[&str]) -> (Option<i32>, Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (code, told) = self.doctor(port, args);
            if told["findings"][0]["id"] == id {
                return (code, told);
            }
            assert!(Instant::now() < until, "{id} is not first: {told:#}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn told(output: &Output) -> (Option<i32>, Value) {
    let told = serde_json::from_slice(&output.stdout);
    (output.status.code(), told.unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr))))
}

fn commands(finding: &Value) -> String {
    finding["mend"].as_array().unwrap().iter().map(|step| format!("{} {}\n", step["note"], step["command"])).collect()
}

/// A datagram of one flow, by an exporter whose clock shows `at`.
fn datagram(sequence: u32, at: Timestamp) -> Vec<u8> {
    let mut record = [0; v5::RECORD];
    record[..8].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    record[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
    emit::v5(v5::Header { count: 1, sequence, seconds: seconds(at), ..Default::default() }, &[record])
}

fn send(to: SocketAddr, payload: &[u8]) {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(payload, to).unwrap();
}

fn ends(collector: Collector) {
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
}

/// A collector in this process whose clock is ours: it has run for half an hour, and holds the database's lock.
struct Simulated {
    place: Place,
    writer: Writer,
    collector: collector::Collector,
}

impl Simulated {
    fn new() -> Self {
        let place = Place::new();
        let mut writer = Writer::open(&place.path, Options::default()).unwrap();
        let started = now().plus(-30 * MINUTE_MS);
        writer.flush(started, &collector::stats::Health::default()).unwrap();
        Self { place, writer, collector: collector::Collector::new(Limits::default()) }
    }

    /// A datagram that came so many minutes ago.
    fn receive(&mut self, minutes_ago: i64, from: &str, message: impl FnOnce(Timestamp) -> Vec<u8>) {
        let at = now().plus(-minutes_ago * MINUTE_MS);
        let mut flows = Vec::new();
        let from = SocketAddr::new(from.parse::<IpAddr>().unwrap(), 50_000);
        self.collector.datagram(at, from, &message(at), &mut flows).unwrap();
        self.collector.tick(at);
        self.writer.push(&flows);
    }

    /// The first finding, once the accounts are written.
    fn first(mut self) -> Value {
        self.collector.tick(now());
        let health = self.collector.health();
        self.writer.keep_templates(self.collector.templates_to_store(now()).into());
        self.writer.flush(now(), &health).unwrap();
        let (_, told) = self.place.doctor(0, &["--wait", "0s"]);
        told["findings"][0].clone()
    }
}

fn ipfix(at: Timestamp) -> Message {
    Message::ipfix(ipfix::Header { domain: 3, export_time: seconds(at), ..Default::default() })
}

fn template(id: u16, scopes: usize, fields: &[(u16, u16)]) -> Template {
    let field = |&(id, length): &(u16, u16)| FieldSpecifier { element: ElementId::Iana(id), length };
    Template { id: TemplateId(id), scopes, fields: fields.iter().map(field).collect() }
}

const FLOW: &[(u16, u16)] = &[(8, 4), (12, 4), (1, 4)];
const RECORD: [u8; 12] = [10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 7];

#[test]
fn a_sound_collector_has_nothing_wrong() {
    let place = Place::new();
    let collector = place.collector(&[]);
    let port = collector.address.port();
    let until = Instant::now() + PATIENCE;
    for sequence in 0.. {
        send(collector.address, &datagram(sequence, now()));
        let (code, told) = place.doctor(port, &[]);
        let bad = told["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] != "note");
        if !bad {
            assert_eq!(code, Some(0));
            break;
        }
        assert!(Instant::now() < until, "{told:#}");
    }
    let output = run(&["doctor", "--db", place.db(), "--port", &port.to_string()]);
    assert!(text(&output.stdout).contains("the collector has run for "), "{}", text(&output.stdout));
    ends(collector);
}

#[test]
fn a_wrong_port_is_named_with_who_sends_there() {
    let place = Place::new();
    let collector = place.collector(&[]);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let exporter = thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for sequence in 0.. {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            // Nobody listens most of the time, which loopback tells.
            let _ = socket.send_to(&datagram(sequence, now()), "127.0.0.1:9996");
            thread::sleep(Duration::from_millis(5));
        }
    });
    let (code, told) = place.first_is(collector.address.port(), "wrong-port", &["--wait", "1s"]);
    stop.store(true, Ordering::Relaxed);
    exporter.join().unwrap();
    assert_eq!(code, Some(2));
    let what = told["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("127.0.0.1 sends NetFlow v5 to UDP port 9996, where nobody listens"), "{what}");
    assert!(commands(&told["findings"][0]).contains("--listen 0.0.0.0:9996"), "{told:#}");
    ends(collector);
}

#[test]
fn an_allow_list_that_lets_nobody_in_is_named_with_the_last_sender() {
    let place = Place::new();
    let collector = place.collector(&["--allow", "10.0.0.0/8"]);
    send(collector.address, &datagram(0, now()));
    let (code, told) = place.first_is(collector.address.port(), "not-allowed", &["--wait", "0s"]);
    assert_eq!(code, Some(2));
    let finding = &told["findings"][0];
    assert!(finding["what"].as_str().unwrap().contains("1 datagram of 127.0.0.1 refused"), "{finding:#}");
    assert!(commands(finding).contains("flowglass --allow 127.0.0.1"), "{finding:#}");
    assert!(finding["since_ms"].as_i64().is_some());
    ends(collector);
}

#[test]
fn an_exporter_of_nothing_but_options_is_named() {
    let mut simulated = Simulated::new();
    let options = template(256, 1, &[(144, 4), (41, 8)]);
    for minutes_ago in [20, 10, 1] {
        let message = |at| ipfix(at).template(&options).data(TemplateId(256), &[0; 12]).finish();
        simulated.receive(minutes_ago, "192.0.2.7", message);
    }
    let first = simulated.first();
    assert_eq!((&first["id"], &first["severity"]), (&"only-options".into(), &"critical".into()), "{first:#}");
    assert!(first["what"].as_str().unwrap().starts_with("192.0.2.7 (IPFIX, domain 3) sends options and no data"));
}

#[test]
fn a_missing_template_is_named_with_its_number_and_since_when() {
    let mut simulated = Simulated::new();
    // One of the two templates of softflowd came, the other did not.
    simulated.receive(20, "192.0.2.7", |at| ipfix(at).template(&template(1024, 0, FLOW)).finish());
    for minutes_ago in [19, 12, 6, 1, 0] {
        simulated.receive(minutes_ago, "192.0.2.7", |at| ipfix(at).data(TemplateId(2048), &RECORD).finish());
    }
    let since = now().plus(-19 * MINUTE_MS);
    let first = simulated.first();
    assert_eq!((&first["id"], &first["severity"]), (&"template-missing".into(), &"critical".into()), "{first:#}");
    let what = first["what"].as_str().unwrap();
    assert!(what.contains("192.0.2.7 (IPFIX, domain 3) waits for template 2048 for 19 min"), "{what}");
    assert!((first["since_ms"].as_i64().unwrap() - since.0).abs() < MINUTE_MS);
    assert!(first["why"].as_str().unwrap().contains("looks like softflowd"), "{first:#}");
    assert!(commands(&first).contains("systemctl restart softflowd") && !commands(&first).contains("MikroTik"));
}

/// Without the right to exceed `net.core.rmem_max`, as a service has it not.
fn without_privilege(args: &[&str]) -> Command {
    let plain = command();
    let program = env!("CARGO_BIN_EXE_flowglass");
    let setpriv = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    let works = Command::new("setpriv").args(setpriv).arg("true").output().is_ok_and(|output| output.status.success());
    let mut command = if works { Command::new("setpriv") } else { Command::new(program) };
    if works {
        command.args(setpriv).arg(program);
    }
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_buffer_that_was_capped_and_overran_is_named_with_the_command() {
    let place = Place::new();
    let common = ["--no-ui", "--host", "127.0.0.1", "--port", "0", "--flush-interval", "1s", "--receive-buffer", "64"];
    let collector = Collector::spawn(&mut without_privilege(&[&common[..], &["--db", place.db()]].concat()));
    collector.signal(Signal::STOP);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(collector.address).unwrap();
    let long = [&datagram(0, now())[..], &[0; 8_000]].concat();
    // More than the buffer of anybody with privileges holds, too.
    for _ in 0..20_000 {
        let _ = socket.send(&long);
    }
    collector.signal(Signal::CONT);
    let (code, told) = place.first_is(collector.address.port(), "kernel-drops", &["--wait", "0s"]);
    assert_eq!(code, Some(2));
    let finding = &told["findings"][0];
    assert!(finding["what"].as_str().unwrap().contains("since the receive buffer was full"), "{finding:#}");
    assert!(commands(finding).contains("sysctl -w net.core.rmem_max="), "{finding:#}");
    ends(collector);
}

#[test]
fn a_clock_that_is_a_day_off_is_named() {
    let place = Place::new();
    let collector = place.collector(&[]);
    send(collector.address, &datagram(0, now().plus(-25 * 60 * MINUTE_MS)));
    let (code, told) = place.first_is(collector.address.port(), "clock-skew", &["--wait", "0s"]);
    assert_eq!(code, Some(2));
    let what = told["findings"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("the clock of 127.0.0.1 (v5, domain 0) is 25 h behind this host's"), "{what}");
    ends(collector);
}

/// In a file system of 16 MB that only this test sees.
#[test]
fn a_disk_that_is_nearly_full_is_named() {
    let place = Place::new();
    let script = r#"
        mount -t tmpfs -o size=16m tmpfs "$1" || exit 77
        "$0" --no-ui --host 127.0.0.1 --port 0 --flush-interval 1s --db "$1/flows.db" 2>"$1/log" &
        until grep -q storing "$1/log"; do sleep 0.05; done
        left=$(df --output=avail -B 1024 "$1" | tail -1)
        head -c $(( (left - 600) * 1024 )) /dev/zero >"$1/filler"
        "$0" doctor --format json --wait 0s --db "$1/flows.db"
        code=$?
        kill $!; wait $!
        exit $code
    "#;
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_flowglass")]).arg(place.path.parent().unwrap());
    let Ok(output) = shell.env("FLOWGLASS_CONFIG", "").output() else {
        println!("skipped: no `unshare`");
        return;
    };
    if !matches!(output.status.code(), Some(0..=2)) || text(&output.stderr).contains("unshare") {
        println!("skipped: no file system of its own: {}", text(&output.stderr));
        return;
    }
    let (code, told) = told(&output);
    assert_eq!(told["findings"][0]["id"], "disk-full", "{told:#}");
    assert_eq!(code, Some(2));
    assert!(told["findings"][0]["what"].as_str().unwrap().contains("of 16.8 MB left"), "{told:#}");
}

#[test]
fn a_locked_database_is_named_with_who_holds_the_lock() {
    let place = Place::new();
    let collector = place.collector(&[]);
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (code, told) = place.first_is(collector.address.port(), "database-locked", &["--wait", "0s"]);
    assert!(matches!(code, Some(1 | 2)));
    let finding = &told["findings"][0];
    let pid = std::process::id().to_string();
    assert!(finding["what"].as_str().unwrap().ends_with(&format!("process {pid}")), "{finding:#}");
    assert!(commands(finding).contains(&format!("kill {pid}")));
    other.execute_batch("ROLLBACK").unwrap();
    let (_, told) = place.doctor(collector.address.port(), &["--wait", "0s"]);
    assert!(told["findings"].as_array().unwrap().iter().all(|finding| finding["id"] != "database-locked"), "{told:#}");
    ends(collector);
}

#[test]
fn a_second_collector_is_named_with_its_process() {
    let (place, other) = (Place::new(), Place::new());
    let collector = other.collector(&[]);
    let (code, told) = place.doctor(collector.address.port(), &[]);
    let finding = &told["findings"][0];
    assert_eq!((code, &finding["id"]), (Some(2), &"second-collector".into()), "{told:#}");
    assert!(commands(finding).contains(&format!("kill {}", collector.child.id())), "{finding:#}");
    // Another program is no collector.
    ends(collector);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (_, told) = place.doctor(socket.local_addr().unwrap().port(), &[]);
    assert_eq!(told["findings"][0]["id"], "port-taken", "{told:#}");
}

#[test]
fn an_exporter_that_has_gone_silent_is_named() {
    let mut simulated = Simulated::new();
    let message = |at| ipfix(at).template(&template(256, 0, FLOW)).data(TemplateId(256), &RECORD).finish();
    for minutes_ago in [29, 25, 24] {
        simulated.receive(minutes_ago, "192.0.2.7", message);
    }
    for minutes_ago in [29, 10, 0] {
        simulated.receive(minutes_ago, "192.0.2.8", message);
    }
    let first = simulated.first();
    assert_eq!((&first["id"], &first["severity"]), (&"exporter-silent".into(), &"warning".into()), "{first:#}");
    assert!(
        first["what"].as_str().unwrap().contains("192.0.2.7 (IPFIX, domain 3) has gone silent: nothing for 24 min")
    );
}

#[test]
fn without_a_collector_or_a_database_it_says_so_and_changes_nothing() {
    let place = Place::new();
    let (code, told) = place.doctor(0, &[]);
    assert_eq!((code, &told["findings"][0]["id"]), (Some(2), &"not-running".into()), "{told:#}");
    assert!(!place.path.exists() && fs::read_dir(place.path.parent().unwrap()).unwrap().next().is_none());
    fs::write(&place.path, "no database, but a letter").unwrap();
    let (code, told) = place.doctor(0, &[]);
    assert_eq!((code, &told["findings"][0]["id"]), (Some(2), &"database-unreadable".into()), "{told:#}");
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "no database, but a letter");
}

//! The program without a screen: it receives, stores, prints and ends as it says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use flowglass::capture::Capture;
use flowglass::ie::ElementId;
use flowglass::wire::emit::Message;
use flowglass::wire::ipfix;
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{decode, package};

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowglass"));
    for name in [
        "NETFLOW_ENABLED",
        "NETFLOW_HOST",
        "NETFLOW_PORT",
        "FLOWGLASS_DB",
        "FLOWGLASS_LISTEN",
        "FLOWGLASS_ALLOW",
        "FLOWGLASS_LOG",
        "NO_COLOR",
        "FLOWGLASS_RETENTION",
        "FLOWGLASS_MAX_SIZE",
        "FLOWGLASS_METRICS",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "STATE_DIRECTORY",
        "WATCHDOG_USEC",
    ] {
        command.env_remove(name);
    }
    // The settings of whoever runs the tests are none of theirs.
    command.env("FLOWGLASS_CONFIG", "");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A headless collector on a free port of loopback.
pub(crate) struct Collector {
    pub(crate) child: Child,
    log: Receiver<String>,
    pub(crate) seen: String,
    pub(crate) address: SocketAddr,
}

impl Collector {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(Path::new("."), args)
    }

    fn start_in(folder: &Path, args: &[&str]) -> Self {
        let mut command = command();
        Self::spawn(command.current_dir(folder).args(["--no-ui", "--host", "127.0.0.1", "--port", "0"]).args(args))
    }

    /// Starts a command that becomes a headless collector.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut collector = Self { child, log, seen: String::new(), address: ([127, 0, 0, 1], 0).into() };
        let line = collector.wait_for(|line| line.contains("listening"));
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        collector.address = address.parse().unwrap();
        collector
    }

    /// The next line of the log that `is_it`.
    pub(crate) fn wait_for(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(line) = self.log.recv_timeout(PATIENCE) else { panic!("not in the log:\n{}", self.seen) };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Sends the datagrams of a capture; how many they were.
    pub(crate) fn replay(&self, path: &Path) -> usize {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagrams = Capture::open(path).unwrap().map(|datagram| datagram.unwrap().payload);
        datagrams.map(|payload| assert_eq!(socket.send_to(&payload, self.address).unwrap(), payload.len())).count()
    }

    pub(crate) fn send(&self, payload: &[u8]) {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(payload, self.address).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end after it was killed; what it logged until then.
    pub(crate) fn killed(mut self) -> String {
        self.child.wait().unwrap();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        self.seen
    }

    /// Waits for the end after it was asked to end; what stands on stdout. One that does not end is killed and has failed.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut pipe = self.child.stdout.take().unwrap();
        let (sender, stdout) = channel();
        thread::spawn(move || {
            let mut stdout = String::new();
            sender.send(pipe.read_to_string(&mut stdout).map(|_| stdout))
        });
        let Ok(stdout) = stdout.recv_timeout(PATIENCE) else {
            self.child.kill().unwrap();
            panic!("it does not end:\n{}", self.killed());
        };
        (self.child.wait().unwrap(), stdout.unwrap())
    }
}

pub(crate) fn fixture(case: &str) -> PathBuf {
    package().join("fixtures").join(case).join("capture.pcap")
}

pub(crate) fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Bytes, packets and number of the stored flows.
pub(crate) fn stored(path: &Path) -> (u64, u64, u64) {
    let database = Connection::open(path).unwrap();
    let sums = "SELECT coalesce(sum(bytes), 0), coalesce(sum(packets), 0), count(*) FROM flow";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (bytes, packets, flows) = database.query_row(sums, [], row).unwrap();
    (bytes.cast_unsigned(), packets.cast_unsigned(), flows.cast_unsigned())
}

/// The same sums, of captures decoded in this process.
pub(crate) fn expected(cases: &[&str]) -> (u64, u64, u64) {
    cases.iter().map(|case| decode(&fixture(case), &[])).fold((0, 0, 0), |(bytes, packets, flows), decoded| {
        let sum = |of: fn(&flowglass::flow::FlowRecord) -> u64| decoded.flows.iter().map(of).sum::<u64>();
        (bytes + sum(|f| f.counts.bytes), packets + sum(|f| f.counts.packets), flows + decoded.flows.len() as u64)
    })
}

#[test]
fn what_arrives_is_stored_to_the_byte_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let mut collector = Collector::start(&["--db", path.to_str().unwrap(), "--flush-interval", "1s"]);
    let cases = ["softflowd-v5", "softflowd-v9", "softflowd-ipfix"];
    for case in cases {
        collector.replay(&fixture(case));
    }
    let mut flows = 0;
    while flows < expected(&cases).2 {
        let line = collector.wait_for(|line| line.contains("flush flows="));
        flows += line.split("flows=").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    }
    assert_eq!(stored(&path), expected(&cases));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    assert_eq!(stored(&path), expected(&cases));
}

#[test]
fn signals_cost_no_flow() {
    // A service reads its settings again at SIGHUP; every other run ends.
    for (signal, output) in [(Signal::INT, "--ascii"), (Signal::TERM, "--ascii"), (Signal::HUP, "--json")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        let collector = Collector::start(&[output, "--db", path.to_str().unwrap(), "--flush-interval", "300s"]);
        collector.replay(&fixture("pmacctd-v9"));
        // The socket holds what was sent, so the signal may come before anything was read.
        collector.signal(signal);
        assert!(collector.end().0.success(), "{signal:?}");
        assert_eq!(stored(&path), expected(&["pmacctd-v9"]), "{signal:?}");
    }
}

#[test]
fn bad_datagrams_are_counted_and_cost_nothing_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let mut collector = Collector::start(&["--db", path.to_str().unwrap(), "--flush-interval", "1s"]);
    collector.send(b"GET / HTTP/1.1\r\n\r\n");
    collector.send(&[]);
    collector.send(&[0, 10, 0, 99, 1, 2, 3]);
    collector.send(&[0, 5, 0, 30]);
    collector.replay(&fixture("softflowd-v9"));
    collector.wait_for(|line| line.contains("malformed=2") && line.contains("foreign=2"));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    assert_eq!(stored(&path), expected(&["softflowd-v9"]));
}

/// A message of IPFIX with a template of addresses and bytes, or with one flow of 7 bytes that it describes.
pub(crate) fn restart_message(is_template: bool) -> Vec<u8> {
    let fields = [(8, 4), (12, 4), (1, 4)].map(|(id, length)| FieldSpecifier { element: ElementId::Iana(id), length });
    let message = Message::ipfix(ipfix::Header { domain: 3, ..Default::default() });
    if is_template {
        return message.template(&Template { id: TemplateId(256), scopes: 0, fields: fields.to_vec() }).finish();
    }
    message.data(TemplateId(256), &[10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 7]).finish()
}

/// A collector that never saw a template stores the data that follows one of the run before.
fn stores_data_without_a_template(path: &str) {
    let before = stored(Path::new(path)).2;
    let mut collector = Collector::start(&["--db", path, "--flush-interval", "300s"]);
    collector.wait_for(|line| line.contains("templates of the run before are known templates=1 outdated=0 damaged=0"));
    collector.send(&restart_message(false));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    assert_eq!(stored(Path::new(path)).2, before + 1);
}

#[test]
fn templates_survive_a_restart_of_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db").to_str().unwrap().to_owned();
    let collector = Collector::start(&["--db", &path, "--flush-interval", "300s"]);
    collector.send(&restart_message(true));
    collector.send(&restart_message(false));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    assert_eq!(stored(Path::new(&path)), (7, 0, 1));
    stores_data_without_a_template(&path);
    // The template was only borrowed in that run, and is there for the next one all the same.
    stores_data_without_a_template(&path);
    assert_eq!(stored(Path::new(&path)), (21, 0, 3));
}

#[test]
fn templates_survive_a_kill_after_they_were_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db").to_str().unwrap().to_owned();
    let mut collector = Collector::start(&["--db", &path, "--flush-interval", "1s"]);
    collector.send(&restart_message(true));
    let templates = || -> i64 {
        let database = Connection::open(&path).unwrap();
        database.query_row("SELECT count(*) FROM templates", [], |row| row.get(0)).unwrap()
    };
    while templates() == 0 {
        collector.wait_for(|line| line.contains("flush flows="));
    }
    collector.signal(Signal::KILL);
    assert!(!collector.end().0.success());
    stores_data_without_a_template(&path);
}

#[test]
fn malformed_datagrams_are_kept_and_replayed_with_the_same_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let collector = Collector::start(&["--db", path.to_str().unwrap(), "--flush-interval", "300s"]);
    let bad: [&[u8]; 5] =
        [b"GET / HTTP/1.1\r\n\r\n", &[], &[0, 10, 0, 99, 1, 2, 3], &[0, 5, 0, 30], &[0, 0, 0, 5, 0, 0, 0, 9]];
    for payload in bad {
        collector.send(payload);
    }
    collector.replay(&fixture("softflowd-v9"));
    let port = collector.address.port();
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    let quarantine = folder.path().join("flows.db.quarantine.pcapng");
    let kept: Vec<_> = Capture::open(&quarantine).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.iter().map(|datagram| datagram.payload.as_slice()).collect::<Vec<_>>(), bad);
    assert!(kept.iter().all(|datagram| datagram.to.port() == port && datagram.from.ip().is_loopback()));
    let log = text(&run(&["replay", quarantine.to_str().unwrap(), "--no-ui"]).stderr);
    assert!(log.contains("decoded datagrams=5 ") && log.contains("malformed=3 foreign=2"), "{log}");
    let reasons = fs::read(&quarantine).unwrap();
    let says = |reason: &str| reasons.windows(reason.len()).any(|part| part == reason.as_bytes());
    assert!(says("version 18245 is not NetFlow") && says("message truncated: "));
}

#[test]
fn without_a_database_nothing_is_kept_of_malformed_datagrams() {
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector::start_in(folder.path(), &["--no-db", "--log", "debug"]);
    collector.send(b"GET / HTTP/1.1\r\n\r\n");
    collector.wait_for(|line| line.contains("datagram not decoded"));
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn json_is_one_line_per_flow_on_stdout() {
    let collector = Collector::start(&["--json", "--no-db"]);
    collector.replay(&fixture("softflowd-ipfix"));
    collector.signal(Signal::TERM);
    let (status, stdout) = collector.end();
    assert!(status.success());
    let lines: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bytes: u64 = lines.iter().map(|line| line["bytes"].as_u64().unwrap()).sum();
    assert_eq!((bytes, lines.len() as u64), {
        let (b, _, n) = expected(&["softflowd-ipfix"]);
        (b, n)
    });
}

#[test]
fn a_reader_of_json_that_goes_away_is_success() {
    let mut child = command().args(["replay", "--json"]).arg(fixture("pmacctd-ipfix")).spawn().unwrap();
    drop(child.stdout.take());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
}

#[test]
fn once_prints_one_table_and_ends() {
    let output = run(&["demo", "--once", "2", "--log", "error"]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(stdout.contains("conversations\n\ninside "), "{stdout}");
    assert!(stdout.contains("https") && stdout.contains("lost 0"), "{stdout}");
    assert!(!stdout.contains('\x1b'));
}

#[test]
fn a_replay_goes_into_the_database_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let captures = [fixture("ovs-netflow"), fixture("fprobe-v5")];
    let args = ["replay", captures[0].to_str().unwrap(), captures[1].to_str().unwrap(), "--no-ui"];
    let output = run(&[args.as_slice(), &["--db", path.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stored(&path), expected(&["ovs-netflow", "fprobe-v5"]));
}

#[test]
fn a_capture_cut_in_the_middle_gives_what_stood_before() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.pcap");
    let whole = fs::read(fixture("pmacctd-v9")).unwrap();
    fs::write(&cut, &whole[..whole.len() - 10]).unwrap();
    let output = run(&["replay", cut.to_str().unwrap(), "--no-ui"]);
    let log = text(&output.stderr);
    assert!(output.status.success());
    assert!(log.contains("ends in the middle of the block"), "{log}");
    assert!(log.contains("decoded datagrams=16 "), "{log}");
}

/// Runs with bad input: the exit code and what stderr must say, in one line and a hint.
fn refuses(args: &[&str], code: i32, says: &str) {
    let output = run(args);
    let log = text(&output.stderr);
    let told: Vec<_> = log.lines().filter(|line| !line.contains(" INFO ") && !line.contains(" WARN ")).collect();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {log}");
    assert!(log.contains(says), "{args:?}: {log}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert!(told.len() <= 2 || code == 2, "{args:?}: {log}");
}

#[test]
fn bad_input_gets_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("text"), "this is a letter and no database\n".repeat(100)).unwrap();
    refuses(&["--once", "1", "--port", "0", "--db", &at("text")], 1, "not a database");
    assert!(fs::read_to_string(at("text")).unwrap().starts_with("this is a letter"), "it was left alone");
    refuses(&["--once", "1", "--port", "0", "--db", &at("text/below.db")], 1, "text");
    refuses(&["replay", &at("text"), "--no-ui"], 1, "is neither pcap nor pcapng");
    refuses(&["replay", &at("missing.pcap"), "--no-ui"], 1, "missing.pcap");
    refuses(&["--enabled", "false", "--no-ui", "--db", &at("missing.db")], 1, "missing.db");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let args = ["--once", "1", "--no-db", "--host", "127.0.0.1", "--port", &port];
    refuses(&args, 1, &format!("cannot listen on 127.0.0.1:{port}"));
    refuses(&args, 1, "hint: ");
    refuses(&["--no-db"], 2, "hint: use `--no-ui`");
    refuses(&["--no-ui", "--flush-interval", "0s"], 2, "must be between 1s and 300s");
    refuses(&["--no-ui", "--host", "example"], 2, "--host");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    let mut mode = fs::metadata(&locked).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&locked, mode).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    refuses(&["--once", "1", "--port", "0", "--db", locked.join("flows.db").to_str().unwrap()], 1, "locked");
}

#[test]
fn a_second_collector_on_one_database_is_refused_with_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let path = path.to_str().unwrap();
    let first = Collector::start(&["--db", path]);
    let pid = first.child.id().to_string();
    refuses(&["--once", "1", "--port", "0", "--host", "127.0.0.1", "--db", path], 1, &pid);
    first.signal(Signal::TERM);
    assert!(first.end().0.success());
}

#[test]
fn the_environment_sets_address_port_and_whether_it_receives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut listening = command();
    listening.args(["--once", "1", "--no-db"]).env("NETFLOW_HOST", "127.0.0.1").env("NETFLOW_PORT", &port);
    assert!(text(&listening.output().unwrap().stderr).contains(&format!("127.0.0.1:{port}")));
    let output = run(&["replay", fixture("softflowd-v5").to_str().unwrap(), "--no-ui", "--db", path.to_str().unwrap()]);
    assert!(output.status.success());
    // Nothing is received, so a port in use is no obstacle; what is stored is shown.
    let mut stored = command();
    stored.args(["--once", "1", "--log", "error", "--db", path.to_str().unwrap()]);
    let output = stored.env("NETFLOW_ENABLED", "false").env("NETFLOW_PORT", &port).output().unwrap();
    let (_, packets, flows) = expected(&["softflowd-v5"]);
    let stdout = text(&output.stdout);
    assert!(stdout.contains(&format!("{flows} flows, {packets} packets")), "{stdout}{}", text(&output.stderr));
}

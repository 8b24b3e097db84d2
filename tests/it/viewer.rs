//! A second process that looks at what a collector stores: it sees every flow once, disturbs nobody, and outlives what
//! happens to the file and to the collector; also as another user, who can only read.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::place::{Place, Sums, ends, send, sums, wait_for_flows};
use crate::program::{Collector, PATIENCE, command, restart_message, run, stored, text};
use crate::pty::Session;
use crate::questions::{Stored, flow};

impl Place {
    /// A collector that writes every second, and has made its database.
    fn storing(&self) -> Collector {
        let mut collector = self.collector();
        collector.wait_for(|line| line.contains("storing"));
        collector
    }

    fn beside(&self, end: &str) -> PathBuf {
        format!("{}{end}", self.path.display()).into()
    }

    fn viewer(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.args(["--view", "--db", self.db()]).args(args);
        command
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A viewer that writes each flow as a line, and the sums of its lines.
struct Lines {
    child: Child,
    seen: Arc<(Mutex<(Sums, String)>, Condvar)>,
}

impl Lines {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let seen = Arc::<(Mutex<(Sums, String)>, Condvar)>::default();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let count = Arc::clone(&seen);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let flow: serde_json::Value = serde_json::from_str(&line).unwrap();
                let sums = &mut count.0.lock().unwrap().0;
                sums.0 += flow["bytes"].as_u64().unwrap();
                sums.1 += flow["packets"].as_u64().unwrap();
                sums.2 += 1;
                count.1.notify_all();
            }
        });
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.0.lock().unwrap().1.push_str(&format!("{line}\n"));
                log.1.notify_all();
            }
        });
        Self { child, seen }
    }

    fn wait_until(&self, is_it: impl Fn(&Sums, &str) -> bool) -> Sums {
        let seen = self.seen.0.lock().unwrap();
        let (seen, waited) = self.seen.1.wait_timeout_while(seen, PATIENCE, |(sums, log)| !is_it(sums, log)).unwrap();
        assert!(!waited.timed_out(), "{:?}\n{}", seen.0, seen.1);
        seen.0
    }

    /// Waits until it has as many flows, which must be these.
    fn has(&self, expected: Sums) {
        assert_eq!(self.wait_until(|sums, _| expected.2 <= sums.2), expected);
    }

    fn says(&self, words: &str) {
        self.wait_until(|_, log| log.contains(words));
    }

    /// Ends it; it must not have shown anything more.
    fn end(mut self, expected: Sums) {
        signal(&self.child, Signal::INT);
        assert!(self.child.wait().unwrap().success());
        self.has(expected);
    }
}

/// A screen that remembers nothing of another one, and knows no settings but these.
fn screen(state: &Path, arguments: &[&str]) -> Session {
    let variables = [("XDG_STATE_HOME", state.to_str().unwrap()), ("FLOWGLASS_CONFIG", "")];
    Session::program(&[arguments, &["--no-dns"]].concat(), &variables, (140, 40))
}

/// What a table says of flows and packets.
fn says(output: &Output, (_, packets, flows): Sums) {
    let stdout = text(&output.stdout);
    let words = format!("{flows} flows, {packets} packets");
    assert!(output.status.success() && stdout.contains(&words), "{words}: {stdout}{}", text(&output.stderr));
}

#[test]
fn three_viewers_and_a_ranking_without_end_cost_nothing_and_agree() {
    let place = Place::new();
    let mut collector = place.storing();
    let lines = Lines::start(&mut place.viewer(&["--json"]));
    let table = place.viewer(&["--once", "3600"]).spawn().unwrap();
    let mut screen = screen(place.folder.path(), &["--view", "--db", place.db()]);
    let stop = Arc::new(AtomicBool::new(false));
    let ranking = {
        let (stop, db) = (Arc::clone(&stop), place.db().to_owned());
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let output = run(&["top", "--last", "24h", "--db", &db]);
                assert!(output.status.success(), "{}", text(&output.stderr));
            }
        })
    };
    for _ in 0..5 {
        send(&collector, 4);
        wait_for_flows(&mut collector, sums(4).2);
    }
    lines.has(sums(20));
    stop.store(true, Ordering::Relaxed);
    ranking.join().unwrap();
    assert_eq!(stored(&place.path), sums(20));
    // Rows and exporters of the screen are of the same flows.
    screen.wait_for("VIEW");
    let exporters = screen.press_for("5", "What is wrong, why, and what mends it");
    assert!(exporters.contains("127.0.0.1") || exporters.contains("localhost"), "{exporters}");
    screen.press("q");
    screen.ends(0);
    signal(&table, Signal::INT);
    says(&table.wait_with_output().unwrap(), sums(20));
    let output = run(&["top", "--last", "24h", "--format", "json", "--db", place.db()]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| answer["total"][name].as_u64().unwrap();
    assert_eq!((of("bytes"), of("packets"), of("flows")), sums(20));
    assert!(collector.seen.lines().all(|line| !line.contains("flush ") || line.contains("kernel_dropped=0")));
    ends(collector);
    lines.end(sums(20));
}

#[test]
fn a_screen_attaches_itself_and_says_when_its_collector_goes_and_comes() {
    let place = Place::new();
    let mut collector = place.storing();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    // The port is taken, and so is whatever the settings say of metrics: a viewer binds nothing.
    let (port, pid) = (collector.address.port().to_string(), collector.child.id());
    let arguments = ["--host", "127.0.0.1", "--port", &port, "--metrics", &format!("127.0.0.1:{port}")];
    let taken = std::net::TcpListener::bind(("127.0.0.1", collector.address.port())).unwrap();
    let mut screen = screen(place.folder.path(), &[&arguments[..], &["--db", place.db()]].concat());
    let shown = screen.wait_for(&format!("process {pid} collects: this screen looks on"));
    assert!(shown.contains("VIEW"), "{shown}");
    screen.wait_for("flushed");
    ends(collector);
    let shown = screen.wait_for("no collector runs; the last flow is of 20");
    assert!(shown.contains("STORED"), "{shown}");
    let mut collector = place.storing();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    screen.wait_for(&format!("process {} collects", collector.child.id()));
    screen.wait_until(|screen| screen.contents().contains("VIEW"), "the badge");
    screen.press("q");
    screen.ends(0);
    drop(taken);
    // Whoever has no screen collects or fails.
    let output = run(&["--no-ui", "--host", "127.0.0.1", "--port", "0", "--db", place.db()]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("process {}", collector.child.id())) && told.contains("`--view`"), "{told}");
    ends(collector);
    assert_eq!(stored(&place.path), sums(2));
}

#[test]
fn a_database_that_nobody_owns_is_browsed_up_to_its_newest_flow() {
    let stored = Stored::new(&[flow(0, 1, 7), flow(1_000, 2, 8), flow(30_000, 3, 9)]);
    let db = stored.path.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut screen = screen(folder.path(), &["--view", "--db", db]);
    let shown = screen.wait_for("no collector runs; the last flow is of 20");
    assert!(shown.contains("STORED"), "{shown}");
    screen.wait_for("10.0.0.3");
    screen.press("q");
    screen.ends(0);
    // Nobody is waited for.
    says(&run(&["--view", "--once", "3600", "--db", db]), (24, 9, 3));
    let refused = run(&["--view", "--no-ui", "--db", db]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("hint: `--once 60` prints a table"), "{}", text(&refused.stderr));
}

#[test]
fn flows_that_waited_for_their_template_are_seen_once() {
    let place = Place::new();
    let mut collector = place.storing();
    let lines = Lines::start(&mut place.viewer(&["--json"]));
    collector.send(&restart_message(false));
    collector.wait_for(|line| line.contains("waiting=1"));
    send(&collector, 1);
    lines.has(sums(1));
    // It stands before what the viewer has read by now.
    collector.send(&restart_message(true));
    let (bytes, packets, flows) = sums(1);
    lines.has((bytes + 7, packets, flows + 1));
    send(&collector, 1);
    let (bytes, packets, flows) = sums(2);
    lines.has((bytes + 7, packets, flows + 1));
    ends(collector);
    lines.end((bytes + 7, packets, flows + 1));
}

#[test]
fn a_viewer_outlives_its_collector_and_its_file() {
    let place = Place::new();
    let collector = place.storing();
    let lines = Lines::start(&mut place.viewer(&["--json"]));
    let table = place.viewer(&["--once", "3600"]).spawn().unwrap();
    send(&collector, 1);
    lines.has(sums(1));
    collector.signal(Signal::KILL);
    collector.killed();
    lines.says("no collector runs");
    let mut collector = place.storing();
    send(&collector, 1);
    lines.has(sums(2));
    fs::rename(&place.path, place.path.with_file_name("moved.db")).unwrap();
    send(&collector, 3);
    collector.wait_for(|line| line.contains("deleted or renamed while in use"));
    lines.has(sums(5));
    assert_eq!(stored(&place.path), sums(3));
    // The figures are of the file that is there now.
    signal(&table, Signal::INT);
    says(&table.wait_with_output().unwrap(), sums(3));
    ends(collector);
    lines.end(sums(5));
}

/// A group that every Debian has, and that may read the database; and a user who is in no other one.
const GROUP: &str = "games";
const USER: u32 = 65_534;

/// The number of the group; nothing where this user cannot run programs as another one.
fn group() -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find_map(|line| line.strip_prefix(&format!("{GROUP}:x:")))?;
    let group = line.split(':').next()?.parse().ok()?;
    let other = as_other(&mut Command::new(env!("CARGO_BIN_EXE_flowglass")), group).arg("--version").output();
    let is_able = geteuid().is_root() && other.is_ok_and(|output| output.status.success());
    if !is_able {
        println!("skipped: the program cannot be run as another user");
    }
    is_able.then_some(group)
}

fn as_other(command: &mut Command, group: u32) -> &mut Command {
    command.uid(USER).gid(group)
}

/// A folder as the package makes it: the service's, and its group may look.
fn shared(group: u32) -> Place {
    let place = Place::new();
    chown(place.folder.path(), None, Some(group)).unwrap();
    // New files are the group's.
    fs::set_permissions(place.folder.path(), Permissions::from_mode(0o2750)).unwrap();
    place
}

fn looks(place: &Place, group: u32) -> Output {
    as_other(&mut place.viewer(&["--once", "3600"]), group).output().unwrap()
}

#[test]
fn a_member_of_the_group_sees_what_the_collector_stores() {
    let Some(group) = group() else { return };
    let place = shared(group);
    let collector = place.storing();
    let lines = Lines::start(as_other(&mut place.viewer(&["--json"]), group));
    send(&collector, 2);
    lines.has(sums(2));
    lines.says(&format!("pid={}", collector.child.id()));
    // Only the right to read is missing to others, and they are told how to get it.
    let output = looks(&place, USER);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("cannot read") && told.contains(&format!("hint: add yourself to the group {GROUP}")),
        "{told}"
    );
    // The log holds what was not moved into the file yet.
    collector.signal(Signal::KILL);
    collector.killed();
    says(&looks(&place, group), sums(2));
    lines.end(sums(2));
}

#[test]
fn a_database_without_its_log_is_read_where_nothing_can_be_written() {
    let Some(group) = group() else { return };
    let place = shared(group);
    let collector = place.storing();
    send(&collector, 1);
    ends(collector);
    // The log and its index stay for who cannot make them.
    says(&looks(&place, group), sums(1));
    fs::remove_file(place.beside("-shm")).unwrap();
    says(&looks(&place, group), sums(1));
    fs::remove_file(place.beside("-wal")).unwrap();
    says(&looks(&place, group), sums(1));
    let lines = Lines::start(as_other(&mut place.viewer(&["--json"]), group));
    lines.has(sums(1));
    // Now somebody writes again what was opened as a file that nobody changes.
    let collector = place.storing();
    send(&collector, 1);
    lines.has(sums(2));
    collector.signal(Signal::KILL);
    collector.killed();
    assert!(0 < fs::metadata(place.beside("-wal")).unwrap().len());
    signal(&lines.child, Signal::KILL);
    // A log with something in it is never passed over.
    fs::remove_file(place.beside("-shm")).unwrap();
    let output = looks(&place, group);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("write-ahead log") && told.contains("hint: start its collector, or copy"), "{told}");
}

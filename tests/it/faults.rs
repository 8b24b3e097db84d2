//! What happens to an unattended collector, done to the whole program: killed, out of disk, locked out, its file gone or
//! damaged. After each, the sums say what was kept.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::place::{Place, ends, logged, send, sums, wait_for_flows};
use crate::program::{Collector, command, stored, text};

impl Place {
    fn open(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::from_secs(60)).unwrap();
        connection
    }

    fn log(&self) -> PathBuf {
        self.path.with_file_name("flows.db-wal")
    }

    /// The database that was set aside.
    fn set_aside(&self) -> PathBuf {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| path.to_str().unwrap().contains(".corrupt-");
        names.filter(|path| !path.to_str().unwrap().ends_with("-wal")).find(is_it).unwrap()
    }
}

fn is_sound(path: &Path) -> bool {
    let told: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    told == "ok"
}

#[test]
fn kill_9_at_any_moment_costs_only_what_was_not_flushed() {
    let place = Place::new();
    let (mut sent, mut flushed) = (0, 0);
    for round in 0..6 {
        let mut collector = place.collector();
        send(&collector, 20 + round);
        sent += 20 + round;
        // Some rounds end in the first interval, some in a later one, some as soon as the log tells of a flush.
        if round % 3 != 0 {
            wait_for_flows(&mut collector, sums(1).2 * round);
        }
        send(&collector, round);
        sent += round;
        collector.signal(Signal::KILL);
        let seen = collector.killed();
        flushed += seen.lines().map(logged).sum::<u64>();
        assert!(is_sound(&place.path), "round {round}");
        let flows = stored(&place.path).2;
        assert!(flushed <= flows && flows <= sums(sent).2, "{flushed} {flows} {}", sums(sent).2);
        // What a flush wrote and the log could not tell any more counts for the next round.
        flushed = flows;
    }
    let mut collector = place.collector();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    ends(collector);
    assert_eq!(stored(&place.path).2, flushed + sums(1).2);
}

/// A stopped process and a copy of its files: what the disk holds when the power goes.
#[test]
fn a_copy_of_the_files_at_any_moment_is_sound() {
    let place = Place::new();
    let mut collector = place.collector();
    let mut flushed = 0;
    for round in 0..6 {
        send(&collector, 10);
        if round % 2 == 0 {
            let line = collector.wait_for(|line| line.contains("flush flows="));
            flushed += logged(&line);
        }
        collector.signal(Signal::STOP);
        let copy = Place::new();
        fs::copy(&place.path, &copy.path).unwrap();
        fs::copy(place.log(), copy.log()).unwrap();
        collector.signal(Signal::CONT);
        assert!(is_sound(&copy.path), "round {round}");
        let flows = stored(&copy.path).2;
        assert!(flushed <= flows && flows <= sums(10 * (round + 1)).2, "{flushed} {flows}");
    }
    ends(collector);
    assert_eq!(stored(&place.path), sums(60));
}

#[test]
fn a_full_disk_costs_nothing_once_there_is_space_again() {
    let place = Place::new();
    let mut shell = command_in_shell("trap '' XFSZ; exec \"$0\" \"$@\"");
    let args = ["--no-ui", "--host", "127.0.0.1", "--port", "0", "--flush-interval", "1s", "--db"];
    let mut collector = Collector::spawn(shell.args(args).arg(&place.path));
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    // No file may grow: the log is full for what follows.
    let pid = Pid::from_child(&collector.child);
    let limit = |octets| prlimit(Some(pid), Resource::Fsize, Rlimit { current: octets, maximum: None }).unwrap();
    let before = limit(Some(fs::metadata(place.log()).unwrap().len() / 2));
    send(&collector, 20);
    for _ in 0..2 {
        collector.wait_for(|line| line.contains("flush failed; the flows are kept and tried again"));
    }
    assert_eq!(stored(&place.path), sums(1));
    prlimit(Some(pid), Resource::Fsize, before).unwrap();
    wait_for_flows(&mut collector, sums(20).2);
    assert_eq!(stored(&place.path), sums(21));
    ends(collector);
    assert!(is_sound(&place.path));
}

#[test]
fn a_locked_database_costs_nothing_once_it_is_unlocked() {
    let place = Place::new();
    let mut collector = place.collector();
    let other = place.open();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    send(&collector, 10);
    let line = collector.wait_for(|line| line.contains("flush failed"));
    assert!(line.contains("locked"), "{line}");
    send(&collector, 10);
    collector.wait_for(|line| line.contains("flush failed"));
    other.execute_batch("ROLLBACK").unwrap();
    wait_for_flows(&mut collector, sums(20).2);
    ends(collector);
    assert_eq!(stored(&place.path), sums(20));
}

#[test]
fn a_deleted_database_is_begun_anew_loudly() {
    let place = Place::new();
    let mut collector = place.collector();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    fs::rename(&place.path, place.path.with_file_name("moved.db")).unwrap();
    send(&collector, 3);
    let line = collector.wait_for(|line| line.contains("deleted or renamed while in use"));
    assert!(line.contains("ERROR"), "{line}");
    wait_for_flows(&mut collector, sums(3).2);
    ends(collector);
    assert_eq!(stored(&place.path.with_file_name("moved.db")), sums(1));
    assert_eq!(stored(&place.path), sums(3));
}

/// Spoils every page but the first.
fn damage(path: &Path) {
    let length = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xff; length - 16_384], 16_384).unwrap();
}

#[test]
fn a_damaged_database_is_set_aside_at_the_start() {
    let place = Place::new();
    let mut collector = place.collector();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    ends(collector);
    damage(&place.path);
    let damaged = fs::read(&place.path).unwrap();
    let mut collector = place.collector();
    send(&collector, 2);
    wait_for_flows(&mut collector, sums(2).2);
    assert!(collector.seen.contains("the database was damaged"), "{}", collector.seen);
    ends(collector);
    assert!(fs::read(place.set_aside()).unwrap() == damaged, "it is kept as it was");
    assert_eq!(stored(&place.path), sums(2));
}

#[test]
fn a_database_that_is_damaged_while_it_runs_is_set_aside() {
    let place = Place::new();
    let mut collector = place.collector();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    let other = place.open();
    other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE more (x)").unwrap();
    damage(&place.path);
    send(&collector, 2);
    collector.wait_for(|line| line.contains("the database was damaged"));
    wait_for_flows(&mut collector, sums(2).2);
    drop(other);
    ends(collector);
    assert!(place.set_aside().exists());
    assert_eq!(stored(&place.path), sums(2));
}

#[test]
fn a_database_that_may_not_be_written_is_refused_by_name() {
    let place = Place::new();
    ends(place.collector());
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o444)).unwrap();
    let mut reader = command();
    reader.args(["--no-ui", "--host", "127.0.0.1", "--port", "0", "--db"]).arg(&place.path);
    if fs::File::options().write(true).open(&place.path).is_ok() {
        // This user may write everything; nobody may not.
        reader.uid(65_534).gid(65_534);
    }
    let Ok(output) = reader.output() else {
        println!("skipped: the program cannot be run as another user");
        return;
    };
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("flows.db") && log.contains("hint: "), "{log}");
}

/// In a name space of mounts of its own, in which nothing below the folder can be written, not even by the superuser.
#[test]
fn a_read_only_file_system_is_told_and_nothing_on_it_is_touched() {
    let place = Place::new();
    let mut collector = place.collector();
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    ends(collector);
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 77; shift; exec \"$@\"";
    let mut mounted = Command::new("unshare");
    mounted.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(place.folder.path());
    mounted.arg(env!("CARGO_BIN_EXE_flowglass"));
    mounted.args(["--no-ui", "--host", "127.0.0.1", "--port", "0", "--db"]).arg(&place.path);
    let Some(output) = mounted.output().ok().filter(|output| text(&output.stderr).contains("flows.db")) else {
        println!("skipped: this user may not mount");
        return;
    };
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("hint: "), "{log}");
    assert_eq!(stored(&place.path), sums(1));
}

#[test]
fn what_is_too_old_is_deleted_and_told() {
    let place = Place::new();
    ends(place.collector());
    let old = "INSERT INTO exporters (id, address, domain, version, first_seen_ms, last_seen_ms) VALUES (1, '192.0.2.1', 1, 10, 5, 6);
        WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
        INSERT INTO flows (origin, src, dst, ports, traits, times, bytes, packets, interfaces, systems, id)
        SELECT 1, 1, 2, 3, 6, 4194304, 9, 10, 0, 0, (unixepoch('now', '-8 days') * 1000 << 20) + i FROM n
        UNION ALL SELECT 1, 1, 2, 3, 6, 4194304, 9, 10, 0, 0, unixepoch('now', '-1 minute') * 1000 << 20";
    place.open().execute_batch(old).unwrap();
    let mut collector = place.collector();
    let line = collector.wait_for(|line| line.contains("pruned flows="));
    assert!(line.contains("pruned flows=5000 because=older than `--retention`"), "{line}");
    send(&collector, 1);
    wait_for_flows(&mut collector, sums(1).2);
    ends(collector);
    assert_eq!(stored(&place.path).2, sums(1).2 + 1);
    let pruned: i64 = place
        .open()
        .query_row("SELECT pruned_flows FROM collector_runs ORDER BY id DESC", (), |row| row.get(0))
        .unwrap();
    assert_eq!(pruned, 5000);
}

#[test]
fn a_run_stands_in_the_database_from_its_start_on() {
    let place = Place::new();
    let mut collector = Collector::start(&["--db", place.path.to_str().unwrap(), "--flush-interval", "300s"]);
    collector.wait_for(|line| line.contains("storing"));
    let pid: u32 = place.open().query_row("SELECT pid FROM collector_runs", (), |row| row.get(0)).unwrap();
    assert_eq!(pid, collector.child.id());
    ends(collector);
}

/// A shell that runs the program with further arguments as `"$0" "$@"`.
fn command_in_shell(script: &str) -> Command {
    let program = command();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program());
    for (name, value) in program.get_envs() {
        if value.is_none() {
            shell.env_remove(name);
        }
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

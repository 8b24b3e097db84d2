//! The program as a service: what it tells the service manager, how it reads its settings again, and what it may not do.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use flowglass::wire::{emit, v5};
use rustix::process::Signal;

use crate::program::{Collector, PATIENCE, command, run, stored, text};

fn datagram(sequence: u32) -> Vec<u8> {
    let mut record = [0; v5::RECORD];
    record[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
    emit::v5(v5::Header { count: 1, sequence, ..Default::default() }, &[record])
}

fn send(collector: &Collector, sequence: u32) {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram(sequence), collector.address).unwrap();
}

/// A collector with a configuration file, that may be told more.
fn service(folder: &Path, config: &str, more: impl FnOnce(&mut Command)) -> Collector {
    fs::write(folder.join("flowglass.toml"), config).unwrap();
    let mut command = command();
    command.args(["--no-ui", "--host", "127.0.0.1", "--port", "0", "--db"]).arg(folder.join("db/flows.db"));
    command.env("FLOWGLASS_CONFIG", folder.join("flowglass.toml"));
    more(&mut command);
    Collector::spawn(&mut command)
}

fn ends(collector: Collector) {
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
}

/// Reads messages to the service manager until one has the line.
fn wait_for(manager: &UnixDatagram, line: &str) {
    let mut message = [0; 4096];
    loop {
        let octets = manager.recv(&mut message).unwrap_or_else(|error| panic!("no {line}: {error}"));
        if text(&message[..octets]).lines().any(|found| found.starts_with(line)) {
            return;
        }
    }
}

#[test]
fn the_service_manager_is_told_ready_alive_reloading_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let collector = service(folder.path(), "", |command| {
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "400000");
    });
    wait_for(&manager, "READY=1");
    send(&collector, 0);
    wait_for(&manager, "WATCHDOG=1");
    wait_for(&manager, "STATUS=1 flows of 1 exporters in 1 datagrams");
    collector.signal(Signal::HUP);
    wait_for(&manager, "RELOADING=1");
    wait_for(&manager, "READY=1");
    collector.signal(Signal::TERM);
    wait_for(&manager, "STOPPING=1");
    assert!(collector.end().0.success());
}

#[test]
fn settings_that_changed_count_after_a_reload_and_an_error_keeps_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowglass.toml");
    let mut collector = service(folder.path(), "allow = ['10.0.0.0/8']\nlog = 'info'\n", |_| {});
    send(&collector, 0);
    collector.wait_for(|line| line.contains("refused: the sender is not allowed"));
    fs::write(&path, "allow = ['10.0.0.0/8', '127.0.0.0/8']\nretenshun = '1d'\n").unwrap();
    collector.signal(Signal::HUP);
    let line = collector.wait_for(|line| line.contains("settings not read again: everything stays as it was"));
    assert!(line.contains("ERROR") && line.contains("did you mean `retention`?"), "{line}");
    fs::write(&path, "allow = ['10.0.0.0/8', '127.0.0.0/8']\nflush-interval = '1s'\nreceive-buffer = 7\n").unwrap();
    collector.signal(Signal::HUP);
    let line = collector.wait_for(|line| line.contains("settings read again"));
    assert!(line.contains("changed=\"allow, flush-interval\""), "{line}");
    let line = collector.wait_for(|line| line.contains("need a restart"));
    assert!(line.contains("settings=\"receive-buffer\""), "{line}");
    // The list is looked at once a second.
    for sequence in 1.. {
        send(&collector, sequence);
        if !collector.wait_for(|line| line.contains("flush flows=")).contains("flush flows=0 ") {
            break;
        }
    }
    fs::write(&path, "allow = ['127.0.0.0/8']\nlog = 'error'\n").unwrap();
    collector.signal(Signal::HUP);
    ends(collector);
    assert!(1 <= stored(&folder.path().join("db/flows.db")).2);
}

#[test]
fn lines_to_the_journal_have_its_levels_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let file = fs::File::create(&log).unwrap();
    let metadata = file.metadata().unwrap();
    let mut collector = command();
    collector.args(["--once", "1", "--port", "0", "--no-db"]).stderr(file);
    collector.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
    assert!(collector.output().unwrap().status.success());
    let log = fs::read_to_string(log).unwrap();
    assert!(log.lines().any(|line| line.starts_with("<6>listening address=")), "{log}");
    assert!(log.lines().all(|line| line.starts_with('<') && !line.contains("INFO")), "{log}");
}

/// Whatever a datagram may do to it, it writes nowhere else; here a person makes it try.
#[test]
fn a_headless_run_can_write_only_beside_its_database() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let mut collector = service(folder.path(), "log = 'debug'\nflush-interval = '1s'\n", |_| {});
    let line = collector.wait_for(|line| line.contains("onfined"));
    if !line.contains("confined: nothing else can be written") {
        println!("skipped: {line}");
        return ends(collector);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", collector.child.id())).unwrap();
    assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    let database = folder.path().join("db/flows.db");
    collector.wait_for(|line| line.contains("storing"));
    fs::rename(&database, database.with_extension("moved")).unwrap();
    symlink(other.join("flows.db"), &database).unwrap();
    send(&collector, 0);
    let line = collector.wait_for(|line| line.contains("flush failed"));
    assert!(line.contains("denied"), "{line}");
    assert!(fs::read_dir(&other).unwrap().next().is_none());
    // As soon as it may, it goes on.
    fs::remove_file(&database).unwrap();
    collector.wait_for(|line| line.contains("flush flows=1 "));
    ends(collector);
    assert_eq!(stored(&database), (7, 1, 1));
}

#[test]
fn the_folder_of_the_service_manager_is_where_the_database_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    command.args(["--no-ui", "--once", "1", "--port", "0"]).env("STATE_DIRECTORY", folder.path());
    assert!(command.output().unwrap().status.success());
    let mode = fs::metadata(folder.path().join("flows.db")).unwrap().mode();
    assert_eq!(mode & 0o007, 0, "{mode:o}: nobody else may read it");
}

#[test]
fn completions_and_pages_of_the_manual_are_made_for_every_command() {
    for (shell, says) in [("bash", "_flowglass"), ("zsh", "#compdef flowglass"), ("fish", "complete -c flowglass")] {
        let output = run(&["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains(says), "{shell}");
    }
    let page = text(&run(&["man"]).stdout);
    assert!(page.starts_with(".ie") && page.contains("max\\-size"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    assert!(run(&["man", folder.path().to_str().unwrap()]).status.success());
    for name in ["flowglass.1", "flowglass-doctor.1", "flowglass-check.1"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

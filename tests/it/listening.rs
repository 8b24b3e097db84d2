//! Where the program listens and to whom: several sockets, those of a service manager, the allow-list, and a burst.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use flowglass::wire::{emit, v5};
use rustix::process::Signal;

use crate::program::{Collector, command, stored, text};

/// A datagram of one flow of 7 bytes and 1 packet.
fn datagram(sequence: u32) -> Vec<u8> {
    let mut record = [0; v5::RECORD];
    record[..8].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    record[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
    emit::v5(v5::Header { count: 1, sequence, ..Default::default() }, &[record])
}

fn place() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let text = path.to_str().unwrap().to_owned();
    (folder, path, text)
}

fn ends(collector: Collector) {
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
}

#[test]
fn every_address_is_listened_on_and_each_socket_is_told() {
    let (_folder, path, db) = place();
    let mut collector =
        Collector::spawn(command().args(["--no-ui", "--listen", "127.0.0.1:0,127.0.0.2:0", "--db", &db]));
    let second = collector.wait_for(|line| line.contains("listening"));
    let second: SocketAddr = second.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!((collector.address.ip().to_string(), second.ip().to_string()), ("127.0.0.1".into(), "127.0.0.2".into()));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&datagram(0), collector.address).unwrap();
    socket.send_to(&datagram(1), second).unwrap();
    ends(collector);
    assert_eq!(stored(&path), (14, 2, 2));
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        command().args(["--no-ui", "--no-db", "--listen", "127.0.0.1:0", "--listen", &address]).output().unwrap();
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains(&format!("cannot listen on {address}: address in use")) && log.contains("hint: "), "{log}");
}

#[test]
fn only_allowed_senders_are_heard() {
    let (_folder, path, db) = place();
    let args = ["--db", &db, "--allow", "127.0.0.2/31,2001:db8::/32"];
    let mut collector = Collector::start(&args);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&datagram(0), collector.address).unwrap();
    let warning = collector.wait_for(|line| line.contains("the sender is not allowed"));
    assert!(warning.contains(&format!("last={}", stranger.local_addr().unwrap())), "{warning}");
    assert!(warning.contains("datagrams=1 ") && warning.contains("--allow"), "{warning}");
    let friend = UdpSocket::bind("127.0.0.3:0").unwrap();
    friend.send_to(&datagram(0), collector.address).unwrap();
    ends(collector);
    assert_eq!(stored(&path), (7, 1, 1));
}

#[test]
fn a_socket_of_the_service_manager_is_listened_on() {
    let (_folder, path, db) = place();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // What came before the start waits in the socket.
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram(0), address).unwrap();
    let plain = command();
    let mut shell = Command::new("sh");
    let variables = plain.get_envs().filter_map(|(name, value)| value.is_none().then_some(name));
    for name in variables {
        shell.env_remove(name);
    }
    shell
        .args(["-c", r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&0 </dev/null"#, env!("CARGO_BIN_EXE_flowglass")])
        .args(["--no-ui", "--port", "1", "--db", &db])
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let collector = Collector::spawn(&mut shell);
    assert_eq!(collector.address, address);
    ends(collector);
    assert_eq!(stored(&path), (7, 1, 1));
}

/// More than the kernel's buffer holds, sent at once: what is read is decoded later.
#[test]
fn a_burst_of_20_000_datagrams_is_taken_whole() {
    let (_folder, path, db) = place();
    let collector = Collector::start(&["--db", &db]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(collector.address).unwrap();
    for sequence in 0..20_000 {
        socket.send(&datagram(sequence)).unwrap();
    }
    ends(collector);
    assert_eq!(stored(&path), (140_000, 20_000, 20_000));
}

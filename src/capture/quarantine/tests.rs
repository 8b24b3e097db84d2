use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::capture::{Capture, Datagram};

const NOW: Timestamp = Timestamp(1_790_000_000_123);
const REASON: Malformed = Malformed::SetLength { offset: 16, length: 3 };

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// One hand-over of datagrams of one octet repeated.
fn caught(payloads: &[(u8, usize)]) -> Caught {
    let mut caught = Caught::default();
    for &(octet, length) in payloads {
        caught.take(NOW, address("192.0.2.1:5000"), address("0.0.0.0:2055"), REASON, &vec![octet; length]);
    }
    caught
}

fn place() -> (TempDir, Quarantine) {
    let folder = TempDir::new().unwrap();
    let quarantine = Quarantine::beside(&folder.path().join("flows.db"));
    (folder, quarantine)
}

fn read(path: &Path) -> Vec<Datagram> {
    Capture::open(path).unwrap().map(Result::unwrap).collect()
}

fn kept(quarantine: &Quarantine) -> Vec<u8> {
    quarantine.datagrams.iter().map(|datagram| datagram.payload[0]).collect()
}

#[test]
fn what_is_in_quarantine_comes_back_from_its_file() {
    let (_folder, mut quarantine) = place();
    let mut caught = Caught::default();
    let cases: [(_, _, &[u8], &[u8], _); 5] = [
        ("192.0.2.1:5000", "198.51.100.1:2055", b"odd", b"odd", "198.51.100.1:2055"),
        ("192.0.2.1:5000", "[::]:2055", b"", b"", "0.0.0.0:2055"),
        ("[::ffff:192.0.2.1]:5000", "[::]:2055", b"four", b"four", "0.0.0.0:2055"),
        ("[2001:db8::1]:5000", "0.0.0.0:2055", b"\0", b"\0", "[::]:2055"),
        ("192.0.2.1:5000", "0.0.0.0:2055", &[7; 65_535], &[7; 65_507], "0.0.0.0:2055"),
    ];
    for (from, to, payload, ..) in cases {
        caught.take(NOW, address(from), address(to), REASON, payload);
    }
    quarantine.add(caught);
    assert_eq!(quarantine.save().unwrap(), Some(Saved { datagrams: 5, displaced: 0, skipped: 0 }));
    let expected = cases.map(|(from, _, _, payload, to)| {
        let from = address(from);
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        Datagram { at: NOW, from, to: address(to), payload: payload.to_vec() }
    });
    assert_eq!(read(quarantine.path()), expected);
    let file = fs::read(quarantine.path()).unwrap();
    let reason = REASON.to_string();
    assert_eq!(file.windows(reason.len()).filter(|part| *part == reason.as_bytes()).count(), 5);
}

#[test]
fn the_file_is_not_for_others_and_is_written_only_when_something_came() {
    let (folder, mut quarantine) = place();
    assert_eq!(quarantine.save().unwrap(), None);
    assert!(!quarantine.path().exists());
    quarantine.add(caught(&[(1, 4)]));
    quarantine.save().unwrap().unwrap();
    assert_eq!(quarantine.path(), folder.path().join("flows.db.quarantine.pcapng"));
    assert_eq!(fs::metadata(quarantine.path()).unwrap().permissions().mode() & 0o137, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
    fs::remove_file(quarantine.path()).unwrap();
    assert_eq!(quarantine.save().unwrap(), None);
    assert!(!quarantine.path().exists());
}

#[test]
fn the_file_of_the_run_before_is_kept() {
    let (folder, mut before) = place();
    before.add(caught(&[(1, 1), (2, 1)]));
    before.save().unwrap();
    let mut quarantine = Quarantine::beside(&folder.path().join("flows.db"));
    quarantine.save().unwrap();
    assert_eq!(read(quarantine.path()).len(), 2, "nothing came, so nothing moves");
    for octet in 3..5 {
        quarantine.add(caught(&[(octet, 1)]));
        quarantine.save().unwrap();
    }
    let payloads = |path: &Path| read(path).into_iter().map(|datagram| datagram.payload).collect::<Vec<_>>();
    assert_eq!(payloads(quarantine.path()), [[3], [4]]);
    assert_eq!(payloads(&folder.path().join("flows.db.quarantine.old.pcapng")), [[1], [2]]);
}

#[test]
fn a_flood_is_counted_and_not_copied() {
    let (_folder, mut quarantine) = place();
    quarantine.add(caught(&[(1, 1); CAUGHT + 7]));
    assert_eq!(quarantine.save().unwrap(), Some(Saved { datagrams: CAUGHT, displaced: 0, skipped: 7 }));
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let (_folder, mut quarantine) = place();
    for octet in 0..=u8::try_from(DATAGRAMS / 64).unwrap() {
        quarantine.add(caught(&[(octet, 1); 64]));
    }
    assert_eq!((quarantine.datagrams.len(), quarantine.displaced, kept(&quarantine)[0]), (DATAGRAMS, 64, 1));
    assert_eq!(quarantine.octets, DATAGRAMS);
}

#[test]
fn the_oldest_go_when_they_are_too_long() {
    let (_folder, mut quarantine) = place();
    let long = OCTETS / 100;
    for octet in 0..2 {
        quarantine.add(caught(&[(octet, long); 75]));
    }
    assert_eq!((kept(&quarantine).len(), quarantine.displaced, kept(&quarantine)[24]), (100, 50, 0));
    assert_eq!((kept(&quarantine)[25], quarantine.octets), (1, long * 100));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_no_end() {
    let (folder, mut quarantine) = place();
    fs::create_dir(folder.path().join("flows.db.quarantine.pcapng.tmp")).unwrap();
    quarantine.add(caught(&[(1, 1)]));
    quarantine.save().unwrap_err();
    fs::remove_dir(folder.path().join("flows.db.quarantine.pcapng.tmp")).unwrap();
    quarantine.add(caught(&[(2, 1)]));
    assert_eq!(quarantine.save().unwrap().unwrap().datagrams, 2);
}

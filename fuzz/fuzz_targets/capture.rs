//! Any octets as a capture file. Reading ends, its tally adds up, and nothing longer than the file comes out.

#![no_main]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use flowglass::capture::Capture;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(file) = rustix::fs::memfd_create("capture", rustix::fs::MemfdFlags::CLOEXEC) else { return };
    let mut file = File::from(file);
    if file.write_all(octets).is_err() {
        return;
    }
    // Opened by this path, the file is read from its beginning.
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mut capture = match Capture::open(&path) {
        Ok(capture) => capture,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let (mut datagrams, mut payload, mut faults) = (0, 0, 0);
    for item in capture.by_ref() {
        assert_eq!(faults, 0, "something came behind an error");
        match item {
            Ok(datagram) => {
                datagrams += 1;
                payload += datagram.payload.len();
            }
            Err(error) => {
                faults += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    let tally = capture.tally();
    assert_eq!(datagrams, tally.datagrams);
    assert!(payload <= octets.len(), "{payload} octets of payload in {}", octets.len());
    let sum = tally.datagrams + tally.fragments + tally.other + tally.headless + tally.unread;
    assert_eq!(tally.frames, sum);
    assert!(tally.cut <= tally.datagrams);
    let (read, total) = capture.progress();
    assert!(read <= total && total == octets.len() as u64, "{read} of {total}, {}", octets.len());
});

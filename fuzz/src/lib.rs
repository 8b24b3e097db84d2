//! What several targets need.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use flowglass::capture::{Capture, Error};

/// Opens octets as a capture file; `None` when the host has no memory for one.
pub fn capture(octets: &[u8]) -> Option<Result<Capture, Error>> {
    let file = rustix::fs::memfd_create("capture", rustix::fs::MemfdFlags::CLOEXEC).ok()?;
    let mut file = File::from(file);
    file.write_all(octets).ok()?;
    // Opened by this path, the file is read from its beginning.
    Some(Capture::open(&PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))))
}

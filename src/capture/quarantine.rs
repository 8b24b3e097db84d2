//! The last malformed datagrams, kept for a look: as a pcapng file with the reason beside each.
//!
//! It does not judge a datagram; the collector did. Its input is octets from anybody, and both their number and the
//! time they cost are bounded. The file holds each datagram behind made-up IP and UDP headers with its true sender, so
//! that Wireshark and [`crate::capture::Capture`] read it as if it had been recorded.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use etherparse::PacketBuilder;

use crate::flow::Timestamp;
use crate::wire::Malformed;

/// Datagrams that are caught between two hand-overs, of which there is one a second; more are counted as skipped and
/// not copied, so that a flood of garbage costs next to nothing.
const CAUGHT: usize = 100;
/// Datagrams in quarantine; when there are more, the oldest go.
const DATAGRAMS: usize = 4096;
/// Octets of their payloads; when there are more, the oldest datagrams go.
const OCTETS: usize = 4 * 1024 * 1024;

/// A datagram that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub at: Timestamp,
    pub from: SocketAddr,
    /// Where it was received; the address is unspecified for a socket that listens on all of them.
    pub to: SocketAddr,
    pub reason: Malformed,
    pub payload: Box<[u8]>,
}

/// What was caught since the last hand-over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    datagrams: Vec<Quarantined>,
    /// Datagrams that were not copied.
    skipped: u64,
}

impl Caught {
    /// Copies a datagram, if not too many were copied already.
    pub fn take(&mut self, at: Timestamp, from: SocketAddr, to: SocketAddr, reason: Malformed, payload: &[u8]) {
        if CAUGHT <= self.datagrams.len() {
            self.skipped = self.skipped.saturating_add(1);
            return;
        }
        self.datagrams.push(Quarantined { at, from, to, reason, payload: payload.into() });
    }

    /// Adds what was caught later.
    pub fn append(&mut self, later: Self) {
        self.datagrams.extend(later.datagrams);
        self.skipped = self.skipped.saturating_add(later.skipped);
    }

    pub const fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}

/// The datagrams in quarantine, and the file that shows them.
#[derive(Debug)]
pub struct Quarantine {
    path: PathBuf,
    datagrams: VecDeque<Quarantined>,
    octets: usize,
    /// Datagrams that were never in it, since too many came at once.
    skipped: u64,
    /// Datagrams that had to go for newer ones.
    displaced: u64,
    is_changed: bool,
    /// Whether the file of a former run was moved out of the way.
    has_file: bool,
}

/// What stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    pub datagrams: usize,
    pub displaced: u64,
    pub skipped: u64,
}

impl Quarantine {
    /// Of the collector that writes this database. The file stands beside it, and is made when there is something to
    /// show; that of the run before is then kept as `….quarantine.old.pcapng`, in the place of an older one.
    pub fn beside(database: &Path) -> Self {
        Self {
            path: with_suffix(database, ".quarantine.pcapng"),
            datagrams: VecDeque::new(),
            octets: 0,
            skipped: 0,
            displaced: 0,
            is_changed: false,
            has_file: false,
        }
    }

    /// Takes what was caught.
    pub fn add(&mut self, caught: Caught) {
        self.skipped = self.skipped.saturating_add(caught.skipped);
        for datagram in caught.datagrams {
            self.octets = self.octets.saturating_add(datagram.payload.len());
            self.datagrams.push_back(datagram);
            self.is_changed = true;
        }
        while DATAGRAMS < self.datagrams.len() || OCTETS < self.octets {
            let Some(oldest) = self.datagrams.pop_front() else { break };
            self.octets = self.octets.saturating_sub(oldest.payload.len());
            self.displaced = self.displaced.saturating_add(1);
        }
    }

    /// Writes the file anew if something came since the last time; `None` when nothing did. A reader sees the former
    /// file or the new one, never half of one.
    ///
    /// # Errors
    /// When the file cannot be made or written. It is tried again when the next datagram has come.
    pub fn save(&mut self) -> io::Result<Option<Saved>> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(None);
        }
        let draft = with_suffix(&self.path, ".tmp");
        // What a crash left behind; anything else that is in the way makes the next line fail.
        let _ = fs::remove_file(&draft);
        let mut out = BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(0o640).open(&draft)?);
        write(&mut out, &self.datagrams)?;
        out.into_inner().map_err(io::IntoInnerError::into_error).map(drop::<File>)?;
        if !self.has_file && self.path.exists() {
            fs::rename(&self.path, self.path.with_extension("old.pcapng"))?;
        }
        fs::rename(&draft, &self.path)?;
        self.has_file = true;
        Ok(Some(Saved { datagrams: self.datagrams.len(), displaced: self.displaced, skipped: self.skipped }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes datagrams as pcapng (draft-ietf-opsawg-pcapng), with the reason as the comment of each packet.
fn write<'a>(out: &mut impl Write, datagrams: impl IntoIterator<Item = &'a Quarantined>) -> io::Result<()> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1_u16.to_le_bytes(), &0_u16.to_le_bytes(), &[0xff; 8]];
    block(out, 0x0a0d_0d0a, &section.concat())?;
    // Link type "raw IP", no limit of length, and times in microseconds, which is what no option says.
    block(out, 1, &[&101_u16.to_le_bytes()[..], &[0; 6]].concat())?;
    for datagram in datagrams {
        let frame = frame(datagram)?;
        let micros = u64::try_from(datagram.at.0).unwrap_or(0).saturating_mul(1000);
        let mut body = Vec::with_capacity(frame.len() + 128);
        body.extend(0_u32.to_le_bytes());
        body.extend(half(micros >> 32));
        body.extend(half(micros & u64::from(u32::MAX)));
        body.extend(size(&frame)?);
        body.extend(size(&frame)?);
        pad(&mut body, &frame);
        let comment = datagram.reason.to_string();
        body.extend(1_u16.to_le_bytes());
        body.extend(u16::try_from(comment.len()).unwrap_or(0).to_le_bytes());
        pad(&mut body, comment.as_bytes());
        body.extend([0; 4]);
        block(out, 6, &body)?;
    }
    out.flush()
}

/// An IP packet that holds the datagram. Where the receiving address is not of the sender's family, it is left open.
fn frame(datagram: &Quarantined) -> io::Result<Vec<u8>> {
    let (from, to) = (datagram.from.ip().to_canonical(), datagram.to.ip().to_canonical());
    let ports = (datagram.from.port(), datagram.to.port());
    let mut octets = Vec::with_capacity(datagram.payload.len() + 48);
    // More than IP and UDP can say leaves a jumbogram only.
    let payload = |most: usize| datagram.payload.get(..most).unwrap_or(&datagram.payload);
    let written = match (from, to) {
        (IpAddr::V4(from), to) => {
            let to = if let IpAddr::V4(to) = to { to } else { Ipv4Addr::UNSPECIFIED };
            PacketBuilder::ipv4(from.octets(), to.octets(), 64)
                .udp(ports.0, ports.1)
                .write(&mut octets, payload(65_507))
        }
        (IpAddr::V6(from), to) => {
            let to = if let IpAddr::V6(to) = to { to } else { Ipv6Addr::UNSPECIFIED };
            PacketBuilder::ipv6(from.octets(), to.octets(), 64)
                .udp(ports.0, ports.1)
                .write(&mut octets, payload(65_527))
        }
    };
    written.map(|()| octets).map_err(io::Error::other)
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let total = u32::try_from(body.len() + 12).map_err(io::Error::other)?.to_le_bytes();
    [&kind.to_le_bytes(), &total, body, &total].into_iter().try_for_each(|part| out.write_all(part))
}

/// Octets, and zeros up to a multiple of four.
fn pad(body: &mut Vec<u8>, octets: &[u8]) {
    body.extend(octets);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn size(octets: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(octets.len()).map(u32::to_le_bytes).map_err(io::Error::other)
}

fn half(ticks: u64) -> [u8; 4] {
    u32::try_from(ticks).unwrap_or(u32::MAX).to_le_bytes()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;

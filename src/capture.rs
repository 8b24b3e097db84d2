//! Capture files, pcap and pcapng, from the first octet to the last: the UDP datagrams in them, in order.
//!
//! It decides nothing by port or payload, reassembles no IP fragments (they are counted) and unpacks no compressed
//! files. Its input is a file that anybody may have made: what is kept in memory is bounded, whatever a length in the
//! file says.
//!
//! `file` knows how frames lie in a file, `frame` how a datagram lies in a frame; [`quarantine`] writes such a file.

mod file;
mod frame;
pub mod quarantine;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::capture::file::Reader;
use crate::capture::frame::Content;
use crate::flow::Timestamp;

/// One UDP datagram, as it was seen on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// When the frame was captured. A Simple Packet Block has no time and takes that of the frame before it.
    pub at: Timestamp,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// What is there of the payload; less than was sent when the snap length cut it.
    pub payload: Vec<u8>,
}

/// What a file held so far. `frames` are the sum of datagrams, fragments, other, headless and unread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub frames: u64,
    /// UDP datagrams handed out, those that were cut included.
    pub datagrams: u64,
    /// Fragments of IP packets, which are not put together.
    pub fragments: u64,
    /// Frames with something else than UDP over IP.
    pub other: u64,
    /// Datagrams handed out shorter than they were sent, since the capture's snap length cut their frames.
    pub cut: u64,
    /// Frames cut so short that nobody can tell what was in them.
    pub headless: u64,
    /// Frames of a link type that is not read.
    pub unread: u64,
    /// The first of these link types.
    pub unread_link: Option<u16>,
}

/// Why a capture cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open `{}`: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is neither pcap nor pcapng", path.display())]
    NotACapture { path: PathBuf },
    #[error("`{}` ends in the middle of the block that begins at offset {offset}", path.display())]
    CutShort { path: PathBuf, offset: u64 },
    #[error("`{}` has a block of {octets} octets at offset {offset}, at most {limit} are read", path.display())]
    TooLong { path: PathBuf, offset: u64, octets: u64, limit: u64 },
    #[error("`{}` is damaged at offset {offset}", path.display())]
    Damaged { path: PathBuf, offset: u64 },
}

impl Error {
    /// What to do about it, where there is something.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotACapture { .. } => Some("captures are written by `tcpdump -w`; unpack a compressed one first"),
            Self::CutShort { .. } => Some("everything before that was read; the recorder was stopped while writing"),
            Self::Open { .. } | Self::Read { .. } | Self::TooLong { .. } | Self::Damaged { .. } => None,
        }
    }
}

/// A file being read. It yields each datagram once, and at most one error, the last thing it yields.
#[derive(Debug)]
pub struct Capture {
    path: PathBuf,
    reader: Reader,
    tally: Tally,
    is_over: bool,
}

impl Capture {
    /// Opens a file and reads its first header.
    ///
    /// # Errors
    /// When it cannot be opened or read, or is no capture.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let reader = Reader::open(path).map_err(|fault| fault.at(path))?;
        Ok(Self { path: path.to_owned(), reader, tally: Tally::default(), is_over: false })
    }

    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Octets read, and octets of the file; the second is 0 when that is not known, as of a pipe.
    pub const fn progress(&self) -> (u64, u64) {
        (self.reader.offset, self.reader.total)
    }

    fn read(&mut self) -> Result<Option<Datagram>, Error> {
        while let Some(frame) = self.reader.frame().map_err(|fault| fault.at(&self.path))? {
            self.tally.frames = self.tally.frames.saturating_add(1);
            let count = match frame::content(frame.link, frame.octets) {
                Content::Datagram { from, to, payload, is_cut } => {
                    self.tally.datagrams = self.tally.datagrams.saturating_add(1);
                    self.tally.cut = self.tally.cut.saturating_add(u64::from(is_cut));
                    return Ok(Some(Datagram { at: frame.at, from, to, payload: payload.to_vec() }));
                }
                Content::Fragment => &mut self.tally.fragments,
                Content::Other => &mut self.tally.other,
                Content::Unknown if frame.is_cut => &mut self.tally.headless,
                Content::Unknown => &mut self.tally.other,
                Content::UnreadLink => {
                    self.tally.unread_link = self.tally.unread_link.or(frame.link);
                    &mut self.tally.unread
                }
            };
            *count = count.saturating_add(1);
        }
        Ok(None)
    }
}

impl Iterator for Capture {
    type Item = Result<Datagram, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.read().transpose();
        self.is_over = matches!(item, None | Some(Err(_)));
        item
    }
}

#[cfg(test)]
mod tests;

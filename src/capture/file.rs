//! How frames lie in a file: classic pcap in both byte orders and two resolutions, and pcapng.
//!
//! Each block is read whole before it is parsed, so that a length in it can only be wrong, never pending. Blocks that
//! hold no frames are stepped over. What a frame holds is left to [`crate::capture::frame`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use pcap_parser::{
    BOM_MAGIC, Block, EPB_MAGIC, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, SHB_MAGIC, SPB_MAGIC,
    parse_block_be, parse_block_le, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

use crate::capture::Error;
use crate::flow::Timestamp;

/// Octets of the longest block that is read; a longer one ends the reading with an error. Frames are cut at 256 KiB by
/// every recorder in use.
pub(super) const BLOCK: u64 = 1024 * 1024;
/// Interfaces of one section of pcapng; frames of those beyond count as unread.
const INTERFACES: usize = 65_536;

/// A frame and what the file says about it.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) at: Timestamp,
    /// The link type, or `None` when the file does not tell.
    pub(super) link: Option<u16>,
    /// Whether the wire had more octets than the file.
    pub(super) is_cut: bool,
    pub(super) octets: &'a [u8],
}

/// What is wrong, still without the file's name.
#[derive(Debug)]
pub(super) enum Fault {
    Open(io::Error),
    Read(io::Error),
    NotACapture,
    CutShort { offset: u64 },
    TooLong { offset: u64, octets: u64 },
    Damaged { offset: u64 },
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Open(source) => Error::Open { path, source },
            Self::Read(source) => Error::Read { path, source },
            Self::NotACapture => Error::NotACapture { path },
            Self::CutShort { offset } => Error::CutShort { path, offset },
            Self::TooLong { offset, octets } => Error::TooLong { path, offset, octets, limit: BLOCK },
            Self::Damaged { offset } => Error::Damaged { path, offset },
        }
    }
}

/// The file, and where in it we are.
#[derive(Debug)]
pub(super) struct Reader {
    input: BufReader<File>,
    /// Octets read.
    pub(super) offset: u64,
    /// Octets of the file, 0 when not known.
    pub(super) total: u64,
    form: Form,
    /// The block being parsed.
    block: Vec<u8>,
    /// The time of the last frame, for frames without one.
    last: Timestamp,
}

#[derive(Debug)]
enum Form {
    Classic(Classic),
    Ng(Section),
}

/// What the header of a classic pcap says.
#[derive(Debug, Clone, Copy)]
struct Classic {
    link: u16,
    is_nanoseconds: bool,
    is_big_endian: bool,
    /// Kuznetzov's form, in which the header of a frame is longer.
    is_modified: bool,
}

/// The section of pcapng that we are in.
#[derive(Debug, Default)]
struct Section {
    is_big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u16,
    /// The longest frame kept, 0 for no limit.
    snap: u32,
    resolution: u8,
    /// Seconds to add to every time.
    offset: i64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(Fault::Open)?;
        let total = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        let form = Form::Ng(Section::default());
        let input = BufReader::with_capacity(256 * 1024, file);
        let mut reader = Self { input, offset: 0, total, form, block: Vec::new(), last: Timestamp(0) };
        let magic = reader.input.fill_buf().map_err(Fault::Read)?.first_chunk().copied();
        match magic.map(u32::from_le_bytes) {
            Some(SHB_MAGIC) => {}
            // The number in both byte orders; with nanoseconds in both; Kuznetzov's form.
            Some(0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34) => reader.classic_header()?,
            _ => return Err(Fault::NotACapture),
        }
        Ok(reader)
    }

    /// The next frame, or `None` at the end of the file.
    pub(super) fn frame(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        match &self.form {
            Form::Classic(classic) => {
                let classic = *classic;
                self.classic_frame(classic)
            }
            Form::Ng(_) => self.ng_frame(),
        }
    }

    fn classic_header(&mut self) -> Result<(), Fault> {
        self.more(24, 0)?;
        let (_, header) = parse_pcap_header(&self.block).map_err(|_| Fault::NotACapture)?;
        self.form = Form::Classic(Classic {
            link: lower_half(header.network.0),
            is_nanoseconds: header.is_nanosecond_precision(),
            is_big_endian: header.is_bigendian(),
            is_modified: header.is_modified_format(),
        });
        Ok(())
    }

    fn classic_frame(&mut self, classic: Classic) -> Result<Option<Frame<'_>>, Fault> {
        let begin = self.offset;
        self.block.clear();
        if self.is_at_end()? {
            return Ok(None);
        }
        self.more(if classic.is_modified { 24 } else { 16 }, begin)?;
        let length = number(&self.block, 8, classic.is_big_endian);
        self.bounded(length.into(), begin)?;
        self.more(usize::try_from(length).unwrap_or(usize::MAX), begin)?;
        let parsed = match (classic.is_modified, classic.is_big_endian) {
            (true, _) => parse_pcap_frame_modified(&self.block),
            (false, true) => parse_pcap_frame_be(&self.block),
            (false, false) => parse_pcap_frame(&self.block),
        };
        let (_, frame) = parsed.map_err(|_| Fault::Damaged { offset: begin })?;
        let fraction = i64::from(frame.ts_usec) / if classic.is_nanoseconds { 1_000_000 } else { 1000 };
        Ok(Some(Frame {
            at: Timestamp(i64::from(frame.ts_sec) * 1000 + fraction),
            link: Some(classic.link),
            is_cut: frame.caplen < frame.origlen,
            octets: frame.data,
        }))
    }

    fn ng_frame(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        loop {
            let begin = self.offset;
            self.block.clear();
            if self.is_at_end()? {
                return Ok(None);
            }
            match self.ng_block(begin)? {
                IDB_MAGIC => self.ng_interface(begin)?,
                EPB_MAGIC | SPB_MAGIC => return self.ng_packet(begin).map(Some),
                _ => {}
            }
        }
    }

    /// Reads one block, if it is of a type that we parse, else steps over it. Returns its type.
    fn ng_block(&mut self, begin: u64) -> Result<u32, Fault> {
        self.more(8, begin)?;
        let kind = number(&self.block, 0, self.is_big_endian());
        if kind == SHB_MAGIC {
            // The byte order of a section stands behind the length that is to be read with it.
            self.more(4, begin)?;
            let is_big_endian = number(&self.block, 8, true) == BOM_MAGIC;
            if number(&self.block, 8, is_big_endian) != BOM_MAGIC {
                return Err(Fault::Damaged { offset: begin });
            }
            self.form = Form::Ng(Section { is_big_endian, interfaces: Vec::new() });
        }
        let length = number(&self.block, 4, self.is_big_endian());
        let have = u32::try_from(self.block.len()).unwrap_or(u32::MAX);
        // A block is a multiple of four octets, and none is shorter than its two lengths and its type.
        if !length.is_multiple_of(4) || length < have.max(12) {
            return Err(Fault::Damaged { offset: begin });
        }
        let rest = u64::from(length - have);
        if matches!(kind, IDB_MAGIC | EPB_MAGIC | SPB_MAGIC) {
            self.bounded(length.into(), begin)?;
            self.more(usize::try_from(rest).unwrap_or(usize::MAX), begin)?;
        } else {
            let skipped = io::copy(&mut self.input.by_ref().take(rest), &mut io::sink()).map_err(Fault::Read)?;
            self.offset += skipped;
            if skipped < rest {
                return Err(Fault::CutShort { offset: begin });
            }
        }
        Ok(kind)
    }

    fn ng_interface(&mut self, begin: u64) -> Result<(), Fault> {
        let damaged = Fault::Damaged { offset: begin };
        let Form::Ng(section) = &mut self.form else { return Err(damaged) };
        let Some(Block::InterfaceDescription(block)) = parse(&self.block, section.is_big_endian) else {
            return Err(damaged);
        };
        if section.interfaces.len() < INTERFACES {
            section.interfaces.push(Interface {
                link: lower_half(block.linktype.0),
                snap: block.snaplen,
                resolution: block.if_tsresol,
                offset: time_offset(&block, section.is_big_endian),
            });
        }
        Ok(())
    }

    fn ng_packet(&mut self, begin: u64) -> Result<Frame<'_>, Fault> {
        let damaged = Fault::Damaged { offset: begin };
        let Form::Ng(section) = &self.form else { return Err(damaged) };
        match parse(&self.block, section.is_big_endian) {
            Some(Block::EnhancedPacket(block)) => {
                let octets = usize::try_from(block.caplen).ok().and_then(|length| block.data.get(..length));
                let octets = octets.ok_or(damaged)?;
                let interface = usize::try_from(block.if_id).ok().and_then(|id| section.interfaces.get(id));
                let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                self.last = interface.and_then(|interface| interface.time(ticks)).unwrap_or(self.last);
                let link = interface.map(|interface| interface.link);
                Ok(Frame { at: self.last, link, is_cut: block.caplen < block.origlen, octets })
            }
            Some(Block::SimplePacket(block)) => {
                let interface = section.interfaces.first();
                let snap = interface.map_or(0, |interface| interface.snap);
                let kept = if snap == 0 { block.origlen } else { block.origlen.min(snap) };
                // What follows the frame up to the end of the block is padding.
                let kept = usize::try_from(kept).unwrap_or(usize::MAX).min(block.data.len());
                let is_cut = u32::try_from(kept).is_ok_and(|kept| kept < block.origlen);
                let octets = block.data.get(..kept).unwrap_or_default();
                Ok(Frame { at: self.last, link: interface.map(|interface| interface.link), is_cut, octets })
            }
            _ => Err(damaged),
        }
    }

    const fn is_big_endian(&self) -> bool {
        match &self.form {
            Form::Classic(classic) => classic.is_big_endian,
            Form::Ng(section) => section.is_big_endian,
        }
    }

    fn is_at_end(&mut self) -> Result<bool, Fault> {
        self.input.fill_buf().map(<[u8]>::is_empty).map_err(Fault::Read)
    }

    const fn bounded(&self, octets: u64, begin: u64) -> Result<(), Fault> {
        if BLOCK < octets { Err(Fault::TooLong { offset: begin, octets }) } else { Ok(()) }
    }

    /// Appends `count` octets of the file to the block that began at `begin`.
    fn more(&mut self, count: usize, begin: u64) -> Result<(), Fault> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let mut part = self.input.by_ref().take(count);
        let got = part.read_to_end(&mut self.block).map_err(Fault::Read)?;
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(got);
        if got < count { Err(Fault::CutShort { offset: begin }) } else { Ok(()) }
    }
}

impl Interface {
    /// Ticks to milliseconds; `None` for a resolution that no 128 bits can hold.
    fn time(&self, ticks: u64) -> Option<Timestamp> {
        let milli = u128::from(ticks) * 1000;
        let exponent = u32::from(self.resolution & 0x7f);
        let milli = if self.resolution & 0x80 == 0 {
            milli.checked_div(10_u128.checked_pow(exponent)?)?
        } else {
            milli.checked_shr(exponent)?
        };
        Some(Timestamp(i64::try_from(milli).ok()?.saturating_add(self.offset.saturating_mul(1000))))
    }
}

/// A block that was read whole, so that one which asks for more octets is damaged.
fn parse(block: &[u8], is_big_endian: bool) -> Option<Block<'_>> {
    let parsed = if is_big_endian { parse_block_be(block) } else { parse_block_le(block) };
    parsed.ok().map(|(_, block)| block)
}

/// The option `if_tsoffset`, which the parser reads as little-endian whatever the section says.
fn time_offset(block: &InterfaceDescriptionBlock<'_>, is_big_endian: bool) -> i64 {
    let option = block.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    let Some(octets) = option.and_then(|option| option.value.first_chunk().copied()) else { return 0 };
    if is_big_endian { i64::from_be_bytes(octets) } else { i64::from_le_bytes(octets) }
}

/// Four octets of a block as a number; 0 where there are none, which no caller asks for.
fn number(block: &[u8], at: usize, is_big_endian: bool) -> u32 {
    let octets = block.get(at..).and_then(|tail| tail.first_chunk().copied()).unwrap_or_default();
    if is_big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
}

/// The link type without what some recorders put above it (the length of the frame check sequence).
const fn lower_half(network: i32) -> u16 {
    let [.., high, low] = network.to_be_bytes();
    u16::from_be_bytes([high, low])
}

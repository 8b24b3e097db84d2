//! A cursor over the octets of one datagram that knows its absolute offset, so that an error can say where.
//!
//! It never copies and never looks back. `Copy`, so a checkpoint is an assignment.

use crate::wire::{Malformed, Part};

/// Reads big-endian numbers and slices, front to back.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// `offset` is where `octets` begin in the datagram.
    pub const fn new(octets: &'a [u8], offset: usize) -> Self {
        Self { rest: octets, offset }
    }

    pub const fn offset(&self) -> usize {
        self.offset
    }

    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `length` octets; `part` names what is being read, for the error.
    pub fn bytes(&mut self, length: usize, part: Part) -> Result<&'a [u8], Malformed> {
        let Some((head, tail)) = self.rest.split_at_checked(length) else {
            return Err(Malformed::Truncated { part, offset: self.offset, needed: length, available: self.rest.len() });
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(length);
        Ok(head)
    }

    pub fn u8(&mut self, part: Part) -> Result<u8, Malformed> {
        self.array(part).map(u8::from_be_bytes)
    }

    pub fn u16(&mut self, part: Part) -> Result<u16, Malformed> {
        self.array(part).map(u16::from_be_bytes)
    }

    pub fn u32(&mut self, part: Part) -> Result<u32, Malformed> {
        self.array(part).map(u32::from_be_bytes)
    }

    /// The next `N` octets.
    pub fn array<const N: usize>(&mut self, part: Part) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N, part)?);
        Ok(array)
    }
}

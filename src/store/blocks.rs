//! The skip index of the raw rows: which tokens occur in which block of 2¹⁴ rows.
//!
//! A block that is full becomes one row of `blocks` and 16 Bloom filters, each as large as what it holds asks for. Its
//! input is stored flows, given by `index` in any order; it reads no raw row itself. No filter is ever wrong about
//! what does occur, and in one of a thousand cases about what does not.

#[cfg(test)]
mod tests;
mod token;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use hashbrown::{HashSet, HashTable};
use rusqlite::{Connection, Result, Row, params};

use crate::flow::share::Booking;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::keys::RowKey;
use token::Met;
pub use token::Token;

/// Rows of a block.
pub(super) const ROWS: u32 = 1 << 14;

/// Filters of a block.
const PARTS: usize = 16;

/// `block_filters.id` is `part << PART_SHIFT | blocks.id`.
const PART_SHIFT: u32 = 48;

/// Bits per token and bits set by a token: 0.1 % of what does not occur seems to.
const BITS: usize = 16;
const HASHES: u32 = 6;

/// A block that is being filled.
#[derive(Debug)]
pub(super) struct Open {
    rows: u32,
    keys: (RowKey, RowKey),
    times: (Timestamp, Timestamp),
    tokens: Tokens,
    met: Met,
}

/// The distinct tokens of a block, at most 14 per row, so 2 MiB.
#[derive(Debug)]
struct Tokens {
    /// IPv4 addresses, of which most rows have a new one; hashed as tokens once, when the block is full.
    hosts: HashSet<Ipv4Addr>,
    /// The hashes of all others.
    others: HashTable<u64>,
    /// Those seen lately, by their lower bits: many of a flow's addresses are those of one shortly before.
    recent: Box<[u64; 256]>,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            rows: 0,
            keys: (RowKey(i64::MAX), RowKey(i64::MIN)),
            times: (Timestamp(i64::MAX), Timestamp(i64::MIN)),
            tokens: Tokens { hosts: HashSet::new(), others: HashTable::new(), recent: Box::new([0; 256]) },
            met: Met::default(),
        }
    }
}

impl Open {
    pub(super) fn add(&mut self, key: RowKey, booking: Booking, exporter: i64, flow: &FlowRecord) {
        self.rows += 1;
        self.keys = (self.keys.0.min(key), self.keys.1.max(key));
        self.times = (self.times.0.min(booking.first()), self.times.1.max(booking.last()));
        // By reference: a copy of an address is written in other pieces than it is read, for which a machine waits.
        for address in [&flow.key.src_ip, &flow.key.dst_ip] {
            // What is new may be of a known prefix; what is known is, and so is each prefix of a known one.
            if self.tokens.take_address(address) {
                let mut lengths = token::lengths(address).into_iter().rev();
                while lengths.next().is_some_and(|length| self.tokens.take(token::prefix_hash(address, length))) {}
            }
        }
        for hash in self.met.new_ones(exporter, flow) {
            self.tokens.take(hash);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        ROWS <= self.rows
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes the block and begins the next one.
    pub(super) fn close(&mut self, connection: &Connection, late: bool) -> Result<()> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO blocks (late, rows, first, last, first_ms, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             RETURNING id",
        )?;
        let ((first, last), times) = (self.keys, self.times);
        let row = params![late, self.rows, first.0, last.0, times.0.0, times.1.0];
        let id: i64 = insert.query_row(row, |row| row.get(0))?;
        let mut insert = connection.prepare_cached("INSERT INTO block_filters (id, filter) VALUES (?1, ?2)")?;
        for (part, filter) in (0..).zip(filters(&self.tokens.hashes())) {
            insert.execute(params![filter_id(part, id), filter])?;
        }
        self.clear();
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        let Tokens { mut hosts, mut others, .. } = std::mem::take(self).tokens;
        hosts.clear();
        others.clear();
        (self.tokens.hosts, self.tokens.others) = (hosts, others);
    }
}

impl Tokens {
    /// Takes an address; whether it is a new one.
    fn take_address(&mut self, address: &IpAddr) -> bool {
        match address {
            IpAddr::V4(host) => self.hosts.insert(*host),
            IpAddr::V6(_) => self.take(token::address_hash(address)),
        }
    }

    /// The hashes of all of them.
    fn hashes(&self) -> Vec<u64> {
        let hosts = self.hosts.iter().map(|host| token::address_hash(&IpAddr::V4(*host)));
        hosts.chain(self.others.iter().copied()).collect()
    }

    /// Takes a token by its hash; whether it is a new one.
    fn take(&mut self, hash: u64) -> bool {
        let recent = &mut self.recent[(hash & 0xff) as usize];
        if *recent == hash {
            return false;
        }
        *recent = hash;
        match self.others.entry(hash, |known| *known == hash, |hash| *hash) {
            hashbrown::hash_table::Entry::Occupied(_) => false,
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                vacant.insert(hash);
                true
            }
        }
    }
}

/// What a filter needs to occur in a block, so that one of its rows can match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing in particular: any block may hold a match.
    Nothing,
    Token(Token),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// The ranges of keys in which rows may stand that meet `needs` and have a part in `from..to` by the time of the
/// flows; in order, without overlap. What is not indexed yet is part of the answer.
pub(super) fn ranges(
    connection: &Connection,
    needs: &Needs,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Range<RowKey>>> {
    let blocks = Blocks::read(connection)?;
    let mut wanted = blocks.meeting(connection, needs)?;
    for (wanted, block) in wanted.iter_mut().zip(&blocks.0) {
        *wanted = *wanted && from <= block.last_ms && block.first_ms < to;
    }
    let blocked: i64 = connection.query_row("SELECT blocked FROM derived", (), |row| row.get(0))?;
    let mut ranges = vec![(blocked.saturating_add(1), i64::MAX)];
    let mut late = connection.prepare_cached("SELECT first, last FROM late")?;
    for run in late.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))? {
        ranges.push(run?);
    }
    let mut before: Option<i64> = None;
    for (block, wanted) in blocks.0.iter().zip(wanted) {
        let first = match before {
            // Nothing stands between two blocks that follow each other.
            Some(last) if !block.late => last.saturating_add(1).min(block.first),
            _ => block.first,
        };
        if wanted {
            ranges.push((first, block.last));
        }
        if !block.late {
            before = Some(block.last);
        }
    }
    Ok(merged(ranges))
}

/// At most how many rows stand in the ranges that [`ranges`] would give, those in no block yet not counted.
pub(super) fn rows(connection: &Connection, needs: &Needs, from: Timestamp, to: Timestamp) -> Result<u64> {
    let blocks = Blocks::read(connection)?;
    let wanted = blocks.meeting(connection, needs)?;
    let blocks = blocks.0.iter().zip(wanted);
    let count = blocks.filter(|(block, wanted)| *wanted && from <= block.last_ms && block.first_ms < to).count();
    Ok(count as u64 * u64::from(ROWS))
}

fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<Range<RowKey>> {
    ranges.sort_unstable();
    let mut merged: Vec<Range<RowKey>> = Vec::new();
    for (first, last) in ranges {
        let end = RowKey(last.saturating_add(1));
        match merged.last_mut() {
            Some(range) if RowKey(first) <= range.end => range.end = range.end.max(end),
            _ => merged.push(RowKey(first)..end),
        }
    }
    merged
}

/// Forgets the blocks whose rows are all before `key`, at most `budget` of them; returns how many.
pub(super) fn prune(connection: &Connection, key: RowKey, budget: usize) -> Result<usize> {
    let mut old = connection.prepare_cached("SELECT id FROM blocks WHERE last < ?1 ORDER BY id LIMIT ?2")?;
    let ids = old.query_map(params![key.0, i64::try_from(budget).unwrap_or(i64::MAX)], |row| row.get::<_, i64>(0))?;
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let mut filter = connection.prepare_cached("DELETE FROM block_filters WHERE id = ?1")?;
    let mut block = connection.prepare_cached("DELETE FROM blocks WHERE id = ?1")?;
    for id in &ids {
        for part in 0..PARTS {
            filter.execute([filter_id(part, *id)])?;
        }
        block.execute([id])?;
    }
    Ok(ids.len())
}

/// All blocks, in the order of their ids.
struct Blocks(Vec<Block>);

struct Block {
    id: i64,
    late: bool,
    first: i64,
    last: i64,
    first_ms: Timestamp,
    last_ms: Timestamp,
}

impl Blocks {
    fn read(connection: &Connection) -> Result<Self> {
        let mut query =
            connection.prepare_cached("SELECT id, late, first, last, first_ms, last_ms FROM blocks ORDER BY id")?;
        query.query_map((), Block::read)?.collect::<Result<_>>().map(Self)
    }

    fn meeting(&self, connection: &Connection, needs: &Needs) -> Result<Vec<bool>> {
        match needs {
            Needs::Nothing => Ok(vec![true; self.0.len()]),
            Needs::Token(token) => self.holding(connection, token.hash()),
            Needs::All(all) => self.joined(connection, all, true, |a, b| a & b),
            Needs::Any(any) => self.joined(connection, any, false, |a, b| a | b),
        }
    }

    fn joined(
        &self,
        connection: &Connection,
        needs: &[Needs],
        none: bool,
        join: impl Fn(bool, bool) -> bool,
    ) -> Result<Vec<bool>> {
        let mut meeting = vec![none; self.0.len()];
        for need in needs {
            for (meeting, other) in meeting.iter_mut().zip(self.meeting(connection, need)?) {
                *meeting = join(*meeting, other);
            }
        }
        Ok(meeting)
    }

    fn holding(&self, connection: &Connection, hash: u64) -> Result<Vec<bool>> {
        let mut query =
            connection.prepare_cached("SELECT id, filter FROM block_filters WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
        let part = part_of(hash);
        let mut filters = query.query([filter_id(part, 0), filter_id(part + 1, 0) - 1])?;
        let mut holding = Vec::with_capacity(self.0.len());
        let mut blocks = self.0.iter();
        while let Some(row) = filters.next()? {
            let (id, holds) = (row.get::<_, i64>(0)?, holds(row.get_ref(1)?.as_blob()?, hash));
            for block in blocks.by_ref() {
                let same = filter_id(part, block.id) == id;
                // A block without a filter, which no program of ours leaves behind, may hold anything.
                holding.push(holds || !same);
                if same {
                    break;
                }
            }
        }
        holding.resize(self.0.len(), true);
        Ok(holding)
    }
}

impl Block {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            late: row.get(1)?,
            first: row.get(2)?,
            last: row.get(3)?,
            first_ms: Timestamp(row.get(4)?),
            last_ms: Timestamp(row.get(5)?),
        })
    }
}

const fn filter_id(part: usize, block: i64) -> i64 {
    (part as u64).cast_signed() << PART_SHIFT | block
}

const fn part_of(hash: u64) -> usize {
    (hash >> 60) as usize
}

/// The filters of all parts.
fn filters(tokens: &[u64]) -> Vec<Vec<u8>> {
    let mut counts = [0_usize; PARTS];
    for hash in tokens {
        counts[part_of(*hash)] += 1;
    }
    let mut filters: Vec<Vec<u8>> = counts.iter().map(|count| vec![0; (count * BITS / 8).max(1)]).collect();
    for hash in tokens {
        let filter = &mut filters[part_of(*hash)];
        for bit in bits(*hash, filter.len()) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    filters
}

fn holds(filter: &[u8], hash: u64) -> bool {
    bits(hash, filter.len()).all(|bit| filter.get(bit / 8).is_none_or(|octet| octet >> (bit % 8) & 1 == 1))
}

/// The bits of a token in a filter of so many octets: of a second hash, since the part has taken the first bits.
#[expect(clippy::cast_possible_truncation, reason = "the upper half of 64 bits, and a place in a filter")]
fn bits(hash: u64, octets: usize) -> impl Iterator<Item = usize> {
    let hash = hash.wrapping_mul(0x9fb2_1c65_1e98_df25);
    let (step, begin) = ((hash >> 32) as u32 | 1, (hash as u32) ^ (hash >> 17) as u32);
    let size = octets as u64 * 8;
    (0..HASHES).map(move |n| ((u64::from(begin.wrapping_add(step.wrapping_mul(n))) * size) >> 32) as usize)
}

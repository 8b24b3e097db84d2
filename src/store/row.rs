//! One flow as a row and back: what is bound where, and read from where.
//!
//! It opens no database and begins no transaction. Binding and reading stand side by side, since each must be the
//! other's mirror image: every [`FlowRecord`] comes back as it was, except that counts above 2⁶³ − 1 stay there, and
//! that times and keys saturate at the ends of 64 bits.

use std::net::{IpAddr, Ipv4Addr};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Null, ValueRef};
use rusqlite::{CachedStatement, Connection, Result, Row, Statement};

use crate::flow::{Counts, FlowRecord, ObservationDomainId, Sampling, Version};
use crate::store::accounts::{Identity, counted, places, stored};
use crate::store::keys::RowKey;
use crate::store::packed::{self, APART, Origin, Times};

/// Rows that one statement inserts at most.
const GROUP: usize = 32;

/// Columns of `flows` but its key.
const COUNT: usize = 10;

/// Those of them whose values are not always numbers.
const ORIGIN: usize = 4;
const TIMES: usize = 5;

/// The prepared statements of a transaction.
///
/// A row whose key follows the newest one is inserted without a key, many at a time: SQLite then gives it the next one,
/// and need not find its way down the tree for each. That takes two thirds of the time of rows on their own. No key is
/// named, not even an empty one, or SQLite keeps a journal for each statement that it could undo.
pub(super) struct Insert<'a> {
    connection: &'a Connection,
    /// The highest key of the table.
    newest: RowKey,
    /// What the next statement inserts: rows whose keys follow each other without a gap, and the key of the first one.
    staged: Vec<Columns>,
    first: RowKey,
    keyed: Rows<'a>,
    /// [`GROUP`] rows, a few, and one.
    next: [Rows<'a>; 3],
    details: CachedStatement<'a>,
}

/// A row but its key.
#[derive(Debug, Clone, Copy)]
struct Columns {
    /// In the order of the table, both ends first. [`APART`] stands for what is no number.
    numbers: [i64; COUNT],
    ends: [IpAddr; 2],
    origin: Origin,
    times: Times,
}

/// A statement that inserts a number of rows.
struct Rows<'a> {
    statement: CachedStatement<'a>,
    /// What each row's columns are bound to. Many repeat from row to row, and binding is a quarter of the work, so that only
    /// changes are bound.
    bound: Vec<Option<[i64; COUNT]>>,
}

impl<'a> Insert<'a> {
    /// Given the highest key of the table.
    pub(super) fn new(connection: &'a Connection, newest: RowKey) -> Result<Self> {
        let details = "INSERT INTO details (id, src_mask, dst_mask, vlan, post_vlan, src_mac, dst_mac, nat_src_port,
            nat_dst_port, event, end_reason, forwarding, mpls, application, vrf, reverse, next_hop, nat_src, nat_dst)";
        let next = |rows| Rows::new(connection, rows, false);
        Ok(Self {
            connection,
            newest,
            staged: Vec::with_capacity(GROUP),
            first: RowKey::START,
            keyed: Rows::new(connection, 1, true)?,
            next: [next(GROUP)?, next(8)?, next(1)?],
            details: connection.prepare_cached(&format!("{details} VALUES ({})", places(19)))?,
        })
    }

    /// Takes a flow and the row of its exporter. It is inserted with those that follow it, by [`Insert::finish`] at last.
    pub(super) fn take(&mut self, key: RowKey, exporter: i64, flow: &FlowRecord) -> Result<()> {
        if self.staged.len() == GROUP || self.staged_key(self.staged.len()) != key {
            self.finish()?;
            self.first = key;
        }
        self.staged.push(Columns::of(key, exporter, flow));
        if has_details(flow) {
            self.details(key, flow)?;
        }
        Ok(())
    }

    /// Inserts what was taken.
    pub(super) fn finish(&mut self) -> Result<()> {
        let mut done = 0;
        while let left = &self.staged[done..]
            && !left.is_empty()
        {
            let first = self.staged_key(done);
            let follows = RowKey(self.newest.0.saturating_add(1)) == first;
            let fitting = self.next.iter_mut().find(|rows| rows.bound.len() <= left.len()).filter(|_| follows);
            let rows = match fitting {
                Some(rows) => rows,
                None => {
                    self.keyed.statement.raw_bind_parameter(COUNT + 1, first.0)?;
                    &mut self.keyed
                }
            };
            rows.insert(left)?;
            done += rows.bound.len();
            let last = self.staged_key(done - 1);
            // That SQLite gives the keys that were meant is the promise on which all else rests.
            let given = self.connection.last_insert_rowid();
            if given != last.0 {
                return Err(rusqlite::Error::IntegralValueOutOfRange(0, given));
            }
            self.newest = self.newest.max(last);
        }
        self.staged.clear();
        Ok(())
    }

    /// The key of the row that is, or would be, staged in this place.
    #[expect(clippy::cast_possible_wrap, reason = "no group is that large")]
    const fn staged_key(&self, at: usize) -> RowKey {
        RowKey(self.first.0.saturating_add(at as i64))
    }

    fn details(&mut self, key: RowKey, flow: &FlowRecord) -> Result<()> {
        let numbers: [i64; 16] = [
            key.0,
            flow.src_mask.into(),
            flow.dst_mask.into(),
            flow.vlan.into(),
            flow.post_vlan.into(),
            mac_number(flow.src_mac),
            mac_number(flow.dst_mac),
            flow.nat_src_port.into(),
            flow.nat_dst_port.into(),
            flow.event.into(),
            flow.end_reason.into(),
            flow.forwarding.into(),
            flow.mpls.into(),
            flow.application.cast_signed(),
            flow.vrf.into(),
            flow.reverse.into(),
        ];
        for (at, number) in (1..).zip(numbers) {
            self.details.raw_bind_parameter(at, number)?;
        }
        for (at, address) in (17..).zip([flow.next_hop, flow.nat_src_ip, flow.nat_dst_ip]) {
            match address {
                Some(address) => bind_address(&mut self.details, at, address)?,
                None => self.details.raw_bind_parameter(at, Null)?,
            }
        }
        self.details.raw_execute()?;
        Ok(())
    }
}

impl<'a> Rows<'a> {
    /// All columns in the order of the table, so that SQLite need not put them in order; the key is the last one.
    fn new(connection: &'a Connection, rows: usize, keyed: bool) -> Result<Self> {
        let columns = if keyed { COUNT + 1 } else { COUNT };
        let row = |row| (1..=columns).map(move |column| format!("?{}", row * COUNT + column)).collect::<Vec<_>>();
        let values: Vec<String> = (0..rows).map(|at| format!("({})", row(at).join(", "))).collect();
        let names = if keyed { String::new() } else { format!("({})", PLAIN.replace("f.", "")) };
        // A batch is written whole or not at all, so that one statement need not be undone by itself, and keeps no journal.
        let insert = format!("INSERT OR ROLLBACK INTO flows {names} VALUES {}", values.join(", "));
        let statement = connection.prepare_cached(&insert)?;
        Ok(Self { statement, bound: vec![None; rows] })
    }

    /// Inserts the first of some rows, as many as it takes.
    fn insert(&mut self, rows: &[Columns]) -> Result<()> {
        for (row, (columns, bound)) in rows.iter().zip(&mut self.bound).enumerate() {
            let before = bound.replace(columns.numbers);
            for (column, number) in columns.numbers.iter().enumerate() {
                let at = row * COUNT + column + 1;
                if *number == APART {
                    columns.bind(&mut self.statement, at, column)?;
                } else if before.is_none_or(|before| before[column] != *number) {
                    self.statement.raw_bind_parameter(at, *number)?;
                }
            }
        }
        self.statement.raw_execute().map(drop)
    }
}

impl Columns {
    fn of(key: RowKey, exporter: i64, flow: &FlowRecord) -> Self {
        let received = key.received();
        let times = Times { first_ago: received.since(flow.first), last_ago: received.since(flow.last) };
        let origin = Origin { exporter, sampling: flow.sampling.pack() };
        let numbers = [
            narrow(flow.key.src_ip),
            narrow(flow.key.dst_ip),
            packed::ports(flow),
            packed::traits(flow),
            origin.pack(),
            times.pack(),
            stored(flow.counts.bytes),
            stored(flow.counts.packets),
            packed::interfaces(flow),
            packed::systems(flow),
        ];
        Self { numbers, ends: [flow.key.src_ip, flow.key.dst_ip], origin, times }
    }

    /// Binds what is no number, and the one that [`APART`] is.
    fn bind(&self, statement: &mut Statement<'_>, at: usize, column: usize) -> Result<()> {
        match (column, self.ends.get(column)) {
            (_, Some(end)) => bind_address(statement, at, *end),
            (ORIGIN, _) => statement.raw_bind_parameter(at, self.origin.text()),
            (TIMES, _) => statement.raw_bind_parameter(at, self.times.text()),
            _ => statement.raw_bind_parameter(at, self.numbers[column]),
        }
    }
}

fn narrow(address: IpAddr) -> i64 {
    match address {
        IpAddr::V4(address) => packed::narrow(address),
        IpAddr::V6(_) => APART,
    }
}

/// The columns of `flows` but its key, in the order of the table.
const PLAIN: &str = "f.src, f.dst, f.ports, f.traits, f.origin, f.times, f.bytes, f.packets, f.interfaces, f.systems";

/// Those of `details`.
const RARE: &str = "d.id, d.next_hop, d.src_mask, d.dst_mask, d.vlan, d.post_vlan, d.src_mac, d.dst_mac, d.nat_src,
    d.nat_dst, d.nat_src_port, d.nat_dst_port, d.event, d.end_reason, d.forwarding, d.mpls, d.application, d.vrf,
    d.reverse";

/// Columns of [`read`], in its order.
pub(super) fn columns() -> String {
    format!("f.id, {PLAIN}, {RARE}")
}

/// The columns of `flows` among them, for [`read_plain`], which then needs no look into `details`.
pub(super) fn plain_columns() -> String {
    format!("f.id, {PLAIN}, NULL")
}

/// The row of the exporter, of a row of either.
pub(super) fn exporter(row: &Row<'_>) -> Result<i64> {
    row.get(ORIGIN + 1).map(|origin: Origin| origin.exporter)
}

/// Reads a flow without its exporter and its rare fields.
pub(super) fn read_plain(row: &Row<'_>) -> Result<FlowRecord> {
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    read(row, (nobody, ObservationDomainId(0), Version::V5))
}

/// Reads what [`Insert::take`] took, given the [`exporter`].
pub(super) fn read(row: &Row<'_>, (exporter, domain, version): Identity) -> Result<FlowRecord> {
    let received = RowKey(row.get(0)?).received();
    let mut flow = FlowRecord::blank(received, exporter, domain, version);
    (flow.key.src_ip, flow.key.dst_ip) = (address(row, 1)?, address(row, 2)?);
    packed::put_ports(row.get(3)?, &mut flow);
    packed::put_traits(row.get(4)?, &mut flow);
    flow.sampling = Sampling::unpack(row.get::<_, Origin>(5)?.sampling);
    (flow.first, flow.last) = row.get::<_, Times>(6)?.before(received);
    flow.counts = Counts { bytes: counted(row.get(7)?), packets: counted(row.get(8)?) };
    packed::put_interfaces(row.get(9)?, &mut flow);
    packed::put_systems(row.get(10)?, &mut flow);
    if row.get_ref(RARES)? != ValueRef::Null {
        read_details(row, &mut flow)?;
    }
    Ok(flow)
}

/// The first column of `details` of those that are read.
const RARES: usize = COUNT + 1;

fn read_details(row: &Row<'_>, flow: &mut FlowRecord) -> Result<()> {
    let at = |column: usize| RARES + column;
    flow.next_hop = row.get::<_, Option<Address>>(at(1))?.map(|address| address.0);
    flow.src_mask = row.get(at(2))?;
    flow.dst_mask = row.get(at(3))?;
    flow.vlan = row.get(at(4))?;
    flow.post_vlan = row.get(at(5))?;
    flow.src_mac = mac_octets(row.get(at(6))?);
    flow.dst_mac = mac_octets(row.get(at(7))?);
    flow.nat_src_ip = row.get::<_, Option<Address>>(at(8))?.map(|address| address.0);
    flow.nat_dst_ip = row.get::<_, Option<Address>>(at(9))?.map(|address| address.0);
    flow.nat_src_port = row.get(at(10))?;
    flow.nat_dst_port = row.get(at(11))?;
    flow.event = row.get(at(12))?;
    flow.end_reason = row.get(at(13))?;
    flow.forwarding = row.get(at(14))?;
    flow.mpls = row.get(at(15))?;
    flow.application = row.get::<_, i64>(at(16))?.cast_unsigned();
    flow.vrf = row.get(at(17))?;
    flow.reverse = row.get(at(18))?;
    Ok(())
}

/// Whether a flow says anything that only `details` can hold.
pub(super) fn has_details(flow: &FlowRecord) -> bool {
    let FlowRecord { src_mask, dst_mask, next_hop, vlan, post_vlan, src_mac, dst_mac, .. } = flow;
    let FlowRecord { nat_src_ip, nat_dst_ip, nat_src_port, nat_dst_port, event, end_reason, .. } = flow;
    let FlowRecord { forwarding, mpls, application, vrf, reverse, .. } = flow;
    let octets = src_mask | dst_mask | event | end_reason | forwarding | u8::from(*reverse);
    let ids = vlan | post_vlan | nat_src_port | nat_dst_port;
    let addresses = next_hop.is_some() || nat_src_ip.is_some() || nat_dst_ip.is_some();
    octets != 0 || ids != 0 || addresses || mpls | vrf != 0 || *application != 0 || [*src_mac, *dst_mac] != [[0; 6]; 2]
}

/// An address: IPv4 as a number of 32 bits, signed in `flows` and unsigned elsewhere; IPv6 as its 16 octets.
struct Address(IpAddr);

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => {
                let bits = u32::try_from(number).or_else(|_| i32::try_from(number).map(i32::cast_unsigned));
                let bits = bits.map_err(|_| FromSqlError::OutOfRange(number))?;
                Ok(Self(Ipv4Addr::from_bits(bits).into()))
            }
            _ => <[u8; 16]>::column_result(value).map(|octets| Self(octets.into())),
        }
    }
}

/// Reads one address.
pub(super) fn address(row: &Row<'_>, at: usize) -> Result<IpAddr> {
    row.get::<_, Address>(at).map(|address| address.0)
}

fn bind_address(statement: &mut Statement<'_>, at: usize, address: IpAddr) -> Result<()> {
    match address {
        IpAddr::V4(address) => statement.raw_bind_parameter(at, address.to_bits()),
        IpAddr::V6(address) => statement.raw_bind_parameter(at, address.octets()),
    }
}

fn mac_number([a, b, c, d, e, f]: [u8; 6]) -> i64 {
    i64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

const fn mac_octets(number: i64) -> [u8; 6] {
    let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
    [a, b, c, d, e, f]
}

//! Raw rows in the order of their keys, as far as a filter chooses them: the columns that a question needs, no others.
//!
//! It groups nothing. The condition is SQL, since SQLite passes over a row that does not meet it faster than anybody
//! can read it; what is read goes into one record that is used again for each row.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params_from_iter};

use crate::filter::{Address, Expr, Filter, Number, Test};
use crate::flow::{Counts, FlowRecord, ObservationDomainId, Sampling, Timestamp, Version};
use crate::store::accounts::counted;
use crate::store::keys::RowKey;
use crate::store::packed::{self, Origin, Times};
use crate::store::{row, sql};

/// Hears how much of a long read is done, in thousandths.
pub struct Watch<'a>(pub &'a dyn Fn(u64));

impl Watch<'_> {
    /// Nobody waits.
    pub const NOBODY: Watch<'static> = Watch(&|_| {});
}

/// Which columns are read beside key, exporter, times, counts and sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// None: totals.
    Counts,
    /// Addresses, ports and protocol.
    Key,
    Addresses,
    Ports,
    Interfaces,
    Systems,
    Tos,
    /// From `details`.
    Vlan,
    Application,
}

impl Columns {
    const fn list(self) -> &'static str {
        match self {
            Self::Counts => "0",
            Self::Key => "f.src, f.dst, f.ports, f.traits",
            Self::Addresses => "f.src, f.dst",
            Self::Ports => "f.ports, f.traits",
            Self::Interfaces => "f.interfaces",
            Self::Systems => "f.systems",
            Self::Tos => packed::TOS,
            Self::Vlan => "ifnull(d.vlan, 0)",
            Self::Application => "ifnull(d.application, 0)",
        }
    }

    const fn of_details(self) -> bool {
        matches!(self, Self::Vlan | Self::Application)
    }

    fn read(self, row: &Row<'_>, flow: &mut FlowRecord) -> Result<()> {
        match self {
            Self::Counts => {}
            Self::Key => {
                (flow.key.src_ip, flow.key.dst_ip) = (row::address(row, FIXED)?, row::address(row, FIXED + 1)?);
                packed::put_ports(row.get(FIXED + 2)?, flow);
                packed::put_protocol(row.get(FIXED + 3)?, flow);
            }
            Self::Addresses => {
                (flow.key.src_ip, flow.key.dst_ip) = (row::address(row, FIXED)?, row::address(row, FIXED + 1)?);
            }
            Self::Ports => {
                packed::put_ports(row.get(FIXED)?, flow);
                packed::put_protocol(row.get(FIXED + 1)?, flow);
            }
            Self::Interfaces => packed::put_interfaces(row.get(FIXED)?, flow),
            Self::Systems => packed::put_systems(row.get(FIXED)?, flow),
            Self::Tos => flow.tos = row.get(FIXED)?,
            Self::Vlan => flow.vlan = row.get(FIXED)?,
            Self::Application => flow.application = row.get::<_, i64>(FIXED)?.cast_unsigned(),
        }
        Ok(())
    }
}

/// The first column of [`Columns`].
const FIXED: usize = 5;

/// Pieces of a read after which its progress is told.
const PIECES: i64 = 200;

/// Hands out the rows of some ranges of keys that `filter` matches, with the row of their exporter. Of the record
/// nothing is meant but times, counts, sampling and what `columns` says.
pub(super) fn scan(
    connection: &Connection,
    (ranges, filter): (&[Range<RowKey>], &Filter),
    columns: Columns,
    watch: &Watch<'_>,
    mut take: impl FnMut(i64, &FlowRecord) -> Result<()>,
) -> Result<()> {
    let (condition, values) = condition(filter);
    let details = if columns.of_details() || asks_details(filter) { " LEFT JOIN details AS d USING (id)" } else { "" };
    let mut query = connection.prepare_cached(&format!(
        "SELECT f.id, f.origin, f.times, f.bytes, f.packets, {} FROM flows AS f{details}
         WHERE {condition} f.id BETWEEN ? AND ?",
        columns.list(),
    ))?;
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut flow = FlowRecord::blank(Timestamp(0), nobody, ObservationDomainId(0), Version::V5);
    for (piece, done) in pieces(connection, ranges)? {
        let ends = [Value::Integer(piece.0), Value::Integer(piece.1)];
        let mut rows = query.query(params_from_iter(values.iter().chain(&ends)))?;
        while let Some(row) = rows.next()? {
            let received = RowKey(row.get(0)?).received();
            flow.received = received;
            let Origin { exporter, sampling } = row.get(1)?;
            flow.sampling = Sampling::unpack(sampling);
            (flow.first, flow.last) = row.get::<_, Times>(2)?.before(received);
            flow.counts = Counts { bytes: counted(row.get(3)?), packets: counted(row.get(4)?) };
            columns.read(row, &mut flow)?;
            take(exporter, &flow)?;
        }
        watch.0(done);
    }
    Ok(())
}

/// The condition of a filter, with an `AND` behind it; nothing for every flow.
pub(super) fn condition(filter: &Filter) -> (String, Vec<Value>) {
    if filter.is_all() {
        return (String::new(), Vec::new());
    }
    let (condition, values) = sql::where_clause(filter);
    (format!("{condition} AND"), values)
}

/// Cuts ranges into pieces, both ends included, each with the thousandths that are done behind it.
pub(super) fn pieces(connection: &Connection, ranges: &[Range<RowKey>]) -> Result<Vec<((i64, i64), u64)>> {
    let (Some(first), Some(last)) = (edge(connection, "min")?, edge(connection, "max")?) else { return Ok(Vec::new()) };
    let within: Vec<(i64, i64)> = ranges
        .iter()
        .map(|range| (range.start.0.max(first), range.end.before().0.min(last)))
        .filter(|(first, last)| first <= last)
        .collect();
    let size = |(first, last): (i64, i64)| (i128::from(last) - i128::from(first) + 1).cast_unsigned();
    let all: u128 = within.iter().map(|range| size(*range)).sum();
    let most = i64::try_from(all / PIECES.cast_unsigned() as u128).unwrap_or(i64::MAX).max(1 << 30);
    let (mut pieces, mut done) = (Vec::new(), 0);
    for (mut first, last) in within {
        while first <= last {
            let end = first.saturating_add(most).min(last);
            done += size((first, end));
            pieces.push(((first, end), u64::try_from(done * 1000 / all).unwrap_or(1000)));
            let Some(next) = end.checked_add(1) else { break };
            first = next;
        }
    }
    Ok(pieces)
}

fn edge(connection: &Connection, which: &str) -> Result<Option<i64>> {
    connection.prepare_cached(&format!("SELECT {which}(id) FROM flows"))?.query_row((), |row| row.get(0))
}

/// Whether a filter asks for what stands in `details`.
pub(super) fn asks_details(filter: &Filter) -> bool {
    fields(filter).iter().any(|field| match field {
        Field::Number(number) => matches!(
            number,
            Number::NatPort
                | Number::Mask
                | Number::Vlan
                | Number::Mac
                | Number::Event
                | Number::EndReason
                | Number::Forwarding
                | Number::Mpls
                | Number::Vrf
                | Number::Application
        ),
        Field::Address(address) => matches!(address, Address::Nat | Address::NextHop),
        Field::Flags => false,
    })
}

/// What a filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Number(Number),
    Address(Address),
    Flags,
}

pub(super) fn fields(filter: &Filter) -> Vec<Field> {
    let mut fields = Vec::new();
    tests(filter.expr(), &mut |test| fields.push(field(test)));
    fields
}

/// What one test asks for.
pub(super) const fn field(test: &Test) -> Field {
    match test {
        Test::Number { field, .. } => Field::Number(*field),
        Test::Address { field, .. } => Field::Address(*field),
        Test::Flags { .. } => Field::Flags,
    }
}

/// Every test of a tree.
pub(super) fn tests<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Test)) {
    match expr {
        Expr::All => {}
        Expr::Not(inner) => tests(inner, visit),
        Expr::And(parts) | Expr::Or(parts) => {
            for part in parts {
                tests(part, visit);
            }
        }
        Expr::Test(test) => visit(test),
    }
}

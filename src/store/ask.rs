//! Questions about the past: what is summed by which key, over which span, of which flows; and where the answer is from.
//!
//! Roll-ups answer where their keys hold everything that is asked, raw rows where they do not; sums of both are the
//! same to the byte, since both share a record's counts over time by `flow::share`. Its input is a file that a
//! collector may be writing at the same time; one answer sees one state of it.

pub mod changes;
mod plan;
pub mod presets;
pub mod rates;
mod raw;
mod reporters;
mod rolled;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::ControlFlow;

use hashbrown::HashMap;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

use crate::filter::Filter;
use crate::flow::share::Booking;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts::{self, Identity};
use crate::store::groups::{Groups, KEYS, Largest};
use crate::store::keys::RowKey;
use crate::store::needs::needs;
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Dimension, Pair, Sums};
use crate::store::scan::{self, Columns, Watch};
use crate::store::top::{self, Key, Order, Ranked, Top, interface};
use crate::store::{blocks, row};

/// What a ranking is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// Two addresses, protocol and service port, both directions together.
    Conversation,
    /// What it sent, and back what it received.
    Host,
    /// What it sent.
    Source,
    /// What it received.
    Destination,
    Service,
    Protocol,
    Exporter,
    /// What came in through it, and back what went out.
    Interface,
    /// What came from it, and back what went to it.
    As,
    Vlan,
    Dscp,
    Application,
    /// Source and destination, one way.
    Pair,
    /// Source and destination with protocol and destination port: what somebody asks of somebody.
    Path,
}

impl By {
    pub const ALL: [Self; 14] = [
        Self::Conversation,
        Self::Host,
        Self::Source,
        Self::Destination,
        Self::Service,
        Self::Protocol,
        Self::Exporter,
        Self::Interface,
        Self::As,
        Self::Vlan,
        Self::Dscp,
        Self::Application,
        Self::Pair,
        Self::Path,
    ];

    /// The word on the command line, on screen and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Host => "host",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Service => "service",
            Self::Protocol => "protocol",
            Self::Exporter => "exporter",
            Self::Interface => "interface",
            Self::As => "as",
            Self::Vlan => "vlan",
            Self::Dscp => "dscp",
            Self::Application => "application",
            Self::Pair => "pair",
            Self::Path => "path",
        }
    }

    /// Whether a key has two directions.
    pub const fn is_two_way(self) -> bool {
        matches!(self, Self::Conversation | Self::Host | Self::Interface | Self::As)
    }

    const fn columns(self) -> Columns {
        match self {
            Self::Conversation | Self::Path => Columns::Key,
            Self::Host | Self::Source | Self::Destination | Self::Pair => Columns::Addresses,
            Self::Service | Self::Protocol => Columns::Ports,
            Self::Exporter => Columns::Counts,
            Self::Interface => Columns::Interfaces,
            Self::As => Columns::Systems,
            Self::Vlan => Columns::Vlan,
            Self::Dscp => Columns::Tos,
            Self::Application => Columns::Application,
        }
    }

    /// Under which keys a flow is summed.
    fn keys(self, exporter: i64, flow: &FlowRecord, sums: Sums, mut add: impl FnMut(Slot, Pair)) {
        let (there, back) = (Pair([sums, Sums::default()]), Pair([Sums::default(), sums]));
        match self {
            Self::Conversation => {
                let (slot, turned) = Slot::conversation(flow);
                add(slot, if turned { back } else { there });
            }
            Self::Host => {
                add(Slot::address(flow.key.src_ip), there);
                add(Slot::address(flow.key.dst_ip), back);
            }
            Self::Source => add(Slot::address(flow.key.src_ip), there),
            Self::Destination => add(Slot::address(flow.key.dst_ip), there),
            Self::Service => add(Slot::conversation(flow).0.service(), there),
            Self::Protocol => add(Slot::numbers(0, flow.key.protocol.into()), there),
            Self::Exporter => add(Slot::interface(exporter, 0), there),
            Self::Interface => {
                add(Slot::interface(exporter, flow.in_if), there);
                add(Slot::interface(exporter, flow.out_if), back);
            }
            Self::As => {
                add(Slot::numbers(0, flow.src_as), there);
                add(Slot::numbers(0, flow.dst_as), back);
            }
            Self::Vlan => add(Slot::numbers(0, flow.vlan.into()), there),
            Self::Dscp => add(Slot::numbers(0, (flow.tos >> 2).into()), there),
            Self::Application => add(Slot::numbers(flow.application, 0), there),
            Self::Pair => add(Slot::path(flow.key.src_ip, flow.key.dst_ip, 0), there),
            Self::Path => {
                let service = u32::from(flow.key.protocol) << 16 | u32::from(flow.key.dst_port);
                add(Slot::path(flow.key.src_ip, flow.key.dst_ip, service), there);
            }
        }
    }

    fn key(self, connection: &Connection, slot: Slot) -> Result<Key> {
        let number = slot.number();
        // The upper and lower half of what `Slot::conversation` put together.
        let [_, protocol, high, low] = number.to_be_bytes();
        let port = u16::from_be_bytes([high, low]);
        Ok(match self {
            Self::Conversation => Key::Conversation { a: slot.low(), b: slot.high(), protocol, port },
            Self::Host | Self::Source | Self::Destination => Key::Host(slot.low()),
            Self::Service => Key::Service { protocol, port },
            Self::Protocol => Key::Protocol(low),
            Self::Exporter => {
                let Key::Interface { exporter, domain, .. } = interface(connection, slot)? else {
                    return Ok(Key::Other);
                };
                Key::Exporter { exporter, domain }
            }
            Self::Interface => interface(connection, slot)?,
            Self::As => Key::As(number),
            Self::Vlan => Key::Vlan(port),
            Self::Dscp => Key::Dscp(low),
            Self::Application => Key::Application(slot.large()),
            Self::Pair => Key::Pair { src: slot.low(), dst: slot.high() },
            Self::Path => Key::Path { src: slot.low(), dst: slot.high(), protocol, port },
        })
    }
}

/// Which answer is good enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Read {
    /// Roll-ups as far as they know the keys, each figure with what it may lack; raw rows where they do not know them,
    /// or where few have to be read.
    #[default]
    Quick,
    /// Raw rows, unless roll-ups are proven to say the same.
    Exact,
    /// Raw rows in any case.
    Rows,
}

#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub filter: &'a Filter,
    pub by: By,
    pub order: Order,
    /// By the time of the flows.
    pub span: (Timestamp, Timestamp),
    pub read: Read,
}

/// Where an answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    RollUps,
    /// Raw rows that the filter chose.
    Rows(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    /// Largest first; of equals in the order of their keys.
    pub rows: Vec<Ranked>,
    /// How many keys there are; of those that have a row of their own.
    pub keys: usize,
    /// Everything that the filter chose in the span, each flow once.
    pub total: Sums,
    /// Whether there may be more in `total`: flows of keys that roll-ups do not know by name.
    pub more: bool,
    /// Whether rows, order and sums are proven to be those of the raw rows.
    pub exact: bool,
    /// Flows received until then are in it. `None` when all are that had been written.
    pub until: Option<Timestamp>,
    /// Rows from before then were deleted, and are not in it. `None` when that takes nothing away.
    pub since: Option<Timestamp>,
    pub source: Source,
}

/// All sums of a question.
pub(super) struct Sheet {
    pub(super) groups: Groups,
    pub(super) by: By,
    until: Option<Timestamp>,
    source: Source,
    /// Whether the total is whole.
    whole: bool,
    since: Option<Timestamp>,
}

/// Rows of blocks that are read instead of giving an answer with bounds, half a second of work at most.
const FEW: u64 = 500_000;

/// The exporters of the file by their rows.
pub(super) fn exporters(connection: &Connection) -> Result<Vec<(i64, Identity)>> {
    let mut query = connection.prepare_cached("SELECT address, domain, version, id FROM exporters")?;
    query.query_map((), |row| Ok((row.get(3)?, accounts::identity(row)?)))?.collect()
}

pub(super) fn sheet(connection: &Connection, question: &Question<'_>, keys: usize, watch: &Watch<'_>) -> Result<Sheet> {
    let exporters = exporters(connection)?;
    let filter = reporters::reduced(question.filter, &exporters);
    reduced_sheet(connection, &Question { filter: &filter, ..*question }, &exporters, keys, watch)
}

/// The same of a filter that was reduced.
fn reduced_sheet(
    connection: &Connection,
    question: &Question<'_>,
    exporters: &[(i64, Identity)],
    keys: usize,
    watch: &Watch<'_>,
) -> Result<Sheet> {
    let since = since(connection, question.span)?;
    if question.read != Read::Rows
        && let Some(plan) = planned(connection, question, exporters)?
        && let Some(sheet) = rolled::sheet(connection, question, &plan, exporters, keys)?
    {
        let is_exact = sheet.groups.is_exact() && sheet.until.is_none();
        let quick = question.read == Read::Quick;
        // Roll-ups are kept longer than the rows that they were made of.
        if is_exact || since.is_some() || quick && FEW < raw::rows(connection, question, exporters)? {
            return Ok(sheet);
        }
    }
    let sheet = raw::sheet(connection, question, exporters, keys, watch)?;
    Ok(Sheet { since, ..sheet })
}

/// How roll-ups answer a question, when they can.
fn planned(
    connection: &Connection,
    question: &Question<'_>,
    exporters: &[(i64, Identity)],
) -> Result<Option<plan::Plan>> {
    if let Some(plan) = plan::plan(question) {
        return Ok(Some(plan));
    }
    let Some(plan) = reporters::only(question.filter, exporters).and_then(|rest| plan::reported(question, &rest))
    else {
        return Ok(None);
    };
    // Roll-ups of an older program do not tell exporters apart.
    let known: i64 = connection.query_row("SELECT reported FROM derived", (), |row| row.get(0))?;
    Ok((known <= question.span.0.0).then_some(plan))
}

/// From when on there are raw rows, when those of the begin of a span have been deleted.
pub(super) fn since(connection: &Connection, (from, _): (Timestamp, Timestamp)) -> Result<Option<Timestamp>> {
    let pruned = "SELECT EXISTS (SELECT 1 FROM collector_runs WHERE pruned_flows <> 0), (SELECT min(id) FROM flows)";
    let (pruned, oldest) =
        connection.prepare_cached(pruned)?.query_row((), |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?;
    let oldest = oldest.map(|key| RowKey(key).received()).filter(|oldest| pruned && from < *oldest);
    Ok(oldest)
}

pub(super) fn ranking(
    connection: &Connection,
    question: &Question<'_>,
    rows: usize,
    watch: &Watch<'_>,
) -> Result<Ranking> {
    let exporters = exporters(connection)?;
    let filter = reporters::reduced(question.filter, &exporters);
    let question = &Question { filter: &filter, ..*question };
    if let Some(ranking) = unfiltered(connection, question, rows)? {
        return Ok(ranking);
    }
    reduced_sheet(connection, question, &exporters, KEYS, watch)?.ranked(connection, rows)
}

/// What roll-ups rank as they stand, in a third of the time that it takes to sum every figure of every key. `None` when
/// it is not that, or when few raw rows say more.
fn unfiltered(connection: &Connection, question: &Question<'_>, rows: usize) -> Result<Option<Ranking>> {
    let dimension = match question.by {
        By::Conversation => Dimension::Conversation,
        By::Host => Dimension::Host,
        By::Service => Dimension::Service,
        By::Protocol => Dimension::Protocol,
        _ => return Ok(None),
    };
    if !question.filter.is_all() || question.read == Read::Rows || plan::plan(question).is_none() {
        return Ok(None);
    }
    let top = top::top(connection, dimension, question.order, question.span, rows)?;
    let quick = question.read == Read::Quick;
    let more = quick && FEW < raw::rows(connection, question, &[])?;
    if !top.exact && !more && since(connection, question.span)?.is_none() {
        return Ok(None);
    }
    let Top { rows, keys, total, exact, until } = top;
    Ok(Some(Ranking { rows, keys, total, more: false, exact, until, since: None, source: Source::RollUps }))
}

impl Sheet {
    fn ranked(&self, connection: &Connection, rows: usize) -> Result<Ranking> {
        let (largest, proven) = self.groups.largest(rows);
        let named =
            |row: Largest| Ok(Ranked { key: self.by.key(connection, row.slot)?, pair: row.pair, missing: row.missing });
        Ok(Ranking {
            rows: largest.into_iter().map(named).collect::<Result<_>>()?,
            keys: self.groups.len(),
            total: self.groups.total,
            more: !self.whole,
            exact: proven && self.whole && self.until.is_none(),
            until: self.until,
            since: self.since,
            source: self.source,
        })
    }
}

/// A source, and of how many targets it asked something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOut {
    pub source: IpAddr,
    /// Addresses with protocol and port, each counted once.
    pub targets: u64,
    /// Addresses among them.
    pub hosts: u64,
    pub sums: Sums,
}

/// Ranks the sources of a filter by how many targets they have; rows of the ranking are for nothing but its account.
pub(super) fn fan_out(
    connection: &Connection,
    question: &Question<'_>,
    rows: usize,
    watch: &Watch<'_>,
) -> Result<(Vec<FanOut>, Ranking)> {
    let question = Question { by: By::Path, ..*question };
    let sheet = sheet(connection, &question, KEYS, watch)?;
    let mut paths: Vec<_> = sheet.groups.all().collect();
    paths.sort_unstable_by_key(|path| path.slot);
    let mut found: Vec<FanOut> = Vec::new();
    let mut before = None;
    for path in paths {
        let (source, host) = (path.slot.low(), path.slot.high());
        let blank = FanOut { source, targets: 0, hosts: 0, sums: Sums::default() };
        if found.last().is_none_or(|last| last.source != source) {
            found.push(blank);
        }
        let Some(last) = found.last_mut() else { continue };
        last.targets += 1;
        last.hosts += u64::from(before != Some((source, host)));
        last.sums.add(path.pair.sum());
        before = Some((source, host));
    }
    let keys = found.len();
    found.sort_unstable_by_key(|row| (std::cmp::Reverse(row.targets), row.source));
    found.truncate(rows);
    let exact = sheet.groups.is_exact();
    Ok((found, Ranking { rows: Vec::new(), keys, exact, ..sheet.ranked(connection, 0)? }))
}

/// Hands out the flows that a filter chooses and that have a part in a span, in the order of their keys, until `take`
/// has enough; returns how many these were.
pub(super) fn flows(
    connection: &Connection,
    (filter, span): (&Filter, (Timestamp, Timestamp)),
    watch: &Watch<'_>,
    mut take: impl FnMut(&FlowRecord) -> ControlFlow<()>,
) -> Result<u64> {
    let exporters = exporters(connection)?;
    let ranges = blocks::ranges(connection, &needs(filter, &exporters), span.0, span.1)?;
    let by_id: HashMap<i64, Identity> = exporters.into_iter().collect();
    let (condition, values) = scan::condition(filter);
    let prepared = |columns: &str, join: &str| {
        let select = format!("SELECT {columns} FROM flows AS f{join}");
        connection.prepare_cached(&format!("{select} WHERE {condition} f.id BETWEEN ? AND ? ORDER BY f.id"))
    };
    let mut joined = prepared(&row::columns(), " LEFT JOIN details AS d USING (id)")?;
    // A look into `details` for each row is a third of the time, and most exporters send nothing that stands there.
    let asks_details = scan::asks_details(filter);
    let mut plain = if asks_details { None } else { Some(prepared(&row::plain_columns(), "")?) };
    let mut has_details =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM details WHERE id BETWEEN ? AND ?)")?;
    let mut count = 0;
    for (piece, done) in scan::pieces(connection, &ranges)? {
        let ends = [piece.0, piece.1].map(Value::Integer);
        let query = match &mut plain {
            Some(plain) if !has_details.query_row(params_from_iter(&ends), |row| row.get(0))? => plain,
            _ => &mut joined,
        };
        let mut rows = query.query(params_from_iter(values.iter().chain(&ends)))?;
        while let Some(found) = rows.next()? {
            let id = row::exporter(found)?;
            let Some(identity) = by_id.get(&id) else { continue };
            let flow = row::read(found, *identity)?;
            if !Booking::of(&flow).has_part(flow.counts, span.0, span.1) {
                continue;
            }
            count += 1;
            if take(&flow).is_break() {
                return Ok(count);
            }
        }
        watch.0(done);
    }
    Ok(count)
}

/// What an address is at both ends of nothing.
const NOBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

//! The collector's accounts in the database: one row per exporter, one per run of a collector.
//!
//! It counts nothing itself. Writing and reading share one list of columns per table, so that they cannot disagree.

use std::net::IpAddr;

use hashbrown::HashMap;
use rusqlite::types::{FromSqlError, Value};
use rusqlite::{Connection, Result, Row, params_from_iter};

use crate::collector::options::Said;
use crate::collector::stats::{ExporterStats, Health, Totals};
use crate::flow::{FlowRecord, ObservationDomainId, Sampling, Timestamp, Version};

/// One run of a collector, from its first flush to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub pid: u32,
    pub started: Timestamp,
    pub last_alive: Timestamp,
    /// `None` while it runs, and for ever when it was killed.
    pub ended: Option<Timestamp>,
    /// As of `last_alive`; `last_foreign` is not kept.
    pub totals: Totals,
    /// Datagrams that the kernel dropped since the socket buffers were full.
    pub kernel_dropped: u64,
    /// Flows that were dropped since the write buffer was full.
    pub dropped_flows: u64,
    /// Flows that it deleted, since they were older or more than may be kept.
    pub pruned_flows: u64,
}

/// Flows that a run did not store, and those that it deleted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub(super) dropped: u64,
    pub(super) pruned: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

/// The newest accounts of an exporter. Its counters begin at 0 with each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The run that wrote the counters; `None` when only flows of the exporter were ever written.
    pub run: Option<RunId>,
    pub stats: ExporterStats,
    /// When its sequence numbers said last that something was lost.
    pub lost: Option<Timestamp>,
}

/// Exporters known to the writer, by their row. The rows that [`Exporters::id`] makes belong to the transaction: a
/// failed one must be followed by [`Exporters::forget`].
#[derive(Debug, Default)]
pub(super) struct Exporters {
    ids: HashMap<Identity, i64>,
    last: Option<(Identity, i64)>,
}

/// What the rows of `exporters` are told apart by.
pub(super) type Identity = (IpAddr, ObservationDomainId, Version);

/// When more exporters are known, all are forgotten and looked up again; only time is lost.
const EXPORTERS: usize = 16_384;

impl Exporters {
    pub(super) fn forget(&mut self) {
        self.ids.clear();
        self.last = None;
    }

    /// The row of a flow's exporter, made when there is none.
    pub(super) fn id(&mut self, connection: &Connection, flow: &FlowRecord) -> Result<i64> {
        let identity = (flow.exporter, flow.domain, flow.version);
        if let Some((last, id)) = self.last
            && last == identity
        {
            return Ok(id);
        }
        let id = match self.ids.get(&identity) {
            Some(id) => *id,
            None => self.insert(connection, identity, flow.received)?,
        };
        self.last = Some((identity, id));
        Ok(id)
    }

    fn insert(&mut self, connection: &Connection, identity: Identity, seen: Timestamp) -> Result<i64> {
        let (address, domain, version) = identity;
        let mut insert = connection.prepare_cached(
            "INSERT INTO exporters (address, domain, version, first_seen_ms, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT DO UPDATE SET last_seen_ms = max(last_seen_ms, excluded.last_seen_ms) RETURNING id",
        )?;
        let id = insert.query_row((address.to_string(), domain.0, version.number(), seen.0), |row| row.get(0))?;
        if EXPORTERS <= self.ids.len() {
            self.forget();
        }
        self.ids.insert(identity, id);
        Ok(id)
    }
}

/// Writes the accounts of all exporters.
pub(super) fn save_exporters(connection: &Connection, run: RunId, exporters: &[ExporterStats]) -> Result<()> {
    if exporters.is_empty() {
        return Ok(());
    }
    let mut columns = vec!["run", "clock_skew_ms", "sampling"];
    columns.extend(exporters.iter().take(1).flat_map(|stats| counters(&mut stats.clone()).map(|(name, _)| name)));
    columns.extend(Said::default().fields().map(|(_, name, _)| name));
    let updates: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let mut upsert = connection.prepare_cached(&format!(
        "INSERT INTO exporters (address, domain, version, first_seen_ms, last_seen_ms, {columns})
         VALUES ({places}) ON CONFLICT DO UPDATE SET
             first_seen_ms = min(first_seen_ms, excluded.first_seen_ms),
             last_seen_ms = max(last_seen_ms, excluded.last_seen_ms),
             lost_ms = CASE WHEN excluded.lost <= CASE WHEN run = excluded.run THEN lost ELSE 0 END THEN lost_ms
                       ELSE excluded.last_seen_ms END, {updates}",
        places = places(columns.len() + 5),
        columns = columns.join(", "),
        updates = updates.join(", "),
    ))?;
    for stats in exporters {
        let mut values = vec![
            Value::Text(stats.address.to_string()),
            i64::from(stats.domain.0).into(),
            i64::from(stats.version.number()).into(),
            stats.first_seen.0.into(),
            stats.last_seen.0.into(),
            run.0.into(),
            stats.clock_skew_ms.into(),
            stats.sampling.pack().into(),
        ];
        values.extend(counters(&mut stats.clone()).map(|(_, count)| Value::Integer(stored(*count))));
        values.extend(stats.said.clone().fields().map(|(.., said)| said.map(stored).into()));
        upsert.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// All stored accounts, by address, domain and version.
pub(super) fn exporters(connection: &Connection) -> Result<Vec<Account>> {
    let mut query = connection.prepare_cached("SELECT * FROM exporters")?;
    let mut accounts = query.query_map((), account)?.collect::<Result<Vec<_>>>()?;
    accounts.sort_unstable_by_key(|account| {
        let stats = &account.stats;
        (stats.address, stats.domain, stats.version)
    });
    Ok(accounts)
}

fn account(row: &Row<'_>) -> Result<Account> {
    let (address, domain, version) = identity(row)?;
    let first_seen = Timestamp(row.get("first_seen_ms")?);
    let mut stats = ExporterStats::new(address, domain, version, first_seen);
    stats.last_seen = Timestamp(row.get("last_seen_ms")?);
    stats.clock_skew_ms = row.get("clock_skew_ms")?;
    stats.sampling = Sampling::unpack(row.get("sampling")?);
    for (name, count) in counters(&mut stats) {
        *count = counted(row.get(name)?);
    }
    for (_, name, said) in stats.said.fields() {
        *said = row.get::<_, Option<i64>>(name)?.map(counted);
    }
    let lost = row.get::<_, Option<i64>>("lost_ms")?.map(Timestamp);
    Ok(Account { run: row.get::<_, Option<i64>>("run")?.map(RunId), stats, lost })
}

/// Reads the columns `address`, `domain` and `version`.
pub(super) fn identity(row: &Row<'_>) -> Result<Identity> {
    let address = row.get_ref("address")?.as_str()?.parse().map_err(|_| FromSqlError::InvalidType)?;
    let number: u16 = row.get("version")?;
    let version = Version::from_number(number).ok_or_else(|| FromSqlError::OutOfRange(number.into()))?;
    Ok((address, ObservationDomainId(row.get("domain")?), version))
}

/// Writes the row of this run and returns its id; without an id a new row.
pub(super) fn save_run(
    connection: &Connection,
    run: Option<RunId>,
    (now, ended): (Timestamp, bool),
    health: &Health,
    lost: Lost,
) -> Result<RunId> {
    let kernel_dropped = health.sockets.iter().fold(0_u64, |sum, socket| sum.saturating_add(socket.dropped));
    let mut totals = health.totals;
    let totals = totals_of(&mut totals).map(|(name, count)| (name, *count));
    let mut columns = vec!["last_alive_ms", "ended_ms", "kernel_dropped", "dropped_flows", "pruned_flows"];
    columns.extend(totals.map(|(name, _)| name));
    let updates: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let mut upsert = connection.prepare_cached(&format!(
        "INSERT INTO collector_runs (id, pid, program, started_ms, {columns}) VALUES ({places})
         ON CONFLICT DO UPDATE SET {updates} RETURNING id",
        columns = columns.join(", "),
        places = places(columns.len() + 4),
        updates = updates.join(", "),
    ))?;
    let mut values = vec![
        run.map_or(Value::Null, |run| run.0.into()),
        i64::from(std::process::id()).into(),
        Value::Text(env!("CARGO_PKG_VERSION").to_owned()),
        now.0.into(),
        now.0.into(),
        if ended { now.0.into() } else { Value::Null },
        stored(kernel_dropped).into(),
        stored(lost.dropped).into(),
        stored(lost.pruned).into(),
    ];
    values.extend(totals.map(|(_, count)| Value::Integer(stored(count))));
    upsert.query_row(params_from_iter(values), |row| row.get(0).map(RunId))
}

/// The newest runs, newest first.
pub(super) fn runs(connection: &Connection, limit: usize) -> Result<Vec<Run>> {
    let mut query = connection.prepare_cached("SELECT * FROM collector_runs ORDER BY id DESC LIMIT ?1")?;
    let rows = query.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let mut totals = Totals::default();
        for (name, count) in totals_of(&mut totals) {
            *count = counted(row.get(name)?);
        }
        Ok(Run {
            id: RunId(row.get("id")?),
            pid: row.get("pid")?,
            started: Timestamp(row.get("started_ms")?),
            last_alive: Timestamp(row.get("last_alive_ms")?),
            ended: row.get::<_, Option<i64>>("ended_ms")?.map(Timestamp),
            totals,
            kernel_dropped: counted(row.get("kernel_dropped")?),
            dropped_flows: counted(row.get("dropped_flows")?),
            pruned_flows: counted(row.get("pruned_flows")?),
        })
    })?;
    rows.collect()
}

/// Runs that are kept at most, whatever their age: a program that ends and is started again for months writes no more.
const RUNS: i64 = 10_000;

/// How long before the oldest flow an exporter must have been silent to have no flow left for sure: its `last_seen_ms`
/// can lag behind its flows by a transaction.
const SILENT_MS: i64 = 3_600_000;

/// Deletes the exporters and the runs that are too old, and of which no flow is left.
pub(super) fn forget(
    connection: &Connection,
    run: Option<RunId>,
    too_old: Timestamp,
    oldest: Option<Timestamp>,
) -> Result<()> {
    let before = oldest.map_or(too_old, |oldest| too_old.min(oldest.plus(-SILENT_MS)));
    let mut exporters = connection.prepare_cached("DELETE FROM exporters WHERE last_seen_ms < ?1")?;
    exporters.execute([before.0])?;
    let mut runs = connection.prepare_cached(
        "DELETE FROM collector_runs WHERE id <> ?1 AND (last_alive_ms < ?2 OR id <= (
             SELECT id FROM collector_runs ORDER BY id DESC LIMIT 1 OFFSET ?3))",
    )?;
    runs.execute((run.map_or(0, |run| run.0), too_old.0, RUNS))?;
    Ok(())
}

/// The counters by the names of their columns in `exporters`.
const fn counters(stats: &mut ExporterStats) -> [(&'static str, &mut u64); 29] {
    [
        ("datagrams", &mut stats.datagrams),
        ("octets", &mut stats.octets),
        ("records", &mut stats.records),
        ("flows", &mut stats.flows),
        ("options_records", &mut stats.options_records),
        ("meaningless", &mut stats.meaningless),
        ("templates", &mut stats.templates),
        ("template_records", &mut stats.template_records),
        ("redefined", &mut stats.redefined),
        ("rejected_templates", &mut stats.rejected_templates),
        ("withdrawals", &mut stats.withdrawals),
        ("borrowed", &mut stats.borrowed),
        ("waiting", &mut stats.waiting),
        ("expired", &mut stats.expired),
        ("overruns", &mut stats.overruns),
        ("reserved", &mut stats.reserved),
        ("malformed", &mut stats.malformed),
        ("lost", &mut stats.lost),
        ("reordered", &mut stats.reordered),
        ("restarts", &mut stats.restarts),
        ("trailing", &mut stats.trailing),
        ("counter_samples", &mut stats.counter_samples),
        ("sampler_drops", &mut stats.sampler_drops),
        ("unknown_elements", &mut stats.unknown_elements),
        ("refused_facts", &mut stats.refused_facts),
        ("data_sets", &mut stats.data_sets),
        ("decoded_sets", &mut stats.decoded_sets),
        ("surplus", &mut stats.surplus),
        ("forgotten_templates", &mut stats.forgotten_templates),
    ]
}

/// The totals by the names of their columns in `collector_runs`.
const fn totals_of(totals: &mut Totals) -> [(&'static str, &mut u64); 10] {
    [
        ("datagrams", &mut totals.datagrams),
        ("octets", &mut totals.octets),
        ("decoded", &mut totals.decoded),
        ("malformed", &mut totals.malformed),
        ("other_protocol", &mut totals.foreign),
        ("refused", &mut totals.refused),
        ("flows", &mut totals.flows),
        ("waiting", &mut totals.waiting),
        ("expired", &mut totals.expired),
        ("lost", &mut totals.lost),
    ]
}

/// `?, ?, …`
pub(super) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// A count as SQLite's signed 64 bits hold it; more than 2⁶³ − 1 stays there.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The mirror image of [`stored`].
pub(super) fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

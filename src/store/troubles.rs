//! What stood in the way of datagrams, in the database: sockets, refusals with their last sender, missing templates.
//!
//! It is there for whoever asks a running collector from outside why something is missing. It judges nothing. Its input
//! is the accounts; what is stored of the network is addresses and numbers.

use std::net::SocketAddr;

use rusqlite::{Connection, Result, params};

use crate::collector::stats::{Health, MissingTemplate, SocketStats};
use crate::flow::Timestamp;
use crate::store::accounts::{self, Lost, RunId, counted, stored};
use crate::wire::template::TemplateId;

/// Rows of the first and the last table are replaced by each flush; the second has one row per kind.
pub(super) const TABLES: &str = "
    -- The sockets of the run that wrote last.
    CREATE TABLE sockets (
        listen       TEXT PRIMARY KEY,
        run          INTEGER NOT NULL, -- collector_runs.id
        buffer_asked INTEGER NOT NULL, -- octets, the kernel's overhead included
        buffer       INTEGER NOT NULL,
        queued       INTEGER NOT NULL,
        dropped      INTEGER NOT NULL, -- datagrams, since the run began
        truncated    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What went wrong in the run that wrote the row last, and when.
    CREATE TABLE troubles (
        what     TEXT PRIMARY KEY,
        run      INTEGER NOT NULL,
        count    INTEGER NOT NULL, -- since the run began
        first_ms INTEGER NOT NULL, -- when it was not 0 any more, and when it grew last; late by a flush at most
        last_ms  INTEGER NOT NULL,
        who      TEXT              -- the last sender
    ) STRICT, WITHOUT ROWID;

    -- Templates that sets need, and that did not come.
    CREATE TABLE missing_templates (
        address  TEXT NOT NULL,
        domain   INTEGER NOT NULL,
        version  INTEGER NOT NULL,
        id       INTEGER NOT NULL,
        run      INTEGER NOT NULL,
        sets     INTEGER NOT NULL, -- that wait now
        since_ms INTEGER NOT NULL, -- when the first and the last set came
        last_ms  INTEGER NOT NULL,
        PRIMARY KEY (address, domain, version, id)
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE exporters ADD COLUMN lost_ms INTEGER; -- when lost grew last
    ALTER TABLE exporters ADD COLUMN data_sets INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE exporters ADD COLUMN decoded_sets INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE exporters ADD COLUMN surplus INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE exporters ADD COLUMN forgotten_templates INTEGER NOT NULL DEFAULT 0;
";

/// A kind of loss or refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Datagrams of senders who may not send.
    Barred,
    /// Datagrams of a protocol that is not read.
    Foreign,
    Malformed,
    /// Datagrams of exporters that found no room.
    Refused,
    /// Datagrams that found the socket buffers full.
    KernelDropped,
    Truncated,
    /// Flows that found the write queue full.
    Unstored,
    NotShown,
    NotPrinted,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Barred,
        Self::Foreign,
        Self::Malformed,
        Self::Refused,
        Self::KernelDropped,
        Self::Truncated,
        Self::Unstored,
        Self::NotShown,
        Self::NotPrinted,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Barred => "barred",
            Self::Foreign => "other_protocol",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::KernelDropped => "kernel_dropped",
            Self::Truncated => "truncated",
            Self::Unstored => "dropped_flows",
            Self::NotShown => "not_shown_flows",
            Self::NotPrinted => "not_printed_flows",
        }
    }
}

/// What went wrong in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    pub run: RunId,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The last sender, where that is known.
    pub who: Option<SocketAddr>,
}

/// How often each kind happened, as the accounts say.
pub fn counts(health: &Health, unstored: u64) -> [(Kind, u64, Option<SocketAddr>); 9] {
    let of_sockets = |of: fn(&SocketStats) -> u64| health.sockets.iter().map(of).fold(0, u64::saturating_add);
    let foreign = health.totals.last_foreign.map(|(from, _)| from);
    [
        (Kind::Barred, health.barred.datagrams, health.barred.last),
        (Kind::Foreign, health.totals.foreign, foreign),
        (Kind::Malformed, health.totals.malformed, None),
        (Kind::Refused, health.totals.refused, None),
        (Kind::KernelDropped, of_sockets(|socket| socket.dropped), None),
        (Kind::Truncated, of_sockets(|socket| socket.truncated), None),
        (Kind::Unstored, unstored, None),
        (Kind::NotShown, health.passed_over.window, None),
        (Kind::NotPrinted, health.passed_over.json, None),
    ]
}

pub(super) fn save(connection: &Connection, run: RunId, now: Timestamp, health: &Health, lost: Lost) -> Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO troubles (what, run, count, first_ms, last_ms, who) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
         ON CONFLICT DO UPDATE SET
             first_ms = CASE WHEN run = excluded.run THEN first_ms ELSE excluded.first_ms END,
             last_ms = CASE WHEN run = excluded.run AND excluded.count <= count THEN last_ms ELSE excluded.last_ms END,
             run = excluded.run, count = excluded.count, who = excluded.who",
    )?;
    for (kind, count, who) in counts(health, lost.dropped).into_iter().filter(|&(_, count, _)| 0 < count) {
        upsert.execute(params![kind.name(), run.0, stored(count), now.0, who.map(|who| who.to_string())])?;
    }
    connection.prepare_cached("DELETE FROM sockets")?.execute(())?;
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO sockets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for socket in &health.sockets {
        let SocketStats { listen, buffer_asked, buffer, queued, dropped, truncated } = *socket;
        let [asked, granted, queued, dropped, truncated] =
            [buffer_asked, buffer, queued, dropped, truncated].map(stored);
        insert.execute(params![listen.to_string(), run.0, asked, granted, queued, dropped, truncated])?;
    }
    connection.prepare_cached("DELETE FROM missing_templates")?.execute(())?;
    let mut insert =
        connection.prepare_cached("INSERT INTO missing_templates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for missing in &health.missing {
        let MissingTemplate { address, domain, version, template, since, last, sets } = *missing;
        let id = (address.to_string(), domain.0, version.number(), template.0);
        insert.execute(params![id.0, id.1, id.2, id.3, run.0, stored(sets), since.0, last.0])?;
    }
    Ok(())
}

pub(super) fn troubles(connection: &Connection) -> Result<Vec<Trouble>> {
    let mut query = connection.prepare_cached("SELECT * FROM troubles")?;
    let rows = query.query_map((), |row| {
        let what = row.get_ref("what")?.as_str()?;
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == what) else { return Ok(None) };
        Ok(Some(Trouble {
            kind,
            run: RunId(row.get("run")?),
            count: counted(row.get("count")?),
            first: Timestamp(row.get("first_ms")?),
            last: Timestamp(row.get("last_ms")?),
            who: row.get::<_, Option<String>>("who")?.and_then(|who| who.parse().ok()),
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// The sockets, and the run that had them.
pub(super) fn sockets(connection: &Connection) -> Result<Vec<(RunId, SocketStats)>> {
    let mut query = connection.prepare_cached("SELECT * FROM sockets")?;
    let rows = query.query_map((), |row| {
        let listen = row.get_ref("listen")?.as_str()?.parse();
        let count = |name: &str| row.get(name).map(counted);
        let stats = SocketStats {
            listen: listen.map_err(|_| rusqlite::types::FromSqlError::InvalidType)?,
            buffer_asked: count("buffer_asked")?,
            buffer: count("buffer")?,
            queued: count("queued")?,
            dropped: count("dropped")?,
            truncated: count("truncated")?,
        };
        Ok((RunId(row.get("run")?), stats))
    })?;
    rows.collect()
}

pub(super) fn missing(connection: &Connection) -> Result<Vec<MissingTemplate>> {
    let mut query = connection.prepare_cached("SELECT * FROM missing_templates")?;
    let rows = query.query_map((), |row| {
        let (address, domain, version) = accounts::identity(row)?;
        Ok(MissingTemplate {
            address,
            domain,
            version,
            template: TemplateId(row.get("id")?),
            since: Timestamp(row.get("since_ms")?),
            last: Timestamp(row.get("last_ms")?),
            sets: counted(row.get("sets")?),
        })
    })?;
    rows.collect()
}

//! What exporters call their interfaces, applications and VRFs, in the database.
//!
//! A name outlives the run that heard it, since the next one may wait long for it to come again. It makes no name fit
//! for a terminal; the collector did. The input is the names of the accounts.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Result, params};

use crate::collector::options::FACTS;
use crate::collector::options::names::{NameKind, Names};
use crate::collector::stats::ExporterNames;
use crate::store::accounts::{self, Identity, RunId};

/// The table. The rows of an exporter go with it.
pub(super) const TABLE: &str = "
    CREATE TABLE exporter_names (
        exporter INTEGER NOT NULL, -- exporters.id
        kind     INTEGER NOT NULL, -- 1 interface, 2 application, 3 VRF
        id       INTEGER NOT NULL, -- the 64 bits as a signed number
        name     TEXT NOT NULL,
        run      INTEGER NOT NULL, -- collector_runs.id of the run that heard it first or heard it change
        PRIMARY KEY (exporter, kind, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER exporter_names_go AFTER DELETE ON exporters BEGIN
        DELETE FROM exporter_names WHERE exporter = old.id;
    END;
";

/// The names that the database has already; as many exporters as the collector knows.
#[derive(Debug, Default)]
pub(super) struct Written(HashMap<Identity, Arc<Names>>);

impl Written {
    /// Writes the names that changed since the last transaction that was committed.
    pub(super) fn save(&self, connection: &Connection, run: RunId, exporters: &[ExporterNames]) -> Result<()> {
        for exporter in exporters {
            let written = self.0.get(&identity(exporter));
            if !written.is_some_and(|names| Arc::ptr_eq(names, &exporter.names)) {
                save(connection, run, exporter, written.map(Arc::as_ref))?;
            }
        }
        Ok(())
    }

    /// Remembers what was committed; what the collector no longer knows is forgotten.
    pub(super) fn committed(&mut self, exporters: &[ExporterNames]) {
        self.0.clear();
        self.0.extend(exporters.iter().map(|exporter| (identity(exporter), Arc::clone(&exporter.names))));
    }
}

const fn identity(exporter: &ExporterNames) -> Identity {
    (exporter.address, exporter.domain, exporter.version)
}

fn save(connection: &Connection, run: RunId, exporter: &ExporterNames, written: Option<&Names>) -> Result<()> {
    let mut find =
        connection.prepare_cached("SELECT id FROM exporters WHERE address = ?1 AND domain = ?2 AND version = ?3")?;
    let (address, domain) = (exporter.address.to_string(), exporter.domain.0);
    let row: i64 = find.query_row((address, domain, exporter.version.number()), |row| row.get(0))?;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO exporter_names (exporter, kind, id, name, run) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET name = excluded.name, run = excluded.run",
    )?;
    for (kind, id, name) in exporter.names.iter() {
        if written.and_then(|written| written.find(kind, id)) != Some(name) {
            upsert.execute(params![row, kind as u8, id.cast_signed(), name, run.0])?;
        }
    }
    // An exporter that renumbers what it has at each start: this run's names stay, the others go.
    let mut bound = connection.prepare_cached(
        "DELETE FROM exporter_names WHERE exporter = ?1 AND run <> ?2
         AND ?3 < (SELECT count(*) FROM exporter_names WHERE exporter = ?1)",
    )?;
    bound.execute(params![row, run.0, i64::try_from(FACTS).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// All names, by exporter.
pub(super) fn read(connection: &Connection) -> Result<Vec<ExporterNames>> {
    let mut query = connection.prepare_cached(
        "SELECT e.address, e.domain, e.version, n.kind, n.id AS name_id, n.name
         FROM exporter_names AS n JOIN exporters AS e ON e.id = n.exporter ORDER BY n.exporter",
    )?;
    let mut rows = query.query(())?;
    let mut exporters: Vec<ExporterNames> = Vec::new();
    while let Some(row) = rows.next()? {
        let of = accounts::identity(row)?;
        if exporters.last().is_none_or(|last| identity(last) != of) {
            let (address, domain, version) = of;
            exporters.push(ExporterNames { address, domain, version, names: Arc::default() });
        }
        let kind: u8 = row.get("kind")?;
        let kind = NameKind::ALL.into_iter().find(|known| *known as u8 == kind);
        if let (Some(kind), Some(exporter)) = (kind, exporters.last_mut()) {
            let id = row.get::<_, i64>("name_id")?.cast_unsigned();
            Arc::make_mut(&mut exporter.names).insert(kind, id, row.get("name")?);
        }
    }
    exporters.sort_unstable_by_key(identity);
    Ok(exporters)
}

//! The accounts of the newest run as its collector had them: what a screen of its own would show.
//!
//! It judges nothing. What is not stored stays empty: octets in use, sets by their fate, the version of what was foreign,
//! and what the collector's own screen passed over, which is no matter of another one.

use rusqlite::{Connection, Result};

use crate::collector::stats::{Barred, Health};
use crate::store::accounts::{self, Run};
use crate::store::troubles::Kind;
use crate::store::{exporter_names, troubles};

/// `None` before the first run has written anything.
pub(super) fn read(connection: &Connection) -> Result<Option<(Run, Health)>> {
    let Some(run) = accounts::runs(connection, 1)?.into_iter().next() else { return Ok(None) };
    let sockets = troubles::sockets(connection)?.into_iter().filter(|(of, _)| *of == run.id);
    // Counters of the others are of other runs.
    let accounts = accounts::exporters(connection)?.into_iter().filter(|account| account.run == Some(run.id));
    let health = Health {
        totals: run.totals,
        sockets: sockets.map(|(_, stats)| stats).collect(),
        barred: barred(connection, run)?,
        exporters: accounts.map(|account| account.stats).collect(),
        missing: troubles::missing(connection)?,
        names: exporter_names::read(connection)?,
        ..Health::default()
    };
    Ok(Some((run, health)))
}

fn barred(connection: &Connection, run: Run) -> Result<Barred> {
    let mut troubles = troubles::troubles(connection)?.into_iter();
    let barred = troubles.find(|trouble| trouble.kind == Kind::Barred && trouble.run == run.id);
    Ok(barred.map_or_else(Barred::default, |trouble| Barred { datagrams: trouble.count, last: trouble.who }))
}

//! Retention of the roll-ups: minutes go after some days, hours after some years.
//!
//! It deletes no raw row and begins no transaction. Its input is the time before which nothing is wanted.

use rusqlite::{Connection, Result, params};

use crate::flow::Timestamp;
use crate::store::keys::RowKey;
use crate::store::rollup::{Dimension, Grain};

/// Before what everything derived from raw rows may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Before {
    pub(in crate::store) minute: Timestamp,
    pub(in crate::store) hour: Timestamp,
    /// Blocks of the skip index go with their rows.
    pub(in crate::store) row: RowKey,
}

/// Deletes whole buckets, oldest first, until at least `budget` rows are gone; returns how many.
pub(in crate::store) fn rollups(connection: &Connection, before: Before, budget: usize) -> Result<usize> {
    let mut gone = 0;
    for dimension in Dimension::ALL {
        for (grain, bucket) in
            [(Grain::Minute, before.minute.0.div_euclid(60_000)), (Grain::Hour, before.hour.0.div_euclid(3_600_000))]
        {
            for table in ["rollup", "rollup_rest"] {
                let mut oldest = connection.prepare_cached(&format!(
                    "SELECT min(bucket) FROM {table} WHERE dimension = ?1 AND grain = ?2 AND bucket < ?3"
                ))?;
                let mut delete = connection.prepare_cached(&format!(
                    "DELETE FROM {table} WHERE dimension = ?1 AND grain = ?2 AND bucket = ?3"
                ))?;
                while gone < budget {
                    let place = params![dimension as u8, grain as u8, bucket];
                    let Some(oldest) = oldest.query_row(place, |row| row.get::<_, Option<i64>>(0))? else { break };
                    gone += delete.execute(params![dimension as u8, grain as u8, oldest])?;
                }
            }
        }
    }
    Ok(gone)
}

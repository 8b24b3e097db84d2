//! Flows of older files, brought into the layout of this version.
//!
//! A file may hold many times what a transaction should, so that a migration only puts the older table aside; what stands
//! in it is brought over in chunks. It knows the columns of older tables, and `packed` those of this version.

use rusqlite::{Connection, TransactionBehavior};

/// Hears how many flows of an older file are brought into the layout of this version, and how many of them have been.
pub(in crate::store) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// An older table of flows, and its rows as those of this version.
pub(super) struct Older {
    pub(super) table: &'static str,
    src: &'static str,
    dst: &'static str,
    /// Ports and traits.
    path: &'static str,
    /// Both autonomous systems, as `a` and `b`.
    systems: &'static str,
}

/// In the order of their rows: of a file of version 12 that was not brought over whole, the newer ones are as in version 11.
pub(super) static OLDER: [Older; 2] = [
    // Version 12: exporter and sampling, times and interfaces are apart.
    Older {
        table: "flows_12",
        src: "src",
        dst: "dst",
        path: "ports, traits",
        systems: "(systems >> 32) & 4294967295 AS a, systems & 4294967295 AS b",
    },
    // Up to version 11: one value per column, and addresses without a sign.
    Older {
        table: "unpacked",
        src: "CASE typeof(src) WHEN 'integer' THEN (src << 32) >> 32 ELSE src END",
        dst: "CASE typeof(dst) WHEN 'integer' THEN (dst << 32) >> 32 ELSE dst END",
        path: "(((src_port << 16) | dst_port) << 32) >> 32,
            protocol | ((tcp_flags & 255) << 8) | (direction << 16) | (time_source << 18) | (tos << 21) | (icmp << 29)
                | ((tcp_flags >> 8) << 45)",
        systems: "src_as AS a, dst_as AS b",
    },
];

impl Older {
    /// The columns of `flows` in their order, `FROM` the older table.
    pub(super) fn select(&self) -> String {
        let Self { table, src, dst, path, systems } = self;
        let both = |a: &str, b: &str| {
            format!("({a} & 65535) | (({b} & 65535) << 16) | (({a} >> 16) << 32) | (({b} >> 16) << 48)")
        };
        format!(
            "SELECT {src}, {dst}, {path},
                 CASE WHEN exporter BETWEEN 0 AND 1048575 THEN sampling << 20 | exporter
                 ELSE exporter || ' ' || sampling END,
                 CASE WHEN last_ago BETWEEN -4194304 AND 4194303 AND first_ago - last_ago BETWEEN 0 AND 549755813887
                 THEN (first_ago - last_ago) << 23 | (last_ago + 4194304)
                 ELSE first_ago || ' ' || last_ago END,
                 bytes, packets, {}, {}, id
             FROM (SELECT *, {systems} FROM {table})",
            both("in_if", "out_if"),
            both("a", "b"),
        )
    }
}

/// Flows that one transaction brings over.
const REPACKED: i64 = 200_000;

/// Brings the flows of an older file over, the oldest first, and frees their space as it goes. Cut short, it goes on where
/// it was when the file is opened for writing again; until then nobody else reads the file.
pub(super) fn repack(connection: &mut Connection, progress: Progress<'_>) -> rusqlite::Result<()> {
    let mut all = 0;
    for Older { table, .. } in waiting(connection)? {
        all += connection.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get::<_, i64>(0))?;
    }
    let mut done = 0;
    for older in waiting(connection)? {
        let table = older.table;
        while let Some(last) = chunk(connection, table)? {
            progress(all.unsigned_abs(), done);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(&format!("INSERT INTO flows {} WHERE id <= ?1 ORDER BY id", older.select()), [last])?;
            done += transaction.execute(&format!("DELETE FROM {table} WHERE id <= ?1"), [last])? as u64;
            transaction.commit()?;
        }
        connection.execute_batch(&format!("DROP TABLE {table}"))?;
    }
    Ok(())
}

/// The last one of those that the next transaction brings over.
fn chunk(connection: &Connection, table: &str) -> rusqlite::Result<Option<i64>> {
    let last = format!("SELECT max(id) FROM (SELECT id FROM {table} ORDER BY id LIMIT ?1)");
    connection.query_row(&last, [REPACKED], |row| row.get(0))
}

/// The tables of older versions whose flows wait to be brought over.
fn waiting(connection: &Connection) -> rusqlite::Result<Vec<&'static Older>> {
    let mut there =
        connection.prepare("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)")?;
    let mut waiting = Vec::new();
    for older in &OLDER {
        if there.query_row([older.table], |row| row.get(0))? {
            waiting.push(older);
        }
    }
    Ok(waiting)
}

/// Whether flows of an older file wait to be brought over.
pub(in crate::store) fn is_half_way(connection: &Connection) -> rusqlite::Result<bool> {
    waiting(connection).map(|waiting| !waiting.is_empty())
}

#[cfg(test)]
pub(in crate::store) mod tests;

//! The tables that are made from the raw rows and could be made again: roll-ups, the skip index, and how far they reach.
//!
//! It writes no row; `index`, `rollup` and `blocks` do.

use crate::store::schema::address_text;

/// Counters are as reported; `more_*` is what sampling adds to them for an estimate, so that it takes no octet where
/// nothing is sampled. `back_*` is the other direction, 0 for dimensions that have none.
pub(super) const TABLES: &str = "
    CREATE TABLE rollup (
        dimension         INTEGER NOT NULL, -- 0 conversation, 1 host, 2 service, 3 protocol, 4 in, 5 out interface
        grain             INTEGER NOT NULL, -- 0 minutes, 1 hours
        bucket            INTEGER NOT NULL, -- minutes or hours since 1970 by the time of the flows
        a                 ANY NOT NULL,     -- the lower address, the host, or exporters.id; else 0
        b                 ANY NOT NULL,     -- the higher address; else 0
        c                 INTEGER NOT NULL, -- protocol << 16 | port, protocol, or interface; else 0
        bytes             INTEGER NOT NULL, -- from a to b; sent by the host; else all of it
        packets           INTEGER NOT NULL,
        flows             INTEGER NOT NULL, -- flows that ended in the bucket
        more_bytes        INTEGER NOT NULL,
        more_packets      INTEGER NOT NULL,
        back_bytes        INTEGER NOT NULL,
        back_packets      INTEGER NOT NULL,
        back_flows        INTEGER NOT NULL,
        back_more_bytes   INTEGER NOT NULL,
        back_more_packets INTEGER NOT NULL,
        missed_bytes      INTEGER NOT NULL, -- at most so much went into rollup_rest before this row was made
        missed_packets    INTEGER NOT NULL,
        missed_flows      INTEGER NOT NULL,
        PRIMARY KEY (dimension, grain, bucket, a, b, c)
    ) STRICT, WITHOUT ROWID;

    -- What found no room among the largest of its bucket. No key has more in it than the floors say.
    CREATE TABLE rollup_rest (
        dimension         INTEGER NOT NULL,
        grain             INTEGER NOT NULL,
        bucket            INTEGER NOT NULL,
        bytes             INTEGER NOT NULL,
        packets           INTEGER NOT NULL,
        flows             INTEGER NOT NULL,
        more_bytes        INTEGER NOT NULL,
        more_packets      INTEGER NOT NULL,
        back_bytes        INTEGER NOT NULL,
        back_packets      INTEGER NOT NULL,
        back_flows        INTEGER NOT NULL,
        back_more_bytes   INTEGER NOT NULL,
        back_more_packets INTEGER NOT NULL,
        floor_bytes       INTEGER NOT NULL, -- estimated, both directions together
        floor_packets     INTEGER NOT NULL,
        floor_flows       INTEGER NOT NULL,
        PRIMARY KEY (dimension, grain, bucket)
    ) STRICT, WITHOUT ROWID;

    -- Blocks of raw rows. Those with late = 0 follow each other without a gap; those with late = 1 hold rows whose key
    -- was given when their place in time was indexed already, and overlap with others.
    CREATE TABLE blocks (
        id       INTEGER PRIMARY KEY,
        late     INTEGER NOT NULL,
        rows     INTEGER NOT NULL,
        first    INTEGER NOT NULL, -- flows.id, both ends included
        last     INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, -- by the time of the flows
        last_ms  INTEGER NOT NULL
    ) STRICT;

    -- What occurs in a block: 16 Bloom filters of it, each for a sixteenth of the tokens. A token is looked for in one
    -- sixteenth of all blocks, and these stand together.
    CREATE TABLE block_filters (
        id     INTEGER PRIMARY KEY, -- part << 48 | blocks.id
        filter BLOB NOT NULL
    ) STRICT;

    -- One row. Raw rows beyond it are made part of the roll-ups and of a block when a collector runs.
    CREATE TABLE derived (
        id      INTEGER PRIMARY KEY CHECK (id = 0),
        rolled  INTEGER NOT NULL, -- flows.id up to which the roll-ups reach
        blocked INTEGER NOT NULL  -- flows.id up to which blocks reach
    ) STRICT;
    INSERT INTO derived VALUES (0, -9223372036854775808, -9223372036854775808);

    -- Runs of keys that were given at or below one of these two marks since the roll-ups were written.
    CREATE TABLE late (
        first INTEGER PRIMARY KEY, -- flows.id, both ends included
        last  INTEGER NOT NULL
    ) STRICT;
";

/// From when on roll-ups tell who reports a conversation. What an older program made of rows tells nobody, and a row may be
/// booked up to a day after it came.
pub(super) const REPORTED: &str = "
    ALTER TABLE derived ADD COLUMN reported INTEGER NOT NULL DEFAULT 0; -- ms since 1970
    UPDATE derived SET reported = CASE WHEN rolled < 0 THEN 0 ELSE (rolled >> 20) + 86400000 END;
";

/// One view per dimension, made anew like `flow`.
pub(super) fn views() -> String {
    let service = "c >> 16 AS protocol, c & 65535 AS port";
    let exporter = "(SELECT address FROM exporters AS e WHERE e.id = a) AS exporter, \
                    (SELECT domain FROM exporters AS e WHERE e.id = a) AS domain, c AS interface";
    let reported = "(c & 4294967295) >> 16 AS protocol, c & 65535 AS port, \
                    (SELECT address FROM exporters AS e WHERE e.id = c >> 32) AS exporter, \
                    (SELECT domain FROM exporters AS e WHERE e.id = c >> 32) AS domain";
    let (low, high) = (address_text("a"), address_text("b"));
    [
        ("rollup_conversations", 0, format!("{low} AS a_ip, {high} AS b_ip, {service}"), true),
        ("rollup_hosts", 1, format!("{low} AS ip"), true),
        ("rollup_services", 2, service.to_owned(), false),
        ("rollup_protocols", 3, "c AS protocol".to_owned(), false),
        ("rollup_in_interfaces", 4, exporter.to_owned(), false),
        ("rollup_out_interfaces", 5, exporter.to_owned(), false),
        ("rollup_reported", 6, format!("{low} AS a_ip, {high} AS b_ip, {reported}"), true),
    ]
    .map(|(name, dimension, key, two_way)| {
        let back = if two_way { back() } else { "" };
        format!(
            "DROP VIEW IF EXISTS {name};
             CREATE VIEW {name} AS SELECT CASE grain WHEN 0 THEN 'minute' ELSE 'hour' END AS grain,
             bucket * CASE grain WHEN 0 THEN 60000 ELSE 3600000 END AS from_ms, {key}, bytes, packets, flows,
             bytes + more_bytes AS est_bytes, packets + more_packets AS est_packets {back}
             FROM rollup WHERE dimension = {dimension};"
        )
    })
    .concat()
}

const fn back() -> &'static str {
    ", back_bytes, back_packets, back_flows, back_bytes + back_more_bytes AS back_est_bytes,
     back_packets + back_more_packets AS back_est_packets"
}

//! The layout of the file: its tables by version, and the view for people.
//!
//! It writes no flow and reads none; `row` does. Its input is an open connection.
//!
//! Two laws for `MIGRATIONS`: an entry is never removed or changed once a release had it, and no entry makes a file
//! unreadable that was readable before. The views are made anew after the last entry, so a change of a view alone takes
//! an empty entry.

mod derived;
pub(super) mod older;

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::store::keys::RowKey;
use crate::store::schema::older::{Progress, repack};
use crate::store::{Action, Error, exporter_names, insertions, notes, packed, troubles};

/// Entry `n` brings a file from version `n` to `n + 1`; `PRAGMA user_version` holds the version.
pub(super) const MIGRATIONS: &[&str] = &[
    V1,
    V2,
    V3,
    exporter_names::TABLE,
    V5,
    derived::TABLES,
    troubles::TABLES,
    notes::TABLE,
    insertions::TABLE,
    V10,
    derived::REPORTED,
    V12,
    V13,
];

/// The version of files that have no roll-ups yet.
#[cfg(test)]
pub(super) const WITHOUT_DERIVED: usize = 5;

/// The version that this program writes and reads.
#[expect(clippy::cast_possible_truncation, reason = "a handful of entries")]
pub const SUPPORTED: u32 = MIGRATIONS.len() as u32;

/// `FLGL`, by which `file` and this program know the file.
pub(super) const APPLICATION_ID: i32 = 0x464c_474c;

/// Integers 0 and 1 take no octet of payload in SQLite, so zero is the value for "unknown". `flows` is as [`V13`] has it.
pub(super) const V1: &str = "
    CREATE TABLE flows (
        id          INTEGER PRIMARY KEY, -- received_ms << 20 | n, n counting the flows of a millisecond
        exporter    INTEGER NOT NULL,    -- exporters.id
        first_ago   INTEGER NOT NULL,    -- ms before received; negative when the exporter's clock is ahead
        last_ago    INTEGER NOT NULL,
        src         ANY NOT NULL,        -- IPv4: INTEGER, IPv6: BLOB of 16 octets
        dst         ANY NOT NULL,
        src_port    INTEGER NOT NULL,
        dst_port    INTEGER NOT NULL,
        protocol    INTEGER NOT NULL,
        tcp_flags   INTEGER NOT NULL,
        tos         INTEGER NOT NULL,
        icmp        INTEGER NOT NULL,    -- type << 8 | code
        direction   INTEGER NOT NULL,    -- 0 unknown, 1 ingress, 2 egress
        bytes       INTEGER NOT NULL,    -- as reported, not scaled by the sampling rate
        packets     INTEGER NOT NULL,
        sampling    INTEGER NOT NULL,    -- rate << 8 | kind << 4 | source
        in_if       INTEGER NOT NULL,
        out_if      INTEGER NOT NULL,
        src_as      INTEGER NOT NULL,
        dst_as      INTEGER NOT NULL,
        time_source INTEGER NOT NULL     -- 0 absolute, 1 delta, 2 uptime, 3 event, 4 export
    ) STRICT;

    -- Only for flows that have any of it.
    CREATE TABLE details (
        id           INTEGER PRIMARY KEY, -- flows.id
        next_hop     ANY,                 -- addresses as in flows, NULL when unknown
        src_mask     INTEGER NOT NULL,
        dst_mask     INTEGER NOT NULL,
        vlan         INTEGER NOT NULL,
        post_vlan    INTEGER NOT NULL,
        src_mac      INTEGER NOT NULL,    -- 48 bits, 0 when unknown
        dst_mac      INTEGER NOT NULL,
        nat_src      ANY,
        nat_dst      ANY,
        nat_src_port INTEGER NOT NULL,
        nat_dst_port INTEGER NOT NULL,
        event        INTEGER NOT NULL,
        end_reason   INTEGER NOT NULL,
        forwarding   INTEGER NOT NULL,
        mpls         INTEGER NOT NULL,
        application  INTEGER NOT NULL,    -- the 64 bits as a signed number
        vrf          INTEGER NOT NULL,
        reverse      INTEGER NOT NULL     -- 1 for the answering half of a two-way record
    ) STRICT;

    -- Counters are those of the collector run that wrote them last, and begin at 0 with each run.
    CREATE TABLE exporters (
        id                 INTEGER PRIMARY KEY,
        address            TEXT NOT NULL,
        domain             INTEGER NOT NULL,
        version            INTEGER NOT NULL, -- 1, 5, 7, 9, 10, or 105 for sFlow 5
        run                INTEGER,          -- collector_runs.id, NULL before the first accounts
        first_seen_ms      INTEGER NOT NULL,
        last_seen_ms       INTEGER NOT NULL,
        clock_skew_ms      INTEGER NOT NULL DEFAULT 0,
        sampling           INTEGER NOT NULL DEFAULT 0,
        datagrams          INTEGER NOT NULL DEFAULT 0,
        octets             INTEGER NOT NULL DEFAULT 0,
        records            INTEGER NOT NULL DEFAULT 0,
        flows              INTEGER NOT NULL DEFAULT 0,
        options_records    INTEGER NOT NULL DEFAULT 0,
        meaningless        INTEGER NOT NULL DEFAULT 0,
        templates          INTEGER NOT NULL DEFAULT 0,
        template_records   INTEGER NOT NULL DEFAULT 0,
        redefined          INTEGER NOT NULL DEFAULT 0,
        rejected_templates INTEGER NOT NULL DEFAULT 0,
        withdrawals        INTEGER NOT NULL DEFAULT 0,
        borrowed           INTEGER NOT NULL DEFAULT 0,
        waiting            INTEGER NOT NULL DEFAULT 0,
        expired            INTEGER NOT NULL DEFAULT 0,
        overruns           INTEGER NOT NULL DEFAULT 0,
        reserved           INTEGER NOT NULL DEFAULT 0,
        malformed          INTEGER NOT NULL DEFAULT 0,
        lost               INTEGER NOT NULL DEFAULT 0,
        reordered          INTEGER NOT NULL DEFAULT 0,
        restarts           INTEGER NOT NULL DEFAULT 0,
        trailing           INTEGER NOT NULL DEFAULT 0,
        counter_samples    INTEGER NOT NULL DEFAULT 0,
        sampler_drops      INTEGER NOT NULL DEFAULT 0,
        UNIQUE (address, domain, version)
    ) STRICT;

    -- One row per run of a collector; between last_alive_ms and the next started_ms nobody listened.
    CREATE TABLE collector_runs (
        id             INTEGER PRIMARY KEY,
        pid            INTEGER NOT NULL,
        program        TEXT NOT NULL,       -- its version
        started_ms     INTEGER NOT NULL,
        last_alive_ms  INTEGER NOT NULL,
        ended_ms       INTEGER,             -- NULL while it runs, and for ever when it was killed
        datagrams      INTEGER NOT NULL,
        octets         INTEGER NOT NULL,
        decoded        INTEGER NOT NULL,
        malformed      INTEGER NOT NULL,
        other_protocol INTEGER NOT NULL,    -- datagrams of no protocol that is read
        refused        INTEGER NOT NULL,
        flows          INTEGER NOT NULL,
        waiting        INTEGER NOT NULL,
        expired        INTEGER NOT NULL,
        lost           INTEGER NOT NULL,
        kernel_dropped INTEGER NOT NULL,    -- datagrams that found the socket buffers full
        dropped_flows  INTEGER NOT NULL     -- flows that found the write buffer full
    ) STRICT;
";

/// Rows are replaced all at once, and there are never more than `collector::templates::STORED`.
const V2: &str = "
    -- Templates of v9 and IPFIX as the collector last knew them, which its next run begins with.
    CREATE TABLE templates (
        address     TEXT NOT NULL,
        domain      INTEGER NOT NULL,
        version     INTEGER NOT NULL, -- 9 or 10
        id          INTEGER NOT NULL, -- from 256
        scopes      INTEGER NOT NULL, -- how many fields from the front are scope; 0 for a template of flows
        received_ms INTEGER NOT NULL, -- when it last came, repetitions included; up to a minute late
        fields      TEXT NOT NULL,    -- element:length …; a vendor's is pen/element:length, a scope of v9 sN:length
        PRIMARY KEY (address, domain, version, id)
    ) STRICT, WITHOUT ROWID;
";

/// What exporters say of themselves; NULL when they never did.
const V3: &str = "
    ALTER TABLE exporters ADD COLUMN exported_octets INTEGER;
    ALTER TABLE exporters ADD COLUMN exported_messages INTEGER;
    ALTER TABLE exporters ADD COLUMN exported_flows INTEGER;
    ALTER TABLE exporters ADD COLUMN observed_flows INTEGER;
    ALTER TABLE exporters ADD COLUMN ignored_packets INTEGER;
    ALTER TABLE exporters ADD COLUMN ignored_octets INTEGER;
    ALTER TABLE exporters ADD COLUMN not_sent_flows INTEGER;
    ALTER TABLE exporters ADD COLUMN not_sent_packets INTEGER;
    ALTER TABLE exporters ADD COLUMN not_sent_octets INTEGER;
    ALTER TABLE exporters ADD COLUMN active_timeout_s INTEGER;
    ALTER TABLE exporters ADD COLUMN idle_timeout_s INTEGER;
    ALTER TABLE exporters ADD COLUMN unknown_elements INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE exporters ADD COLUMN refused_facts INTEGER NOT NULL DEFAULT 0;
";
/// Flows that a run deleted, since they were older or more than may be kept.
const V5: &str = "ALTER TABLE collector_runs ADD COLUMN pruned_flows INTEGER NOT NULL DEFAULT 0";

/// Takes the types away from the columns of flows: SQLite would test each value of each row against its own, a fifth of
/// the work of a row, and `row` binds nothing else. No octet of a row changes with them (`lang_altertable`, section 7).
const V10: &str = "
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(replace(replace(replace(
        sql, ' INTEGER NOT NULL', ''), ' ANY NOT NULL', ''), ' ANY,', ','), ') STRICT', ')')
    WHERE type = 'table' AND name IN ('flows', 'details');
    PRAGMA writable_schema = RESET;
";

/// Flows in fewer columns, see [`packed`]: a row takes a sixth less of the disk and of the time to write it. They are in
/// the order in which `row` binds them. That the key is the last one lets SQLite make each row where its values are.
///
/// What is there is brought over by [`older`], since a file may hold many times what a transaction should.
const V12: &str = "
    DROP VIEW IF EXISTS flow;
    ALTER TABLE flows RENAME TO unpacked;
    CREATE TABLE flows (
        src,       -- IPv4: 32 bits as a signed INTEGER, IPv6: BLOB of 16 octets
        dst,
        ports,     -- src_port << 16 | dst_port, 32 bits as a signed INTEGER
        traits,    -- protocol | tcp_flags & 255 << 8 | direction << 16 | time_source << 18 | tos << 21 | icmp << 29
                   -- | tcp_flags >> 8 << 45
        exporter,  -- exporters.id
        first_ago, -- ms before received; negative when the exporter's clock is ahead
        last_ago,
        bytes,     -- as reported, not scaled by the sampling rate
        packets,
        sampling,  -- rate << 8 | kind << 4 | source
        in_if,
        out_if,
        systems,   -- src_as << 32 | dst_as, 64 bits as a signed INTEGER
        id INTEGER PRIMARY KEY -- received_ms << 20 | n, n counting the flows of a millisecond
    );
";

/// Flows in still fewer columns: what exporters say of two interfaces or systems is one number, and so are the times of a
/// flow, and its exporter with how that counted. What is there is brought over by [`older`].
const V13: &str = "
    DROP VIEW IF EXISTS flow;
    ALTER TABLE flows RENAME TO flows_12;
    CREATE TABLE flows (
        src,        -- IPv4: 32 bits as a signed INTEGER, IPv6: BLOB of 16 octets
        dst,
        ports,      -- src_port << 16 | dst_port, 32 bits as a signed INTEGER
        traits,     -- protocol | tcp_flags & 255 << 8 | direction << 16 | time_source << 18 | tos << 21 | icmp << 29
                    -- | tcp_flags >> 8 << 45
        origin,     -- sampling << 20 | exporters.id, sampling being rate << 8 | kind << 4 | source; as TEXT 'id sampling'
                    -- where the id is larger
        times,      -- first_ago - last_ago << 23 | last_ago + 4194304, in ms before received, negative when the exporter's
                    -- clock is ahead; as TEXT 'first_ago last_ago' where they do not fit
        bytes,      -- as reported, not scaled by the sampling rate
        packets,
        interfaces, -- in_if & 65535 | (out_if & 65535) << 16 | (in_if >> 16) << 32 | (out_if >> 16) << 48
        systems,    -- src_as and dst_as in the same way
        id INTEGER PRIMARY KEY -- received_ms << 20 | n, n counting the flows of a millisecond
    );
";

/// Octets to which the write-ahead log is cut when it was longer.
pub(super) const JOURNAL_LIMIT: u64 = 64 << 20;

/// Brings the file to the version of this program.
pub(super) fn migrate(connection: &mut Connection, path: &Path, progress: Progress<'_>) -> Result<(), Error> {
    let found = check(connection, path)?;
    let failed = |source| Error::Sqlite { action: Action::Open, path: path.to_owned(), source };
    prepare(connection).and_then(|()| upgrade(connection, found)).map_err(failed)?;
    repack(connection, progress).map_err(failed)
}

/// Returns the version of the file, 0 for an empty one, and refuses what this program must not touch.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<u32, Error> {
    let (application, found, tables) = connection
        .query_row(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
            (),
            |row| Ok((row.get::<_, i32>(0)?, row.get::<_, i32>(1)?, row.get::<_, i64>(2)?)),
        )
        .map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Error::NotADatabase { path: path.to_owned() },
            _ => Error::Sqlite { action: Action::Open, path: path.to_owned(), source },
        })?;
    if (application, found, tables) == (0, 0, 0) {
        return Ok(0);
    }
    match u32::try_from(found) {
        Ok(found) if application == APPLICATION_ID && found <= SUPPORTED => Ok(found),
        Ok(found) if application == APPLICATION_ID => {
            Err(Error::NewerSchema { path: path.to_owned(), found, supported: SUPPORTED })
        }
        _ => Err(Error::Foreign { path: path.to_owned() }),
    }
}

/// The first two settings are fixed by the first table, and page size by the switch to WAL: the order matters.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", 16_384)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In KiB: what a batch of 250,000 flows touches stays in memory until it is committed. More would only be older pages,
    // which nobody asks for again.
    connection.pragma_update(None, "cache_size", -16384)?;
    // In octets: a batch that made the WAL huge does not keep it huge.
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT.cast_signed())
}

fn upgrade(connection: &mut Connection, found: u32) -> rusqlite::Result<()> {
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        if version == SUPPORTED {
            transaction.execute_batch("DROP VIEW IF EXISTS flow")?;
            transaction.execute_batch(&view())?;
            transaction.execute_batch(&derived::views())?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The view `flow`: every column readable with nothing but SQLite's own functions.
///
/// What stands in other tables is fetched by a subquery per column, not by joins: SQLite leaves out a subquery whose
/// column nobody asks for, but keeps a `LEFT JOIN` in every aggregate, at three times the cost.
///
/// `received_ms` is computed; a condition on it reads the whole table. One on `id` is a key range:
/// `WHERE unixepoch('now', '-1 hour') * 1000 << 20 <= id`.
fn view() -> String {
    let (shift, sampling) = (RowKey::SHIFT, packed::SAMPLING);
    let exporter = |column: &str| format!("(SELECT {column} FROM exporters AS e WHERE e.id = {})", packed::EXPORTER);
    let rare = |expression: &str| format!("(SELECT {expression} FROM details AS d WHERE d.id = f.id)");
    let mut columns = vec![
        ("id", "f.id".to_owned()),
        ("received_ms", format!("f.id >> {shift}")),
        ("first_ms", format!("(f.id >> {shift}) - {}", packed::FIRST_AGO)),
        ("last_ms", format!("(f.id >> {shift}) - {}", packed::LAST_AGO)),
        ("exporter", exporter("e.address")),
        ("domain", exporter("e.domain")),
        ("version", exporter("e.version")),
        ("src_ip", address_text("f.src")),
        ("dst_ip", address_text("f.dst")),
    ];
    for (column, stored) in [
        ("src_port", packed::SRC_PORT),
        ("dst_port", packed::DST_PORT),
        ("protocol", packed::PROTOCOL),
        ("tcp_flags", packed::TCP_FLAGS),
        ("tos", packed::TOS),
        ("icmp", packed::ICMP),
    ] {
        columns.push((column, number(stored)));
    }
    columns.extend([
        ("direction", one_of(packed::DIRECTION, &["unknown", "ingress", "egress"])),
        ("bytes", number("f.bytes")),
        ("packets", number("f.packets")),
        ("sampling", format!("({sampling}) >> 8")),
        ("sampling_kind", one_of(&format!("(({sampling}) >> 4) & 15"), &["packet", "flow"])),
        (
            "sampling_source",
            one_of(&format!("({sampling}) & 15"), &["none", "record", "options", "header", "operator"]),
        ),
    ]);
    for (column, stored) in
        [("in_if", packed::IN_IF), ("out_if", packed::OUT_IF), ("src_as", packed::SRC_AS), ("dst_as", packed::DST_AS)]
    {
        columns.push((column, number(stored)));
    }
    columns.push(("time_source", one_of(packed::TIME_SOURCE, &["absolute", "delta", "uptime", "event", "export"])));
    for (column, stored) in [("next_hop", "d.next_hop"), ("nat_src_ip", "d.nat_src"), ("nat_dst_ip", "d.nat_dst")] {
        columns.push((column, rare(&address_text(stored))));
    }
    for (column, stored) in [("src_mac", "d.src_mac"), ("dst_mac", "d.dst_mac")] {
        columns.push((column, rare(&mac_text(stored))));
    }
    for column in RARE_NUMBERS {
        columns.push((column, format!("ifnull({}, 0)", rare(&format!("d.{column}")))));
    }
    let columns: Vec<String> = columns.into_iter().map(|(name, sql)| format!("{sql} AS {name}")).collect();
    format!("CREATE VIEW flow AS SELECT\n    {}\nFROM flows AS f", columns.join(",\n    "))
}

/// Columns of `details` that the view shows as they are, and as 0 for flows without a row there.
const RARE_NUMBERS: [&str; 13] = [
    "src_mask",
    "dst_mask",
    "vlan",
    "post_vlan",
    "nat_src_port",
    "nat_dst_port",
    "event",
    "end_reason",
    "forwarding",
    "mpls",
    "application",
    "vrf",
    "reverse",
];

/// A number with a type for people's programs, so that `'443'` is found as well as 443.
fn number(stored: &str) -> String {
    format!("CAST({stored} AS INTEGER)")
}

fn one_of(number: &str, names: &[&str]) -> String {
    let cases: String = names.iter().zip(0..).map(|(name, value)| format!(" WHEN {value} THEN '{name}'")).collect();
    format!("CASE {number}{cases} END")
}

/// SQL that writes an address: dotted for an integer, RFC 5952 for octets, NULL for NULL.
pub(super) fn address_text(column: &str) -> String {
    let octets: Vec<String> = [24, 16, 8, 0].iter().map(|shift| format!("({column} >> {shift}) & 255")).collect();
    format!(
        "CASE typeof({column}) WHEN 'integer' THEN printf('%d.%d.%d.%d', {}) WHEN 'blob' THEN {} END",
        octets.join(", "),
        ipv6_text(column),
    )
}

/// SQL that writes 16 octets as [`std::net::Ipv6Addr`] does, IPv4-mapped ones as `::ffff:192.0.2.1`.
///
/// `h` is the address in hex. `s` is its groups without leading zeros, each between colons, so that a run of zero
/// groups is one of the texts `:0:0:`, `:0:0:0:` …; the longest one, and of equals the first, becomes `::`.
///
/// The `OFFSET`s keep SQLite from flattening the subqueries. Flattened, each use of `h`, `s` and `run` repeats their
/// whole computation, and an address takes 90 µs instead of 5.
fn ipv6_text(octets: &str) -> String {
    let groups: Vec<String> = (0..8)
        .map(|group| format!("ifnull(nullif(ltrim(substr(h, {}, 4), '0'), ''), '0') || ':'", group * 4 + 1))
        .collect();
    let runs: String = (2..=8)
        .rev()
        .map(|zeros| format!(" WHEN instr(s, '{run}') THEN '{run}'", run = ":0".repeat(zeros) + ":"))
        .collect();
    let mapped: Vec<String> = [25, 27, 29, 31]
        .iter()
        .map(|at| format!("16 * instr({HEX}, substr(h, {at}, 1)) + instr({HEX}, substr(h, {}, 1))", at + 1))
        .collect();
    format!(
        "(SELECT CASE \
           WHEN substr(h, 1, 24) = '00000000000000000000ffff' THEN printf('::ffff:%d.%d.%d.%d', {mapped}) \
           WHEN run IS NULL THEN trim(s, ':') \
           ELSE ltrim(substr(s, 1, instr(s, run) - 1), ':') || '::' \
             || rtrim(substr(s, instr(s, run) + length(run)), ':') END \
         FROM (SELECT h, s, CASE{runs} END AS run \
         FROM (SELECT h, ':' || {groups} AS s \
         FROM (SELECT lower(hex({octets})) AS h LIMIT 1 OFFSET 0) LIMIT 1 OFFSET 0) LIMIT 1 OFFSET 0))",
        mapped = mapped.join(", "),
        groups = groups.join(" || "),
    )
}

/// The place of a digit in this is its value, and the place of 0, which is not in it, is 0.
const HEX: &str = "'123456789abcdef'";

/// SQL that writes 48 bits as `00:1b:21:3c:4d:5e`, and NULL for 0.
fn mac_text(column: &str) -> String {
    let octets: Vec<String> =
        [40, 32, 24, 16, 8, 0].iter().map(|shift| format!("({column} >> {shift}) & 255")).collect();
    format!("CASE WHEN {column} <> 0 THEN printf('%02x:%02x:%02x:%02x:%02x:%02x', {}) END", octets.join(", "))
}

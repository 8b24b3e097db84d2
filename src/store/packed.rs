//! What of a flow shares a column of `flows`: packed, unpacked, and the SQL that reads one of it.
//!
//! A column costs an octet of each row even when it is empty, and a part of the work of writing and reading it. So both
//! ports are one number and so are both interfaces and both systems, and what says how a flow travelled is another one,
//! frequent values in its lower bits, since a number is stored in as few octets as it needs. What nearly always fits into
//! one number, and need not, is a text of both numbers where it does not. It opens no database; `row` binds and reads,
//! `schema` has the table.

use std::net::Ipv4Addr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

use crate::flow::{Direction, FlowRecord, TimeSource, Timestamp};

/// Ports in SQL, for a query `FROM flows AS f`, like all that follows.
pub(super) const SRC_PORT: &str = "((f.ports >> 16) & 65535)";
pub(super) const DST_PORT: &str = "(f.ports & 65535)";

/// See [`both`].
pub(super) const IN_IF: &str = "((f.interfaces & 65535) | ((f.interfaces >> 16) & 4294901760))";
pub(super) const OUT_IF: &str = "(((f.interfaces >> 16) & 65535) | ((f.interfaces >> 32) & 4294901760))";
pub(super) const SRC_AS: &str = "((f.systems & 65535) | ((f.systems >> 16) & 4294901760))";
pub(super) const DST_AS: &str = "(((f.systems >> 16) & 65535) | ((f.systems >> 32) & 4294901760))";

/// See [`Origin`]. Every number is below every text.
pub(super) const EXPORTER: &str = "CASE WHEN f.origin < '' THEN f.origin & 1048575 ELSE CAST(f.origin AS INTEGER) END";
pub(super) const SAMPLING: &str = "CASE WHEN f.origin < '' THEN f.origin >> 20
    ELSE CAST(substr(f.origin, instr(f.origin, ' ')) AS INTEGER) END";

/// See [`Times`].
pub(super) const FIRST_AGO: &str = "CASE WHEN f.times < '' THEN (f.times >> 23) + (f.times & 8388607) - 4194304
    ELSE CAST(f.times AS INTEGER) END";
pub(super) const LAST_AGO: &str = "CASE WHEN f.times < '' THEN (f.times & 8388607) - 4194304
    ELSE CAST(substr(f.times, instr(f.times, ' ')) AS INTEGER) END";
/// In milliseconds, not below 0.
pub(super) const DURATION: &str = "CASE WHEN f.times < '' THEN f.times >> 23
    ELSE max(CAST(f.times AS INTEGER) - CAST(substr(f.times, instr(f.times, ' ')) AS INTEGER), 0) END";

/// See [`traits`].
pub(super) const PROTOCOL: &str = "(f.traits & 255)";
pub(super) const TCP_FLAGS: &str = "(((f.traits >> 8) & 255) | ((f.traits >> 37) & 65280))";
pub(super) const DIRECTION: &str = "((f.traits >> 16) & 3)";
pub(super) const TIME_SOURCE: &str = "((f.traits >> 18) & 7)";
pub(super) const TOS: &str = "((f.traits >> 21) & 255)";
pub(super) const ICMP: &str = "((f.traits >> 29) & 65535)";

/// In the place of what is no number: two that do not fit into one, or an IPv6 address. [`Origin`] and [`Times`] never pack
/// to it, other columns may.
pub(super) const APART: i64 = i64::MAX;

/// The row of a flow's exporter, and [`Sampling::pack`] of how it counted.
///
/// [`Sampling::pack`]: crate::flow::Sampling::pack
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) exporter: i64,
    pub(super) sampling: i64,
}

/// Milliseconds before a flow was received; negative when its exporter's clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) first_ago: i64,
    pub(super) last_ago: i64,
}

impl Origin {
    /// `sampling << 20 | exporter`, of the first million exporters.
    pub(super) fn pack(self) -> i64 {
        if (0..1 << 20).contains(&self.exporter) { self.sampling << 20 | self.exporter } else { APART }
    }

    pub(super) fn text(self) -> String {
        format!("{} {}", self.exporter, self.sampling)
    }
}

impl FromSql for Origin {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (exporter, sampling) = match value {
            ValueRef::Integer(packed) => (packed & ((1 << 20) - 1), packed >> 20),
            apart => two(apart)?,
        };
        Ok(Self { exporter, sampling })
    }
}

/// The clock of an exporter may be an hour off either way.
const OFF: i64 = 1 << 22;

impl Times {
    /// `(first_ago - last_ago) << 23 | last_ago + 2²²`: three octets where both are the same, six for hours between them.
    pub(super) fn pack(self) -> i64 {
        let lasted = self.first_ago.saturating_sub(self.last_ago);
        if (-OFF..OFF).contains(&self.last_ago) && (0..1 << 39).contains(&lasted) {
            lasted << 23 | (self.last_ago + OFF)
        } else {
            APART
        }
    }

    pub(super) fn text(self) -> String {
        format!("{} {}", self.first_ago, self.last_ago)
    }

    /// Both as moments.
    pub(super) const fn before(self, received: Timestamp) -> (Timestamp, Timestamp) {
        (received.plus(self.first_ago.saturating_neg()), received.plus(self.last_ago.saturating_neg()))
    }
}

impl FromSql for Times {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (first_ago, last_ago) = match value {
            ValueRef::Integer(packed) => {
                let last_ago = (packed & (2 * OFF - 1)) - OFF;
                ((packed >> 23) + last_ago, last_ago)
            }
            apart => two(apart)?,
        };
        Ok(Self { first_ago, last_ago })
    }
}

/// Both numbers of a text.
fn two(apart: ValueRef<'_>) -> FromSqlResult<(i64, i64)> {
    let (a, b) = apart.as_str()?.split_once(' ').ok_or(FromSqlError::InvalidType)?;
    let number = |text: &str| text.parse().map_err(|_| FromSqlError::InvalidType);
    Ok((number(a)?, number(b)?))
}

/// Two numbers, the lower halves of both before the upper ones: small ones take as many octets as apart.
const fn both(a: u32, b: u32) -> i64 {
    let (low, high) = (0xffff, 16);
    let (a, b) = (a as u64, b as u64);
    (a & low | (b & low) << 16 | a >> high << 32 | b >> high << 48).cast_signed()
}

/// The mirror image of [`both`].
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
const fn apart(both: i64) -> (u32, u32) {
    let (low, high) = (both as u32, (both >> 32) as u32);
    (low & 0xffff | high << 16, low >> 16 | high & 0xffff_0000)
}

/// 32 bits as a signed number: half of all addresses take four octets in the place of six.
pub(super) fn narrow(address: Ipv4Addr) -> i64 {
    address.to_bits().cast_signed().into()
}

/// Both ports, as a signed number of 32 bits.
pub(super) fn ports(flow: &FlowRecord) -> i64 {
    (u32::from(flow.key.src_port) << 16 | u32::from(flow.key.dst_port)).cast_signed().into()
}

/// Both interfaces.
pub(super) const fn interfaces(flow: &FlowRecord) -> i64 {
    both(flow.in_if, flow.out_if)
}

/// The numbers of both autonomous systems. Most exporters know none.
pub(super) const fn systems(flow: &FlowRecord) -> i64 {
    both(flow.src_as, flow.dst_as)
}

/// Protocol, TCP flags, direction, source of the times, type of service and ICMP. Of a TCP flow nearly always three octets.
pub(super) fn traits(flow: &FlowRecord) -> i64 {
    let [high, low] = flow.tcp_flags.to_be_bytes();
    i64::from(flow.key.protocol)
        | i64::from(low) << 8
        | (flow.direction as i64) << 16
        | (flow.time_source as i64) << 18
        | i64::from(flow.tos) << 21
        | i64::from(flow.icmp) << 29
        | i64::from(high) << 45
}

/// Gives a flow what [`ports`] has packed. Other bits, which no program of ours writes, mean nothing.
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
pub(super) const fn put_ports(packed: i64, flow: &mut FlowRecord) {
    flow.key.src_port = (packed >> 16) as u16;
    flow.key.dst_port = packed as u16;
}

/// Gives a flow what [`interfaces`] has packed.
pub(super) const fn put_interfaces(packed: i64, flow: &mut FlowRecord) {
    (flow.in_if, flow.out_if) = apart(packed);
}

/// Gives a flow what [`systems`] has packed.
pub(super) const fn put_systems(packed: i64, flow: &mut FlowRecord) {
    (flow.src_as, flow.dst_as) = apart(packed);
}

/// Gives a flow its protocol alone, from what [`traits`] has packed.
#[expect(clippy::cast_possible_truncation, reason = "it is cut to its bits")]
pub(super) const fn put_protocol(packed: i64, flow: &mut FlowRecord) {
    flow.key.protocol = packed as u8;
}

/// Gives a flow all that [`traits`] has packed.
#[expect(clippy::cast_possible_truncation, reason = "each is cut to its bits")]
pub(super) const fn put_traits(packed: i64, flow: &mut FlowRecord) {
    put_protocol(packed, flow);
    flow.tcp_flags = u16::from_be_bytes([(packed >> 45) as u8, (packed >> 8) as u8]);
    flow.direction = match packed >> 16 & 3 {
        1 => Direction::Ingress,
        2 => Direction::Egress,
        _ => Direction::Unknown,
    };
    flow.time_source = match packed >> 18 & 7 {
        0 => TimeSource::Absolute,
        1 => TimeSource::Delta,
        2 => TimeSource::Uptime,
        3 => TimeSource::Event,
        _ => TimeSource::Export,
    };
    flow.tos = (packed >> 21) as u8;
    flow.icmp = (packed >> 29) as u16;
}

#[cfg(test)]
pub(super) mod tests;

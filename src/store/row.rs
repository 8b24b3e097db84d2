//! One flow as a row and back: what is bound where, and read from where.
//!
//! It opens no database and begins no transaction. Binding and reading stand side by side, since each must be the
//! other's mirror image: every [`FlowRecord`] comes back as it was, except that counts above 2⁶³ − 1 stay there, and
//! that times and keys saturate at the ends of 64 bits.

use std::net::{IpAddr, Ipv4Addr};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Null, ValueRef};
use rusqlite::{CachedStatement, Connection, Result, Row, Statement};

use crate::flow::{Counts, Direction, FlowKey, FlowRecord, ObservationDomainId, Sampling, TimeSource, Version};
use crate::store::accounts::{Identity, counted, places, stored};
use crate::store::keys::RowKey;

/// The two prepared statements of a transaction.
pub(super) struct Insert<'a> {
    flows: CachedStatement<'a>,
    details: CachedStatement<'a>,
    /// What the numbers of `flows` are bound to. Most columns repeat from row to row, and binding is a quarter of the
    /// work, so that only changes are bound.
    bound: [Option<i64>; NUMBERS],
}

/// Columns of `flows` that are not addresses. The addresses follow them in the statement.
const NUMBERS: usize = 19;

impl<'a> Insert<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let flows = "INSERT INTO flows (id, exporter, first_ago, last_ago, src_port, dst_port, protocol, tcp_flags,
            tos, icmp, direction, bytes, packets, sampling, in_if, out_if, src_as, dst_as, time_source, src, dst)";
        let details = "INSERT INTO details (id, src_mask, dst_mask, vlan, post_vlan, src_mac, dst_mac, nat_src_port,
            nat_dst_port, event, end_reason, forwarding, mpls, application, vrf, reverse, next_hop, nat_src, nat_dst)";
        Ok(Self {
            flows: connection.prepare_cached(&format!("{flows} VALUES ({})", places(NUMBERS + 2)))?,
            details: connection.prepare_cached(&format!("{details} VALUES ({})", places(19)))?,
            bound: [None; NUMBERS],
        })
    }

    pub(super) fn row(&mut self, key: RowKey, exporter: i64, flow: &FlowRecord) -> Result<()> {
        let received = key.received();
        let numbers: [i64; NUMBERS] = [
            key.0,
            exporter,
            received.since(flow.first),
            received.since(flow.last),
            flow.key.src_port.into(),
            flow.key.dst_port.into(),
            flow.key.protocol.into(),
            flow.tcp_flags.into(),
            flow.tos.into(),
            flow.icmp.into(),
            flow.direction as i64,
            stored(flow.counts.bytes),
            stored(flow.counts.packets),
            flow.sampling.pack(),
            flow.in_if.into(),
            flow.out_if.into(),
            flow.src_as.into(),
            flow.dst_as.into(),
            flow.time_source as i64,
        ];
        for (at, (number, bound)) in (1..).zip(numbers.into_iter().zip(&mut self.bound)) {
            if *bound != Some(number) {
                self.flows.raw_bind_parameter(at, number)?;
                *bound = Some(number);
            }
        }
        bind_address(&mut self.flows, NUMBERS + 1, flow.key.src_ip)?;
        bind_address(&mut self.flows, NUMBERS + 2, flow.key.dst_ip)?;
        self.flows.raw_execute()?;
        if has_details(flow) {
            self.details(key, flow)?;
        }
        Ok(())
    }

    fn details(&mut self, key: RowKey, flow: &FlowRecord) -> Result<()> {
        let numbers: [i64; 16] = [
            key.0,
            flow.src_mask.into(),
            flow.dst_mask.into(),
            flow.vlan.into(),
            flow.post_vlan.into(),
            mac_number(flow.src_mac),
            mac_number(flow.dst_mac),
            flow.nat_src_port.into(),
            flow.nat_dst_port.into(),
            flow.event.into(),
            flow.end_reason.into(),
            flow.forwarding.into(),
            flow.mpls.into(),
            flow.application.cast_signed(),
            flow.vrf.into(),
            flow.reverse.into(),
        ];
        for (at, number) in (1..).zip(numbers) {
            self.details.raw_bind_parameter(at, number)?;
        }
        for (at, address) in (17..).zip([flow.next_hop, flow.nat_src_ip, flow.nat_dst_ip]) {
            match address {
                Some(address) => bind_address(&mut self.details, at, address)?,
                None => self.details.raw_bind_parameter(at, Null)?,
            }
        }
        self.details.raw_execute()?;
        Ok(())
    }
}

/// Columns of [`read`], in its order.
pub(super) const COLUMNS: &str = "f.id, f.exporter, f.first_ago, f.last_ago, f.src, f.dst, f.src_port, f.dst_port,
    f.protocol, f.tcp_flags, f.tos, f.icmp, f.direction, f.bytes, f.packets, f.sampling, f.in_if, f.out_if, f.src_as,
    f.dst_as, f.time_source, d.id, d.next_hop, d.src_mask, d.dst_mask, d.vlan, d.post_vlan, d.src_mac, d.dst_mac,
    d.nat_src, d.nat_dst, d.nat_src_port, d.nat_dst_port, d.event, d.end_reason, d.forwarding, d.mpls, d.application,
    d.vrf, d.reverse";

/// The columns of `flows` among them, for [`read_plain`], which then needs no look into `details`.
pub(super) fn plain_columns() -> String {
    let plain = COLUMNS.split_once("d.id").map_or(COLUMNS, |(plain, _)| plain);
    format!("{plain} NULL")
}

/// Reads a flow without its exporter and its rare fields.
pub(super) fn read_plain(row: &Row<'_>) -> Result<FlowRecord> {
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    read(row, (nobody, ObservationDomainId(0), Version::V5))
}

/// Reads what [`Insert::row`] wrote, given the exporter that column 1 names.
pub(super) fn read(row: &Row<'_>, (exporter, domain, version): Identity) -> Result<FlowRecord> {
    let received = RowKey(row.get(0)?).received();
    let mut flow = FlowRecord {
        first: received.plus(0_i64.saturating_sub(row.get(2)?)),
        last: received.plus(0_i64.saturating_sub(row.get(3)?)),
        key: FlowKey {
            src_ip: row.get::<_, Address>(4)?.0,
            dst_ip: row.get::<_, Address>(5)?.0,
            src_port: row.get(6)?,
            dst_port: row.get(7)?,
            protocol: row.get(8)?,
        },
        tcp_flags: row.get(9)?,
        tos: row.get(10)?,
        icmp: row.get(11)?,
        direction: match row.get::<_, i64>(12)? {
            1 => Direction::Ingress,
            2 => Direction::Egress,
            _ => Direction::Unknown,
        },
        counts: Counts { bytes: counted(row.get(13)?), packets: counted(row.get(14)?) },
        sampling: Sampling::unpack(row.get(15)?),
        in_if: row.get(16)?,
        out_if: row.get(17)?,
        src_as: row.get(18)?,
        dst_as: row.get(19)?,
        time_source: match row.get::<_, i64>(20)? {
            0 => TimeSource::Absolute,
            1 => TimeSource::Delta,
            2 => TimeSource::Uptime,
            3 => TimeSource::Event,
            _ => TimeSource::Export,
        },
        ..FlowRecord::blank(received, exporter, domain, version)
    };
    if row.get_ref(21)? != ValueRef::Null {
        read_details(row, &mut flow)?;
    }
    Ok(flow)
}

fn read_details(row: &Row<'_>, flow: &mut FlowRecord) -> Result<()> {
    flow.next_hop = row.get::<_, Option<Address>>(22)?.map(|address| address.0);
    flow.src_mask = row.get(23)?;
    flow.dst_mask = row.get(24)?;
    flow.vlan = row.get(25)?;
    flow.post_vlan = row.get(26)?;
    flow.src_mac = mac_octets(row.get(27)?);
    flow.dst_mac = mac_octets(row.get(28)?);
    flow.nat_src_ip = row.get::<_, Option<Address>>(29)?.map(|address| address.0);
    flow.nat_dst_ip = row.get::<_, Option<Address>>(30)?.map(|address| address.0);
    flow.nat_src_port = row.get(31)?;
    flow.nat_dst_port = row.get(32)?;
    flow.event = row.get(33)?;
    flow.end_reason = row.get(34)?;
    flow.forwarding = row.get(35)?;
    flow.mpls = row.get(36)?;
    flow.application = row.get::<_, i64>(37)?.cast_unsigned();
    flow.vrf = row.get(38)?;
    flow.reverse = row.get(39)?;
    Ok(())
}

/// Whether a flow says anything that only `details` can hold.
fn has_details(flow: &FlowRecord) -> bool {
    let FlowRecord { src_mask, dst_mask, next_hop, vlan, post_vlan, src_mac, dst_mac, .. } = flow;
    let FlowRecord { nat_src_ip, nat_dst_ip, nat_src_port, nat_dst_port, event, end_reason, .. } = flow;
    let FlowRecord { forwarding, mpls, application, vrf, reverse, .. } = flow;
    let octets = src_mask | dst_mask | event | end_reason | forwarding | u8::from(*reverse);
    let ids = vlan | post_vlan | nat_src_port | nat_dst_port;
    let addresses = next_hop.is_some() || nat_src_ip.is_some() || nat_dst_ip.is_some();
    octets != 0 || ids != 0 || addresses || mpls | vrf != 0 || *application != 0 || [*src_mac, *dst_mac] != [[0; 6]; 2]
}

/// An address in a column of type ANY: IPv4 as INTEGER, since it is small; IPv6 as its 16 octets.
struct Address(IpAddr);

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => {
                let number = u32::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))?;
                Ok(Self(Ipv4Addr::from_bits(number).into()))
            }
            _ => <[u8; 16]>::column_result(value).map(|octets| Self(octets.into())),
        }
    }
}

/// Reads one address.
pub(super) fn address(row: &Row<'_>, at: usize) -> Result<IpAddr> {
    row.get::<_, Address>(at).map(|address| address.0)
}

fn bind_address(statement: &mut Statement<'_>, at: usize, address: IpAddr) -> Result<()> {
    match address {
        IpAddr::V4(address) => statement.raw_bind_parameter(at, address.to_bits()),
        IpAddr::V6(address) => statement.raw_bind_parameter(at, address.octets()),
    }
}

fn mac_number([a, b, c, d, e, f]: [u8; 6]) -> i64 {
    i64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

const fn mac_octets(number: i64) -> [u8; 6] {
    let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
    [a, b, c, d, e, f]
}

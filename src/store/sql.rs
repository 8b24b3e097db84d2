//! A filter as the condition of a query: the same flows as [`Filter::matches`], a test holds that.
//!
//! It opens nothing and runs nothing. Its input is a filter; no value of it becomes text of the query.

use std::net::IpAddr;

use rusqlite::types::Value;

use crate::filter::{Address, End, Expr, Filter, Flags, Number, Prefix, Ranges, Side, Test};
use crate::store::accounts::places;
use crate::store::packed::{self, DST_PORT, DURATION, EXPORTER, PROTOCOL, SRC_PORT, TCP_FLAGS};

/// The condition behind `WHERE`, and the values of its `?`s in their order.
///
/// It stands in a query `FROM flows AS f LEFT JOIN details AS d USING (id)`.
pub fn where_clause(filter: &Filter) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let sql = condition(filter.expr(), &mut values);
    (sql, values)
}

fn condition(expr: &Expr, values: &mut Vec<Value>) -> String {
    match expr {
        Expr::All => "1".to_owned(),
        Expr::Not(inner) => format!("(NOT {})", condition(inner, values)),
        Expr::And(parts) => joined(&conditions(parts, values), "AND"),
        Expr::Or(parts) => joined(&conditions(parts, values), "OR"),
        Expr::Test(test) => self::test(test, values),
    }
}

fn conditions(parts: &[Expr], values: &mut Vec<Value>) -> Vec<String> {
    parts.iter().map(|part| condition(part, values)).collect()
}

/// Halves of halves: SQLite refuses a chain of more than a thousand, since it is as deep as it is long.
fn joined(parts: &[String], operator: &str) -> String {
    match parts {
        [] => "0".to_owned(),
        [only] => only.clone(),
        parts => {
            let (left, right) = parts.split_at(parts.len() / 2);
            format!("({} {operator} {})", joined(left, operator), joined(right, operator))
        }
    }
}

/// Without `ifnull`, `NOT` of what an exporter did not send would be unknown instead of true.
fn test(test: &Test, values: &mut Vec<Value>) -> String {
    match test {
        Test::Number { field, side, ranges } => asked(*side, field.is_sided(), |end| match exporter_column(*field) {
            Some(column) => of_exporter(&number(column, ranges, values)),
            None => format!("ifnull({}, 0)", number(&number_column(*field, end), ranges, values)),
        }),
        Test::Address { field: Address::Exporter, prefixes, .. } => {
            let prefixes = prefixes.as_slice();
            values.extend(prefixes.iter().map(|prefix| Value::Text(prefix.first().to_string())));
            of_exporter(&format!("e.address IN ({})", places(prefixes.len())))
        }
        Test::Address { field, side, prefixes } => asked(*side, field.is_sided(), |end| {
            let part = |prefix: &Prefix| match address_column(*field, end) {
                Stored::Signed(column) => within(column, signed(*prefix), values),
                Stored::Unsigned(column) => within(column, unsigned(*prefix), values),
            };
            let parts: Vec<_> = prefixes.as_slice().iter().map(part).collect();
            format!("ifnull({}, 0)", joined(&parts, "OR"))
        }),
        Test::Flags { mask, how } => {
            let mask = Value::Integer((*mask).into());
            let condition = match how {
                Flags::All => {
                    values.push(mask.clone());
                    "& ? = ?"
                }
                Flags::Any => "& ? <> 0",
                Flags::Exactly => "= ?",
            };
            values.push(mask);
            format!("({PROTOCOL} = 6 AND {TCP_FLAGS} {condition})")
        }
    }
}

fn asked(side: Side, is_sided: bool, mut column: impl FnMut(End) -> String) -> String {
    match side {
        Side::Src => column(End::Src),
        Side::Dst => column(End::Dst),
        Side::Any if !is_sided => column(End::Src),
        Side::Any => format!("({} OR {})", column(End::Src), column(End::Dst)),
        Side::Both => format!("({} AND {})", column(End::Src), column(End::Dst)),
    }
}

fn of_exporter(condition: &str) -> String {
    format!("{EXPORTER} IN (SELECT e.id FROM exporters AS e WHERE {condition})")
}

/// Single numbers are one `IN`, which SQLite looks up in a tree; ranges are compared one by one.
fn number(column: &str, ranges: &Ranges, values: &mut Vec<Value>) -> String {
    let ranges = ranges.as_slice();
    let ones = ranges.iter().filter(|(first, last)| first == last).map(|(number, _)| Value::Integer(*number));
    let before = values.len();
    values.extend(ones);
    let mut parts = Vec::new();
    if before < values.len() {
        parts.push(format!("{column} IN ({})", places(values.len() - before)));
    }
    for (first, last) in ranges.iter().filter(|(first, last)| first < last) {
        values.extend([Value::Integer(*first), Value::Integer(*last)]);
        parts.push(format!("{column} BETWEEN ? AND ?"));
    }
    joined(&parts, "OR")
}

/// A column of addresses, by how IPv4 is a number in it.
enum Stored {
    Signed(&'static str),
    Unsigned(&'static str),
}

/// IPv4 is stored as a number and IPv6 as octets, and SQLite never finds a number between octets, or the other way.
fn within(column: &str, (first, last): (Value, Value), values: &mut Vec<Value>) -> String {
    if first == last {
        values.push(first);
        return format!("{column} = ?");
    }
    values.extend([first, last]);
    format!("{column} BETWEEN ? AND ?")
}

/// The first and the last address of a prefix where IPv4 is a signed number.
fn signed(prefix: Prefix) -> (Value, Value) {
    let IpAddr::V4(first) = prefix.first() else { return unsigned(prefix) };
    let IpAddr::V4(last) = prefix.last() else { return unsigned(prefix) };
    let (first, last) = (packed::narrow(first), packed::narrow(last));
    // Only what holds all addresses goes over the middle of them, where the sign changes.
    let (first, last) = if last < first { (i32::MIN.into(), i32::MAX.into()) } else { (first, last) };
    (Value::Integer(first), Value::Integer(last))
}

fn unsigned(prefix: Prefix) -> (Value, Value) {
    let value = |address| match address {
        IpAddr::V4(address) => Value::Integer(address.to_bits().into()),
        IpAddr::V6(address) => Value::Blob(address.octets().to_vec()),
    };
    (value(prefix.first()), value(prefix.last()))
}

const fn address_column(field: Address, end: End) -> Stored {
    match (field, end) {
        (Address::Host, End::Src) => Stored::Signed("f.src"),
        (Address::Host, End::Dst) => Stored::Signed("f.dst"),
        (Address::Nat, End::Src) => Stored::Unsigned("d.nat_src"),
        (Address::Nat, End::Dst) => Stored::Unsigned("d.nat_dst"),
        (Address::NextHop, _) => Stored::Unsigned("d.next_hop"),
        // It has a table of its own.
        (Address::Exporter, _) => Stored::Unsigned(EXPORTER),
    }
}

/// What stands in `exporters`.
fn exporter_column(field: Number) -> Option<&'static str> {
    match field {
        Number::Domain => Some("e.domain"),
        Number::Version => Some("e.version"),
        _ => None,
    }
}

fn number_column(field: Number, end: End) -> String {
    let pick = |src, dst| if end == End::Src { src } else { dst };
    let column = match field {
        Number::Protocol => PROTOCOL,
        Number::Port => pick(SRC_PORT, DST_PORT),
        Number::Service => {
            return format!(
                "CASE 0 WHEN {SRC_PORT} THEN {DST_PORT} WHEN {DST_PORT} THEN {SRC_PORT} ELSE min({SRC_PORT}, {DST_PORT}) END"
            );
        }
        Number::NatPort => pick("ifnull(d.nat_src_port, 0)", "ifnull(d.nat_dst_port, 0)"),
        Number::As => pick(packed::SRC_AS, packed::DST_AS),
        Number::Mask => pick("ifnull(d.src_mask, 0)", "ifnull(d.dst_mask, 0)"),
        Number::Interface => pick(packed::IN_IF, packed::OUT_IF),
        Number::Vlan => pick("ifnull(d.vlan, 0)", "ifnull(d.post_vlan, 0)"),
        Number::Mac => pick("ifnull(d.src_mac, 0)", "ifnull(d.dst_mac, 0)"),
        Number::Tos => packed::TOS,
        Number::Dscp => return format!("({} >> 2)", packed::TOS),
        Number::IcmpType => return format!("CASE WHEN {PROTOCOL} IN (1, 58) THEN {} >> 8 END", packed::ICMP),
        Number::IcmpCode => return format!("CASE WHEN {PROTOCOL} IN (1, 58) THEN {} & 255 END", packed::ICMP),
        Number::Packets => "f.packets",
        Number::Bytes => "f.bytes",
        Number::Duration => DURATION,
        Number::Pps => return format!("ifnull(CAST(f.packets * 1000.0 / nullif({DURATION}, 0) AS INTEGER), 0)"),
        Number::Bps => return format!("ifnull(CAST(f.bytes * 8000.0 / nullif({DURATION}, 0) AS INTEGER), 0)"),
        Number::Bpp => "ifnull(f.bytes / nullif(f.packets, 0), 0)",
        Number::Domain | Number::Version => EXPORTER,
        Number::Direction => packed::DIRECTION,
        Number::Sampling => return format!("(({}) >> 8)", packed::SAMPLING),
        Number::Event => "ifnull(d.event, 0)",
        Number::EndReason => "ifnull(d.end_reason, 0)",
        Number::Forwarding => "ifnull(d.forwarding, 0)",
        Number::Mpls => "(ifnull(d.mpls, 0) >> 4)",
        Number::Vrf => "ifnull(d.vrf, 0)",
        Number::Application => "ifnull(d.application, 0)",
    };
    column.to_owned()
}

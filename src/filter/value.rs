//! Words to values: numbers with their units, names of protocols and ports, addresses and prefixes.
//!
//! It decides nothing about the grammar; the parser says which kind of value a word must be.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use crate::filter::error::{Fault, ParseError};
use crate::filter::number::{Form, Row};
use crate::filter::{Meaning, PROTOCOLS, Prefix};

/// One value, several for a name of several ports, or a range such as `8000-8100`.
pub(super) fn numbers(
    row: &Row,
    word: &str,
    span: &Range<usize>,
    lookup: &dyn Fn(&str) -> Vec<Meaning>,
) -> Result<Vec<(i64, i64)>, ParseError> {
    let named = names(row, word, lookup);
    if !named.is_empty() {
        return Ok(named);
    }
    let ends = match word.split_once('-') {
        Some((first, last)) => single(row, first).zip(single(row, last)),
        None => single(row, word).map(|number| (number, number)),
    };
    let max = row.max;
    match ends {
        Some((first, last)) if first <= last && last <= max => Ok(vec![(first, last)]),
        Some((first, last)) if first <= last => {
            Err(ParseError::new(span.clone(), Fault::Range { field: row.words[0], max }))
        }
        _ => Err(unexpected(word, span, expected(row.form))),
    }
}

pub(super) fn expected(form: Form) -> &'static [&'static str] {
    match form {
        Form::Plain => &["a number"],
        Form::Scaled => &["a number such as `500` or `10m`"],
        Form::Time => &["milliseconds", "a time such as `5s` or `2min`"],
        Form::Mac => &["an Ethernet address such as `00:1b:21:3c:4d:5e`"],
        Form::Protocol => &["a protocol's name or number"],
        Form::Port => &["a port number", "a service's name"],
        Form::Application => &["an application's id", "an application's name"],
        Form::Named([("unknown", _), ..], _) => &["`ingress`", "`egress`", "`unknown`"],
        Form::Named(..) => &["`v5`", "`v9`", "`ipfix`", "`sflow`", "a version number"],
    }
}

pub(super) fn unexpected(word: &str, span: &Range<usize>, expected: &'static [&'static str]) -> ParseError {
    ParseError::new(span.clone(), Fault::Unexpected { found: Some(word.to_owned()), expected })
}

fn names(row: &Row, word: &str, lookup: &dyn Fn(&str) -> Vec<Meaning>) -> Vec<(i64, i64)> {
    let same = |name: &str| name.eq_ignore_ascii_case(word);
    let looked_up = |pick: fn(Meaning) -> Option<i64>| {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return Vec::new();
        }
        lookup(word).into_iter().filter_map(pick).map(|number| (number, number)).collect()
    };
    match row.form {
        Form::Protocol => match PROTOCOLS.iter().find(|(name, _)| same(name)) {
            Some((_, number)) => vec![(i64::from(*number), i64::from(*number))],
            None => looked_up(|meaning| match meaning {
                Meaning::Protocol(number) => Some(number.into()),
                _ => None,
            }),
        },
        Form::Port => looked_up(|meaning| match meaning {
            Meaning::Port { port, .. } => Some(port.into()),
            _ => None,
        }),
        Form::Application => looked_up(|meaning| match meaning {
            Meaning::Application(id) => i64::try_from(id).ok(),
            _ => None,
        }),
        Form::Named(names, _) => {
            names.iter().filter(|(name, _)| same(name)).map(|(_, number)| (*number, *number)).collect()
        }
        Form::Plain | Form::Scaled | Form::Time | Form::Mac => Vec::new(),
    }
}

fn single(row: &Row, word: &str) -> Option<i64> {
    match row.form {
        Form::Plain | Form::Protocol | Form::Port | Form::Application | Form::Named(_, true) => digits(word),
        Form::Scaled => with_unit(word, &[("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000), ("t", TERA)]),
        Form::Time => with_unit(word, &[("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000), ("k", 1_000)]),
        Form::Mac => mac(word),
        Form::Named(_, false) => None,
    }
}

const TERA: i64 = 1_000_000_000_000;

/// More than 64 bits read as the most that there is, which is too large for every field but the counters.
pub(super) fn digits(word: &str) -> Option<i64> {
    if let Some(hex) = word.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']));
    }
    let is_number = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| word.parse().unwrap_or(i64::MAX))
}

/// Digits, perhaps a point and more digits, and a unit: `10m`, `1.5g`. What is less than one is cut off.
fn with_unit(word: &str, units: &[(&str, i64)]) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((lower.strip_suffix(name)?, *unit))).unwrap_or((lower.as_str(), 1));
    let Some((whole, part)) = number.split_once('.') else {
        return digits(number).map(|number| number.saturating_mul(unit));
    };
    let places = u32::try_from(part.len()).ok().filter(|places| *places <= 9)?;
    let part = digits(part)?.checked_mul(unit)? / 10_i64.pow(places);
    Some(digits(whole)?.saturating_mul(unit).saturating_add(part))
}

fn mac(word: &str) -> Option<i64> {
    let mut number = 0;
    let mut count = 0;
    for octet in word.split(':') {
        let is_octet = (1..=2).contains(&octet.len()) && octet.bytes().all(|digit| digit.is_ascii_hexdigit());
        number = number << 8 | i64::from(u8::from_str_radix(octet, 16).ok().filter(|_| is_octet && count < 6)?);
        count += 1;
    }
    (count == 6).then_some(number)
}

/// An address, a prefix, or with `/` the beginning of an IPv4 prefix (`10/8`); a netmask may stand for the length.
pub(super) fn prefix(word: &str) -> Option<Prefix> {
    let Some((address, length)) = word.split_once('/') else {
        return word.parse().ok().map(Prefix::host);
    };
    let address = address.parse().ok().or_else(|| short_v4(address).map(|(address, _)| IpAddr::from(address)))?;
    Prefix::new(address, prefix_length(length)?)
}

/// The beginning of an IPv4 address is a network, as in tcpdump: `net 192.168`.
pub(super) fn network(word: &str) -> Option<Prefix> {
    prefix(word).or_else(|| short_v4(word).and_then(|(address, length)| Prefix::new(address.into(), length)))
}

/// `255.0.0.0` is 8 as well.
pub(super) fn prefix_length(text: &str) -> Option<u8> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        let ones = mask.to_bits().leading_ones();
        return (mask.to_bits().count_ones() == ones).then_some(u8::try_from(ones).ok()?);
    }
    digits(text).and_then(|length| u8::try_from(length).ok())
}

fn short_v4(text: &str) -> Option<(Ipv4Addr, u8)> {
    let mut octets = [0; 4];
    let mut length = 0;
    for part in text.split('.') {
        *octets.get_mut(usize::from(length / 8)).filter(|_| length < 24)? = digits(part)?.try_into().ok()?;
        length += 8;
    }
    Some((octets.into(), length))
}

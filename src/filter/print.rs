//! A filter as text: the one form that parses back to the same tree.
//!
//! Names are written only where the language knows them itself, so that the text means the same everywhere.

use std::fmt::{self, Display, Formatter};

use crate::filter::number::{Form, ROWS, Row};
use crate::filter::{Address, Expr, Filter, Flags, Number, PROTOCOLS, Prefix, Prefixes, Ranges, Side, Test};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr().fmt(f)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("any"),
            // After `not`, bare flags are any of them, as in nfdump.
            Self::Not(inner) => match inner.as_ref() {
                Self::Test(Test::Flags { mask, how: Flags::Any }) => write!(f, "not flags {}", Bits(*mask)),
                Self::Test(Test::Flags { mask, how: Flags::All }) if !mask.is_power_of_two() => {
                    write!(f, "not flags all {}", Bits(*mask))
                }
                inner @ (Self::And(_) | Self::Or(_)) => write!(f, "not ({inner})"),
                inner => write!(f, "not {inner}"),
            },
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Test(test) => test.fmt(f),
        }
    }
}

/// `and` binds tighter than `or`, but the parentheses help the reader too.
fn joined(f: &mut Formatter<'_>, parts: &[Expr], operator: &str) -> fmt::Result {
    for (n, part) in parts.iter().enumerate() {
        f.write_str(if n == 0 { "" } else { operator })?;
        match part {
            Expr::And(_) | Expr::Or(_) => write!(f, "({part})")?,
            part => part.fmt(f)?,
        }
    }
    Ok(())
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { field, side, ranges } => number(f, *field, *side, ranges),
            Self::Address { field, side, prefixes } => address(f, *field, *side, prefixes),
            Self::Flags { mask, how: Flags::All } => write!(f, "flags {}", Bits(*mask)),
            Self::Flags { mask, how: Flags::Any } => write!(f, "flags any {}", Bits(*mask)),
            Self::Flags { mask, how: Flags::Exactly } => write!(f, "flags = {}", Bits(*mask)),
        }
    }
}

fn number(f: &mut Formatter<'_>, field: Number, side: Side, ranges: &Ranges) -> fmt::Result {
    let row = &ROWS[field as usize];
    write!(f, "{}{} ", side.words(row.sides), row.words[0])?;
    match *ranges.as_slice() {
        [(first, last)] if first == last => value(f, row, first),
        [(first, last)] if last == row.max => comparison(f, row, ">=", first),
        [(0, last)] => comparison(f, row, "<=", last),
        ref ranges => {
            f.write_str("in [")?;
            for (n, &range) in ranges.iter().enumerate() {
                f.write_str(if n == 0 { "" } else { " " })?;
                span(f, row, range)?;
            }
            f.write_str("]")
        }
    }
}

/// Names have no order, so that only numbers make a range of them.
fn span(f: &mut Formatter<'_>, row: &Row, (first, last): (i64, i64)) -> fmt::Result {
    let is_named = matches!(row.form, Form::Named(..) | Form::Protocol);
    if is_named && first.checked_add(1) < Some(last) {
        return write!(f, "{first}-{last}");
    }
    value(f, row, first)?;
    if first < last {
        f.write_str(if is_named { " " } else { "-" })?;
        value(f, row, last)?;
    }
    Ok(())
}

fn comparison(f: &mut Formatter<'_>, row: &Row, sign: &str, number: i64) -> fmt::Result {
    write!(f, "{sign} ")?;
    value(f, row, number)
}

fn value(f: &mut Formatter<'_>, row: &Row, number: i64) -> fmt::Result {
    match row.form {
        Form::Mac => {
            let [_, _, octets @ ..] = number.to_be_bytes();
            let [a, b, c, d, e, last] = octets;
            write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{last:02x}")
        }
        Form::Protocol => named(f, number, PROTOCOLS.iter().map(|(name, protocol)| (*name, i64::from(*protocol)))),
        Form::Named(names, _) => named(f, number, names.iter().copied()),
        Form::Scaled => match [("t", 1_000_000_000_000), ("g", 1_000_000_000), ("m", 1_000_000), ("k", 1_000)]
            .iter()
            .find(|(_, unit)| number != 0 && number % unit == 0)
        {
            Some((name, unit)) => write!(f, "{}{name}", number / unit),
            None => write!(f, "{number}"),
        },
        Form::Plain | Form::Time | Form::Port | Form::Application => write!(f, "{number}"),
    }
}

fn named(f: &mut Formatter<'_>, number: i64, mut names: impl Iterator<Item = (&'static str, i64)>) -> fmt::Result {
    match names.find(|(_, value)| *value == number) {
        Some((name, _)) => f.write_str(name),
        None => write!(f, "{number}"),
    }
}

fn address(f: &mut Formatter<'_>, field: Address, side: Side, prefixes: &Prefixes) -> fmt::Result {
    let words = side.words(field.sides());
    match (field, side, prefixes.as_slice()) {
        (Address::Host, Side::Both, [prefix]) if prefix.length() == 0 => {
            f.write_str(if prefix.first().is_ipv4() { "inet" } else { "inet6" })
        }
        (field, _, [prefix]) => write!(f, "{words}{} {}", field_word(field, prefix.is_host()), Shown(*prefix)),
        (field, _, prefixes) => {
            write!(f, "{words}{} in [", field_word(field, true))?;
            for (n, prefix) in prefixes.iter().enumerate() {
                write!(f, "{}{}", if n == 0 { "" } else { " " }, Shown(*prefix))?;
            }
            f.write_str("]")
        }
    }
}

const fn field_word(field: Address, is_host: bool) -> &'static str {
    match (field, is_host) {
        (Address::Host, true) => "ip",
        (Address::Host, false) => "net",
        (Address::Nat, true) => "nip",
        (Address::Nat, false) => "nnet",
        (Address::NextHop, _) => "next ip",
        (Address::Exporter, _) => "router ip",
    }
}

struct Shown(Prefix);

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_host() { self.0.first().fmt(f) } else { write!(f, "{}/{}", self.0.first(), self.0.length()) }
    }
}

/// TCP control bits by their letters; bits without one make it a number.
struct Bits(u16);

/// The letters of nfdump, and those of RFC 3168 and RFC 3540.
pub(super) const LETTERS: &[(char, u16)] =
    &[('S', 2), ('A', 16), ('F', 1), ('R', 4), ('P', 8), ('U', 32), ('E', 64), ('C', 128), ('N', 256)];

impl Display for Bits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == 0 || 0x1ff < self.0 {
            return write!(f, "{}", self.0);
        }
        LETTERS.iter().filter(|(_, bit)| self.0 & bit != 0).try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

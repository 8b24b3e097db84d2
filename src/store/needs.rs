//! What a filter needs to occur in a block of rows, for the skip index.
//!
//! It reads nothing. Its input is a filter and the exporters of the file; what it cannot say of a test, it leaves to
//! the rows: a block that is named too much costs time, one too few would cost flows.

use crate::filter::{Address, End, Expr, Filter, Number, Ranges, Side, Test};
use crate::store::accounts::Identity;
use crate::store::blocks::{Needs, Token};

/// Values of one test that are looked up one by one. A test of more is left to the rows, since each costs a pass over
/// a sixteenth of the index.
const VALUES: usize = 16;

/// What must occur in a block so that `filter` can match a row in it.
pub(super) fn needs(filter: &Filter, exporters: &[(i64, Identity)]) -> Needs {
    of(filter.expr(), exporters)
}

fn of(expr: &Expr, exporters: &[(i64, Identity)]) -> Needs {
    match expr {
        // What must not occur in a row may occur in its block.
        Expr::All | Expr::Not(_) => Needs::Nothing,
        Expr::And(parts) => all(parts.iter().map(|part| of(part, exporters)).collect()),
        Expr::Or(parts) => any(parts.iter().map(|part| of(part, exporters)).collect()),
        Expr::Test(test) => self::test(test, exporters),
    }
}

fn test(test: &Test, exporters: &[(i64, Identity)]) -> Needs {
    match test {
        Test::Flags { .. } => Needs::Token(Token::Protocol(TCP)),
        Test::Number { field: field @ (Number::Domain | Number::Version), ranges, .. } => {
            exporter(exporters, |(_, domain, version)| match field {
                Number::Domain => ranges.contains(domain.0.into()),
                _ => ranges.contains(version.number().into()),
            })
        }
        Test::Number { field, side, ranges } => number(*field, *side, ranges),
        Test::Address { field: Address::Exporter, prefixes, .. } => {
            exporter(exporters, |(address, ..)| prefixes.contains(*address))
        }
        Test::Address { field: Address::Host, side, prefixes } => {
            let prefixes = prefixes.as_slice();
            if VALUES < prefixes.len() {
                return Needs::Nothing;
            }
            let token = |prefix: &crate::filter::Prefix| Token::prefix(prefix.first(), prefix.length());
            sided(*side, |_| {
                any(prefixes.iter().map(|prefix| token(prefix).map_or(Needs::Nothing, Needs::Token)).collect())
            })
        }
        Test::Address { .. } => Needs::Nothing,
    }
}

const TCP: u8 = 6;

fn number(field: Number, side: Side, ranges: &Ranges) -> Needs {
    let count: u64 = ranges.as_slice().iter().map(|(first, last)| first.abs_diff(*last) + 1).sum();
    if (VALUES as u64) < count {
        return Needs::Nothing;
    }
    let values = || ranges.as_slice().iter().flat_map(|(first, last)| *first..=*last);
    let tokens = |token: fn(i64) -> Option<Token>| {
        any(values().map(|number| token(number).map_or(Needs::Nothing, Needs::Token)).collect())
    };
    match field {
        Number::Protocol => tokens(|number| u8::try_from(number).ok().map(Token::Protocol)),
        // A block holds the ports of a row, whichever end they are of.
        Number::Port | Number::Service => tokens(|number| u16::try_from(number).ok().and_then(Token::port)),
        // 0 is "unknown" and not indexed.
        Number::As => tokens(|number| u32::try_from(number).ok().filter(|number| *number != 0).map(Token::As)),
        Number::Interface => sided(side, |end| match end {
            End::Src => tokens(|number| u32::try_from(number).ok().map(Token::InInterface)),
            End::Dst => tokens(|number| u32::try_from(number).ok().map(Token::OutInterface)),
        }),
        _ => Needs::Nothing,
    }
}

fn sided(side: Side, need: impl Fn(End) -> Needs) -> Needs {
    match side {
        Side::Src => need(End::Src),
        Side::Dst => need(End::Dst),
        Side::Both => all(vec![need(End::Src), need(End::Dst)]),
        Side::Any => any(vec![need(End::Src), need(End::Dst)]),
    }
}

fn exporter(exporters: &[(i64, Identity)], has: impl Fn(&Identity) -> bool) -> Needs {
    let ids: Vec<_> = exporters.iter().filter(|(_, identity)| has(identity)).map(|(id, _)| *id).collect();
    if VALUES < ids.len() {
        return Needs::Nothing;
    }
    any(ids.into_iter().map(|id| Needs::Token(Token::Exporter(id))).collect())
}

fn all(mut needs: Vec<Needs>) -> Needs {
    needs.retain(|need| *need != Needs::Nothing);
    needs.dedup();
    match needs.len() {
        0 => Needs::Nothing,
        1 => needs.remove(0),
        _ => Needs::All(needs),
    }
}

fn any(mut needs: Vec<Needs>) -> Needs {
    if needs.contains(&Needs::Nothing) {
        return Needs::Nothing;
    }
    needs.dedup();
    match needs.len() {
        1 => needs.remove(0),
        _ => Needs::Any(needs),
    }
}

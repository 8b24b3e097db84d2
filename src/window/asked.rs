//! What a filter asks for, as far as it decides where the answer is: in the lanes, or only in the records themselves.

use crate::filter::{Address, Expr, Filter, Number, Ranges, Test};
use crate::window::lanes::UNPRIVILEGED;

/// Whether lanes decide a filter: it then holds for the whole window at once. Otherwise it asks for what differs from
/// record to record, and the records have to be read again.
pub fn decides(filter: &Filter) -> bool {
    by_lanes(filter.expr())
}

fn by_lanes(expr: &Expr) -> bool {
    match expr {
        Expr::All => true,
        Expr::Not(inner) => by_lanes(inner),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(by_lanes),
        Expr::Test(test) => tests_lane(test),
    }
}

fn tests_lane(test: &Test) -> bool {
    match test {
        Test::Number { field: Number::Port, ranges, .. } => tells_ports_apart(ranges),
        Test::Number { field, .. } => matches!(
            field,
            Number::Protocol
                | Number::Service
                | Number::As
                | Number::Interface
                | Number::Vlan
                | Number::Tos
                | Number::Dscp
                | Number::Domain
                | Number::Version
                | Number::Direction
                | Number::Sampling
        ),
        Test::Address { field, .. } => matches!(field, Address::Host | Address::Exporter),
        Test::Flags { .. } => false,
    }
}

/// The port that is not the service is known only to be well known or not.
fn tells_ports_apart(ranges: &Ranges) -> bool {
    let (first, last) = (i64::from(UNPRIVILEGED), i64::from(u16::MAX));
    ranges.as_slice().iter().all(|&(from, to)| to < first || from <= first && last <= to)
}

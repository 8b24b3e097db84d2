//! The filter language: text to a tree, and the tree to an answer for each flow record.
//!
//! The language is nfdump's, with what people know from tcpdump. There is one parser ([`parse`]) and one tree
//! ([`Expr`]), which is read in memory ([`Filter::matches`]), as text (`Display`, which parses back to the same tree)
//! and by [`crate::store`] as SQL. What is not done here: no SQL, no screen, and no table of names; what a word means
//! beyond keywords and addresses is told by the caller. Its input is what a person typed.

mod address;
mod error;
mod lex;
mod number;
mod parse;
mod print;
mod value;

use std::net::IpAddr;

pub use crate::filter::address::{Address, Prefix, Prefixes};
pub use crate::filter::error::{Fault, ParseError};
pub use crate::filter::number::{Number, Ranges};
pub use crate::filter::parse::expected_at;
use crate::flow::FlowRecord;

/// Octets of a filter's text, as typed and as printed in full. A longer one is an error.
pub const TEXT: usize = 4096;
/// Parentheses and `not`s inside each other. More are an error, since the parser calls itself for each.
pub const DEPTH: usize = 64;
/// Values in one pair of brackets. More are an error.
pub const LIST: usize = 1024;
/// Tests in one filter, `any` included. More are an error.
pub const TESTS: usize = 256;

/// A condition on flow records, in normal form: two filters of one meaning need not be equal, but a filter and the one
/// parsed from its text are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Expr);

/// The tree of a filter. No `And` stands right in an `And`, no `Or` in an `Or`, no `Not` in a `Not`, and each `And` and
/// `Or` has at least two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    All,
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Test(Test),
}

/// One question about a flow record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    Number {
        field: Number,
        side: Side,
        ranges: Ranges,
    },
    Address {
        field: Address,
        side: Side,
        prefixes: Prefixes,
    },
    /// TCP control bits; a flow of another protocol has none, and never matches.
    Flags {
        mask: u16,
        how: Flags,
    },
}

/// Which of the two values of a field is asked for. `Any` for a field that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// One of the two at least.
    Any,
    /// Source, input, or before the exporter.
    Src,
    /// Destination, output, or behind the exporter.
    Dst,
    Both,
}

/// One of the two values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Src,
    Dst,
}

/// How the bits of a mask are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flags {
    All,
    Any,
    /// These and no others.
    Exactly,
}

/// What a word that is no keyword and no address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    Protocol(u8),
    /// A service: a port of an IP protocol.
    Port {
        protocol: u8,
        port: u16,
    },
    /// A host by its name.
    Host(IpAddr),
    /// An application by the id that an exporter has for it; only where one is asked for.
    Application(u64),
}

/// Reads a filter. `lookup` says what a word means, everything it may mean, or nothing when it does not know the word.
/// An empty text is `any`.
///
/// ```
/// use flowglass::{filter, names};
///
/// let filter = filter::parse("dst port 443 and not net 10/8", &names::meanings)?;
/// assert_eq!(filter.to_string(), "dst port 443 and not net 10.0.0.0/8");
/// # Ok::<(), filter::ParseError>(())
/// ```
///
/// # Errors
/// When the text is no filter, or is beyond a limit.
pub fn parse(text: &str, lookup: &dyn Fn(&str) -> Vec<Meaning>) -> Result<Filter, ParseError> {
    let filter = Filter(parse::parse(text, lookup)?);
    if TEXT < filter.to_string().len() {
        return Err(ParseError::limit(0..text.len(), "octets of text, written out", TEXT));
    }
    Ok(filter)
}

impl Filter {
    /// Every flow.
    pub const fn all() -> Self {
        Self(Expr::All)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Expr::All, expr) | (expr, Expr::All) => Self(expr),
            (left, right) => Self(Expr::and(vec![left, right])),
        }
    }

    #[must_use]
    pub fn negated(self) -> Self {
        Self(self.0.negated())
    }

    pub const fn expr(&self) -> &Expr {
        &self.0
    }

    pub const fn is_all(&self) -> bool {
        matches!(self.0, Expr::All)
    }

    /// What is left to ask where some tests are decided already; `None` when nothing can match any more.
    pub fn given(&self, decided: &dyn Fn(&Test) -> Option<bool>) -> Option<Self> {
        self.0.given(decided).map(Self)
    }

    /// Allocates nothing. Counts above 2⁶³ − 1 read as that, as in the database.
    pub fn matches(&self, flow: &FlowRecord) -> bool {
        self.0.matches(flow)
    }
}

impl From<Test> for Filter {
    fn from(test: Test) -> Self {
        Self(Expr::Test(test))
    }
}

impl Expr {
    fn and(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::And(parts) => parts,
            part => vec![part],
        });
        one_or(flat.collect(), Self::And)
    }

    fn or(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(parts) => parts,
            part => vec![part],
        });
        one_or(flat.collect(), Self::Or)
    }

    /// `None` for what is decided against.
    fn given(&self, decided: &dyn Fn(&Test) -> Option<bool>) -> Option<Self> {
        let is_open = |part: &Self| !matches!(part, Self::All);
        match self {
            Self::All => Some(Self::All),
            Self::Not(inner) => match inner.given(decided) {
                None => Some(Self::All),
                Some(inner) => is_open(&inner).then(|| inner.negated()),
            },
            Self::And(parts) => {
                let left: Option<Vec<Self>> = parts.iter().map(|part| part.given(decided)).collect();
                let left: Vec<Self> = left?.into_iter().filter(is_open).collect();
                Some(if left.is_empty() { Self::All } else { Self::and(left) })
            }
            Self::Or(parts) => {
                let left: Vec<Self> = parts.iter().filter_map(|part| part.given(decided)).collect();
                if !left.iter().all(is_open) {
                    return Some(Self::All);
                }
                (!left.is_empty()).then(|| Self::or(left))
            }
            Self::Test(test) => match decided(test) {
                Some(true) => Some(Self::All),
                Some(false) => None,
                None => Some(self.clone()),
            },
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            expr => Self::Not(Box::new(expr)),
        }
    }

    fn matches(&self, flow: &FlowRecord) -> bool {
        match self {
            Self::All => true,
            Self::Not(inner) => !inner.matches(flow),
            Self::And(parts) => parts.iter().all(|part| part.matches(flow)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(flow)),
            Self::Test(test) => test.matches(flow),
        }
    }
}

fn one_or(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, None) => Expr::All,
        (_, Some(last)) => {
            parts.push(last);
            join(parts)
        }
    }
}

impl Test {
    fn number(field: Number, side: Side, ranges: Ranges) -> Self {
        Self::Number { field, side: if field.is_sided() { side } else { Side::Any }, ranges }
    }

    fn address(field: Address, side: Side, prefixes: Prefixes) -> Self {
        Self::Address { field, side: if field.is_sided() { side } else { Side::Any }, prefixes }
    }

    /// Any and all of one bit are the same question.
    const fn flags(mask: u16, how: Flags) -> Self {
        match how {
            Flags::Any if mask.is_power_of_two() => Self::Flags { mask, how: Flags::All },
            how => Self::Flags { mask, how },
        }
    }

    fn matches(&self, flow: &FlowRecord) -> bool {
        match self {
            Self::Number { field, side, ranges } => {
                let has = |end| field.of(flow, end).is_some_and(|number| ranges.contains(number));
                side.ask(field.is_sided(), has)
            }
            Self::Address { field, side, prefixes } => {
                let has = |end| field.of(flow, end).is_some_and(|address| prefixes.contains(address));
                side.ask(field.is_sided(), has)
            }
            Self::Flags { mask, how } => {
                let set = flow.tcp_flags & mask;
                flow.key.protocol == TCP
                    && match how {
                        Flags::All => set == *mask,
                        Flags::Any => set != 0,
                        Flags::Exactly => flow.tcp_flags == *mask,
                    }
            }
        }
    }
}

impl Side {
    fn ask(self, is_sided: bool, has: impl Fn(End) -> bool) -> bool {
        match self {
            Self::Src => has(End::Src),
            Self::Dst => has(End::Dst),
            Self::Any => has(End::Src) || is_sided && has(End::Dst),
            Self::Both => has(End::Src) && has(End::Dst),
        }
    }
}

const TCP: u8 = 6;

/// Protocols that are keywords, and by which a filter prints them; all others are for the caller's lookup.
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", TCP),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("ospf", 89),
    ("sctp", 132),
];

#[cfg(test)]
mod tests;

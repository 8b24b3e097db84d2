//! Tokens to a tree: `or` of `and` of terms, a term being a test, a word, or something in parentheses.
//!
//! It reads no number and no address itself, [`value`] does. It calls itself only for parentheses and `not`, and at
//! most [`DEPTH`] deep.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::filter::error::{Fault, ParseError};
use crate::filter::lex::{self, Comparison, Kind, Token};
use crate::filter::number::{ROWS, Sides};
use crate::filter::print::LETTERS;
use crate::filter::{
    Address, DEPTH, Expr, Flags, LIST, Meaning, Number, PROTOCOLS, Prefix, Prefixes, Ranges, Side, TESTS, TEXT, Test,
    value,
};

type Result<T> = std::result::Result<T, ParseError>;

pub(super) fn parse(text: &str, lookup: &dyn Fn(&str) -> Vec<Meaning>) -> Result<Expr> {
    if TEXT < text.len() {
        return Err(ParseError::limit(0..text.len(), "octets of text", TEXT));
    }
    let tokens = lex::tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expr::All);
    }
    let mut parser = Parser { tokens, at: 0, end: text.len(), lookup, depth: 0, tests: 0 };
    let expr = parser.any_of()?;
    match parser.peek() {
        None => Ok(expr),
        Some(Kind::Word(_)) => {
            Err(parser.unexpected(&["`and`", "`or`"]).with_hint("several values stand in brackets: `port in [80 443]`"))
        }
        Some(_) => Err(parser.unexpected(&["`and`", "`or`"])),
    }
}

/// The keywords that may stand at `cursor`, an octet of the text, given what is typed of them so far. Nothing when what
/// stands before is no beginning of a filter.
pub fn expected_at(text: &str, cursor: usize) -> Vec<&'static str> {
    let Some(before) = text.get(..cursor) else { return Vec::new() };
    let typed = &before[before.trim_end_matches(lex::in_word).len()..];
    let kept = &before[..before.len() - typed.len()];
    let expected = if kept.trim().is_empty() {
        A_TEST
    } else {
        match parse(kept, &|_| Vec::new()) {
            Ok(_) => &["`and`", "`or`"],
            Err(ParseError { fault: Fault::Unexpected { found: None, expected }, .. }) => expected,
            Err(_) => &[],
        }
    };
    let mut words: Vec<_> = if expected == A_TEST {
        keywords().collect()
    } else {
        expected.iter().filter_map(|word| word.strip_prefix('`')?.strip_suffix('`')).collect()
    };
    words.retain(|word| word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed)));
    words
}

const A_TEST: &[&str] = &["a test such as `port 443`", "an address", "a name"];
const A_SIDED: &[&str] = &["`ip`", "`net`", "`port`", "`as`", "`mask`", "`vlan`", "`mac`", "`nip`", "`nport`"];
const AN_ADDRESS: &[&str] = &["an address", "a prefix such as `10.0.0.0/8`"];

/// Everything that may begin a test.
fn keywords() -> impl Iterator<Item = &'static str> {
    let other = ["src", "dst", "in", "out", "ip", "host", "net", "nip", "next", "router", "exporter", "flags", "inet"];
    let more = ["inet6", "ipv4", "ipv6", "any", "not", "sampled"];
    let rows = ROWS.iter().map(|row| row.words[0]);
    other.into_iter().chain(rows).chain(PROTOCOLS.iter().map(|(name, _)| *name)).chain(more)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Where the text ends.
    end: usize,
    lookup: &'a dyn Fn(&str) -> Vec<Meaning>,
    depth: usize,
    tests: usize,
}

/// What stands before a value.
#[derive(Clone, Copy)]
enum Field {
    Number(Number),
    Address(Address),
    Net(Address),
    Flags,
}

impl<'a> Parser<'a> {
    fn any_of(&mut self) -> Result<Expr> {
        let mut parts = vec![self.all_of()?];
        while self.take(Kind::Or) {
            parts.push(self.all_of()?);
        }
        Ok(Expr::or(parts))
    }

    fn all_of(&mut self) -> Result<Expr> {
        let mut parts = vec![self.term()?];
        while self.take(Kind::And) {
            parts.push(self.term()?);
        }
        Ok(Expr::and(parts))
    }

    fn term(&mut self) -> Result<Expr> {
        match self.peek() {
            Some(Kind::Not) => self.nested(|parser| {
                if parser.is_word(0, "flags") {
                    parser.at += 1;
                    parser.flags(Flags::Any).map(Expr::negated)
                } else {
                    parser.term().map(Expr::negated)
                }
            }),
            Some(Kind::Open) => self.nested(|parser| {
                let expr = parser.any_of()?;
                if !parser.take(Kind::Close) {
                    return Err(parser.unexpected(&["`and`", "`or`", "`)`"]));
                }
                Ok(expr)
            }),
            Some(Kind::Word(word)) => self.word(word),
            _ => Err(self.unexpected(A_TEST)),
        }
    }

    /// Steps over one token, and reads what stands inside it.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Expr>) -> Result<Expr> {
        if self.depth == DEPTH {
            return Err(ParseError::limit(self.span(), "levels of `(` and `not`", DEPTH));
        }
        self.at += 1;
        self.depth += 1;
        let expr = read(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn word(&mut self, word: &'a str) -> Result<Expr> {
        if let Some((side, sides)) = self.side() {
            return self.sided(side, sides);
        }
        if let Some(field) = self.field() {
            return self.test(field, Side::Any);
        }
        let span = self.span();
        self.at += 1;
        self.bare(word, span)
    }

    /// `src`, `dst`, `in`, `out`, or both of a pair. `in src mac` is the source: an exporter sends one of each.
    fn side(&mut self) -> Option<(Side, Sides)> {
        let (side, sides) = side_of(self.word_at(0)?)?;
        if self.is_word(0, "source") && self.is_word(1, "id") {
            return None;
        }
        self.at += 1;
        let both = match self.peek() {
            Some(Kind::And) => Side::Both,
            Some(Kind::Or) => Side::Any,
            _ => {
                let second = self.word_at(0).and_then(side_of).filter(|_| sides == Sides::InOut);
                self.at += usize::from(second.is_some());
                return second.or(Some((side, sides)));
            }
        };
        match self.word_at(1).and_then(side_of) {
            Some((other, same)) if same == sides && other != side => {
                self.at += 2;
                Some((both, sides))
            }
            _ => Some((side, sides)),
        }
    }

    fn sided(&mut self, side: Side, sides: Sides) -> Result<Expr> {
        let start = self.at;
        let field = match self.field() {
            // `dst 192.0.2.1` is short for `dst ip 192.0.2.1`.
            None if sides == Sides::SrcDst && self.word_at(0).and_then(value::prefix).is_some() => {
                Some(Field::Address(Address::Host))
            }
            field => field,
        };
        let own = field.map(|field| match field {
            Field::Number(number) => number.row().sides,
            Field::Address(address) | Field::Net(address) => address.sides(),
            Field::Flags => Sides::One,
        });
        match (field, own) {
            (Some(field), Some(own)) if own == sides => self.test(field, side),
            // For nfdump, the counters of the one direction that a flow record has.
            (Some(field @ Field::Number(Number::Bytes | Number::Packets)), _) if side == Side::Src => {
                self.test(field, Side::Any)
            }
            _ => {
                self.at = start;
                Err(self.unexpected(if sides == Sides::SrcDst { A_SIDED } else { &["`if`"] }))
            }
        }
    }

    /// Steps over the words of a field.
    fn field(&mut self) -> Option<Field> {
        let first = self.word_at(0)?.to_ascii_lowercase();
        let second = self.word_at(1).unwrap_or("").to_ascii_lowercase();
        let (field, words) = match (first.as_str(), second.as_str()) {
            ("next", "ip") => (Field::Address(Address::NextHop), 2),
            ("nexthop" | "next-hop", _) => (Field::Address(Address::NextHop), 1),
            ("router" | "exporter", "ip") => (Field::Address(Address::Exporter), 2),
            ("router" | "exporter", _) => (Field::Address(Address::Exporter), 1),
            ("nat", "ip" | "host") => (Field::Address(Address::Nat), 2),
            ("nip" | "xip", _) => (Field::Address(Address::Nat), 1),
            ("nat", "net") => (Field::Net(Address::Nat), 2),
            ("nnet" | "xnet", _) => (Field::Net(Address::Nat), 1),
            ("nat", "port") => (Field::Number(Number::NatPort), 2),
            ("nat" | "asa", "event") => (Field::Number(Number::Event), 2),
            ("source", "id") => (Field::Number(Number::Domain), 2),
            ("observation", "domain") => (Field::Number(Number::Domain), 2 + usize::from(self.is_word(2, "id"))),
            ("ingress", "vrf") => (Field::Number(Number::Vrf), 2),
            ("mpls", "label" | "label1") => (Field::Number(Number::Mpls), 2),
            ("ip" | "host" | "addr" | "address", _) => (Field::Address(Address::Host), 1),
            ("net", _) => (Field::Net(Address::Host), 1),
            ("flags", _) => (Field::Flags, 1),
            (word, _) => (Field::Number(ROWS.iter().find(|row| row.words.contains(&word))?.number), 1),
        };
        self.at += words;
        Some(field)
    }

    fn test(&mut self, field: Field, side: Side) -> Result<Expr> {
        match field {
            Field::Flags => self.flags(Flags::All),
            Field::Number(number) => self.number(number, side),
            Field::Address(address) => self.address(address, side, false),
            Field::Net(address) => self.address(address, side, true),
        }
    }

    fn number(&mut self, field: Number, side: Side) -> Result<Expr> {
        let row = field.row();
        let is_negated = self.take_negation();
        let mut ranges = Vec::new();
        if self.take_list() {
            self.list(value::expected(row.form), |parser, word, span| {
                ranges.extend(value::numbers(row, word, span, parser.lookup)?);
                Ok(())
            })?;
            return self.finish(is_negated, Ranges::new(ranges).map(|ranges| Test::number(field, side, ranges)));
        }
        let comparison = self.comparison();
        let span = self.span();
        let Some(word) = self.word_at(0) else { return Err(self.unexpected(value::expected(row.form))) };
        ranges = value::numbers(row, word, &span, self.lookup)?;
        self.at += 1;
        if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let [(number, last)] = ranges.as_slice() else {
                return Err(value::unexpected(word, &span, &["one number"]));
            };
            if number != last {
                return Err(value::unexpected(word, &span, &["one number"]));
            }
            ranges = vec![match comparison {
                Comparison::Less => (0, number.saturating_sub(1)),
                Comparison::AtMost => (0, *number),
                Comparison::More => (number.checked_add(1).unwrap_or(-1), row.max),
                _ => (*number, row.max),
            }];
        }
        let Some(ranges) = Ranges::new(ranges) else {
            return Err(ParseError::new(span, Fault::Range { field: row.words[0], max: row.max }));
        };
        let is_negated = is_negated != (comparison == Comparison::NotEqual);
        self.finish(is_negated, Some(Test::number(field, side, ranges)))
    }

    fn address(&mut self, field: Address, side: Side, is_net: bool) -> Result<Expr> {
        let is_negated = self.take_negation();
        let mut prefixes = Vec::new();
        if self.take_list() {
            self.list(AN_ADDRESS, |parser, word, span| {
                prefixes.extend(parser.prefixes(field, word, span, false)?);
                Ok(())
            })?;
            return self.finish(is_negated, Prefixes::new(prefixes).map(|set| Test::address(field, side, set)));
        }
        let comparison = self.comparison();
        let span = self.span();
        let Some(word) = self.word_at(0) else { return Err(self.unexpected(AN_ADDRESS)) };
        self.at += 1;
        prefixes = self.prefixes(field, word, &span, is_net)?;
        if let (true, [prefix], Some(mask)) = (is_net, prefixes.as_slice(), self.word_at(0))
            && mask.contains('.')
        {
            let masked = value::prefix_length(mask).and_then(|length| Prefix::new(prefix.first(), length));
            prefixes = vec![masked.ok_or_else(|| self.unexpected(&["a netmask such as `255.0.0.0`"]))?];
            self.at += 1;
        }
        let is_negated = match comparison {
            Comparison::Equal => is_negated,
            Comparison::NotEqual => !is_negated,
            _ => return Err(value::unexpected(word, &span, &["`=` or `!=` before an address"])),
        };
        self.finish(is_negated, Prefixes::new(prefixes).map(|set| Test::address(field, side, set)))
    }

    fn prefixes(&self, field: Address, word: &str, span: &Range<usize>, is_net: bool) -> Result<Vec<Prefix>> {
        if let Some(prefix) = if is_net { value::network(word) } else { value::prefix(word) } {
            if field == Address::Exporter && !prefix.is_host() {
                return Err(value::unexpected(word, span, &["an address"]));
            }
            return Ok(vec![prefix]);
        }
        let hosts = (self.lookup)(word).into_iter().filter_map(|meaning| match meaning {
            Meaning::Host(address) => Some(Prefix::host(address)),
            _ => None,
        });
        let hosts: Vec<_> = hosts.collect();
        if hosts.is_empty() { Err(value::unexpected(word, span, AN_ADDRESS)) } else { Ok(hosts) }
    }

    fn flags(&mut self, bare: Flags) -> Result<Expr> {
        let (how, is_negated, stepped) = match self.peek() {
            Some(Kind::Is(Comparison::Equal)) => (Flags::Exactly, false, 1),
            Some(Kind::Is(Comparison::NotEqual)) => (Flags::Exactly, true, 1),
            _ if self.is_word(0, "all") => (Flags::All, false, 1),
            _ if self.is_word(0, "any") => (Flags::Any, false, 1),
            _ => (bare, false, 0),
        };
        self.at += stepped;
        let mask = self.word_at(0).and_then(flag_mask);
        let Some(mask) = mask else { return Err(self.unexpected(&["TCP flags of `SAFRPUECN`, or `X` for all"])) };
        self.at += 1;
        self.finish(is_negated, Some(Test::flags(mask, how)))
    }

    /// A word that begins no test.
    fn bare(&mut self, word: &str, span: Range<usize>) -> Result<Expr> {
        let lower = word.to_ascii_lowercase();
        let family = |zero: &str| value::prefix(zero).map(Prefixes::one);
        let set = match lower.as_str() {
            "any" | "all" => {
                self.count(&span)?;
                return Ok(Expr::All);
            }
            "sampled" => {
                let ranges = Ranges::new(vec![(2, Number::Sampling.row().max)]);
                return self.finish(false, ranges.map(|ranges| Test::number(Number::Sampling, Side::Any, ranges)));
            }
            "inet" | "ipv4" => family("0.0.0.0/0").map(|set| Test::address(Address::Host, Side::Both, set)),
            "inet6" | "ipv6" => family("::/0").map(|set| Test::address(Address::Host, Side::Both, set)),
            _ => value::prefix(word).map(|prefix| Test::address(Address::Host, Side::Any, Prefixes::one(prefix))),
        };
        if set.is_some() {
            return self.finish(false, set);
        }
        if let Some((_, protocol)) = PROTOCOLS.iter().find(|(name, _)| *name == lower) {
            let protocol = protocol_test(*protocol);
            let protocol = self.finish(false, Some(protocol))?;
            return self.after_protocol(protocol);
        }
        let mut meanings = if value::digits(word).is_some() { Vec::new() } else { (self.lookup)(word) };
        // Many applications are called as services are; who means them says so.
        meanings.retain(|meaning| !matches!(meaning, Meaning::Application(_)));
        if meanings.is_empty() {
            return Err(unknown(word, &span));
        }
        self.meanings(&meanings)
    }

    /// tcpdump's `tcp dst port 443` is `proto tcp and dst port 443`.
    fn after_protocol(&mut self, protocol: Expr) -> Result<Expr> {
        let goes_on = self.word_at(0).is_some_and(|word| {
            side_of(word).is_some() || ["port", "host", "net", "ip"].iter().any(|name| name.eq_ignore_ascii_case(word))
        });
        Ok(if goes_on { Expr::and(vec![protocol, self.term()?]) } else { protocol })
    }

    /// Everything that a word may mean, ports with the protocols that they are used with.
    fn meanings(&mut self, meanings: &[Meaning]) -> Result<Expr> {
        let mut protocols = Vec::new();
        let mut hosts = Vec::new();
        let mut ports = BTreeMap::<u8, BTreeSet<u16>>::new();
        for meaning in meanings {
            match *meaning {
                Meaning::Protocol(number) => protocols.push((number.into(), number.into())),
                Meaning::Host(address) => hosts.push(Prefix::host(address)),
                Meaning::Port { protocol, port } => {
                    ports.entry(protocol).or_default().insert(port);
                }
                Meaning::Application(_) => {}
            }
        }
        let mut services = BTreeMap::<BTreeSet<u16>, Vec<(i64, i64)>>::new();
        for (protocol, ports) in ports {
            services.entry(ports).or_default().push((protocol.into(), protocol.into()));
        }
        let number = |field, ranges| Ranges::new(ranges).map(|ranges| Test::number(field, Side::Any, ranges));
        let mut parts = Vec::new();
        if let Some(test) = number(Number::Protocol, protocols) {
            parts.push(self.finish(false, Some(test))?);
        }
        for (ports, protocols) in services {
            let ports = ports.into_iter().map(|port| (port.into(), port.into())).collect();
            let protocol = self.finish(false, number(Number::Protocol, protocols))?;
            let port = self.finish(false, number(Number::Port, ports))?;
            parts.push(Expr::and(vec![protocol, port]));
        }
        if let Some(hosts) = Prefixes::new(hosts) {
            parts.push(self.finish(false, Some(Test::address(Address::Host, Side::Any, hosts)))?);
        }
        Ok(Expr::or(parts))
    }

    /// The values up to the closing bracket, with blanks or commas between them.
    fn list(
        &mut self,
        expected: &'static [&'static str],
        mut add: impl FnMut(&Self, &str, &Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let mut count = 0;
        loop {
            let span = self.span();
            match self.peek() {
                Some(Kind::Word(word)) if count < LIST => add(self, word, &span)?,
                Some(Kind::Word(_)) => return Err(ParseError::limit(span, "values in brackets", LIST)),
                Some(Kind::Comma) if 0 < count => {
                    self.at += 1;
                    continue;
                }
                Some(Kind::CloseList) if 0 < count => {
                    self.at += 1;
                    return Ok(());
                }
                None if 0 < count => return Err(self.unexpected(&["`]`"])),
                _ => return Err(self.unexpected(expected)),
            }
            self.at += 1;
            count += 1;
        }
    }

    /// Counts a test and puts it into the tree; there is none only when no value was given.
    fn finish(&mut self, is_negated: bool, test: Option<Test>) -> Result<Expr> {
        let span = self.span();
        self.count(&span)?;
        let Some(test) = test else { return Err(self.unexpected(A_TEST)) };
        let expr = Expr::Test(test);
        Ok(if is_negated { expr.negated() } else { expr })
    }

    fn count(&mut self, span: &Range<usize>) -> Result<()> {
        self.tests += 1;
        if TESTS < self.tests { Err(ParseError::limit(span.clone(), "tests", TESTS)) } else { Ok(()) }
    }

    /// `not in [`.
    fn take_negation(&mut self) -> bool {
        self.peek() == Some(Kind::Not) && self.is_word(1, "in") && self.take(Kind::Not)
    }

    /// `in [`, or `[` alone.
    fn take_list(&mut self) -> bool {
        self.at += usize::from(self.is_word(0, "in"));
        self.take(Kind::OpenList)
    }

    fn comparison(&mut self) -> Comparison {
        match self.peek() {
            Some(Kind::Is(comparison)) => {
                self.at += 1;
                comparison
            }
            _ => Comparison::Equal,
        }
    }

    fn take(&mut self, kind: Kind<'_>) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<Kind<'a>> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn word_at(&self, ahead: usize) -> Option<&'a str> {
        match self.tokens.get(self.at.checked_add(ahead)?)?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        self.word_at(ahead).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// Of the token that is next, or the end.
    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |token| token.span.clone())
    }

    fn unexpected(&self, expected: &'static [&'static str]) -> ParseError {
        let found = self.peek().map(|kind| match kind {
            Kind::Word(word) => word,
            kind => lex::spelled(kind),
        });
        ParseError::new(self.span(), Fault::Unexpected { found: found.map(str::to_owned), expected })
    }
}

fn side_of(word: &str) -> Option<(Side, Sides)> {
    Some(match word.to_ascii_lowercase().as_str() {
        "src" | "source" => (Side::Src, Sides::SrcDst),
        "dst" | "dest" | "destination" => (Side::Dst, Sides::SrcDst),
        "in" => (Side::Src, Sides::InOut),
        "out" => (Side::Dst, Sides::InOut),
        _ => return None,
    })
}

fn flag_mask(word: &str) -> Option<u16> {
    if let Some(number) = value::digits(word) {
        return u16::try_from(number).ok();
    }
    word.chars().try_fold(0, |mask, letter| match letter.to_ascii_uppercase() {
        'X' => Some(mask | 0x3f),
        letter => LETTERS.iter().find(|(own, _)| *own == letter).map(|(_, bit)| mask | bit),
    })
}

fn protocol_test(protocol: u8) -> Test {
    Test::number(Number::Protocol, Side::Any, Ranges::one(protocol.into()))
}

/// What rows of the screen may have, which no record has.
const BADGES: [&str; 8] = ["new", "gone", "grown", "one-way", "syn-only", "fan-out", "estimated", "assumed"];

fn unknown(word: &str, span: &Range<usize>) -> ParseError {
    let error = value::unexpected(word, span, A_TEST);
    if value::digits(word).is_some() {
        return error.with_hint(format!("a number alone is no test: `port {word}`, `proto {word}` or `as {word}`"));
    }
    let lower: String = word.to_lowercase().chars().take(32).collect();
    if BADGES.contains(&lower.as_str()) {
        return error
            .with_hint("badges are of rows: they stand at the end of the filter of a live screen, and nowhere else");
    }
    let near = keywords().map(|keyword| (strsim::damerau_levenshtein(&lower, keyword), keyword)).min();
    match near {
        Some((distance, keyword)) if distance <= 2 && distance < keyword.len() => {
            error.with_hint(format!("did you mean `{keyword}`?"))
        }
        _ => error,
    }
}

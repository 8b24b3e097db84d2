//! The collector under hostile input: random, mutated and cut datagrams from many senders into one `Collector`, and by
//! turns clean datagrams of the same mean size into another, so that both speeds are those of the same minutes.
//!
//! ```sh
//! cargo bench --bench hostile                      # 2 million datagrams
//! cargo bench --bench hostile -- 100000000         # a hundred million
//! cargo bench --bench hostile -- 2000000 7         # … made from another seed
//! ```
//!
//! The same number and seed make the same datagrams. Making them is not timed, and what is timed is CPU time, so that
//! neighbours on the host do not count. The clock of the collector goes on by
//! 0.1 ms per datagram, so that sets that wait get too old, and makes jumps, so that senders lose their places.

#[path = "support/clock.rs"]
mod clock;
#[path = "support/common.rs"]
mod support;

use std::env;
use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use flowglass::collector::{Collector, Limits};
use flowglass::flow::{FlowRecord, Timestamp};
use flowglass::ie::{ElementId, REVERSE};
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId, VARIABLE};
use flowglass::wire::{ipfix, sflow, v5, v9};

use crate::clock::spent;
use crate::support::{FIELDS, peak, say, template};

/// 2023-11-14 22:13:20 UTC.
const BEGIN: i64 = 1_700_000_000_000;
/// Datagrams made, then decoded, at a time; the clock ticks behind each lot.
const LOT: u64 = 10_000;
/// Datagrams per millisecond of the collector's clock.
const PER_MS: u64 = 10;
/// Datagrams of one kind before it is the other's turn.
const TURN: u64 = 500_000;
/// Lots between two lines that say how far it is.
const PROGRESS: u64 = 1000;
/// Lots between two jumps of the clock.
const JUMP: u64 = 50;
/// Senders, more than the collector has room for.
const SENDERS: u32 = 1500;
/// Octets of the longest UDP payload.
const LONGEST: usize = 65_507;
/// Numbers at which lengths, counts and ids break.
const EDGES: &[u16] = &[0, 1, 2, 3, 4, 5, 9, 10, 255, 256, 257, 1024, 32_767, 32_768, 65_534, 65_535];

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(2_000_000).max(LOT);
    let seed = numbers.get(1).copied().unwrap_or(1);
    let mut random = Random::new(seed);
    say(&format!("{count} datagrams, seed {seed}"));
    let (mut hostile, mut clean) = (Run::new("hostile"), Run::new("clean"));
    let mut clean_random = Random::new(2);
    for turn in 0..count.div_ceil(TURN) {
        hostile.feed((count - turn * TURN).min(TURN), |lot| lot.hostile(&mut random));
        let size = usize::try_from(hostile.outcome.octets / hostile.outcome.datagrams).unwrap_or(LONGEST);
        clean.feed(TURN / 5, |lot| lot.clean(&mut clean_random, size));
    }
    let [hostile, clean] = [hostile, clean].map(Run::end);
    let ratio = |hostile: f64, clean: f64| hostile / clean;
    say(&format!(
        "hostile : clean  {:.2} datagrams/s  {:.2} octets/s  {:.2} flows/s",
        ratio(hostile.rate(hostile.datagrams), clean.rate(clean.datagrams)),
        ratio(hostile.rate(hostile.octets), clean.rate(clean.octets)),
        ratio(hostile.rate(hostile.flows), clean.rate(clean.flows)),
    ));
}

/// What came of one kind of input.
struct Outcome {
    datagrams: u64,
    octets: u64,
    flows: u64,
    /// Inside the collector alone.
    took: Duration,
}

impl Outcome {
    fn rate(&self, units: u64) -> f64 {
        units as f64 / self.took.as_secs_f64()
    }
}

/// A collector that gets one kind of input.
struct Run {
    name: &'static str,
    collector: Collector,
    lot: Lot,
    flows: Vec<FlowRecord>,
    outcome: Outcome,
    lots: u64,
    now: i64,
    /// For one lot.
    slowest: Duration,
}

impl Run {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            collector: Collector::new(Limits::default()),
            lot: Lot::default(),
            flows: Vec::new(),
            outcome: Outcome { datagrams: 0, octets: 0, flows: 0, took: Duration::ZERO },
            lots: 0,
            now: BEGIN,
            slowest: Duration::ZERO,
        }
    }

    /// Feeds `count` datagrams made by `make`, and holds the accounts against what was fed.
    fn feed(&mut self, count: u64, mut make: impl FnMut(&mut Lot)) {
        for _ in 0..count / LOT {
            self.lot.clear();
            (0..LOT).for_each(|_| make(&mut self.lot));
            self.decode();
            if self.lots.is_multiple_of(PROGRESS) {
                let Outcome { datagrams, .. } = self.outcome;
                let rate = self.outcome.rate(datagrams);
                say(&format!("  {} {datagrams}: {rate:.0} datagrams/s so far, peak {} MiB", self.name, peak("self")));
            }
        }
        check(&self.collector, &self.outcome);
    }

    fn decode(&mut self) {
        if self.lots % JUMP == JUMP - 1 {
            // Longer than a sender may be silent; every other time back again, as a clock that is set does.
            self.now += if (self.lots / JUMP).is_multiple_of(2) { 601_000 } else { -300_000 };
        }
        let begin = spent();
        self.outcome.flows += self.lot.feed(&mut self.collector, self.now, &mut self.flows);
        self.now += (LOT / PER_MS).cast_signed();
        self.collector.tick(Timestamp(self.now));
        let took = spent().saturating_sub(begin);
        self.slowest = self.slowest.max(took);
        self.outcome.took += took;
        self.outcome.datagrams += LOT;
        self.outcome.octets += self.lot.octets.len() as u64;
        self.lots += 1;
    }

    fn end(self) -> Outcome {
        report(self.name, &self.collector, &self.outcome, self.slowest);
        self.outcome
    }
}

/// The accounts balance, and say what was fed and what came out.
fn check(collector: &Collector, outcome: &Outcome) {
    let health = collector.health();
    let totals = health.totals;
    assert_eq!(totals.datagrams, totals.decoded + totals.malformed + totals.foreign + totals.refused);
    assert_eq!((totals.datagrams, totals.octets, totals.flows), (outcome.datagrams, outcome.octets, outcome.flows));
    assert_eq!(totals.data_sets, totals.decoded_sets + totals.waiting + totals.expired);
    let limits = Limits::default();
    assert!(totals.waiting_octets <= limits.all_waiting_octets as u64);
    assert!(totals.template_octets <= limits.all_template_octets as u64);
    assert!(totals.fact_octets <= limits.all_fact_octets as u64);
    let addresses = health.exporters.chunk_by(|a, b| a.address == b.address);
    assert!(addresses.clone().count() <= limits.exporters, "addresses");
    assert!(addresses.map(<[_]>::len).all(|domains| domains <= limits.domains), "domains of an address");
    for exporter in &health.exporters {
        assert!(exporter.templates <= limits.templates as u64, "templates of {exporter:?}");
        assert!(exporter.waiting <= limits.waiting_sets, "sets that wait at {exporter:?}");
    }
}

fn report(name: &str, collector: &Collector, outcome: &Outcome, slowest: Duration) {
    let health = collector.health();
    let totals = health.totals;
    let addresses = health.exporters.chunk_by(|a, b| a.address == b.address).count();
    let templates: u64 = health.exporters.iter().map(|exporter| exporter.templates).sum();
    say(&format!(
        "{name}: {:.0} datagrams/s, {:.0} flows/s, {:.1} MiB/s; {} octets and {:.1} flows per datagram; \
         at most {:.1} µs per datagram of {LOT}; peak {} MiB",
        outcome.rate(outcome.datagrams),
        outcome.rate(outcome.flows),
        outcome.rate(outcome.octets) / 1_048_576.0,
        outcome.octets / outcome.datagrams,
        outcome.flows as f64 / outcome.datagrams as f64,
        slowest.as_secs_f64() * 1e6 / LOT as f64,
        peak("self"),
    ));
    say(&format!(
        "  decoded {}, malformed {}, foreign {}, refused {}; {addresses} addresses, {} domains, {templates} templates, \
         {} data sets: {} decoded, {} waiting, {} in vain; MiB held: sets {}, templates {}, facts {}, bound of all {}",
        totals.decoded,
        totals.malformed,
        totals.foreign,
        totals.refused,
        health.exporters.len(),
        totals.data_sets,
        totals.decoded_sets,
        totals.waiting,
        totals.expired,
        totals.waiting_octets >> 20,
        totals.template_octets >> 20,
        totals.fact_octets >> 20,
        Limits::default().octets() >> 20,
    ));
}

/// Datagrams, one behind the other.
#[derive(Default)]
struct Lot {
    octets: Vec<u8>,
    /// Sender and end of each.
    ends: Vec<(SocketAddr, usize)>,
}

impl Lot {
    fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
    }

    fn push(&mut self, from: SocketAddr, octets: &[u8]) {
        self.octets.extend(&octets[..octets.len().min(LONGEST)]);
        self.ends.push((from, self.octets.len()));
    }

    /// Returns how many flows came out.
    fn feed(&self, collector: &mut Collector, begin: i64, flows: &mut Vec<FlowRecord>) -> u64 {
        let (mut at, mut made) = (0, 0);
        for (number, &(from, end)) in (0_u64..).zip(&self.ends) {
            flows.clear();
            let received = Timestamp(begin + (number / PER_MS).cast_signed());
            let result = collector.datagram(received, from, &self.octets[at..end], flows);
            let _ = black_box((result, &flows));
            made += flows.len() as u64;
            at = end;
        }
        made
    }

    /// One valid datagram of about `size` octets from one of a few routers.
    fn clean(&mut self, random: &mut Random, size: usize) {
        let router = random.below(4);
        let from = sender(router, 2055);
        let number = self.ends.len();
        let has_template = number < 64 || number.is_multiple_of(500);
        let octets = match router {
            0 => fixed(random, 5, v5::HEADER, v5::RECORD, size.saturating_sub(v5::HEADER).div_ceil(v5::RECORD)),
            1 => samples(random, size.div_ceil(SAMPLE)),
            2 => flows(random, Message::v9(v9_header(0)), has_template, size),
            _ => flows(random, Message::ipfix(ipfix_header(0)), has_template, size),
        };
        self.push(from, &octets);
    }

    /// One datagram that nobody should send.
    fn hostile(&mut self, random: &mut Random) {
        let from = sender(random.below(SENDERS), u16::try_from(2000 + random.below(80)).unwrap_or(0));
        let mut octets = valid(random);
        match random.below(12) {
            0..=2 => {}
            3..=5 => random.change(&mut octets),
            6..=7 => octets.truncate(random.size(octets.len())),
            8..=9 => random.edges(&mut octets),
            10 => {
                let other = valid(random);
                let (end, begin) = (random.size(octets.len()), random.size(other.len()));
                octets.truncate(end);
                octets.extend(&other[begin..]);
            }
            _ => {
                let length = random.length();
                octets = random.octets(length);
                let version: &[u8] = [&[][..], &[0, 9], &[0, 10], &sflow::VERSION, &[0, 5]][random.size(4)];
                octets.splice(..version.len().min(length), version.iter().copied());
            }
        }
        self.push(from, &octets);
    }
}

fn sender(number: u32, port: u16) -> SocketAddr {
    let v6 = Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(number));
    let v4 = IpAddr::from((0x0a00_0000 | number).to_be_bytes());
    (if number % 8 == 7 { v6.into() } else { v4 }, port).into()
}

/// A message whose framing is whole, though its templates may be of any kind.
fn valid(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => fixed(random, 1, 16, v5::RECORD, 24),
        1 => fixed(random, 5, v5::HEADER, v5::RECORD, 30),
        2 => fixed(random, 7, v5::HEADER, v5::V7_RECORD, 28),
        3 | 4 => {
            let count = random.size(10);
            samples(random, count)
        }
        5..=7 => {
            let (uptime, sequence, header) = (random.word(), random.below(4), v9_header(random.below(80)));
            sets(random, Message::v9(v9::Header { uptime, sequence, ..header }))
        }
        _ => {
            let (sequence, header) = (random.below(4), ipfix_header(random.below(80)));
            sets(random, Message::ipfix(ipfix::Header { sequence, ..header }))
        }
    }
}

fn v9_header(source_id: u32) -> v9::Header {
    v9::Header { uptime: 1_000_000, seconds: 1_700_000_000, source_id, ..Default::default() }
}

fn ipfix_header(domain: u32) -> ipfix::Header {
    ipfix::Header { export_time: 1_700_000_000, domain, ..Default::default() }
}

/// A datagram of a fixed layout.
fn fixed(random: &mut Random, version: u16, header: usize, record: usize, records: usize) -> Vec<u8> {
    let count = u16::try_from(records).unwrap_or(u16::MAX);
    let whole = emit::v5(v5::Header { count, uptime: 1_000_000, seconds: 1_700_000_000, ..Default::default() }, &[]);
    let mut octets = whole[..header].to_vec();
    octets[..2].copy_from_slice(&version.to_be_bytes());
    octets.extend(random.octets(record * records));
    octets
}

/// Octets of one flow sample, as [`samples`] makes them.
const SAMPLE: usize = 40 + 8 + 16 + 64;

/// An sFlow datagram of flow samples with an Ethernet frame each.
fn samples(random: &mut Random, count: usize) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut octets = sflow::VERSION.to_vec();
    octets.extend([1_u32, 0x0a00_0001, 0, 1, 1_000_000].iter().flat_map(|number| number.to_be_bytes()));
    octets.extend(word(count));
    for number in 0..count {
        let mut frame = random.octets(64);
        frame[12..15].copy_from_slice(&[0x08, 0, 0x45]);
        frame[23] = 17;
        octets.extend([1, SAMPLE - 8, number, 3, 1000, 1000, 0, 3, 4, 1].map(word).as_flattened());
        octets.extend([1, 16 + 64, 1, 64, 4, 64].map(word).as_flattened());
        octets.extend(frame);
    }
    octets
}

/// A v9 or IPFIX datagram as a router sends it.
fn flows(random: &mut Random, mut message: Message, has_template: bool, size: usize) -> Vec<u8> {
    if has_template {
        message = message.template(&template(256, 0, FIELDS));
    }
    let record: usize = FIELDS.iter().map(|&(_, length)| usize::from(length)).sum();
    let records = size.saturating_sub(message.length() + 4).div_ceil(record);
    message.set(256, &random.octets(record * records)).finish()
}

/// A v9 or IPFIX datagram of any sets.
fn sets(random: &mut Random, mut message: Message) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let id = 256 + u16::try_from(random.below(24)).unwrap_or(0);
        let length = random.length();
        message = match random.below(8) {
            0..=2 => message.template(&any_template(random, id)),
            3 => message.set(random.edge(), &random.octets(length)),
            // Text without an end, as names may be.
            4 => message.data(TemplateId(id), &vec![b'x'; length]),
            _ => message.data(TemplateId(id), &random.octets(length)),
        };
    }
    message.finish()
}

fn any_template(random: &mut Random, id: u16) -> Template {
    match random.below(32) {
        0 => template(id, 0, &[(1, 1)]),
        1 => template(id, 0, &[(8, 0), (12, 0), (1, random.edge())]),
        2 => template(id, 0, &vec![(1, 1); 1 + random.size(12_000)]),
        3 => template(id, 0, &vec![(95, VARIABLE); 1024]),
        4..=7 => template(id, 1, &[(10, 4), (82, random.edge())]),
        8..=9 => template(id, 1, &[(10, 2), (82, VARIABLE), (83, VARIABLE)]),
        10 => template(id, 1, &[(302, 1), (34, 1)]),
        11..=19 => template(id, 0, FIELDS),
        scopes => {
            let mut any = template(id, usize::from(scopes == 20), &[(12, 4)]);
            any.fields.extend((0..random.below(24)).map(|_| random.field()));
            any
        }
    }
}

/// Numbers by xorshift (Marsaglia, 2003), the same for the same seed everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn word(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or(0)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.word() % end
    }

    /// 0 to `most`, both included.
    fn size(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % (most + 1)
    }

    fn edge(&mut self) -> u16 {
        EDGES[self.size(EDGES.len() - 1)]
    }

    /// Of something inside a datagram: mostly short, sometimes as long as it can be.
    fn length(&mut self) -> usize {
        let most = if self.below(200) == 0 { 65_000 } else { 400 };
        self.size(most)
    }

    fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut octets = Vec::with_capacity(length + 8);
        while octets.len() < length {
            octets.extend(self.next().to_be_bytes());
        }
        octets.truncate(length);
        octets
    }

    fn field(&mut self) -> FieldSpecifier {
        let number = u16::try_from(self.below(512)).unwrap_or(0);
        let element = match self.below(8) {
            0 => ElementId::Vendor { pen: REVERSE, id: number },
            1 => ElementId::Vendor { pen: self.word(), id: number },
            _ => ElementId::Iana(number),
        };
        let length = match self.below(10) {
            0 => self.edge(),
            1 => VARIABLE,
            2 => 0,
            _ => [1, 2, 4, 8, 16][self.size(4)],
        };
        FieldSpecifier { element, length }
    }

    /// Puts other octets in up to eight places.
    fn change(&mut self, octets: &mut [u8]) {
        for _ in 0..=self.below(8) {
            let at = self.size(octets.len().saturating_sub(1));
            let other = self.next().to_be_bytes()[0];
            octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = other);
        }
    }

    /// Puts numbers at which something breaks where counts and lengths may stand: mostly near the front.
    fn edges(&mut self, octets: &mut [u8]) {
        for _ in 0..=self.below(3) {
            let most = if self.below(3) == 0 { octets.len() } else { octets.len().min(48) };
            let at = self.size(most) & !1;
            let edge = self.edge().to_be_bytes();
            octets.iter_mut().skip(at).zip(edge).for_each(|(octet, edge)| *octet = edge);
        }
    }
}

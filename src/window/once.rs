//! The same traffic reported twice: found by the flow itself, and counted once.
//!
//! An observer is an exporter and domain, with the interface and the direction that it looks in. The first observer
//! that reports a flow (five values, translated back to the inside host) claims it; what another one reports of it while
//! the claim holds is the same packets seen elsewhere. Such records are marked with the rule, never dropped, so that
//! counting them can be switched on and off for the whole past.
//!
//! Where no flow was seen twice, only a part of a busy stream is looked at. Claims and translations are bounded; the
//! oldest are forgotten first, and what is forgotten is counted twice again.

use std::hash::BuildHasher;
use std::mem;
use std::net::IpAddr;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::flow::{Direction, FlowKey, FlowRecord, ObservationDomainId, Timestamp};

/// By which rule a record was found to be one more report of the same packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fold {
    /// One exporter saw it come in and go out.
    BothSides = 0,
    /// Two exporters, or two domains, are on its path.
    Path = 1,
    /// It was seen before and after translation.
    Translation = 2,
}

impl Fold {
    pub const ALL: [Self; 3] = [Self::BothSides, Self::Path, Self::Translation];

    pub const fn label(self) -> &'static str {
        match self {
            Self::BothSides => "in and out of one exporter",
            Self::Path => "by two exporters",
            Self::Translation => "before and after NAT",
        }
    }
}

/// Claims of one generation; there are two. Beyond, the older one is forgotten.
const CLAIMS: usize = 1 << 18;
/// Translations of one generation.
const TRANSLATIONS: usize = 1 << 16;
/// Observers told apart; what comes beyond is never folded.
const OBSERVERS: usize = 4096;
/// Milliseconds after which a generation is forgotten.
const GENERATION_MS: i64 = 180_000;
/// How long a claim holds after the end of what was reported last, in milliseconds: the usual active timeout and some
/// seconds on the way.
const HOLDS_MS: i64 = 75_000;
/// Claims from which on only one flow in so many is looked at, unless some was seen twice lately.
const BUSY: usize = 1 << 15;
const ONE_IN: u64 = 16;
/// After a flow was seen twice, all are looked at for so long.
const ALERT_MS: i64 = 600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Observer {
    exporter: IpAddr,
    domain: ObservationDomainId,
    direction: Direction,
    /// Of ingress and where nothing is said the input, of egress the output.
    interface: u32,
}

impl Observer {
    const fn of(flow: &FlowRecord) -> Self {
        let interface = match flow.direction {
            Direction::Egress => flow.out_if,
            Direction::Unknown | Direction::Ingress => flow.in_if,
        };
        Self { exporter: flow.exporter, domain: flow.domain, direction: flow.direction, interface }
    }
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    observer: u16,
    /// Whether the claimant saw it translated.
    translated: bool,
    /// End of what it reported last.
    last: i64,
}

/// An address and a port of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Socket {
    address: IpAddr,
    port: u16,
    protocol: u8,
}

/// What was claimed and what is translated, in two generations each.
#[derive(Debug, Clone)]
pub(super) struct Once {
    hasher: DefaultHashBuilder,
    observers: HashMap<Observer, u16>,
    /// Of the record before, since neighbours are mostly of one observer.
    last: u16,
    by_number: Vec<Observer>,
    claims: [HashMap<u64, Claim>; 2],
    translations: [HashMap<Socket, Socket>; 2],
    turned: i64,
    alert_until: i64,
}

/// The flow as its inside host knows it, and whether this is a report of what was reported already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) key: FlowKey,
    pub(super) fold: Option<Fold>,
}

impl Once {
    pub(super) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            observers: HashMap::new(),
            last: 0,
            by_number: Vec::new(),
            claims: [HashMap::new(), HashMap::new()],
            translations: [HashMap::new(), HashMap::new()],
            turned: i64::MIN,
            alert_until: i64::MIN,
        }
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        if GENERATION_MS <= now.0.saturating_sub(self.turned) {
            self.turned = now.0;
            let [young, old] = &mut self.claims;
            *old = mem::take(young);
            let [young, old] = &mut self.translations;
            *old = mem::take(young);
        }
    }

    /// Looks at one record. `is_local` says which networks are inside.
    pub(super) fn look(&mut self, flow: &FlowRecord, is_local: impl Fn(IpAddr) -> bool) -> Seen {
        let (key, translated) = self.inside(flow, is_local);
        let alone = Seen { key, fold: None };
        let Some(observer) = self.observer(flow) else { return alone };
        // A lone observer reports nothing twice, unless it translates.
        if self.by_number.len() < 2 && !self.has_translations() {
            return alone;
        }
        let print = self.hasher.hash_one(key);
        let is_busy = BUSY < self.claims[0].len() && self.alert_until < flow.received.0;
        if is_busy && !print.is_multiple_of(ONE_IN) {
            return alone;
        }
        let own = Claim { observer, translated, last: flow.last.0.min(flow.received.0) };
        Seen { key, fold: self.claim(print, own, flow) }
    }

    fn claim(&mut self, print: u64, own: Claim, flow: &FlowRecord) -> Option<Fold> {
        let [young, old] = &mut self.claims;
        if let Some(claim) = young.get_mut(&print)
            && (claim.observer, claim.translated) == (own.observer, own.translated)
        {
            claim.last = claim.last.max(own.last);
            return None;
        }
        let Some(held) = young.get(&print).or_else(|| old.get(&print)).copied() else {
            self.keep(print, own);
            return None;
        };
        let is_own = held.observer == own.observer && held.translated == own.translated;
        let holds = flow.first.0.min(flow.received.0) <= held.last.saturating_add(HOLDS_MS);
        if is_own || !holds {
            let last = if is_own { held.last.max(own.last) } else { own.last };
            self.keep(print, Claim { last, ..own });
            return None;
        }
        self.alert_until = flow.received.0.saturating_add(ALERT_MS);
        let (claimant, observer) = (self.by_number.get(usize::from(held.observer))?, Observer::of(flow));
        Some(match () {
            () if held.translated != own.translated => Fold::Translation,
            () if (claimant.exporter, claimant.domain) == (observer.exporter, observer.domain) => Fold::BothSides,
            () => Fold::Path,
        })
    }

    fn keep(&mut self, print: u64, claim: Claim) {
        let [young, old] = &mut self.claims;
        if CLAIMS <= young.len() {
            *old = mem::take(young);
        }
        young.insert(print, claim);
    }

    fn observer(&mut self, flow: &FlowRecord) -> Option<u16> {
        let observer = Observer::of(flow);
        if self.by_number.get(usize::from(self.last)) == Some(&observer) {
            return Some(self.last);
        }
        if let Some(&number) = self.observers.get(&observer) {
            self.last = number;
            return Some(number);
        }
        let number = u16::try_from(self.by_number.len()).ok().filter(|number| usize::from(*number) < OBSERVERS)?;
        self.observers.insert(observer, number);
        self.by_number.push(observer);
        Some(number)
    }

    /// The flow as the inside host knows it, as far as that is known, and whether an outside address stood in the record.
    fn inside(&mut self, flow: &FlowRecord, is_local: impl Fn(IpAddr) -> bool) -> (FlowKey, bool) {
        let key = flow.key;
        let socket = |address, port| Socket { address, port, protocol: key.protocol };
        let mut turn = |seen: Socket, other: Option<IpAddr>, other_port: u16| {
            let port = if other_port == 0 { seen.port } else { other_port };
            let other = other.filter(|other| *other != seen.address && !other.is_unspecified());
            let Some(other) = other.map(|other| socket(other, port)) else {
                return self.translation(seen).map_or((seen, false), |inside| (inside, true));
            };
            match (is_local(seen.address), is_local(other.address)) {
                // The record names the inside host: what is seen is the outside.
                (false, true) => {
                    self.learn(seen, other);
                    (other, true)
                }
                // The record is of the inside, and names the outside.
                (true, false) => {
                    self.learn(other, seen);
                    (seen, false)
                }
                _ => (seen, false),
            }
        };
        let (src, src_turned) = turn(socket(key.src_ip, key.src_port), flow.nat_src_ip, flow.nat_src_port);
        let (dst, dst_turned) = turn(socket(key.dst_ip, key.dst_port), flow.nat_dst_ip, flow.nat_dst_port);
        let (src_ip, src_port, dst_ip, dst_port) = (src.address, src.port, dst.address, dst.port);
        (FlowKey { src_ip, dst_ip, src_port, dst_port, ..key }, src_turned || dst_turned)
    }

    fn learn(&mut self, outside: Socket, inside: Socket) {
        let [young, old] = &mut self.translations;
        if TRANSLATIONS <= young.len() {
            *old = mem::take(young);
        }
        young.insert(outside, inside);
    }

    fn translation(&self, outside: Socket) -> Option<Socket> {
        if !self.has_translations() {
            return None;
        }
        self.translations.iter().find_map(|generation| generation.get(&outside)).copied()
    }

    fn has_translations(&self) -> bool {
        self.translations.iter().any(|generation| !generation.is_empty())
    }
}

#[cfg(test)]
mod tests;

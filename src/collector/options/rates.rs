//! Sampling rates: who announced one for what, which of them a record gets, and what the operator knows better.
//!
//! **Which rate wins** stands here and nowhere else. Of the first of these that has a plausible rate:
//!
//! 1. the operator, for the exporter's address ([`Overrides`]);
//! 2. the record itself (elements 34, 50, 305 and 306, 396 and 397; the header of v5; a sample of sFlow);
//! 3. the sampler or selector that the record names (48, 302);
//! 4. its template (scope 145, or 5 in v9);
//! 5. the interface where it was seen (scope 10 or 14, or 2 in v9): the egress one of a record of direction egress, else
//!    the ingress one, and of a record without a direction the egress one where the ingress one has none;
//! 6. the metering or exporting process that it names (scope 143, 144);
//! 7. the domain. That is what was said of it, or of any process, last; else what all samplers have in common.
//!
//! A record that came before the options has none of 3 to 7, and stays so: nothing that was handed out is changed.
//! No count is touched here, and the rate in the record is read by `normalize`. The input is options records.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::collector::options::{FACTS, keep};
use crate::flow::{Direction, FlowRecord, Sampling, SamplingKind, SamplingSource};

/// A rate that can be one: 0 says nothing, and no exporter looks at one packet in 16 million; MikroTik before RouterOS
/// 7.10 sends a 1 the wrong way round, which reads as that.
pub fn plausible(rate: u64) -> Option<u32> {
    u32::try_from(rate).ok().filter(|rate| (1..=0x00ff_ffff).contains(rate))
}

/// What the operator knows better than the exporters: rates by prefix of their address, of which the longest wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(Vec<(IpNet, u32)>);

impl Overrides {
    /// Of a prefix that is given twice, the last rate holds.
    pub fn new(rates: impl IntoIterator<Item = (IpNet, u32)>) -> Self {
        Self(rates.into_iter().collect())
    }

    /// The rate of one exporter, of packets.
    pub fn sampling(&self, exporter: IpAddr) -> Option<Sampling> {
        let holding = self.0.iter().filter(|(prefix, _)| prefix.contains(&exporter));
        let (_, rate) = holding.max_by_key(|(prefix, _)| prefix.prefix_len())?;
        Some(Sampling { rate: *rate, kind: SamplingKind::Packet, source: SamplingSource::Operator })
    }
}

/// The rates that hold for one exporter and domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::collector) struct Rates {
    /// Of the operator.
    pub(in crate::collector) operator: Option<Sampling>,
    domain: Option<Sampling>,
    announced: BTreeMap<Scope, Sampling>,
    /// Whether records can differ by more than their template.
    by_record: bool,
    /// How many samplers have each rate.
    samplers: BTreeMap<Sampling, usize>,
}

/// What a rate was announced for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::collector) enum Scope {
    /// Of v9 (48) or a selector of IPFIX (302).
    Sampler(u64),
    Template(u16),
    Interface(u32),
    MeteringProcess(u64),
    ExportingProcess(u64),
    Domain,
}

/// What a record says of where it was sampled, beside its interfaces.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::collector) struct Named {
    pub(in crate::collector) sampler: Option<u64>,
    pub(in crate::collector) metering: Option<u64>,
    pub(in crate::collector) exporting: Option<u64>,
}

/// The rates for the records of one set.
#[derive(Debug, Clone, Copy)]
pub(in crate::collector) struct SetRates<'a> {
    pub(in crate::collector) operator: Option<Sampling>,
    template: Option<Sampling>,
    domain: Sampling,
    /// Where records have to be asked one by one.
    rates: Option<&'a Rates>,
}

impl Rates {
    /// The rate of a record that names nothing.
    pub(super) fn of_domain(&self) -> Sampling {
        let common = self.samplers.keys().next().filter(|_| self.samplers.len() == 1);
        self.operator.or(self.domain).or_else(|| common.copied()).unwrap_or_default()
    }

    pub(in crate::collector) fn of_set(&self, template: u16) -> SetRates<'_> {
        let known = !self.announced.is_empty();
        SetRates {
            operator: self.operator,
            template: if known { self.announced.get(&Scope::Template(template)).copied() } else { None },
            domain: self.of_domain(),
            rates: self.by_record.then_some(self),
        }
    }

    /// Takes an announced rate, and returns how many found no room. Then it holds for the domain, as the one of a
    /// process does at any time: most exporters have only one, and it may get another number at each start.
    pub(super) fn learn(&mut self, scope: Scope, sampling: Sampling) -> u64 {
        let is_of_domain = matches!(scope, Scope::Domain | Scope::MeteringProcess(_) | Scope::ExportingProcess(_));
        if is_of_domain {
            self.domain = Some(sampling);
        }
        if scope == Scope::Domain {
            return 0;
        }
        let before = self.announced.get(&scope).copied();
        if before == Some(sampling) {
            return 0;
        }
        let refused = keep(&mut self.announced, FACTS, scope, sampling);
        if refused != 0 {
            self.domain = Some(sampling);
            return refused;
        }
        self.by_record |= !matches!(scope, Scope::Template(_));
        if matches!(scope, Scope::Sampler(_)) {
            self.count_sampler(before, sampling);
        }
        0
    }

    fn count_sampler(&mut self, before: Option<Sampling>, now: Sampling) {
        if let Some(before) = before
            && let Some(count) = self.samplers.get_mut(&before)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.samplers.remove(&before);
            }
        }
        let count = self.samplers.entry(now).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether a rate for it takes no new room.
    pub(super) fn knows(&self, scope: Scope) -> bool {
        scope == Scope::Domain || self.announced.contains_key(&scope)
    }

    fn get(&self, scope: Scope) -> Option<Sampling> {
        self.announced.get(&scope).copied()
    }

    fn of_interface(&self, flow: &FlowRecord) -> Option<Sampling> {
        let at = |index: u32| if index == 0 { None } else { self.get(Scope::Interface(index)) };
        match flow.direction {
            Direction::Egress => at(flow.out_if),
            Direction::Ingress => at(flow.in_if),
            Direction::Unknown => at(flow.in_if).or_else(|| at(flow.out_if)),
        }
    }
}

impl SetRates<'_> {
    /// The rate of records that say nothing of their own.
    pub(in crate::collector) fn of_all(&self) -> Sampling {
        self.operator.or(self.template).unwrap_or(self.domain)
    }

    /// Whether records have to be asked one by one.
    #[inline]
    pub(in crate::collector) const fn is_by_record(&self) -> bool {
        self.rates.is_some()
    }

    /// The announced rate of a record whose interfaces and direction are filled in. `named` is asked only where
    /// something hangs on it.
    #[inline]
    pub(in crate::collector) fn of(&self, flow: &FlowRecord, named: impl FnOnce() -> Named) -> Sampling {
        match self.rates {
            None => self.template.unwrap_or(self.domain),
            Some(rates) => self.of_record(rates, flow, named()),
        }
    }

    fn of_record(&self, rates: &Rates, flow: &FlowRecord, named: Named) -> Sampling {
        let of = |scope: fn(u64) -> Scope, id: Option<u64>| id.and_then(|id| rates.get(scope(id)));
        of(Scope::Sampler, named.sampler)
            .or(self.template)
            .or_else(|| rates.of_interface(flow))
            .or_else(|| of(Scope::MeteringProcess, named.metering))
            .or_else(|| of(Scope::ExportingProcess, named.exporting))
            .unwrap_or(self.domain)
    }
}

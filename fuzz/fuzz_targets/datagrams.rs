//! A sequence of datagrams into one collector, made of templates, sets and records that fit each other more often than
//! chance would have it, and of raw octets. The accounts must balance, and nothing may grow beyond its limit. An input
//! that is a capture file gives the datagrams in it instead, so that captures of real exporters are inputs to begin with.

#![no_main]

use std::net::SocketAddr;

use arbitrary::{Arbitrary, Unstructured};
use flowglass::collector::{Collector, Limits};
use flowglass::collector::stats::Totals;
use flowglass::flow::{FlowRecord, Timestamp};
use flowglass::ie::{ElementId, REVERSE};
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId, VARIABLE};
use flowglass::wire::{ipfix, sflow, v5, v9};
use libfuzzer_sys::fuzz_target;

/// So small that each is reached.
const LIMITS: Limits = Limits {
    exporters: 3,
    sessions: 3,
    domains: 2,
    templates: 4,
    fields: 48,
    waiting_sets: 4,
    waiting_octets: 2048,
    all_waiting_octets: 5000,
    all_template_octets: 24_000,
    all_fact_octets: 3000,
    flow_octets: 4,
    waiting_ms: 1000,
    idle_ms: 5000,
};

#[derive(Debug, Arbitrary)]
struct Step {
    /// Milliseconds since the step before; negative when the clock was set back.
    pause: i16,
    ticks: bool,
    sender: u8,
    port: u8,
    /// Cuts this many octets off the end.
    cut: u8,
    datagram: Datagram,
}

#[derive(Debug, Arbitrary)]
enum Datagram {
    Raw(Vec<u8>),
    Sflow(Vec<u8>),
    V5 { count: u16, engine: u8, sampling: u16, records: Vec<[u8; v5::RECORD]> },
    V9 { uptime: u32, seconds: u32, sequence: u8, domain: u8, sets: Vec<Piece> },
    Ipfix { seconds: u32, sequence: u8, domain: u8, sets: Vec<Piece> },
}

#[derive(Debug, Arbitrary)]
enum Piece {
    Template { id: u8, scopes: u8, fields: Vec<Field> },
    Data { id: u8, octets: Vec<u8> },
    Set { id: u16, octets: Vec<u8> },
}

#[derive(Debug, Arbitrary)]
struct Field {
    id: u16,
    length: Length,
    vendor: Option<u32>,
    is_reverse: bool,
}

#[derive(Debug, Arbitrary)]
enum Length {
    Short(u8),
    Variable,
    Any(u16),
}

fuzz_target!(|octets: &[u8]| {
    let mut run = Run { collector: Collector::new(LIMITS), flows: Vec::new(), made: 0, fed: 0, before: Totals::default() };
    match flowglass_fuzz::capture(octets) {
        Some(Ok(capture)) => {
            for datagram in capture.flatten() {
                run.collector.tick(datagram.at);
                run.feed(datagram.at, datagram.from, &datagram.payload);
            }
        }
        _ => {
            let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(octets)) else { return };
            run.steps(&steps);
        }
    }
});

struct Run {
    collector: Collector,
    flows: Vec<FlowRecord>,
    /// Flow records and datagrams so far.
    made: u64,
    fed: u64,
    /// The accounts one datagram ago.
    before: Totals,
}

impl Run {
    fn steps(&mut self, steps: &[Step]) {
        let mut now = Timestamp(1_700_000_000_000);
        for step in steps {
            now = now.plus(step.pause.into());
            if step.ticks {
                self.collector.tick(now);
            }
            let mut octets = step.datagram.octets();
            octets.truncate(octets.len().saturating_sub(step.cut.into()).min(65_507));
            let sender = SocketAddr::from(([192, 0, 2, step.sender % 5], 2000 + u16::from(step.port % 5)));
            self.feed(now, sender, &octets);
        }
    }

    fn feed(&mut self, now: Timestamp, sender: SocketAddr, octets: &[u8]) {
        self.flows.clear();
        let result = self.collector.datagram(now, sender, octets, &mut self.flows);
        (self.made, self.fed) = (self.made + self.flows.len() as u64, self.fed + 1);
        // A message of IPFIX is believed as a whole or not at all.
        assert!(result.is_ok() || !octets.starts_with(&[0, 10]) || self.flows.is_empty());
        // Each text of a fault can be made.
        let _ = result.map_err(|fault| fault.to_string());
        assert!(self.flows.iter().all(|flow| flow.first <= flow.last));
        // What had waited has come in octets before; both halves of a record count once.
        let most = (octets.len() + LIMITS.waiting_octets) / LIMITS.flow_octets + 1 + LIMITS.waiting_sets as usize;
        assert!(self.flows.len() <= most, "{} flows of {} octets", self.flows.len(), octets.len());
        self.check();
    }

    fn check(&mut self) {
        let health = self.collector.health();
        let totals = health.totals;
        assert_eq!((totals.datagrams, totals.flows), (self.fed, self.made));
        assert_eq!(totals.datagrams, totals.decoded + totals.malformed + totals.foreign + totals.refused);
        assert_eq!(totals.data_sets, totals.decoded_sets + totals.waiting + totals.expired);
        assert!(self.before.expired <= totals.expired && self.before.data_sets <= totals.data_sets);
        assert!(self.before.decoded_sets <= totals.decoded_sets);
        assert!(totals.waiting_octets <= LIMITS.all_waiting_octets as u64);
        assert!(totals.template_octets <= LIMITS.all_template_octets as u64);
        assert!(totals.fact_octets <= LIMITS.all_fact_octets as u64);
        let addresses = health.exporters.chunk_by(|a, b| a.address == b.address);
        assert!(addresses.clone().count() <= LIMITS.exporters);
        assert!(addresses.map(<[_]>::len).all(|domains| domains <= LIMITS.domains));
        for exporter in &health.exporters {
            assert!(exporter.templates <= LIMITS.templates as u64);
            assert!(exporter.waiting <= LIMITS.waiting_sets);
            if let Some(facts) = self.collector.facts(exporter.address, exporter.domain, exporter.version) {
                assert!(facts.names.iter().all(|(_, _, name)| !name.chars().any(char::is_control)));
            }
        }
        self.before = totals;
    }
}

impl Datagram {
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Raw(octets) => octets.clone(),
            Self::Sflow(octets) => [&sflow::VERSION, octets.as_slice()].concat(),
            Self::V5 { count, engine, sampling, records } => {
                // Right as often as not.
                let count = if count % 2 == 0 { records.len() as u16 } else { *count };
                let header = v5::Header { count, engine_id: engine % 3, sampling: *sampling, ..Default::default() };
                emit::v5(header, records)
            }
            Self::V9 { uptime, seconds, sequence, domain, sets } => {
                let (sequence, source_id) = (u32::from(*sequence), u32::from(domain % 3));
                let header = v9::Header { count: 0, uptime: *uptime, seconds: *seconds, sequence, source_id };
                sets.iter().fold(Message::v9(header), |message, set| set.put(message)).finish()
            }
            Self::Ipfix { seconds, sequence, domain, sets } => {
                let (sequence, domain) = (u32::from(*sequence), u32::from(domain % 3));
                let header = ipfix::Header { length: 0, export_time: *seconds, sequence, domain };
                sets.iter().fold(Message::ipfix(header), |message, set| set.put(message)).finish()
            }
        }
    }
}

impl Piece {
    fn put(&self, message: Message) -> Message {
        let id = |id: u8| TemplateId(256 + u16::from(id % 6));
        match self {
            Self::Template { id: number, scopes, fields } => {
                let scopes = usize::from(scopes % 3).min(fields.len());
                let fields = fields.iter().map(Field::specifier).collect();
                message.template(&Template { id: id(*number), scopes, fields })
            }
            Self::Data { id: number, octets } => message.data(id(*number), octets),
            Self::Set { id, octets } => message.set(*id, octets),
        }
    }
}

impl Field {
    fn specifier(&self) -> FieldSpecifier {
        let element = match self.vendor {
            Some(_) if self.is_reverse => ElementId::Vendor { pen: REVERSE, id: self.id % 512 },
            Some(pen) => ElementId::Vendor { pen, id: self.id % 512 },
            None => ElementId::Iana(self.id % 512),
        };
        let length = match self.length {
            Length::Short(length) => (length % 17).into(),
            Length::Variable => VARIABLE,
            Length::Any(length) => length,
        };
        FieldSpecifier { element, length }
    }
}

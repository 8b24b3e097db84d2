//! A day of simulated time: fifty exporters, restarts of theirs and ours, redefined templates, floods, a stalled disk and
//! retention. At its end the accounts balance to the unit, in memory and in the file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use flowglass::collector::stats::{Health, Totals};
use flowglass::collector::{Collector, Limits};
use flowglass::flow::{FlowRecord, Timestamp};
use flowglass::ie::ElementId;
use flowglass::store::history::{History, Run};
use flowglass::store::retention::{Age, Retention, Size};
use flowglass::store::writer::{Options, Writer};
use flowglass::wire::emit::{self, Message};
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};
use flowglass::wire::{ipfix, v5, v9};
use rusqlite::Connection;

const BEGIN: Timestamp = Timestamp(1_790_000_000_000);
const DAY_S: u32 = 86_400;
const EXPORTERS: u8 = 50;
/// Flows in each datagram that has any.
const FLOWS: u64 = 5;
/// Addresses that find room; the flood has more.
const ROOM: usize = 64;

/// xorshift: the same day each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }

    fn below(&mut self, n: u64) -> u32 {
        u32::try_from(self.roll() % n).unwrap()
    }
}

/// What was sent, by what must become of it.
#[derive(Debug, Default)]
struct Sent {
    datagrams: u64,
    malformed: u64,
    foreign: u64,
    /// Datagrams with flows, whoever they are from.
    with_flows: u64,
}

struct Exporter {
    address: SocketAddr,
    version: u16,
    sequence: u32,
    template: u16,
    /// Octets of the byte counter: a template that comes again has another one.
    width: u16,
    /// When the template is sent next.
    template_due: u32,
}

impl Exporter {
    fn new(n: u8) -> Self {
        let address = SocketAddr::new(Ipv4Addr::new(10, 0, 0, n + 1).into(), 20_000);
        let version = [5, 9, 10][usize::from(n) % 3];
        Self { address, version, sequence: 0, template: 256, width: 4, template_due: 0 }
    }

    /// It begins anew, on another port and with other numbers, and is late with its template.
    fn restart(&mut self, second: u32, dice: &mut Dice) {
        self.address.set_port(20_000 + u16::try_from(dice.below(40_000)).unwrap());
        (self.sequence, self.template) = (0, self.template + 1);
        self.template_due = second + dice.below(400);
    }

    fn datagram(&mut self, at: Timestamp, second: u32, dice: &mut Dice) -> Vec<u8> {
        let seconds = u32::try_from(at.0 / 1000).unwrap();
        if self.version == 5 {
            let header =
                v5::Header { count: 5, sequence: self.sequence, seconds, uptime: 100_000, ..Default::default() };
            self.sequence = self.sequence.wrapping_add(5);
            let record = |n: u8| {
                let mut record = [0; v5::RECORD];
                record[..8].copy_from_slice(&[10, 1, 0, n, 10, 2, 0, n]);
                record[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 1, n]);
                record[24..32].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0x80, 0]);
                record
            };
            return emit::v5(header, &[0, 1, 2, 3, 4].map(record));
        }
        let mut message = match self.version {
            9 => Message::v9(v9::Header { source_id: 7, seconds, sequence: self.sequence, ..Default::default() }),
            _ => Message::ipfix(ipfix::Header {
                domain: 7,
                export_time: seconds,
                sequence: self.sequence,
                ..Default::default()
            }),
        };
        self.sequence = self.sequence.wrapping_add(if self.version == 9 { 1 } else { 5 });
        let knows = self.template_due <= second;
        // A redefinition comes with the data that need it.
        let is_redefined = knows && dice.one_in(3_000);
        if is_redefined {
            self.width = if self.width == 4 { 8 } else { 4 };
        }
        if is_redefined || (knows && dice.one_in(20)) {
            let fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, self.width), (2, 4)];
            let field = |(id, length): (u16, u16)| FieldSpecifier { element: ElementId::Iana(id), length };
            let fields = fields.map(field).to_vec();
            message = message.template(&Template { id: TemplateId(self.template), scopes: 0, fields });
        }
        let mut records = Vec::new();
        for n in 0..5 {
            records.extend([10, 1, 0, n, 10, 2, 0, n, 0, 80, 200, n, 6]);
            records.extend(vec![0; usize::from(self.width) - 1]);
            records.extend([100 + n, 0, 0, 0, 1]);
        }
        message.data(TemplateId(self.template), &records).finish()
    }
}

/// The whole day.
struct Day {
    dice: Dice,
    sent: Sent,
    exporters: Vec<Exporter>,
    collector: Collector,
    writer: Option<Writer>,
    /// Of the runs that are over, as they stand in memory and in the file; retention forgets the rows of the latter.
    before: Totals,
    runs: Vec<Run>,
    dropped: u64,
    steady: Instant,
    path: std::path::PathBuf,
}

fn open(path: &std::path::Path) -> Writer {
    let retention = Retention { age: Age::Of(Duration::from_secs(6 * 3600)), size: Size::Unlimited };
    Writer::open(path, Options { buffer_flows: 20_000, retention, ..Options::default() }).unwrap()
}

fn collector() -> Collector {
    Collector::new(Limits { exporters: ROOM, ..Limits::default() })
}

/// Adds the accounts of a run that is over.
fn add(sum: &mut Totals, run: &Totals) {
    sum.datagrams += run.datagrams;
    sum.decoded += run.decoded;
    sum.malformed += run.malformed;
    sum.foreign += run.foreign;
    sum.refused += run.refused;
    sum.flows += run.flows;
    sum.data_sets += run.data_sets;
    sum.decoded_sets += run.decoded_sets;
    // What waited at the end of a run waits in vain.
    sum.expired += run.expired + run.waiting;
}

impl Day {
    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    fn give(&mut self, at: Timestamp, from: SocketAddr, payload: &[u8], flows: &mut Vec<FlowRecord>) {
        self.sent.datagrams += 1;
        let _ = self.collector.datagram(at, from, payload, flows);
    }

    fn second(&mut self, second: u32) {
        let at = BEGIN.plus(i64::from(second) * 1000);
        let mut flows = Vec::new();
        for n in 0..self.exporters.len() {
            // Each sends twice a minute, at its own time.
            if (second + u32::try_from(n).unwrap()).is_multiple_of(30) {
                if self.dice.one_in(500) {
                    self.exporters[n].restart(second, &mut self.dice);
                }
                let payload = self.exporters[n].datagram(at, second, &mut self.dice);
                self.sent.with_flows += 1;
                self.give(at, self.exporters[n].address, &payload, &mut flows);
            }
        }
        self.flood(at, second, &mut flows);
        self.collector.tick(at);
        if !flows.is_empty() {
            self.writer().push(&flows);
        }
    }

    /// Three floods of ten minutes, each of another kind, with what is always about.
    fn flood(&mut self, at: Timestamp, second: u32, flows: &mut Vec<FlowRecord>) {
        let stranger = |n: u32| SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400 | (n % 250))), 9);
        let minute = second / 60;
        let is_flood = |begin: u32| (begin..begin + 10).contains(&minute);
        if is_flood(200) || self.dice.one_in(300) {
            for n in 0..20 {
                self.sent.foreign += 1;
                self.give(at, stranger(second + n), &[0x16, 3, 1, 0], flows);
            }
        }
        if is_flood(500) || self.dice.one_in(300) {
            // A set that claims to be longer than its message, from an exporter that is known and from others.
            let cut =
                Message::v9(v9::Header { source_id: 7, ..Default::default() }).data(TemplateId(256), &[0; 8]).finish();
            let cut = &cut[..cut.len() - 4];
            for n in 0..20 {
                let known = self.exporters[1].address;
                self.sent.malformed += 1;
                self.give(at, if n == 0 { known } else { stranger(second + n) }, cut, flows);
            }
        }
        if is_flood(800) || self.dice.one_in(900) {
            for n in 0..20 {
                let mut spoofed = Exporter { address: stranger(second * 20 + n), ..Exporter::new(0) };
                let payload = spoofed.datagram(at, second, &mut self.dice);
                self.sent.with_flows += 1;
                self.give(at, spoofed.address, &payload, flows);
            }
        }
    }

    fn flush(&mut self, second: u32) {
        let now = BEGIN.plus(i64::from(second) * 1000);
        let health: Health = self.collector.health();
        let templates = self.collector.templates_to_store(now).into();
        let at = self.steady + Duration::from_secs(second.into());
        let writer = self.writer();
        writer.keep_templates(templates);
        writer.flush(now, &health).unwrap();
        while writer.prune(now, at, Duration::from_secs(1)).unwrap().more {}
    }

    /// The collector ends and begins anew: another run, with the templates of the one before.
    fn restart(&mut self, second: u32) {
        let now = BEGIN.plus(i64::from(second) * 1000);
        self.flush(second);
        let health = self.collector.health();
        add(&mut self.before, &health.totals);
        let closed = self.writer.take().unwrap().close(now, &health).unwrap();
        self.dropped += closed.dropped_flows;
        self.runs.extend(History::open(&self.path).unwrap().runs(1).unwrap());
        let writer = open(&self.path);
        self.collector = collector();
        self.collector.restore(now, writer.stored_templates().unwrap().templates);
        self.writer = Some(writer);
    }
}

#[test]
fn a_day_of_everything_ends_with_accounts_that_balance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let mut day = Day {
        dice: Dice(0x9e37_79b9_7f4a_7c15),
        sent: Sent::default(),
        exporters: (0..EXPORTERS).map(Exporter::new).collect(),
        collector: collector(),
        writer: Some(open(&path)),
        before: Totals::default(),
        runs: Vec::new(),
        dropped: 0,
        steady: Instant::now(),
        path: path.clone(),
    };
    for second in 0..DAY_S {
        day.second(second);
        // The disk stalls for an hour, twice.
        let is_stalled = [300, 810].iter().any(|begin| (*begin..begin + 60).contains(&(second / 60)));
        if second.is_multiple_of(120) && !is_stalled {
            day.flush(second);
        }
        if second == DAY_S / 3 || second == 2 * DAY_S / 3 {
            day.restart(second);
        }
    }
    day.restart(DAY_S);
    drop(day.writer.take());
    let (sent, sum) = (&day.sent, &day.before);
    // Every kind of thing has happened.
    let kinds = [sum.malformed, sum.foreign, sum.refused, sum.expired, day.dropped];
    assert!(kinds.iter().all(|kind| 1_000 < *kind), "{kinds:?} {sum:?}");
    // What was received, datagram by datagram.
    assert_eq!(sum.datagrams, sent.datagrams);
    assert_eq!((sum.malformed, sum.foreign), (sent.malformed, sent.foreign));
    assert_eq!(sum.datagrams, sum.decoded + sum.malformed + sum.foreign + sum.refused);
    assert_eq!(sum.decoded + sum.refused, sent.with_flows);
    // Set by set: decoded, at once or later, or waited in vain.
    assert_eq!(sum.data_sets, sum.decoded_sets + sum.expired);
    // Flow by flow: of what was decoded, stored or dropped by the write queue, and of what is stored, kept or deleted.
    assert_eq!(FLOWS * sent.with_flows, sum.flows + FLOWS * (sum.expired + sum.refused));
    let history = History::open(&path).unwrap();
    assert_eq!(day.runs.len(), 3);
    let of_runs = |of: fn(&Run) -> u64| day.runs.iter().map(of).sum::<u64>();
    let kept: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM flows", (), |row| row.get(0)).unwrap();
    let (kept, pruned, dropped) =
        (kept.cast_unsigned(), of_runs(|run| run.pruned_flows), of_runs(|run| run.dropped_flows));
    assert!(100_000 < kept && 100_000 < pruned, "{kept} {pruned}");
    assert_eq!(dropped, day.dropped);
    assert_eq!(sum.flows, kept + pruned + dropped);
    // The file says the same of itself.
    assert_eq!(of_runs(|run| run.totals.flows), sum.flows);
    assert_eq!(of_runs(|run| run.totals.datagrams), sum.datagrams);
    assert_eq!(of_runs(|run| run.totals.expired + run.totals.waiting), sum.expired);
    assert!(history.check().unwrap().is_sound());
}

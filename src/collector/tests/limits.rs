//! What the collector holds, and what becomes of it, at limits so small that each is reached.

use super::*;
use crate::collector::options::names::NameKind;

/// So small that a few datagrams reach each of them.
const TINY: Limits = Limits {
    exporters: 2,
    sessions: 2,
    domains: 2,
    templates: 3,
    fields: 8,
    waiting_sets: 3,
    waiting_octets: 200,
    all_waiting_octets: 2400,
    all_template_octets: 12_000,
    all_fact_octets: 2000,
    flow_octets: 4,
    waiting_ms: 1000,
    idle_ms: 3000,
};

fn of_domain(domain: u32) -> Message {
    Message::ipfix(ipfix::Header { export_time: SECONDS, domain, ..Default::default() })
}

fn from(host: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, host), 9).into()
}

impl Bench {
    fn send_from(&mut self, host: u8, message: Message) {
        self.collector.datagram(NOW, from(host), &message.finish(), &mut self.flows).unwrap();
    }

    fn totals(&self) -> Totals {
        self.collector.health().totals
    }
}

#[test]
fn everything_together_is_bounded() {
    let octets = Limits::default().octets();
    assert!(octets < 640 << 20, "{} MiB", octets >> 20);
    // Without the bounds of the sums, addresses times domains times waiting sets alone would be this many GiB.
    let one_by_one = Limits::default();
    assert_eq!((one_by_one.exporters * one_by_one.domains * one_by_one.waiting_octets) >> 30, 16);
}

#[test]
fn waiting_sets_of_one_address_leave_room_for_those_of_another() {
    let mut bench = Bench::with(Limits { all_waiting_octets: 8000, exporters: 2, ..Default::default() });
    for _ in 0..100 {
        bench.send_from(1, of_domain(1).data(TemplateId(256), &[0; 40]));
    }
    let greedy = bench.totals();
    assert!(0 < greedy.expired && greedy.waiting_octets <= 6000, "{greedy:?}");
    bench.send_from(2, of_domain(1).data(TemplateId(256), &[0; 40]));
    assert_eq!(bench.totals().waiting, greedy.waiting + 1);
    assert_eq!(bench.totals().data_sets, bench.totals().waiting + bench.totals().expired);
    // Their time is over: the room is free again.
    bench.collector.tick(NOW.plus(120_001));
    assert_eq!((bench.totals().waiting_octets, bench.totals().expired), (0, 101));
}

#[test]
fn templates_of_one_address_leave_room_for_those_of_another() {
    let mut bench = Bench::with(Limits { all_template_octets: 20_000, exporters: 2, ..Default::default() });
    let known = template(256, &[(8, 4), (1, 4)]);
    bench.send_from(2, of_domain(1).template(&known));
    for id in 256..400 {
        bench.send_from(1, of_domain(1).template(&template(id, &[(8, 4), (12, 4), (1, 4)])));
    }
    let stats = &bench.collector.health().exporters[0];
    assert!(0 < stats.forgotten_templates && 0 < stats.templates, "{stats:?}");
    assert!(bench.totals().template_octets <= 20_000);
    // The newest of the greedy one is known, and so is that of the other, who may learn another still.
    bench.send_from(1, of_domain(1).data(TemplateId(399), &[1; 12]));
    bench.send_from(2, of_domain(1).template(&template(300, &[(1, 4)])).data(TemplateId(300), &[0, 0, 0, 6]));
    bench.send_from(2, of_domain(1).data(TemplateId(256), &[10, 0, 0, 1, 0, 0, 0, 5]));
    assert_eq!(bench.bytes(), [0x0101_0101, 6, 5]);
}

#[test]
fn a_template_that_finds_no_room_at_all_is_rejected_and_its_old_definition_is_gone() {
    let mut bench = Bench::with(Limits { all_template_octets: 2000, exporters: 1, ..Default::default() });
    bench.send(v9(0).template(&template(256, &[(1, 4)])).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    bench.send(v9(1).template(&template(256, &[(1, 1); 500])).data(TemplateId(256), &[0, 0, 0, 5])).unwrap();
    let stats = bench.stats();
    assert_eq!((stats.templates, stats.rejected_templates, stats.waiting), (0, 1, 1));
    assert_eq!(bench.bytes(), [5]);
}

#[test]
fn names_of_one_address_leave_room_for_those_of_another() {
    let mut bench = Bench::with(Limits { all_fact_octets: 4000, exporters: 2, ..Default::default() });
    let told = options(257, 1, &[(10, 2), (82, 4)]);
    for index in 0..40 {
        bench.send_from(1, of_domain(1).template(&told).set(257, &[0, index, b'e', b't', b'h', b'0']));
    }
    bench.send_from(2, of_domain(1).template(&told).set(257, b"\x00\x07eth7"));
    let facts = |host| bench.collector.facts(from(host).ip(), ObservationDomainId(1), Version::Ipfix).unwrap();
    assert_eq!((facts(1).names.len() as u64 + facts(1).refused, facts(2).refused), (40, 0));
    assert_eq!(facts(2).names.find(NameKind::Interface, 7), Some("eth7"));
    assert!(0 < facts(1).refused && bench.totals().fact_octets <= 4000);
}

#[test]
fn a_datagram_gives_no_more_flows_than_its_octets_allow() {
    let mut bench = Bench::new();
    bench.send(ipfix(0).template(&template(256, &[(1, 1)]))).unwrap();
    bench.send(ipfix(0).data(TemplateId(256), &[1; 1400])).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().records, bench.stats().surplus), (355, 1400, 1045));
    // Of variable layout, in many small sets, and after waiting.
    let mut bench = Bench::new();
    let small = (0..20).fold(ipfix(0), |message, _| message.set(256, &[0; 64]));
    bench.send(small).unwrap();
    assert_eq!(bench.flows.len(), 0);
    bench.send(ipfix(0).template(&template(256, &[(1, 4), (82, VARIABLE)])).set(256, &[0; 10])).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().surplus), (20 * 12 + 2, 0));
    bench.send(ipfix(0).template(&template(257, &[(1, VARIABLE)])).set(257, &[0; 100])).unwrap();
    assert_eq!((bench.flows.len(), bench.stats().surplus), (242 + 33, 67));
}

#[test]
fn fields_of_no_octets_cost_nothing() {
    let mut bench = Bench::new();
    let mut fields = vec![(8, 0); 1000];
    fields.extend([(1, VARIABLE), (2, 1)]);
    // The first one stays, and stays the scope where it is one.
    bench.send(ipfix(0).template(&template(256, &fields)).set(256, &[1, 7, 3, 1, 8, 4])).unwrap();
    assert_eq!(bench.bytes(), [7, 8]);
    let octets = bench.totals().template_octets;
    assert!(octets < 2000, "{octets}");
    let empty_scope = options(257, 2, &[(149, 0), (149, 0), (34, 4)]);
    bench.send(ipfix(2).template(&empty_scope).set(257, &[0, 0, 0, 100])).unwrap();
    assert_eq!((bench.stats().options_records, bench.stats().sampling.rate), (1, 100));
}

#[test]
fn totals_keep_what_a_domain_or_an_address_had_counted_that_is_gone() {
    let mut bench = Bench::with(Limits { domains: 2, exporters: 1, ..Default::default() });
    let known = template(256, &[(1, 1)]);
    let numbered = |sequence, domain| {
        let header = ipfix::Header { export_time: SECONDS, sequence, domain, ..Default::default() };
        Message::ipfix(header).template(&known).set(256, &[1])
    };
    bench.send(numbered(0, 1).data(TemplateId(300), &[0; 9])).unwrap();
    bench.send(numbered(0, 2)).unwrap();
    bench.send(numbered(6, 2)).unwrap();
    let lost = |bench: &Bench| (bench.totals().lost, bench.totals().waiting, bench.totals().expired);
    assert_eq!(lost(&bench), (5, 1, 0));
    bench.send(numbered(0, 3)).unwrap();
    assert_eq!(lost(&bench), (5, 0, 1), "the domain that was silent for longest is gone, its set with it");
    bench.send(numbered(0, 4)).unwrap();
    assert_eq!(lost(&bench), (5, 0, 1));
    let other = SocketAddr::from(([10, 9, 9, 9], 9));
    let datagram = numbered(0, 5).finish();
    bench.collector.datagram(NOW.plus(600_000), other, &datagram, &mut bench.flows).unwrap();
    assert_eq!((bench.collector.health().exporters.len(), lost(&bench)), (1, (5, 0, 1)));
    assert_eq!((bench.totals().data_sets, bench.totals().decoded_sets), (7, 6));
}

/// One datagram: who sends it, how long after the one before, and what it carries.
type Step = (u8, u16, i16, Vec<(u8, u8, u8)>);

fn step() -> impl Strategy<Value = Step> {
    let pieces = proptest::collection::vec((0..5_u8, 0..5_u8, 0..40_u8), 0..5);
    (any::<u8>(), 0..3_u16, -300..900_i16, pieces)
}

/// A message of templates, options, data and sets cut short.
fn message(kind: u8, pieces: &[(u8, u8, u8)]) -> Vec<u8> {
    let domain = u32::from(kind >> 4 & 3);
    let start = match kind & 1 {
        0 => of_domain(domain),
        _ => Message::v9(v9::Header { seconds: SECONDS, source_id: domain, ..Default::default() }),
    };
    let put = |message: Message, &(piece, id, size): &(u8, u8, u8)| {
        let (id, length) = (256 + u16::from(id), usize::from(size));
        match piece {
            0 => message.template(&template(id, &vec![(1, 1 + u16::from(size % 3)); 1 + length % 10])),
            1 => message.template(&options(id, 1, &[(10, 1), (82, 1 + u16::from(size)), (34, 1)])),
            2 => message.set(u16::from(size % 8), &vec![0; length]),
            _ => message.data(TemplateId(id), &vec![size; length]),
        }
    };
    let mut octets = pieces.iter().fold(start, put).finish();
    octets.truncate(octets.len() - usize::from(kind % 7 == 3));
    octets
}

proptest! {
    /// Nothing is lost from the accounts at any limit, no sum shrinks, and nothing is held beyond its bound.
    #[test]
    fn accounts_balance_at_every_limit(steps in proptest::collection::vec(step(), 0..120)) {
        let mut bench = Bench::with(TINY);
        let (mut now, mut latest) = (NOW, NOW);
        let mut before = Totals::default();
        for (kind, port, pause, pieces) in &steps {
            now = now.plus(i64::from(*pause) * 4);
            latest = latest.max(now);
            let sender = SocketAddr::from(([10, 0, 0, kind >> 1 & 3], *port));
            let _ = bench.collector.datagram(now, sender, &message(*kind, pieces), &mut bench.flows);
            if *pause % 3 == 0 {
                bench.collector.tick(now);
            }
            let totals = bench.totals();
            prop_assert_eq!(totals.datagrams, totals.decoded + totals.malformed + totals.foreign + totals.refused);
            prop_assert_eq!(totals.data_sets, totals.decoded_sets + totals.waiting + totals.expired);
            prop_assert!(before.expired <= totals.expired && before.data_sets <= totals.data_sets);
            prop_assert!(before.decoded_sets <= totals.decoded_sets);
            prop_assert!(totals.waiting_octets <= TINY.all_waiting_octets as u64);
            prop_assert!(totals.template_octets <= TINY.all_template_octets as u64);
            prop_assert!(totals.fact_octets <= TINY.all_fact_octets as u64);
            before = totals;
        }
        prop_assert_eq!(before.datagrams, steps.len() as u64);
        // What is held is nothing but what is there: when all are gone, so is it.
        for host in (200_u8..).take(TINY.exporters) {
            latest = latest.plus(10 * TINY.idle_ms);
            let sender = SocketAddr::from(([10, 0, 0, host], 1));
            bench.collector.datagram(latest, sender, &of_domain(0).finish(), &mut bench.flows).unwrap();
        }
        let totals = bench.totals();
        prop_assert_eq!((totals.waiting_octets, totals.template_octets, totals.fact_octets), (0, 0, 0));
    }
}

#[test]
fn a_missing_template_is_told_with_its_time_until_it_comes_and_only_a_few_outlive_their_sets() {
    let mut bench = Bench::with(Limits { waiting_ms: 1000, ..Default::default() });
    let missing = |bench: &Bench| {
        let health = bench.collector.health();
        health.missing.iter().map(|missing| (missing.template.0, missing.since, missing.last, missing.sets)).collect()
    };
    let send = |bench: &mut Bench, after: i64, id: u16| {
        bench.send_at(NOW.plus(after), 50_000, ipfix(0).data(TemplateId(id), &[0; 4])).unwrap();
    };
    send(&mut bench, 0, 256);
    send(&mut bench, 500, 256);
    // What waited is gone, and the template is missing all the same.
    bench.collector.tick(NOW.plus(60_000));
    send(&mut bench, 60_000, 256);
    let told: Vec<_> = missing(&bench);
    assert_eq!(told, [(256, NOW, NOW.plus(60_000), 1)]);
    bench.send_at(NOW.plus(60_001), 50_000, ipfix(0).template(&template(256, &[(1, 4)]))).unwrap();
    let told: Vec<_> = missing(&bench);
    assert!(told.is_empty(), "{told:?}");
    for id in 300..400 {
        send(&mut bench, 60_002, id);
    }
    let told: Vec<_> = missing(&bench);
    assert_eq!(told.len(), stats::MISSING);
    bench.collector.tick(NOW.plus(120_000));
    let told: Vec<_> = missing(&bench);
    assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), [300, 301, 302, 303]);
}

//! Templates by the time they last came, and over a restart of the collector.

use super::*;
use crate::collector::templates::{KnownTemplate, LIFETIME_MS, Restored, STORED, STORED_FIELDS};

fn known(id: u16, received: Timestamp) -> KnownTemplate {
    KnownTemplate {
        exporter: sender(0).ip(),
        domain: ObservationDomainId(0),
        version: Version::Ipfix,
        template: template(id, &[(1, 4)]).into(),
        received,
    }
}

/// What the collector knows, by id.
fn times(bench: &Bench) -> Vec<(u16, Timestamp)> {
    let mut times: Vec<_> = bench.collector.templates().map(|known| (known.template.id.0, known.received)).collect();
    times.sort_unstable();
    times
}

#[test]
fn a_template_is_known_with_the_time_it_last_came() {
    let mut bench = Bench::new();
    let later = NOW.plus(60_000);
    bench.send(ipfix(0).template(&template(256, &[(1, 4)])).template(&template(257, &[(1, 4)]))).unwrap();
    let first = bench.collector.revision();
    bench.send_at(later, 50_000, ipfix(0).template(&template(256, &[(1, 4)]))).unwrap();
    assert_eq!(times(&bench), [(256, later), (257, NOW)]);
    let second = bench.collector.revision();
    assert_eq!((first.definitions, second.definitions), (2, 2));
    assert!(first.records < second.records);
    // From another port too, and another definition is one that has to be stored soon.
    bench.send_at(later, 50_001, v9(0).template(&template(256, &[(1, 4)]))).unwrap();
    bench.send_at(later, 50_001, ipfix(0).template(&template(257, &[(1, 8)]))).unwrap();
    assert_eq!(times(&bench), [(256, later), (256, later), (257, later)]);
    assert_eq!(bench.collector.revision().definitions, 4);
    bench.send_at(later, 50_001, ipfix(0).data(TemplateId(257), &[0; 8])).unwrap();
    assert_eq!(bench.collector.revision().definitions, 4);
}

#[test]
fn restored_templates_are_borrowed_until_the_exporter_sends_its_own() {
    let mut before = Bench::new();
    let fields = [(8, 4), (1, 4)];
    before.send(ipfix(0).template(&template(256, &fields)).template(&options(300, 1, &[(149, 4), (34, 4)]))).unwrap();
    let mut bench = Bench::new();
    let stored = before.collector.templates_to_store(NOW);
    let restored = bench.collector.restore(NOW.plus(5000), stored.clone());
    assert_eq!(restored, Restored { templates: 2, ..Restored::default() });
    assert!(bench.collector.health().exporters.is_empty(), "nothing was heard of the exporter yet");

    // The exporter has another port by now.
    let now = NOW.plus(6000);
    let rate = [0, 0, 0, 0, 0, 0, 0, 9];
    let data = || ipfix(0).data(TemplateId(300), &rate).data(TemplateId(256), &[10, 0, 0, 1, 0, 0, 0, 7]);
    bench.send_at(now, 4321, data()).unwrap();
    assert_eq!((bench.bytes(), bench.flows[0].sampling.rate), (vec![7], 9));
    let stats = bench.stats();
    assert_eq!((stats.borrowed, stats.waiting, stats.templates, stats.first_seen), (2, 0, 2, now));
    // A template of another domain is none.
    bench
        .send_at(
            now,
            4321,
            Message::ipfix(ipfix::Header { domain: 1, ..Default::default() }).data(TemplateId(256), &[0; 8]),
        )
        .unwrap();
    assert_eq!(bench.collector.health().totals.waiting, 1);

    bench.send_at(now, 4321, ipfix(0).template(&template(256, &[(1, 8)]))).unwrap();
    bench.send_at(now, 4321, ipfix(0).data(TemplateId(256), &[0, 0, 0, 0, 0, 0, 0, 5])).unwrap();
    assert_eq!((bench.bytes(), bench.collector.health().exporters[0].borrowed), (vec![7, 5], 2));
    assert_eq!(times(&bench), [(256, now), (300, NOW)]);
}

#[test]
fn old_templates_and_such_that_read_nothing_are_not_restored() {
    let mut bench = Bench::with(Limits { fields: 3, ..Default::default() });
    let with = |template: Template| KnownTemplate { template: template.into(), ..known(0, NOW) };
    let restored = bench.collector.restore(
        NOW,
        vec![
            known(256, NOW.plus(-LIFETIME_MS)),
            known(257, NOW.plus(-LIFETIME_MS - 1)),
            known(258, Timestamp(i64::MIN)),
            known(259, Timestamp(i64::MAX)),
            known(255, NOW),
            with(template(260, &[])),
            with(template(261, &[(1, 0)])),
            with(template(262, &[(1, 4); 4])),
            with(options(263, 2, &[(1, 4)])),
            KnownTemplate { version: Version::V5, ..known(264, NOW) },
        ],
    );
    assert_eq!(restored, Restored { templates: 2, outdated: 2, unusable: 6 });
    assert_eq!(times(&bench), [(256, NOW.plus(-LIFETIME_MS)), (259, NOW)]);
    assert_eq!(bench.collector.templates_to_store(NOW.plus(1)).len(), 1);
}

#[test]
fn the_limits_hold_while_restoring_and_the_newest_stay() {
    let mut bench = Bench::with(Limits { exporters: 2, domains: 2, templates: 2, ..Default::default() });
    let mut stored = Vec::new();
    for (host, at) in (1..=3_u8).zip(0..) {
        for domain in 0..3_u32 {
            for id in 256..259_u16 {
                stored.push(KnownTemplate {
                    exporter: Ipv4Addr::new(192, 0, 2, host).into(),
                    domain: ObservationDomainId(domain),
                    ..known(id, NOW.plus(at * 100 + i64::from(domain) * 10 + i64::from(id)))
                });
            }
        }
    }
    stored.reverse();
    bench.collector.restore(NOW.plus(1000), stored);
    let mut kept: Vec<_> = bench.collector.templates().map(|k| (k.exporter, k.domain.0, k.template.id.0)).collect();
    kept.sort_unstable();
    let host = |n: u8| IpAddr::from(Ipv4Addr::new(192, 0, 2, n));
    let expected = [2, 3].map(|n| [(1, 257), (1, 258), (2, 257), (2, 258)].map(|(domain, id)| (host(n), domain, id)));
    assert_eq!(kept, expected.concat());
}

#[test]
fn no_more_templates_are_stored_than_the_table_may_hold_and_the_smallest_exporters_come_first() {
    let mut bench = Bench::with(Limits { templates: 40_000, ..Default::default() });
    let many = (256..=u16::MAX).take(STORED + 10).map(|id| known(id, NOW));
    let small = KnownTemplate { exporter: Ipv4Addr::LOCALHOST.into(), ..known(256, NOW.plus(-1)) };
    bench.collector.restore(NOW, many.chain([small.clone()]).collect());
    let stored = bench.collector.templates_to_store(NOW);
    assert_eq!((stored.len(), &stored[0]), (STORED, &small));
    assert_eq!(bench.collector.template_count(), STORED + 11);

    let mut bench = Bench::new();
    let long = (256..1280).map(|id| KnownTemplate { template: template(id, &[(1, 4); 1000]).into(), ..known(id, NOW) });
    bench.collector.restore(NOW, long.collect());
    let stored = bench.collector.templates_to_store(NOW);
    assert_eq!(stored.len(), STORED_FIELDS / 1000);
}

proptest! {
    #[test]
    fn data_decodes_the_same_before_and_after_a_restart(
        widths in prop::collection::vec(1_u16..=8, 1..20),
        record in prop::collection::vec(any::<u8>(), 200),
    ) {
        let fields: Vec<_> = widths.iter().zip([1, 2, 4, 5, 7, 11, 10, 14].iter().cycle()).map(|(w, id)| (*id, *w)).collect();
        let (announced, data) = (template(256, &fields), || ipfix(1).data(TemplateId(256), &record));
        let mut before = Bench::new();
        before.send(ipfix(0).template(&announced)).unwrap();
        let mut after = Bench::new();
        after.collector.restore(NOW, before.collector.templates_to_store(NOW));
        before.send(data()).unwrap();
        after.send(data()).unwrap();
        prop_assert_eq!(before.flows, after.flows);
    }
}

//! What stands beside the flows: the accounts of runs and exporters, and the names that exporters give.

use std::sync::Arc;

use super::{NOW, Place, batch, flow};
use crate::collector::options::names::{NameKind, Names};
use crate::collector::options::{FACTS, Said};
use crate::collector::stats::{ExporterNames, ExporterStats, Health, Totals};
use crate::flow::{FlowRecord, Sampling, SamplingKind, SamplingSource};
use crate::store::history::History;

/// Names of the exporter of [`flow`].
fn named(names: &[(NameKind, u64, &str)]) -> Health {
    let mut known = Names::default();
    for &(kind, id, name) in names {
        known.insert(kind, id, name.to_owned());
    }
    let FlowRecord { exporter: address, domain, version, .. } = flow(NOW, 0);
    Health {
        exporters: vec![ExporterStats::new(address, domain, version, NOW)],
        names: vec![ExporterNames { address, domain, version, names: Arc::new(known) }],
        ..Default::default()
    }
}

#[test]
fn names_come_back_and_are_written_only_when_they_change() {
    let place = Place::new();
    let mut writer = place.writer();
    let health = named(&[(NameKind::Interface, 3, "eth0"), (NameKind::Application, u64::MAX, "dns")]);
    writer.flush(NOW, &health).unwrap();
    let history = History::open(&place.path).unwrap();
    assert_eq!(history.names().unwrap(), health.names);
    // What is known to stand there is not written again.
    place.sqlite().execute("UPDATE exporter_names SET name = 'mine'", ()).unwrap();
    writer.flush(NOW, &health).unwrap();
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporter_names WHERE name = 'mine'"), 2);
    let changed = named(&[(NameKind::Interface, 3, "eth1"), (NameKind::Application, u64::MAX, "dns")]);
    writer.flush(NOW, &changed).unwrap();
    assert_eq!(history.names().unwrap()[0].names.find(NameKind::Interface, 3), Some("eth1"));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporter_names WHERE name = 'mine'"), 1);
    // A run that has heard no name keeps those of the last one; the names go with their exporter.
    writer.close(NOW, &changed).unwrap();
    place.write(&[]);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporter_names"), 2);
    place.sqlite().execute("DELETE FROM exporters", ()).unwrap();
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporter_names"), 0);
}

#[test]
fn names_that_were_not_committed_are_written_by_the_next_flush() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.flush(NOW, &Health::default()).unwrap();
    let health = named(&[(NameKind::Vrf, 1, "blue")]);
    place.sqlite().execute_batch("ALTER TABLE exporter_names RENAME TO elsewhere").unwrap();
    writer.flush(NOW, &health).unwrap_err();
    place.sqlite().execute_batch("ALTER TABLE elsewhere RENAME TO exporter_names").unwrap();
    writer.flush(NOW, &health).unwrap();
    assert_eq!(History::open(&place.path).unwrap().names().unwrap(), health.names);
}

#[test]
fn names_of_earlier_runs_go_when_there_are_too_many() {
    let place = Place::new();
    let full: Vec<_> = (0..FACTS as u64).map(|id| (NameKind::Interface, id, "e")).collect();
    place.writer().close(NOW, &named(&full)).unwrap();
    place.writer().close(NOW, &named(&[(NameKind::Interface, 7, "e")])).unwrap();
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM exporter_names"), i64::try_from(FACTS).unwrap());
    place.writer().close(NOW, &named(&[(NameKind::Vrf, 7, "red")])).unwrap();
    let names = History::open(&place.path).unwrap().names().unwrap();
    assert_eq!(names[0].names.iter().collect::<Vec<_>>(), [(NameKind::Vrf, 7, "red")]);
}

#[test]
fn accounts_come_back_as_they_were() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.push(&batch(NOW, 0..1));
    writer.flush(NOW, &Health::default()).unwrap();
    let history = History::open(&place.path).unwrap();
    let before = history.exporters().unwrap();
    assert_eq!((before[0].run, before[0].stats.flows), (None, 0));
    let stats = ExporterStats {
        datagrams: 1,
        octets: 2,
        records: 3,
        flows: 4,
        options_records: 5,
        meaningless: 6,
        templates: 7,
        template_records: 8,
        redefined: 9,
        rejected_templates: 10,
        withdrawals: 11,
        borrowed: 12,
        waiting: 13,
        expired: 14,
        overruns: 15,
        reserved: 16,
        malformed: 17,
        lost: 18,
        reordered: 19,
        restarts: 20,
        trailing: 21,
        counter_samples: 22,
        sampler_drops: 23,
        unknown_elements: 24,
        refused_facts: 25,
        said: Said { not_sent_flows: Some(0), active_timeout_s: Some(60), ..Default::default() },
        first_seen: NOW.plus(-9),
        last_seen: NOW.plus(9),
        clock_skew_ms: -22,
        sampling: Sampling { rate: 23, kind: SamplingKind::Packet, source: SamplingSource::Options },
        ..before[0].stats.clone()
    };
    let second = ExporterStats { address: "2001:db8::1".parse().unwrap(), ..stats.clone() };
    let totals = Totals {
        datagrams: 1,
        octets: 2,
        decoded: 3,
        malformed: 4,
        foreign: 5,
        refused: 6,
        flows: 7,
        waiting: 8,
        expired: 9,
        lost: u64::MAX >> 1,
        ..Totals::default()
    };
    let health = Health { totals, exporters: vec![stats.clone(), second.clone()], ..Default::default() };
    writer.flush(NOW.plus(10_000), &health).unwrap();
    let run = history.runs(10).unwrap()[0];
    assert_eq!((run.started, run.last_alive, run.ended), (NOW, NOW.plus(10_000), None));
    assert_eq!((run.totals, run.pid), (totals, std::process::id()));
    let accounts = history.exporters().unwrap();
    assert_eq!(accounts.iter().map(|account| account.run).collect::<Vec<_>>(), [Some(run.id); 2]);
    assert_eq!(accounts.into_iter().map(|account| account.stats).collect::<Vec<_>>(), [stats, second]);
    writer.close(NOW.plus(20_000), &health).unwrap();
    let runs = history.runs(10).unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].ended, Some(NOW.plus(20_000)));
}

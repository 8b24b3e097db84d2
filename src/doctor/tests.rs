use super::*;
use crate::collector::stats::ExporterStats;
use crate::doctor::maker::Wish;
use crate::store::history::RunId;
use crate::store::troubles::Kind;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn running() -> Facts {
    let socket = SocketStats {
        listen: "0.0.0.0:2055".parse().unwrap(),
        buffer_asked: 64 << 20,
        buffer: 64 << 20,
        queued: 0,
        dropped: 0,
        truncated: 0,
    };
    let started = NOW.plus(-2 * DAY_MS);
    Facts {
        now: NOW,
        listen: vec![socket.listen],
        reachable: vec!["192.0.2.10".parse().unwrap()],
        collector: Collector::Running { pid: Some(7), started, last_alive: NOW.plus(-5_000), flush_ms: 10_000 },
        sockets: vec![socket],
        totals: Totals { datagrams: 1000, decoded: 1000, ..Totals::default() },
        exporters: vec![exporter(1)],
        ..Facts::default()
    }
}

fn exporter(n: u8) -> Account {
    let mut stats = ExporterStats::new([192, 0, 2, n].into(), ObservationDomainId(0), Version::V9, NOW.plus(-DAY_MS));
    (stats.datagrams, stats.flows, stats.records, stats.last_seen) = (1000, 9000, 9000, NOW);
    Account { run: Some(RunId(1)), stats, lost: None }
}

fn trouble(kind: Kind, count: u64) -> Trouble {
    Trouble { kind, run: RunId(1), count, first: NOW.plus(-HOUR_MS), last: NOW, who: None }
}

fn ids(facts: &Facts) -> Vec<&'static str> {
    examine(facts).iter().map(|finding| finding.id).collect()
}

#[test]
fn of_a_sound_collector_nothing_is_found() {
    assert_eq!(examine(&running()), []);
    assert_eq!(severity(&[]).exit_code(), 0);
}

#[test]
fn the_worst_stands_first() {
    let mut facts = running();
    facts.exporters[0].stats.sampling.rate = 100;
    facts.exporters[0].stats.lost = 100;
    facts.sockets[0].dropped = 3;
    assert_eq!(ids(&facts), ["kernel-drops", "loss", "sampling"]);
    assert_eq!(severity(&examine(&facts)), Severity::Critical);
}

#[test]
fn a_port_is_taken_by_others_and_not_by_the_service_manager() {
    let mut facts = running();
    let listener =
        |pid, name: &str| Listener { address: "[::]:2055".parse().unwrap(), process: Some((pid, name.to_owned())) };
    facts.listeners = vec![listener(7, "flowglass"), listener(1, "systemd")];
    assert_eq!(examine(&facts), []);
    facts.listeners.push(listener(99, "nfcapd"));
    let [finding] = examine(&facts).try_into().unwrap();
    assert_eq!(finding.what, "UDP port 2055 is taken by nfcapd, process 99");
    facts.listeners = vec![listener(99, "flowglass")];
    assert_eq!(ids(&facts), ["second-collector"]);
}

#[test]
fn a_capped_buffer_is_a_note_until_it_overruns() {
    let mut facts = running();
    facts.sockets[0].buffer = 425_984;
    let [finding] = examine(&facts).try_into().unwrap();
    assert_eq!((finding.id, finding.severity), ("buffer-capped", Severity::Note));
    assert_eq!(finding.mend[0].command.as_deref(), Some("sysctl -w net.core.rmem_max=33554432"));
    facts.sockets[0].dropped = 1_234_567;
    facts.troubles = vec![trouble(Kind::KernelDropped, 1_234_567)];
    let [finding] = examine(&facts).try_into().unwrap();
    assert!(finding.what.starts_with("the kernel dropped 1,234,567 datagrams on 0.0.0.0:2055"), "{}", finding.what);
    assert!(finding.what.ends_with("the kernel granted 416 of 65536 KiB"), "{}", finding.what);
    assert_eq!(finding.since, Some(NOW.plus(-HOUR_MS)));
    // A day without another one.
    facts.troubles[0].last = NOW.plus(-DAY_MS);
    assert_eq!(examine(&facts)[0].severity, Severity::Warning);
}

#[test]
fn a_disk_is_full_in_so_many_days() {
    let mut facts = running();
    facts.database.span = Some((NOW.plus(-10 * DAY_MS), NOW));
    (facts.database.size, facts.database.age_limit) = (10 << 30, Some(30 * DAY_MS));
    facts.database.space = Some(Space { total: 100 << 30, available: 10 << 30, reserve: 1 << 30 });
    let [finding] = examine(&facts).try_into().unwrap();
    assert_eq!((finding.id, finding.severity), ("retention", Severity::Note));
    assert_eq!(finding.what, "the file system is full in 9 days at this rate");
    assert!(finding.why.contains("about 19 days, not 30 days"), "{}", finding.why);
    facts.database.size_limit = Some(12 << 30);
    let [finding] = examine(&facts).try_into().unwrap();
    assert!(finding.what.contains("reaches its size limit of 12.9 GB in 2 days"), "{}", finding.what);
    facts.database.age_limit = Some(DAY_MS);
    assert_eq!(examine(&facts), []);
    facts.database.space = Some(Space { total: 100 << 30, available: 1 << 29, reserve: 1 << 30 });
    assert_eq!(ids(&facts), ["disk-full"]);
}

#[test]
fn nothing_arrives_begins_as_a_warning_and_names_what_can_be_done() {
    let mut facts = running();
    (facts.totals, facts.exporters) = (Totals::default(), Vec::new());
    let told = |facts: &Facts| {
        let [finding] = examine(facts).try_into().unwrap();
        assert_eq!(finding.id, "nothing-arrives");
        finding
    };
    let finding = told(&facts);
    assert_eq!(finding.severity, Severity::Critical);
    let commands: Vec<_> = finding.mend.iter().filter_map(|step| step.command.as_deref()).collect();
    assert!(commands.contains(&"tcpdump -ni any udp port 2055"), "{commands:?}");
    assert!(commands.iter().any(|command| command.contains("-n 192.0.2.10:2055")), "{commands:?}");
    assert!(!commands.iter().any(|command| command.contains("rp_filter")));
    facts.kernel.is_reverse_path_strict = true;
    assert!(
        told(&facts).mend.iter().any(|step| step.command.as_deref() == Some("sysctl -w net.ipv4.conf.all.rp_filter=2"))
    );
    let Collector::Running { started, .. } = &mut facts.collector else { unreachable!() };
    *started = NOW.plus(-10_000);
    assert_eq!(told(&facts).severity, Severity::Warning);
}

#[test]
fn what_one_exporter_does_is_told_of_at_most_eight() {
    let mut facts = running();
    facts.exporters = (0..30).map(exporter).collect();
    for account in &mut facts.exporters {
        account.stats.clock_skew_ms = 10 * MINUTE_MS;
    }
    let findings = examine(&facts);
    assert_eq!(findings.len(), 8);
    assert!(findings[7].why.ends_with("the same is true of 22 more exporters"), "{}", findings[7].why);
}

#[test]
fn late_reports_and_refusals_are_told() {
    let mut facts = running();
    let stats = &facts.exporters[0].stats;
    let (address, domain, version) = (stats.address, stats.domain, stats.version);
    facts.lags = vec![Lag { address, domain, version, behind_ms: 30 * MINUTE_MS }];
    facts.makers = vec![(address, Maker::MikroTik)];
    let [finding] = examine(&facts).try_into().unwrap();
    assert_eq!(finding.what, "192.0.2.1 (v9, domain 0) reports flows up to 30 min after they began");
    assert_eq!(finding.mend.len(), 1);
    assert_eq!(finding.mend[0].command.as_deref(), Some("/ip traffic-flow set active-flow-timeout=1m"));
    facts.lags.clear();
    facts.troubles = vec![trouble(Kind::Malformed, 1), trouble(Kind::Foreign, 2), trouble(Kind::Barred, 3)];
    assert_eq!(ids(&facts), ["not-allowed", "foreign-protocol", "malformed"]);
}

/// Whoever is not known gets the instructions of all.
#[test]
fn every_maker_has_an_answer_to_every_wish() {
    let makers = [Maker::Unifi, Maker::MikroTik, Maker::Cisco, Maker::OpnSense, Maker::Softflowd];
    let wishes = [Wish::Send { host: "192.0.2.10", port: 2055 }, Wish::Templates, Wish::ActiveTimeout, Wish::Clock];
    for wish in wishes {
        assert!(makers.iter().all(|maker| maker.steps(wish).len() == 1));
        assert_eq!(Maker::Unknown.steps(wish).len(), makers.len());
    }
}

#[test]
fn a_run_can_be_examined_by_itself() {
    let started = NOW.plus(-HOUR_MS);
    let health = Health::default();
    let facts = Facts::of_run(&health, started, NOW);
    assert_eq!(ids(&facts), ["nothing-arrives"]);
}

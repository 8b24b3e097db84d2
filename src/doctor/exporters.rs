//! Each exporter: whether its data can be read, whether it still sends, what is lost, and how far its clock is off.

use crate::collector::stats::{ExporterStats, MissingTemplate};
use crate::doctor::maker::{Maker, Wish};
use crate::doctor::{Facts, Finding, HOUR_MS, MINUTE_MS, Severity, counted, duration};
use crate::flow::SamplingSource;
use crate::store::history::Account;

/// Exporters and domains of one kind that are told of; a fault of the network would be told a thousand times.
const TOLD: usize = 8;
/// How long a template may be late before it is told: most exporters repeat them within a minute or two.
const TEMPLATE_MS: i64 = MINUTE_MS;
/// Silence that is told of.
const SILENT_MS: i64 = 10 * MINUTE_MS;
/// A clock that is off by so much makes wrong figures; by the second, none that mean anything.
const SKEW_MS: i64 = 2 * MINUTE_MS;
const ABSURD_SKEW_MS: i64 = HOUR_MS;
/// Of a thousand units, how many lost ones are worth a word.
const LOSS_PERMILLE: u64 = 5;
/// Flows that are reported so late make lumps.
const LATE_MS: i64 = 5 * MINUTE_MS;

pub(super) fn examine(facts: &Facts) -> Vec<Finding> {
    let current: Vec<_> = facts.exporters.iter().filter(|account| 0 < account.stats.datagrams).collect();
    let kinds: [fn(&Facts, &Account) -> Option<Finding>; 6] = [silent, unreadable, clock, loss, late, sampling];
    let mut findings: Vec<_> = missing(facts);
    for kind in kinds {
        let mut found: Vec<_> = current.iter().filter_map(|account| kind(facts, account)).collect();
        let more = found.len().saturating_sub(TOLD);
        found.truncate(TOLD);
        if let Some(last) = found.last_mut().filter(|_| 0 < more) {
            last.why.push_str(&format!("; the same is true of {}", counted(more as u64, "more exporter")));
        }
        findings.extend(found);
    }
    findings
}

/// `192.0.2.1 (IPFIX, domain 7)`.
fn name(stats: &ExporterStats) -> String {
    format!("{} ({}, domain {})", stats.address, stats.version, stats.domain)
}

fn looks_like(maker: Maker) -> String {
    if maker == Maker::Unknown { String::new() } else { format!(", which looks like {}", maker.name()) }
}

/// Sets that wait for a template.
fn missing(facts: &Facts) -> Vec<Finding> {
    let is_due = |missing: &&MissingTemplate| {
        TEMPLATE_MS <= facts.now.since(missing.since) && facts.is_recent(missing.last, SILENT_MS)
    };
    let due = facts.missing.iter().filter(is_due);
    due.take(TOLD).map(|missing| awaited(facts, missing)).collect()
}

fn awaited(facts: &Facts, missing: &MissingTemplate) -> Finding {
    let MissingTemplate { address, domain, version, template, since, sets, .. } = missing;
    let is_its = |account: &&Account| {
        (account.stats.address, account.stats.domain, account.stats.version) == (*address, *domain, *version)
    };
    let reads_some = facts.exporters.iter().find(is_its).is_some_and(|account| 0 < account.stats.flows);
    let severity = if reads_some { Severity::Warning } else { Severity::Critical };
    let maker = facts.maker(*address);
    let what = format!(
        "data of {address} ({version}, domain {domain}) waits for template {} for {}, {} now",
        template.0,
        duration(facts.now.since(*since)),
        counted(*sets, "set"),
    );
    let mut finding = Finding::new("template-missing", severity, what).since(*since).why(format!(
        "without its template data cannot be read; what waits longer than two minutes is lost{}",
        looks_like(maker)
    ));
    finding.mend = maker.steps(Wish::Templates);
    finding.advise("or wait: most exporters repeat their templates every few minutes, some every 30")
}

/// An exporter that has stopped.
fn silent(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    let silence = facts.now.since(stats.last_seen);
    if silence < SILENT_MS || !facts.is_running() {
        return None;
    }
    // What was heard before the collector began is of another time.
    let is_old = facts.collector.started().is_some_and(|started| stats.last_seen < started);
    let sends = |account: &Account| facts.is_recent(account.stats.last_seen, SILENT_MS);
    let severity = match facts.exporters.iter().any(sends) {
        _ if is_old && SILENT_MS * 6 * 24 < silence => return None,
        true => Severity::Warning,
        false => Severity::Critical,
    };
    let what = format!("{} has gone silent: nothing for {}", name(stats), duration(silence));
    let host = facts.host();
    let mut finding = Finding::new("exporter-silent", severity, what)
        .since(stats.last_seen)
        .why(format!("its traffic is not seen{}", looks_like(facts.maker(stats.address))))
        .run("is it there?", format!("ping -c 3 {}", stats.address))
        .run(
            "does it send, as root:",
            format!("tcpdump -ni any -c 5 udp port {} and host {}", facts.port(), stats.address),
        );
    if facts.maker(stats.address) != Maker::Unknown {
        finding.mend.extend(facts.maker(stats.address).steps(Wish::Send { host: &host, port: facts.port() }));
    }
    Some(finding)
}

/// An exporter of which datagrams come, and no flow.
fn unreadable(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    let waits = facts.missing.iter().any(|missing| missing.address == stats.address && missing.domain == stats.domain);
    if 0 < stats.flows || waits || facts.now.since(stats.first_seen) < TEMPLATE_MS {
        return None;
    }
    let what = match stats {
        ExporterStats { options_records: 1.., .. } => "sends options and no data",
        ExporterStats { template_records: 1.., .. } => "sends templates and no data",
        ExporterStats { counter_samples: 1.., .. } => "sends counters and no flow samples",
        ExporterStats { meaningless: 1.., .. } => "sends records without an address or a counter in them",
        _ => "sends datagrams without a flow in them",
    };
    let sends_flows = facts.exporters.iter().any(|other| {
        other.stats.address == stats.address && 0 < other.stats.flows && facts.is_recent(other.stats.last_seen, HOUR_MS)
    });
    let is_only = !facts.exporters.iter().any(|other| 0 < other.stats.flows);
    let severity = match (sends_flows, is_only) {
        // Another domain of it has the flows.
        (true, _) => Severity::Note,
        (false, true) => Severity::Critical,
        (false, false) => Severity::Warning,
    };
    let maker = facts.maker(stats.address);
    let mut finding =
        Finding::new("only-options", severity, format!("{} {what}", name(stats))).since(stats.first_seen).why(format!(
            "the export is on, but no interface is observed, or there is no traffic there{}",
            looks_like(maker)
        ));
    let host = facts.host();
    finding.mend = maker.steps(Wish::Send { host: &host, port: facts.port() });
    Some(finding)
}

fn clock(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    let skew = stats.clock_skew_ms;
    if skew.saturating_abs() < SKEW_MS || !facts.is_recent(stats.last_seen, HOUR_MS) {
        return None;
    }
    let severity = if ABSURD_SKEW_MS <= skew.saturating_abs() { Severity::Critical } else { Severity::Warning };
    let side = if 0 < skew { "ahead of" } else { "behind" };
    let what = format!("the clock of {} is {} {side} this host's", name(stats), duration(skew));
    let maker = facts.maker(stats.address);
    let mut finding = Finding::new("clock-skew", severity, what).why(format!(
        "its flows stand at the wrong time in every report; if all exporters are off alike, it is this host's clock{}",
        looks_like(maker)
    ));
    finding.mend = maker.steps(Wish::Clock);
    Some(finding.run("this host's clock:", "timedatectl"))
}

/// What was lost between the exporter and here, by its own count.
fn loss(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    let received = stats.datagrams.max(stats.records);
    let permille = stats.lost.saturating_mul(1000) / received.saturating_add(stats.lost).max(1);
    let at = account.lost.unwrap_or(stats.last_seen);
    if stats.lost == 0 || permille < LOSS_PERMILLE || !facts.is_recent(at, HOUR_MS) {
        return None;
    }
    let what = format!(
        "{} of {} lost on the way, {}.{} %",
        counted(stats.lost, "unit"),
        name(stats),
        permille / 10,
        permille % 10
    );
    let dropped: u64 = facts.sockets.iter().map(|socket| socket.dropped).sum();
    let finding = Finding::new("loss", Severity::Warning, what)
        .since(facts.collector.started())
        .why("its sequence numbers have gaps: its figures are too low");
    Some(match dropped {
        0 => finding.advise("this host has dropped nothing: it is the exporter, which sends too fast, or the network"),
        _ => finding.advise("this host's kernel has dropped datagrams, see there"),
    })
}

/// Flows that are reported long after they began.
fn late(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    let is_its =
        |lag: &&super::Lag| (lag.address, lag.domain, lag.version) == (stats.address, stats.domain, stats.version);
    let lag = facts.lags.iter().find(is_its)?;
    let is_clock = SKEW_MS <= stats.clock_skew_ms.saturating_abs();
    if lag.behind_ms < LATE_MS || is_clock {
        return None;
    }
    let maker = facts.maker(stats.address);
    let what = format!("{} reports flows up to {} after they began", name(stats), duration(lag.behind_ms));
    let mut finding = Finding::new("late-reports", Severity::Note, what)
        .why(format!("a long download shows late, and then all of it at once, in live figures{}", looks_like(maker)));
    finding.mend = maker.steps(Wish::ActiveTimeout);
    Some(finding)
}

/// Rates by which figures are multiplied.
fn sampling(facts: &Facts, account: &Account) -> Option<Finding> {
    let stats = &account.stats;
    if stats.sampling.rate <= 1 || !facts.is_recent(stats.last_seen, HOUR_MS) {
        return None;
    }
    let source = match stats.sampling.source {
        SamplingSource::Operator => "as you said",
        SamplingSource::Options => "as it says in its options",
        SamplingSource::Header => "as each datagram says",
        SamplingSource::Record => "as each record says",
        SamplingSource::None => "as nobody says",
    };
    let what = format!("{} is sampled, one of {}, {source}", name(stats), stats.sampling.rate);
    Some(
        Finding::new("sampling", Severity::Note, what)
            .why("counts are stored as reported; estimates multiply them by this rate")
            .run("if the rate is wrong:", format!("flowglass --sampling {}={}", stats.address, stats.sampling.rate)),
    )
}

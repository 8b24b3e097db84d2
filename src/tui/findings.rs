//! What is wrong with an exporter or with this host: what is seen, why that is, and the command that mends it.
//!
//! It knows the accounts and no screen. What is normal, as sets that wait after a restart, is said without alarm.

use crate::collector::stats::{ExporterStats, Health};
use crate::flow::{SamplingSource, Timestamp, Version};
use crate::tui::app::StorageView;
use crate::tui::units::{duration, exact, percent};

/// One sentence of what is seen, one of its cause, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Something is lost or wrong; else it is only to be known.
    pub is_alarm: bool,
    pub what: String,
    pub why: &'static str,
    pub mend: Option<String>,
}

/// Silence after which something is said.
const SILENT_MS: i64 = 300_000;
/// Milliseconds that a clock may be off.
const SKEW_MS: i64 = 5_000;
/// Seconds of lag from which on a shorter timeout would help.
const LAG_S: i64 = 300;

impl Finding {
    fn alarm(what: String, why: &'static str, mend: Option<&str>) -> Self {
        Self { is_alarm: true, what, why, mend: mend.map(str::to_owned) }
    }

    fn note(what: String, why: &'static str, mend: Option<&str>) -> Self {
        Self { is_alarm: false, ..Self::alarm(what, why, mend) }
    }
}

/// What there is to say about an exporter.
pub fn of_exporter(stats: &ExporterStats, lag_s: Option<i64>, now: Timestamp) -> Vec<Finding> {
    let mut found = losses(stats);
    let skew = stats.clock_skew_ms;
    if SKEW_MS < skew.abs() && stats.version != Version::Sflow {
        let way = if 0 < skew { "ahead" } else { "behind" };
        found.push(Finding::alarm(
            format!("clock: {} {way}", duration(skew.abs())),
            "times of its flows are wrong by as much; beyond a day they are booked at arrival",
            Some("at the exporter: chronyc makestep, or set its NTP servers"),
        ));
    }
    let silent = now.since(stats.last_seen);
    if SILENT_MS < silent {
        found.push(Finding::alarm(
            format!("silent for {}", duration(silent)),
            "it is down, or its datagrams do not arrive",
            Some("tcpdump -ni any host EXPORTER and udp"),
        ));
    }
    if let Some(lag) = lag_s.filter(|lag| LAG_S < *lag) {
        found.push(Finding::note(
            format!("late: it reports after up to {}", duration(lag * 1000)),
            "long flows come in lumps, once each active timeout",
            Some("at the exporter: an active timeout of 60 s"),
        ));
    }
    if stats.sampling.source == SamplingSource::Operator {
        found.push(Finding::note(
            format!("sampling: 1 of {}, by the operator", stats.sampling.rate),
            "the exporter does not say it; estimates are as good as that number",
            None,
        ));
    }
    if stats.redefined != 0 {
        let what = format!("templates: {} came again with other fields", exact(stats.redefined));
        found.push(Finding::note(what, "it was set up anew, or two exporters share one address and domain", None));
    }
    found
}

/// What did not come, or could not be read.
fn losses(stats: &ExporterStats) -> Vec<Finding> {
    let mut found = Vec::new();
    if stats.lost != 0 {
        let all = stats.lost.saturating_add(stats.records.max(stats.datagrams));
        found.push(Finding::alarm(
            format!("lost: {} never came, {} of all", exact(stats.lost), percent(stats.lost, all, 2)),
            "its sequence numbers jump, and this kernel dropped nothing of it: the path or the exporter loses datagrams",
            Some("at the exporter: ip -s link (drops), and a lower export burst; on the path: mtr -u"),
        ));
    }
    if stats.malformed != 0 {
        found.push(Finding::alarm(
            format!("malformed: {} datagrams with a broken length", exact(stats.malformed)),
            "cut on the way, or an exporter that counts wrongly; they are kept aside",
            Some("flowglass replay on the quarantined capture"),
        ));
    }
    if stats.expired != 0 {
        found.push(Finding::alarm(
            format!("never decoded: {} sets", exact(stats.expired)),
            "their templates did not come in time",
            Some("at the exporter: a shorter template refresh (every minute, or every 20 datagrams)"),
        ));
    }
    if stats.waiting != 0 {
        found.push(Finding::note(
            format!("waiting: {} sets for a template", exact(stats.waiting)),
            "normal after a restart; they are decoded when it comes",
            None,
        ));
    }
    if let Some(dropped) = stats.said.not_sent_flows.filter(|dropped| *dropped != 0) {
        found.push(Finding::alarm(
            format!("dropped by the exporter itself: {} flows, by its own account", exact(dropped)),
            "it had no room for them, or could not send",
            Some("at the exporter: a larger flow cache, or sampling"),
        ));
    }
    if stats.sampler_drops != 0 {
        let what = format!("dropped by the agent: {} samples, by its own account", exact(stats.sampler_drops));
        found.push(Finding::alarm(
            what,
            "it took more samples than it may send",
            Some("at the agent: a higher sampling rate"),
        ));
    }
    found
}

/// What there is to say about this host.
pub fn of_host(health: &Health, storage: Option<&StorageView>) -> Vec<Finding> {
    let mut found = Vec::new();
    for socket in &health.sockets {
        if socket.dropped != 0 {
            found.push(Finding {
                is_alarm: true,
                what: format!("kernel: {} datagrams dropped at {}", exact(socket.dropped), socket.listen),
                why: "the receive buffer was full: this program was held up, or the buffer is small",
                mend: Some(format!("sysctl -w net.core.rmem_max={}", socket.buffer_asked.max(33_554_432))),
            });
        }
    }
    if health.passed_over.window != 0 {
        found.push(Finding {
            is_alarm: true,
            what: format!("screen: {} flows not counted here", exact(health.passed_over.window)),
            why: "this host is too slow for both; they are stored all the same",
            mend: Some("flowglass --no-ui to collect, and a second flowglass to look".to_owned()),
        });
    }
    if let Some(dropped) = storage.map(|storage| storage.dropped).filter(|dropped| *dropped != 0) {
        found.push(Finding {
            is_alarm: true,
            what: format!("storage: {} flows dropped", exact(dropped)),
            why: "the disk did not keep up, and the write queue was full",
            mend: Some("a faster disk, or a shorter --retention".to_owned()),
        });
    }
    if health.barred.datagrams != 0 {
        found.push(Finding {
            is_alarm: false,
            what: format!("refused: {} datagrams", exact(health.barred.datagrams)),
            why: "--allow does not name their sender",
            mend: health.barred.last.map(|from| format!("--allow {}", from.ip())),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ObservationDomainId;
    use crate::tui::canned;

    #[test]
    fn a_healthy_exporter_is_nothing_to_speak_of() {
        let stats = canned::exporter(canned::address("192.0.2.1"));
        assert_eq!(of_exporter(&stats, Some(31), canned::NOW), []);
        let health = Health { sockets: vec![canned::socket(0)], ..Health::default() };
        assert_eq!(of_host(&health, Some(&canned::storage())), []);
    }

    #[test]
    fn every_loss_has_a_cause_and_a_cure() {
        let at = canned::address("192.0.2.1");
        let mut stats = ExporterStats::new(at, ObservationDomainId(0), Version::Ipfix, canned::NOW);
        stats.lost = 1_204;
        stats.records = 298_796;
        stats.malformed = 1;
        stats.expired = 2;
        stats.waiting = 2;
        stats.clock_skew_ms = -90_000;
        stats.said.not_sent_flows = Some(7);
        let found = of_exporter(&stats, Some(1_800), canned::NOW.plus(600_000));
        assert!(found[0].what.contains("1 204 never came, 0.40 %"), "{}", found[0].what);
        let alarms = found.iter().filter(|finding| finding.is_alarm);
        assert_eq!(alarms.clone().count(), 6);
        assert!(alarms.clone().all(|finding| finding.mend.is_some()));
        assert!(found.iter().any(|finding| finding.what == "clock: 01:30 behind"));
        let health = Health { sockets: vec![canned::socket(3)], ..Health::default() };
        let found = of_host(&health, None);
        assert_eq!(found[0].mend.as_deref(), Some("sysctl -w net.core.rmem_max=33554432"));
    }
}

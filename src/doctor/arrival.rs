//! Whether datagrams come: who listens, what arrives, what is refused, and what the kernel loses.

use std::net::SocketAddr;

use crate::collector::stats::SocketStats;
use crate::doctor::maker::{Maker, Wish};
use crate::doctor::{
    Collector, DAY_MS, Facts, Finding, HOUR_MS, Listener, MINUTE_MS, Severity, Stray, counted, duration,
};
use crate::store::troubles::{Kind, Trouble};

/// Times without a collector that are told of.
const GAPS: usize = 3;

/// Whether a collector has its port.
pub(super) fn listening(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = facts.collector.pid();
    let is_ours = |listener: &&Listener| match (&listener.process, own) {
        // The service manager keeps the port for the collector (`flowglass.socket`).
        (Some((1, _)), _) => true,
        (Some((pid, _)), Some(own)) => *pid == own,
        // Whose it is, nobody says: it is ours if ours should be there.
        (None, Some(_)) => true,
        (_, None) => false,
    };
    for wanted in facts.ports() {
        let others = facts.listeners.iter().filter(|listener| overlaps(listener.address, wanted));
        if let Some(other) = others.into_iter().find(|listener| !is_ours(listener)) {
            findings.push(taken(facts, wanted, other));
        }
    }
    match &facts.collector {
        Collector::None { last } if findings.is_empty() => {
            let ended = last.as_ref().map(|run| run.ended.unwrap_or(run.last_alive));
            let what = match last {
                None => "no collector runs, and none has ever written to this database".to_owned(),
                Some(run) if run.ended.is_some() => {
                    format!("no collector runs; the last one ended {} ago", ago(facts, ended))
                }
                Some(_) => format!("no collector runs; the last one was killed about {} ago", ago(facts, ended)),
            };
            findings.push(
                Finding::new("not-running", Severity::Critical, what)
                    .since(ended)
                    .why("nothing is received")
                    .run("as a service:", "systemctl enable --now flowglass")
                    .run("or here:", "flowglass"),
            );
        }
        Collector::Running { .. } => findings.extend(elsewhere(facts)),
        Collector::None { .. } | Collector::Unknown => {}
    }
    findings
}

fn ago(facts: &Facts, ended: Option<crate::flow::Timestamp>) -> String {
    duration(ended.map_or(0, |ended| facts.now.since(ended)))
}

/// Whether two sockets of these addresses would be in each other's way.
fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && other.port() != 0 && (one.ip() == other.ip() || is_any)
}

fn taken(facts: &Facts, wanted: SocketAddr, other: &Listener) -> Finding {
    let why = "only one program can receive what is sent to a port: this collector cannot start, or gets nothing";
    let port = wanted.port();
    let instead = format!("flowglass --port {}", port.checked_add(1).unwrap_or(2055));
    let (id, what, stop) = match &other.process {
        Some((pid, name)) if name == "flowglass" => (
            "second-collector",
            format!(
                "another collector, process {pid}, has UDP port {port} and writes elsewhere than {}",
                facts.database.path.display()
            ),
            format!("kill {pid}"),
        ),
        Some((pid, name)) => {
            ("port-taken", format!("UDP port {port} is taken by {name}, process {pid}"), format!("kill {pid}"))
        }
        None => {
            ("port-taken", format!("UDP port {port} is taken by another program"), format!("ss -lunp sport = :{port}"))
        }
    };
    let first = if other.process.is_some() { "stop it:" } else { "see which one, as root:" };
    Finding::new(id, Severity::Critical, what)
        .why(why)
        .run(first, stop)
        .run("or take another port, and tell the exporters:", instead)
}

/// A collector that listens elsewhere than the settings say.
fn elsewhere(facts: &Facts) -> Option<Finding> {
    let has = |port: u16| facts.sockets.iter().any(|socket| socket.listen.port() == port);
    let missing = facts.listen.iter().find(|wanted| wanted.port() != 0 && !has(wanted.port()))?;
    if facts.sockets.is_empty() {
        return None;
    }
    let has: Vec<_> = facts.sockets.iter().map(|socket| socket.listen.to_string()).collect();
    Some(
        Finding::new(
            "not-listening",
            Severity::Warning,
            format!("the settings say {missing}, and the running collector listens on {}", has.join(", ")),
        )
        .why("what is sent there is not received; a changed address needs a restart")
        .run("", "systemctl restart flowglass")
        .run("where each setting is from:", "flowglass config"),
    )
}

/// Whether anything comes in that can be read.
pub(super) fn arriving(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.is_running() {
        findings.extend(facts.strays.iter().map(|stray| astray(facts, stray, Severity::Warning)));
        return findings;
    }
    let is_empty = facts.totals.datagrams == 0;
    let barred = facts.trouble(Kind::Barred);
    if is_empty {
        findings.extend(facts.strays.iter().map(|stray| astray(facts, stray, Severity::Critical)));
    }
    if let Some(trouble) = barred {
        findings.extend(refused(facts, trouble, is_empty));
    }
    if let Some(trouble) = facts.trouble(Kind::Foreign) {
        findings.extend(foreign(facts, trouble));
    }
    if is_empty && barred.is_none() {
        findings.push(nothing(facts));
    }
    findings
}

/// Somebody sends to a port where nobody listens.
fn astray(facts: &Facts, stray: &Stray, severity: Severity) -> Finding {
    let protocol = match stray.version {
        0 => "sFlow".to_owned(),
        10 => "IPFIX".to_owned(),
        version => format!("NetFlow v{version}"),
    };
    let (from, port) = (stray.from.ip(), stray.port);
    let what = format!(
        "{from} sends {protocol} to UDP port {port}, where nobody listens; the collector is on {}",
        facts.port()
    );
    let host = facts.host();
    let mut finding = Finding::new("wrong-port", severity, what)
        .why("what is sent to another port is lost")
        .run("listen there, too:", format!("flowglass --listen 0.0.0.0:{} --listen 0.0.0.0:{port}", facts.port()));
    finding.mend.extend(facts.maker(from).steps(Wish::Send { host: &host, port: facts.port() }));
    finding
}

fn refused(facts: &Facts, trouble: &Trouble, is_all: bool) -> Option<Finding> {
    if !is_all && !facts.is_recent(trouble.last, DAY_MS) {
        return None;
    }
    let who = trouble.who.map_or_else(|| "somebody".to_owned(), |who| who.ip().to_string());
    let severity = if is_all { Severity::Critical } else { Severity::Warning };
    let what = format!("{} of {who} refused: the allow-list does not name it", counted(trouble.count, "datagram"));
    Some(
        Finding::new("not-allowed", severity, what)
            .since(trouble.first)
            .why("what it sends is not read; if it is no exporter of yours, this is as it should be")
            .run("if it is yours, beside the prefixes that are allowed already:", format!("flowglass --allow {who}"))
            .advise("or add it to `allow` in /etc/flowglass/flowglass.toml, then `systemctl reload flowglass`"),
    )
}

fn foreign(facts: &Facts, trouble: &Trouble) -> Option<Finding> {
    let is_all = facts.totals.decoded == 0;
    if !is_all && !facts.is_recent(trouble.last, DAY_MS) {
        return None;
    }
    let who = trouble.who.map_or_else(|| "somebody".to_owned(), |who| who.ip().to_string());
    let severity = if is_all { Severity::Critical } else { Severity::Warning };
    let what = format!(
        "{} that are neither NetFlow, IPFIX nor sFlow, the last from {who}",
        counted(trouble.count, "datagram")
    );
    Some(
        Finding::new("foreign-protocol", severity, what)
            .since(trouble.first)
            .why("they cannot be read; most often it is syslog, SNMP or DNS that was pointed at the wrong port")
            .run("see what it is:", format!("tcpdump -ni any -c 5 -X udp port {} and host {who}", facts.port())),
    )
}

/// Nothing has come, and nothing says why.
fn nothing(facts: &Facts) -> Finding {
    let started = facts.collector.started();
    let waited = started.map_or(0, |started| facts.now.since(started));
    let ports: Vec<_> = facts.ports().iter().map(ToString::to_string).collect();
    let (host, port) = (facts.host(), facts.port());
    // An exporter needs its time, too.
    let severity = if waited < MINUTE_MS { Severity::Warning } else { Severity::Critical };
    let what = format!("no datagram has come to {} for {}", ports.join(", "), duration(waited));
    let mut finding = Finding::new("nothing-arrives", severity, what)
        .since(started)
        .why("no exporter sends here, or a firewall or the routing is in between")
        .run("does it reach this host at all, as root:", format!("tcpdump -ni any udp port {port}"))
        .run("if it does, does the firewall let it through:", format!("nft list ruleset | grep -n {port}"));
    if 0 < facts.kernel.reverse_path || facts.kernel.is_reverse_path_strict {
        let (command, note) =
            ("sysctl -w net.ipv4.conf.all.rp_filter=2", "the reverse-path filter is strict, and drops");
        finding = finding.run(format!("{note} what comes over another way than it would be answered:"), command);
    }
    if 0 < facts.kernel.no_port {
        let note = "while this was watched, datagrams came to a port of this host where nobody listens; see which one:";
        finding = finding.run(note, "tcpdump -ni any udp and not port 53");
    }
    finding.mend.extend(Maker::Unknown.steps(Wish::Send { host: &host, port }));
    finding
}

/// What the kernel and the collector lose.
pub(super) fn losing(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<_> = facts.sockets.iter().filter_map(|socket| overrun(facts, socket)).collect();
    let warnings = [
        (Kind::Malformed, "malformed", "datagram", "with a broken length"),
        (Kind::Refused, "no-room", "datagram", "of exporters that found no room beside 1,024 others"),
        (Kind::Truncated, "truncated", "datagram", "cut, since they were longer than UDP can say"),
        (Kind::NotShown, "not-shown", "flow", "not shown: this host has too few processors for the screen as well"),
        (Kind::NotPrinted, "not-printed", "flow", "not printed, since whoever reads stdout is too slow"),
    ];
    for (kind, id, thing, fate) in warnings {
        let Some(trouble) = facts.trouble(kind).filter(|trouble| facts.is_recent(trouble.last, DAY_MS)) else {
            continue;
        };
        let finding = Finding::new(id, Severity::Warning, format!("{} {fate}", counted(trouble.count, thing)));
        let finding = finding.since(trouble.first);
        findings.push(match kind {
            Kind::Malformed => finding.why("they are lost; the last ones are kept for a look").run(
                "",
                format!(
                    "tshark -V -r {}.quarantine.pcapng -d udp.port=={},cflow",
                    facts.database.path.display(),
                    facts.port()
                ),
            ),
            Kind::NotShown | Kind::NotPrinted => finding.why("they are stored all the same"),
            _ => finding.why("they are lost").run("", "flowglass --allow PREFIX"),
        });
    }
    for (from, to) in facts.gaps.iter().take(GAPS) {
        let what = format!("nobody collected for {}", duration(to.since(*from)));
        findings.push(
            Finding::new("gap", Severity::Note, what)
                .since(*from)
                .why("what exporters sent in that time is not in the database"),
        );
    }
    findings
}

/// A receive buffer that was too small, or may be.
fn overrun(facts: &Facts, socket: &SocketStats) -> Option<Finding> {
    let is_capped = socket.buffer < socket.buffer_asked;
    let last = facts.trouble(Kind::KernelDropped);
    let capped = format!("the kernel granted {} of {} KiB", socket.buffer / 1024, socket.buffer_asked / 1024);
    // The kernel's own overhead is counted in both.
    let wanted = socket.buffer_asked / 2;
    let sysctl = format!("sysctl -w net.core.rmem_max={wanted}");
    let keep = format!("echo net.core.rmem_max={wanted} > /etc/sysctl.d/60-flowglass.conf");
    if socket.dropped == 0 {
        return is_capped.then(|| {
            Finding::new(
                "buffer-capped",
                Severity::Note,
                format!("small receive buffer on {}: {capped}", socket.listen),
            )
            .why("a burst that it does not hold is lost")
            .run("then restart the collector:", sysctl)
            .run("for the next boot:", keep)
        });
    }
    let is_recent = last.is_none_or(|trouble| facts.is_recent(trouble.last, HOUR_MS));
    let severity = if is_recent { Severity::Critical } else { Severity::Warning };
    let mut what = format!(
        "the kernel dropped {} on {}, since the receive buffer was full",
        counted(socket.dropped, "datagram"),
        socket.listen
    );
    if is_capped {
        what.push_str(&format!(": {capped}"));
    }
    let finding = Finding::new("kernel-drops", severity, what)
        .since(last.map(|trouble| trouble.first))
        .why("they are lost, and so are the flows in them");
    Some(if is_capped {
        finding.run("then restart the collector:", sysctl).run("for the next boot:", keep)
    } else {
        let twice = (socket.buffer_asked >> 20).clamp(1, 1024);
        finding
            .run("ask for a larger one:", format!("flowglass --receive-buffer {twice}"))
            .run("and allow it:", format!("sysctl -w net.core.rmem_max={}", twice << 20))
    })
}

//! What there is to see before the first flow: where it listens, what came instead, and what to do at the router.

use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::doctor::{self, Facts, Severity};
use crate::tui::app::{App, Source, Stage};
use crate::tui::units;
use crate::tui::view::text;
use crate::tui::view::theme::Theme;

/// Where a router's export usually goes, for a feed that does not say.
const USUAL_PORT: u16 = 2055;

/// Findings that are shown; the doctor has them all.
const FINDINGS: usize = 3;

struct Line {
    text: String,
    style: Style,
    /// Where the text goes on when it is too long for the screen.
    indent: usize,
}

impl Line {
    fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: format!("   {}", text.into()), style, indent: 5 }
    }

    fn blank() -> Self {
        Self { text: String::new(), style: Style::new(), indent: 0 }
    }
}

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let mut lines = vec![Line::blank(), Line::new(headline(app), theme.strong()), Line::blank()];
    lines.extend(arrivals(app, theme));
    lines.extend(findings(app, theme));
    if let Source::Live { listen, reachable } = &app.feed().source {
        let port = listen.first().map_or(USUAL_PORT, std::net::SocketAddr::port);
        // Whoever sends already has done all this.
        if app.stage() == Stage::Silent {
            lines.extend(instructions(app, reachable, port, theme));
        }
    }
    lines.extend(storage(app, theme));
    if area.height < 16 {
        lines.retain(|line| !line.text.is_empty());
    }
    let wrapped = lines.iter().flat_map(|line| {
        let width = usize::from(area.width).saturating_sub(1);
        text::wrap(&line.text, width, line.indent).into_iter().map(|text| (text, line.style))
    });
    for (y, (text, style)) in wrapped.take(usize::from(area.height)).enumerate() {
        text::put(buf, area, 0, y, &text, style, theme);
    }
}

fn headline(app: &App) -> String {
    let feed = app.feed();
    let waited = units::duration(feed.now.since(feed.started));
    match (&feed.source, app.stage()) {
        (Source::Live { .. } | Source::Demo, Stage::Silent) => format!("Nothing has arrived yet ({waited})."),
        (Source::Live { .. } | Source::Demo, _) => format!("Datagrams arrive, but not one flow yet ({waited})."),
        (Source::Replay { done: true, .. }, _) => "The file has ended, and there was no flow in it.".to_owned(),
        (Source::Replay { .. }, _) => format!("No flow in the file so far ({waited})."),
        (Source::Stored { .. }, _) => format!("No flow in the database yet ({waited})."),
    }
}

/// What came, and why it is not a flow.
fn arrivals(app: &App, theme: Theme) -> Vec<Line> {
    let health = &app.feed().health;
    let totals = &health.totals;
    let mut lines = Vec::new();
    for exporter in health.exporters.iter().filter(|exporter| 0 < exporter.datagrams) {
        let mut text = format!(
            "{} {}: {}",
            app.labels().host(exporter.address),
            exporter.version,
            counted(exporter.datagrams, "datagram")
        );
        text.push_str(&format!(", {}", counted(exporter.templates, "template")));
        if 0 < exporter.waiting {
            text.push_str(&format!(", {} waiting for a template", counted(exporter.waiting, "set")));
        }
        lines.push(Line::new(text, theme.plain()));
    }
    if 0 < totals.waiting {
        let text = "This is normal after a restart: an exporter repeats its templates every few minutes, and what waits \
                    is decoded then.";
        lines.push(Line::new(text, theme.dim()));
    }
    if 0 < totals.foreign {
        let mut text = format!("{} neither NetFlow nor IPFIX", counted(totals.foreign, "datagram"));
        if let Some((from, version)) = totals.last_foreign {
            text.push_str(&format!(", the last one from {} with version {version}", app.labels().socket(from)));
        }
        lines.push(Line::new(text, theme.notice()));
    }
    if let Some(from) = health.barred.last {
        let datagrams = counted(health.barred.datagrams, "datagram");
        let from = app.labels().socket(from);
        let text = format!("{datagrams} refused, the last one from {from}, which --allow does not name");
        lines.push(Line::new(text, theme.notice()));
    }
    let kernel: u64 = health.sockets.iter().map(|socket| socket.dropped).sum();
    let alarms =
        [(totals.malformed, "with a broken length"), (totals.refused, "refused"), (kernel, "dropped by the kernel")];
    for (amount, fate) in alarms.into_iter().filter(|&(amount, _)| 0 < amount) {
        lines.push(Line::new(format!("{} {fate}", counted(amount, "datagram")), theme.alarm()));
    }
    if !lines.is_empty() {
        lines.push(Line::blank());
    }
    lines
}

/// What `flowglass doctor` finds of it, as far as the collector knows by itself.
fn findings(app: &App, theme: Theme) -> Vec<Line> {
    let feed = app.feed();
    if matches!(feed.source, Source::Replay { .. } | Source::Stored { is_live: false, .. }) {
        return Vec::new();
    }
    let facts = Facts::of_run(&feed.health, feed.started, feed.now);
    let mut lines = Vec::new();
    // The headline says already that nothing comes.
    let findings = doctor::examine(&facts).into_iter().filter(|finding| finding.id != "nothing-arrives");
    for finding in findings.filter(|finding| finding.severity != Severity::Note).take(FINDINGS) {
        lines.push(Line::new(app.labels().text(&format!("{}: {}", finding.what, finding.why)), theme.alarm()));
        if let Some(step) = finding.mend.first() {
            let command = step.command.as_deref().unwrap_or_default();
            let text = format!("  {} {command}", step.note);
            lines.push(Line::new(app.labels().text(text.trim_end()), theme.plain()));
        }
    }
    if !lines.is_empty() {
        lines.push(Line::new("`flowglass doctor` in another terminal looks at the host as well.", theme.dim()));
        lines.push(Line::blank());
    }
    lines
}

fn instructions(app: &App, reachable: &[IpAddr], port: u16, theme: Theme) -> Vec<Line> {
    let addresses: Vec<_> = reachable.iter().map(|&address| app.labels().address(address)).collect();
    let (here, host) = match addresses.as_slice() {
        [] => ("its address".to_owned(), "ADDRESS"),
        [first, ..] => (addresses.join(" or "), first.as_str()),
    };
    let hints = [
        (
            "UniFi",
            format!(
                "Settings > System > NetFlow: server {host} (an address, not a name), port {port}, version 10, sampling off"
            ),
        ),
        (
            "MikroTik",
            format!(
                "/ip traffic-flow set enabled=yes; /ip traffic-flow target add dst-address={host} port={port} version=ipfix"
            ),
        ),
        ("softflowd", format!("softflowd -i eth0 -n {host}:{port} -v 10")),
        (
            "Cisco",
            format!(
                "flow exporter FG; destination {host}; transport udp {port}; export-protocol ipfix; then name it in a flow \
                 monitor"
            ),
        ),
    ];
    let heading = format!("Point your router at this host: {here}, port {port}, IPFIX (NetFlow v9 and v5 work too)");
    let mut lines = vec![Line::new(heading, theme.plain()), Line::blank()];
    lines.extend(
        hints.map(|(name, hint)| Line { indent: 16, ..Line::new(format!("  {name:11}{hint}"), theme.plain()) }),
    );
    lines.push(Line::blank());
    let sent = format!("Is it sent, but not seen?  tcpdump -ni any udp port {port}");
    lines.push(Line::new(sent, theme.dim()));
    lines
}

fn storage(app: &App, theme: Theme) -> Option<Line> {
    let storage = app.feed().storage.as_ref()?;
    Some(Line::new(format!("Flows are stored in {}", app.labels().text(&storage.path)), theme.dim()))
}

fn counted(amount: u64, thing: &str) -> String {
    let plural = if amount == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", units::exact(amount))
}

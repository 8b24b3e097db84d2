//! Exporters and their health: a row each, and below what is wrong with the selected one and with this host, with the
//! command that mends it.

use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::collector::stats::{ExporterStats, TemplateAges};
use crate::flow::{ObservationDomainId, Sampling, SamplingSource, Version};
use crate::tui::app::App;
use crate::tui::app::columns::exporter;
use crate::tui::findings::{self, Finding};
use crate::tui::units::{self, Figure};
use crate::tui::view::table::{self, Cell, Marks};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel, ranking, take_bottom, text};
use crate::window::Key;

/// The account of an exporter and domain: of several versions the one that was heard last.
pub(super) fn stats(app: &App, address: IpAddr, domain: ObservationDomainId) -> Option<&ExporterStats> {
    let all = app.feed().health.exporters.iter();
    all.filter(|stats| (stats.address, stats.domain) == (address, domain)).max_by_key(|stats| stats.last_seen)
}

pub(super) fn lag(app: &App, address: IpAddr, domain: ObservationDomainId) -> Option<i64> {
    app.feed().lags.iter().find(|(of, _)| *of == (address, domain)).map(|(_, seconds)| *seconds)
}

/// The templates of an exporter and domain, in a line: how many, which, and how old they are.
pub(super) fn templates(app: &App, stats: &ExporterStats) -> String {
    let Some(known) = ages(app, stats) else {
        return match (stats.templates, stats.template_records) {
            (0, 0) => "none came".to_owned(),
            (known, records) => format!("{}, {} received", units::exact(known), units::exact(records)),
        };
    };
    let ids = match known.ids {
        (only, last) if only == last => only.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let oldest = units::duration(app.feed().now.since(known.oldest));
    let mut text = format!("{} ({ids}), oldest {oldest}", units::exact(known.count));
    // Each of them came so often.
    let rounds = stats.template_records.checked_div(known.count).unwrap_or(0);
    if 1 < rounds {
        text.push_str(&format!(", refreshed every ~{} datagrams", units::exact(stats.datagrams / rounds)));
    }
    text
}

pub(super) const fn has_templates(version: Version) -> bool {
    matches!(version, Version::V9 | Version::Ipfix)
}

/// When each of them came.
pub(super) fn ages<'a>(app: &'a App, stats: &ExporterStats) -> Option<&'a TemplateAges> {
    let of = (stats.address, stats.domain, stats.version);
    app.feed().health.templates.iter().find(|known| (known.address, known.domain, known.version) == of)
}

/// Lines of the pane below, of so many.
const fn pane(height: usize) -> usize {
    if height < 12 { 0 } else { height / 2 }
}

/// How many exporters fit into so many lines.
pub(super) fn room(height: usize, app: &App) -> usize {
    table::room(height - pane(height), app.exporters().len())
}

pub(super) fn render(buf: &mut Buffer, area: Rect, frame: Frame, app: &App, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let keys = app.exporters();
    let aside = units::exact(keys.len() as u64);
    let mut inner = panel(buf, area, frame, "Exporters and their health", &aside, theme);
    let lines = u16::try_from(pane(usize::from(inner.height))).unwrap_or(0);
    let below = take_bottom(&mut inner, lines);
    let (columns, layout) = ranking::layout(app, usize::from(inner.width));
    let marks = Marks {
        sorted: None,
        column: app.cell(),
        selected: app.selected().and_then(|key| keys.iter().position(|other| *other == key)),
    };
    table::render(
        buf,
        inner,
        (&columns, &layout),
        (app.offset(), keys.len(), keys.len()),
        marks,
        |row, column, _| keys.get(row).map_or_else(Cell::default, |key| cell(app, *key, column, theme)),
        |column, _, beyond| match column {
            exporter::NAME => Cell::new(format!("{} {beyond} more", theme.ellipsis())),
            _ => Cell::default(),
        },
        theme,
    );
    let chosen = app.selected().filter(|key| keys.contains(key)).or_else(|| keys.first().copied());
    findings(buf, below, app, chosen, theme);
}

fn cell(app: &App, key: Key, column: usize, theme: Theme) -> Cell {
    let Key::Exporter { address, domain } = key else { return Cell::default() };
    let Some(stats) = stats(app, address, domain) else { return Cell::default() };
    let (now, snapshot) = (app.feed().now, app.snapshot());
    let row = app.table().position(key).and_then(|at| app.table().row(at));
    let alarmed = |cell: Cell, is_wrong: bool| if is_wrong { cell.styled(theme.alarm()) } else { cell };
    let lag = lag(app, address, domain);
    match column {
        exporter::NAME => Cell::host(app.labels().exporter(address, domain)),
        exporter::VERSION => Cell::new(stats.version.to_string()),
        exporter::RATE => {
            let rate = row.map(|row| app.units().rate(row.ways.sum(), snapshot.seconds).to_string());
            Cell::new(rate.unwrap_or_else(|| "-".to_owned()))
        }
        exporter::FLOWS => {
            let rate = row.map(|row| Figure::per_second(row.ways.sum().flows, snapshot.seconds, "").to_string());
            Cell::new(rate.unwrap_or_else(|| "-".to_owned()))
        }
        exporter::LAST => {
            let ago = now.since(stats.last_seen);
            alarmed(Cell::new(units::duration(ago)), 300_000 < ago)
        }
        exporter::TEMPLATES => Cell::new(Figure::count(stats.templates).to_string()),
        exporter::WAITING => Cell::new(Figure::count(stats.waiting).to_string()),
        exporter::LOST => {
            let lost =
                stats.lost.saturating_add(stats.said.not_sent_flows.unwrap_or(0)).saturating_add(stats.sampler_drops);
            alarmed(Cell::new(Figure::count(lost).to_string()), lost != 0)
        }
        exporter::SKEW if stats.version == Version::Sflow => Cell::new("-"),
        exporter::SKEW => alarmed(Cell::new(skew(stats.clock_skew_ms)), 5_000 < stats.clock_skew_ms.abs()),
        exporter::SAMPLING => Cell::new(sampling(stats.sampling)),
        exporter::TIMEOUTS => Cell::new(timeouts(stats)),
        exporter::LAG => Cell::new(lag.map_or_else(|| "-".to_owned(), |lag| units::duration(lag * 1000))),
        _ => Cell::default(),
    }
}

/// `+1.8 s`: what the exporter's clock is ahead.
pub(super) fn skew(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    match ms.abs() {
        ms @ ..60_000 => format!("{sign}{}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("{sign}{}", units::duration(ms)),
    }
}

pub(super) fn sampling(sampling: Sampling) -> String {
    let source = match sampling.source {
        SamplingSource::None => return "none announced".to_owned(),
        SamplingSource::Record => "record",
        SamplingSource::Options => "options",
        SamplingSource::Header => "header",
        SamplingSource::Operator => "operator",
    };
    format!("1:{} {source}", sampling.rate.max(1))
}

pub(super) fn timeouts(stats: &ExporterStats) -> String {
    match (stats.said.active_timeout_s, stats.said.idle_timeout_s) {
        (None, None) => "not told".to_owned(),
        (active, idle) => {
            let seconds = |told: Option<u64>| told.map_or_else(|| "?".to_owned(), |seconds| format!("{seconds} s"));
            format!("{} / {}", seconds(active), seconds(idle))
        }
    }
}

/// What is wrong with one exporter, and with this host.
fn findings(buf: &mut Buffer, area: Rect, app: &App, chosen: Option<Key>, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let mut lines: Vec<(String, ratatui::style::Style)> = Vec::new();
    let width = usize::from(area.width).saturating_sub(2);
    if let Some(Key::Exporter { address, domain }) = chosen
        && let Some(stats) = stats(app, address, domain)
    {
        let found = findings::of_exporter(stats, lag(app, address, domain), app.feed().now);
        let name = app.labels().exporter(address, domain);
        if found.is_empty() {
            lines.push((
                format!("{name}: nothing is wrong; nothing lost, nothing waits, its clock is right"),
                theme.plain(),
            ));
        } else {
            lines.push((name, theme.strong()));
        }
        if has_templates(stats.version) {
            lines.push((format!("  templates {}", templates(app, stats)), theme.plain()));
        }
        found.iter().for_each(|finding| say(&mut lines, finding, width, theme));
    }
    let found = findings::of_host(&app.feed().health, app.feed().storage.as_ref());
    lines.push(("This host".to_owned(), theme.strong()));
    lines.extend(app.feed().health.sockets.iter().map(|socket| (queue(app, socket), theme.plain())));
    found.iter().for_each(|finding| say(&mut lines, finding, width, theme));
    let title = "What is wrong, why, and what mends it";
    let inner = panel(buf, area, Frame::Ruled, title, "", theme);
    for (y, (line, style)) in lines.iter().take(usize::from(inner.height)).enumerate() {
        text::put(buf, inner, 1, y, line, *style, theme);
    }
}

/// The receive buffer, as the kernel has it.
pub(super) fn queue(app: &App, socket: &crate::collector::stats::SocketStats) -> String {
    format!(
        "{}: {} dropped by the kernel, queue {}, buffer {} (asked {})",
        app.labels().socket(socket.listen),
        units::exact(socket.dropped),
        units::percent(socket.queued, socket.buffer, 0),
        Figure::bytes(socket.buffer),
        Figure::bytes(socket.buffer_asked),
    )
}

fn say(lines: &mut Vec<(String, ratatui::style::Style)>, finding: &Finding, width: usize, theme: Theme) {
    let (mark, style) = if finding.is_alarm { ("! ", theme.alarm()) } else { ("  ", theme.plain()) };
    lines.push((format!("{mark}{}", finding.what), style));
    let mut rest = finding.why.to_owned();
    if let Some(mend) = &finding.mend {
        rest.push_str(&format!(".   {mend}"));
    }
    for line in text::wrap(&rest, width.saturating_sub(4).max(8), 0) {
        lines.push((format!("    {line}"), theme.dim()));
    }
}

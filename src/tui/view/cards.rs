//! What explains one thing: a host, a flow, an exporter, or a row.

mod flow;
mod host;
mod record;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::collector::stats::{ExporterStats, TemplateAge};
use crate::tui::app::{App, Card};
use crate::tui::findings;
use crate::tui::units::{self, Figure};
use crate::tui::view::card::{self, Entry, Section};
use crate::tui::view::theme::Theme;
use crate::tui::view::{health, ranking};
use crate::window::{AVERAGES, Badges, Key, Row, Snapshot};

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let Some(of) = app.card() else { return };
    card::render(buf, area, &title(app, &of), &sections(app, &of, theme), app.top_offset(), theme);
}

/// How many lines do not fit.
pub(super) fn hidden(area: Rect, app: &App) -> usize {
    app.card().map_or(0, |of| card::hidden(area, &sections(app, &of, Theme::default())))
}

fn title(app: &App, of: &Card) -> String {
    match *of {
        Card::Host(address) => app.labels().host(address),
        Card::Flow(_) => "One flow".to_owned(),
        Card::Exporter(address, domain) => app.labels().exporter(address, domain),
        Card::Row(key) => app.labels().key(key, &app.feed().health),
    }
}

fn sections(app: &App, of: &Card, theme: Theme) -> Vec<Section> {
    match of {
        Card::Host(address) => host::sections(app, of, *address, theme),
        Card::Flow(flow) => flow::sections(app, flow),
        Card::Exporter(address, domain) => exporter(app, of, (*address, *domain)),
        Card::Row(key) => row(app, *key, theme),
    }
}

fn section(heading: &str, entries: Vec<Entry>) -> Section {
    Section { heading: heading.to_owned(), entries }
}

/// The figures that every row has.
fn figures(app: &App, row: &Row, snapshot: &Snapshot) -> Vec<Entry> {
    let units = app.units();
    let rates = [row.ways.down, row.ways.up].map(|tally| units.rate(tally, snapshot.seconds).to_string());
    let averages: Vec<String> = row
        .averages
        .iter()
        .zip(AVERAGES)
        .map(|([down, up], seconds)| {
            let rate = |bytes: u64| Figure::per_second(bytes.saturating_mul(8), 1, "b/s").to_string();
            format!("{} s: {} down, {} up", seconds, rate(*down), rate(*up))
        })
        .collect();
    let peak = Figure::per_second(row.peak.saturating_mul(8), 1, "b/s");
    let total = row.total;
    vec![
        Entry::named("now", format!("{} down, {} up, over the last {}", rates[0], rates[1], app.span().label())),
        Entry::named("averages", averages.join("; ")),
        Entry::named("peak", format!("{peak} in the busiest slice of the last hour")),
        Entry::named(
            "total",
            format!(
                "{} down, {} up, {} packets, {} flows in the last hour",
                Figure::bytes(total.down.counts.bytes),
                Figure::bytes(total.up.counts.bytes),
                units::exact(total.sum().counts.packets),
                units::exact(total.sum().flows)
            ),
        ),
        Entry::named("since", ranking::since(row, app)),
    ]
}

/// What is remarkable, each badge in words.
fn remarks(badges: Badges, theme: Theme) -> Vec<Entry> {
    let entry = |badge: crate::window::Badge| {
        let mark = ranking::badge_mark(badge, badges.growth, theme);
        Entry::named(mark, format!("{}: {}", badge.word(), badge.meaning()))
    };
    badges.iter().map(entry).collect()
}

fn row(app: &App, key: Key, theme: Theme) -> Vec<Section> {
    let table = app.table();
    let Some(row) = table.position(key).and_then(|at| table.row(at)) else {
        return vec![section("", vec![Entry::note("it has no traffic any more")])];
    };
    let mut sections = vec![section("Traffic", figures(app, row, app.snapshot()))];
    let remarks = remarks(row.badges, theme);
    if !remarks.is_empty() {
        sections.push(section("What is unusual", remarks));
    }
    sections
}

/// The templates of an exporter one by one.
fn templates(app: &App, stats: &ExporterStats) -> Option<Section> {
    let known = health::ages(app, stats)?;
    let entry = |template: &TemplateAge| {
        let options = if template.is_options { " of options" } else { "" };
        let ago = units::duration(app.feed().now.since(template.received));
        Entry::named(template.id.to_string(), format!("{} fields{options}, {ago} ago", template.fields))
    };
    let mut entries: Vec<Entry> = known.list.iter().map(entry).collect();
    let more = known.count.saturating_sub(known.list.len() as u64);
    if 0 < more {
        entries.push(Entry::note(format!("and {} more", units::exact(more))));
    }
    Some(section("Its templates, and when each was last refreshed", entries))
}

fn exporter(
    app: &App,
    of: &Card,
    (address, domain): (std::net::IpAddr, crate::flow::ObservationDomainId),
) -> Vec<Section> {
    let Some(stats) = health::stats(app, address, domain) else {
        return vec![section("", vec![Entry::note("it was forgotten, since it sent nothing for long")])];
    };
    let feed = app.feed();
    let lag = health::lag(app, address, domain);
    let ago = |at| units::duration(feed.now.since(at));
    let mut sections = vec![section(
        "What it sends",
        vec![
            Entry::named("address", app.labels().address(address)),
            Entry::named("protocol", format!("{}, domain {domain}", stats.version)),
            Entry::named(
                "datagrams",
                format!("{}, the last one {} ago", units::exact(stats.datagrams), ago(stats.last_seen)),
            ),
            Entry::named("flows", format!("{} of {} records", units::exact(stats.flows), units::exact(stats.records))),
            Entry::named("first heard", format!("{} ago", ago(stats.first_seen))),
            Entry::named("templates", health::templates(app, stats)),
            Entry::named("waiting", format!("{} sets for a template", units::exact(stats.waiting))),
            Entry::named("lost", format!("{} by its sequence numbers", units::exact(stats.lost))),
            Entry::named("clock", health::skew(stats.clock_skew_ms)),
            Entry::named("sampling", health::sampling(stats.sampling)),
            Entry::named("timeouts", format!("{} (active / idle)", health::timeouts(stats))),
            Entry::named(
                "lag",
                lag.map_or_else(
                    || "not known yet".to_owned(),
                    |lag| format!("reports come within {}", units::duration(lag * 1000)),
                ),
            ),
        ],
    )];
    let wrong = findings::of_exporter(stats, lag, feed.now).into_iter().flat_map(|finding| {
        let what = if finding.is_alarm { Entry::alarm("", finding.what) } else { Entry::text(finding.what) };
        let mend = finding.mend.map(|mend| Entry::note(format!("  {mend}")));
        [Some(what), Some(Entry::note(format!("  {}", finding.why))), mend].into_iter().flatten()
    });
    let wrong: Vec<Entry> = wrong.collect();
    if !wrong.is_empty() {
        sections.push(section("What is wrong", wrong));
    }
    sections.extend(templates(app, stats));
    let host = feed.health.sockets.iter().map(|socket| Entry::text(health::queue(app, socket)));
    sections.push(section("The kernel of this host", host.collect()));
    let views = app.card_views(of);
    if let Some(interfaces) = views.first().and_then(|view| feed.answer(view)) {
        let entry = |row: &Row| {
            let [down, up] = [row.ways.down, row.ways.up].map(|tally| app.units().rate(tally, interfaces.seconds));
            Entry::text(format!("{}: {down} in, {up} out", app.labels().key(row.key, &feed.health)))
        };
        sections.push(section("Its interfaces", interfaces.rows.iter().map(entry).collect()));
    }
    sections
}

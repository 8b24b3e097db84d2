//! A host: what it is called, what part it plays, with whom and over what, and what is unusual.

use std::net::IpAddr;

use crate::flow::Timestamp;
use crate::store::acquaintance::{Acquaintance, DAYS};
use crate::tui::app::{App, Card, Told};
use crate::tui::units::{self, Figure};
use crate::tui::view::card::{Entry, Section};
use crate::tui::view::theme::Theme;
use crate::when;
use crate::window::{Badge, Key, Row, Snapshot};

pub(super) fn sections(app: &App, of: &Card, address: IpAddr, theme: Theme) -> Vec<Section> {
    let section = super::section;
    let views = app.card_views(of);
    let answer = |at: usize| views.get(at).and_then(|view| app.feed().answer(view)).map(|snapshot| &**snapshot);
    let (Some(hosts), Some(services), Some(exporters), Some(conversations)) =
        (answer(0), answer(1), answer(2), answer(3))
    else {
        return vec![section("", vec![Entry::note("one moment")])];
    };
    let own = hosts.rows.iter().find(|row| row.key == Key::Host(address));
    let mut sections = vec![section("", identity(app, address, conversations))];
    match own {
        Some(row) => sections.push(section("Traffic", traffic(app, row, hosts))),
        None => sections.push(section("Traffic", vec![Entry::note("none in the last hour")])),
    }
    sections.push(section("Before", before(app, address)));
    let unusual = unusual(own, conversations, peers(hosts), theme);
    sections.push(section("What is unusual", unusual));
    let share = |row: &Row| {
        let name = app.labels().key(row.key, &app.feed().health);
        let [down, up] = rates(app, row, hosts);
        Entry::text(format!("{name}: {down} down, {up} up"))
    };
    let most = |snapshot: &Snapshot, count: usize| {
        let rows = snapshot.rows.iter().filter(|row| row.key != Key::Host(address));
        rows.take(count).map(share).collect::<Vec<_>>()
    };
    // A peer receives what this host sends.
    let peer = |row: &Row| {
        let name = app.labels().key(row.key, &app.feed().health);
        let [down, up] = rates(app, row, hosts);
        Entry::text(format!("{name}: {up} from there, {down} to there"))
    };
    let others = hosts.rows.iter().filter(|row| row.key != Key::Host(address));
    let count = units::exact(peers(hosts));
    sections.push(section(&format!("Peers, {count}"), others.take(8).map(peer).collect()));
    let count = units::exact(services.row_count as u64);
    sections.push(section(&format!("Services, {count}"), most(services, 6)));
    sections.push(section("Seen by", most(exporters, 4)));
    sections
}

/// Hosts that it had traffic with in the time of the rates.
fn peers(hosts: &Snapshot) -> u64 {
    (hosts.row_count as u64).saturating_sub(1)
}

fn rates(app: &App, row: &Row, snapshot: &Snapshot) -> [Figure; 2] {
    [row.ways.down, row.ways.up].map(|tally| app.units().rate(tally, snapshot.seconds))
}

fn identity(app: &App, address: IpAddr, conversations: &Snapshot) -> Vec<Entry> {
    let labels = app.labels();
    let mut entries = vec![Entry::named("address", labels.address(address))];
    if labels.host(address) != labels.address(address) {
        entries.push(Entry::named("name", labels.host(address)));
    }
    let place = labels.place(address);
    if !place.is_empty() {
        entries.push(Entry::named("place", place));
    }
    entries.push(Entry::named("role", role(app, address, conversations)));
    entries
}

/// A guess by who opens, and over which services.
fn role(app: &App, address: IpAddr, conversations: &Snapshot) -> String {
    let (mut opens, mut serves) = (0_u64, 0_u64);
    let mut served: Vec<String> = Vec::new();
    for row in &conversations.rows {
        let Key::Conversation { inside, protocol, port, .. } = row.key else { continue };
        match row.opened_inside.map(|by_inside| by_inside == (inside == address)) {
            Some(true) => opens += 1,
            Some(false) => {
                serves += 1;
                let service = app.labels().service(protocol, port).into_owned();
                if !served.contains(&service) && served.len() < 4 {
                    served.push(service);
                }
            }
            None => {}
        }
    }
    match (opens, serves) {
        (0, 0) => "not clear: no report tells who opened".to_owned(),
        (_, 0) => format!("a client, as far as seen: it opened all {opens} conversations that tell"),
        (0, _) => format!("a server of {}: others opened all {serves} conversations that tell", served.join(", ")),
        _ if opens < serves => {
            format!("mostly a server, of {}: others opened {serves}, it opened {opens}", served.join(", "))
        }
        _ => format!("mostly a client: it opened {opens}, others opened {serves} to {}", served.join(", ")),
    }
}

fn traffic(app: &App, row: &Row, snapshot: &Snapshot) -> Vec<Entry> {
    let mut entries = super::figures(app, row, snapshot);
    let lived = snapshot.until.0.div_euclid(1000).saturating_sub(row.first).max(1).unsigned_abs();
    let (now, usual) = (row.ways.sum().counts.bytes, row.total.sum().counts.bytes);
    let rate = |bytes: u64, seconds: u64| Figure::per_second(bytes.saturating_mul(8), seconds, "b/s");
    let (now_rate, usual_rate) = (now / snapshot.seconds.max(1), usual / lived);
    let tenths = now_rate.saturating_mul(10) / usual_rate.max(1);
    entries.push(Entry::named(
        "against the hour",
        format!(
            "{} now, {} on average since it was first seen: {}.{} times as much",
            rate(now, snapshot.seconds),
            rate(usual, lived),
            tenths / 10,
            tenths % 10
        ),
    ));
    entries
}

/// What is stored of it, and how that compares.
fn before(app: &App, address: IpAddr) -> Vec<Entry> {
    let known = match &app.feed().told {
        Some(Told::Stored(of, known)) if *of == address => known,
        _ => return vec![Entry::note("one moment")],
    };
    let Some(known) = known else { return vec![Entry::note("nothing is stored")] };
    let (now, offset) = (app.feed().now, app.feed().utc_offset_s);
    let at = |at: Timestamp| {
        format!("{} {}, {} ago", when::date(at, offset), units::clock(at, offset), units::duration(now.since(at)))
    };
    let Some(begins) = known.begins else {
        return vec![Entry::note("no sums by minute and hour are written yet; the first come within minutes")];
    };
    let mut entries = match (known.first, known.last) {
        (Some(first), Some(last)) => {
            vec![Entry::named("first seen", at(first)), Entry::named("last stored", at(last.min(now)))]
        }
        _ => vec![Entry::text("it has no sums of its own in what is stored")],
    };
    entries.push(Entry::named("stored since", at(begins)));
    entries.push(Entry::named("against usual", against_usual(app, known)));
    entries
}

/// An hour beside the same one of the days before; all reports of it, as they are stored.
fn against_usual(app: &App, known: &Acquaintance) -> String {
    let Some([sent, received]) = known.usual() else { return "no whole day is stored yet".to_owned() };
    let [up, down] = known.hour.map(|way| way.bytes);
    let (now, usual) = (up.saturating_add(down), sent.saturating_add(received));
    let times = match now.saturating_mul(10).checked_div(usual) {
        Some(tenths) => format!("{}.{} times as much", tenths / 10, tenths % 10),
        None => "usually nothing".to_owned(),
    };
    format!(
        "{} down, {} up in the hour to {}; {} and {} at this time of {} of the last {DAYS} days: {times}",
        Figure::bytes(down),
        Figure::bytes(up),
        units::clock(known.until, app.feed().utc_offset_s),
        Figure::bytes(received),
        Figure::bytes(sent),
        known.known_days(),
    )
}

/// Each badge with its numbers.
fn unusual(own: Option<&Row>, conversations: &Snapshot, peers: u64, theme: Theme) -> Vec<Entry> {
    let mut entries: Vec<Entry> = own.map(|row| super::remarks(row.badges, theme)).unwrap_or_default();
    if own.is_some_and(|row| row.badges.has(Badge::FanOut)) {
        entries.push(Entry::text(format!("it reached {peers} others within the time of the rates")));
    }
    for (badge, words) in [
        (Badge::SynOnly, "nobody answered"),
        (Badge::OneWay, "have packets in one direction only"),
        (Badge::New, "were never seen before"),
        (Badge::Grown, "have grown"),
        (Badge::Gone, "are gone"),
    ] {
        let count = conversations.rows.iter().filter(|row| row.badges.has(badge)).count();
        if 0 < count {
            entries.push(Entry::text(format!("{count} of its {} conversations {words}", conversations.rows.len())));
        }
    }
    if entries.is_empty() {
        entries.push(Entry::note("nothing"));
    }
    entries
}

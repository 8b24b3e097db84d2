//! The line of state on top: what is watched, how much passes, what was lost.
//!
//! Losses are those of now, also while the figures are frozen.

use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::{App, Source};
use crate::tui::units::{self, Figure};
use crate::tui::view::text::{self, Part};
use crate::tui::view::theme::Theme;
use crate::window::{Point, Snapshot, Tally};

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let mut left = vec![Part::new("flowglass", theme.strong(), 8)];
    left.extend(badge(app, theme));
    left.push(Part::new(source(app), theme.plain(), 9));
    if let Some(exporters) = exporters(app) {
        left.push(Part::new(exporters, theme.plain(), 6));
    }
    let now = lately(app.snapshot());
    let [down, up] = theme.arrows();
    // What stands for an arrow in ASCII would look like a part of the number.
    let gap = if theme.ascii && 60 <= area.width { " " } else { "" };
    let rate = |tally| format!("{:>9}", app.units().rate(tally, now.seconds));
    let mut right = if now.down == Tally::default() && now.up == Tally::default() {
        // Nothing enters or leaves: both ends are inside, or neither is.
        vec![Part::new(rate(now.sum), theme.strong(), 0)]
    } else {
        vec![
            Part::new(format!("{down}{gap}{}", rate(now.down)), theme.traffic().patch(theme.strong()), 0),
            Part::new(format!("{up}{gap}{}", rate(now.up)), theme.outbound().patch(theme.strong()), 1),
        ]
    };
    right.push(Part::new(
        format!("{:>6} flows/s", Figure::per_second(now.sum.flows, now.seconds, "")),
        theme.plain(),
        5,
    ));
    right.extend(losses(app, theme));
    right.extend(app.pace().map(|pace| Part::new(pace, theme.notice(), 2)));
    right.push(Part::new(units::clock(app.feed().now, app.feed().utc_offset_s), theme.dim(), 4));
    text::line(buf, text::inset(area), left, right, 2, theme);
}

fn badge(app: &App, theme: Theme) -> Vec<Part> {
    let feed = app.feed();
    if let Some(since) = app.frozen_since() {
        let text = format!(" FROZEN at {} ", units::clock(since, feed.utc_offset_s));
        return vec![Part::new(text, theme.badge(), 1)];
    }
    if let Some(at) = app.past() {
        let reading = if app.is_reading() { ", reading" } else { "" };
        return vec![Part::new(format!(" PAST until {}{reading} ", app.when(at)), theme.badge(), 1)];
    }
    let text = match &feed.source {
        Source::Live { .. } => "LIVE",
        Source::Replay { done: false, .. } => "REPLAY",
        Source::Replay { done: true, .. } => "REPLAY, ended",
        Source::Stored { is_live: true, .. } => "VIEW",
        Source::Stored { is_live: false, .. } => "STORED",
        Source::Demo => "DEMO",
    };
    vec![Part::new(text, theme.strong(), 2)]
}

fn source(app: &App) -> String {
    match &app.feed().source {
        Source::Live { listen, .. } => match listen.as_slice() {
            [] => "listening".to_owned(),
            [one] => format!("listening on {}", app.labels().socket(*one)),
            [first, rest @ ..] => format!("listening on {} +{}", app.labels().socket(*first), rest.len()),
        },
        Source::Replay { file, .. } => app.labels().text(file).to_owned(),
        Source::Stored { path, .. } => app.labels().text(path).to_owned(),
        Source::Demo => "a made-up exporter".to_owned(),
    }
}

fn exporters(app: &App) -> Option<String> {
    let mut addresses: Vec<IpAddr> = app.feed().health.exporters.iter().map(|exporter| exporter.address).collect();
    addresses.dedup();
    let (&first, rest) = addresses.split_first()?;
    let first = app.labels().host(first);
    Some(match rest.len() {
        0 => format!("exporter {first}"),
        more => format!("exporters {first} +{more}"),
    })
}

/// What the last settled slice brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lately {
    pub(super) down: Tally,
    pub(super) up: Tally,
    /// Whichever way it went.
    pub(super) sum: Tally,
    pub(super) seconds: u64,
}

pub(super) fn lately(snapshot: &Snapshot) -> Lately {
    let until = snapshot.until.0.div_euclid(1000);
    let point = snapshot.series.iter().rev().find(|point| point.start < until);
    let of = |point: &Point| {
        let ways = point.ways();
        Lately { down: ways.down, up: ways.up, sum: point.sum(), seconds: point.seconds }
    };
    point.map_or_else(|| Lately { seconds: 1, ..Lately::default() }, of)
}

/// One part per place where something was lost, or the good news.
fn losses(app: &App, theme: Theme) -> Vec<Part> {
    let health = &app.feed().health;
    let kernel: u64 = health.sockets.iter().map(|socket| socket.dropped.saturating_add(socket.truncated)).sum();
    let unstored = app.feed().storage.as_ref().map_or(0, |storage| storage.dropped);
    let places = [
        ("lost", health.totals.lost),
        ("kernel dropped", kernel),
        ("malformed", health.totals.malformed),
        ("not stored", unstored),
    ];
    let parts: Vec<_> = places
        .into_iter()
        .filter(|&(_, amount)| amount != 0)
        .map(|(place, amount)| Part::new(format!("{place} {}", Figure::count(amount)), theme.alarm(), 1))
        .collect();
    if parts.is_empty() { vec![Part::new("lost 0", theme.dim(), 3)] } else { parts }
}

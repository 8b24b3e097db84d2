//! A feed of made-up traffic for tests: always the same, with long addresses and unusual protocols in it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::collector::evidence::Evidence;
use crate::collector::stats::{ExporterStats, Health, SocketStats, TemplateAge, TemplateAges, Totals};
use crate::flow::{Counts, FlowRecord, ObservationDomainId, Timestamp, Version};
use crate::ie::ElementId;
use crate::store::acquaintance::Acquaintance;
use crate::store::notes::Note;
use crate::tui::app::{
    About, App, Comparison, Day, Event, Feed, Move, Moves, Room, Source, StorageView, Strip, Told, Wish,
};
use crate::tui::keys::Key as Pressed;
use crate::tui::units::Units;
use crate::window::{Dimension, Key, Limits, Span, View, Window};
use crate::wire::template::{FieldSpecifier, Template, TemplateId};

/// 2026-03-09 03:12:40 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_773_025_960_000);

const STARTED: Timestamp = NOW.plus(-3_600_000);

/// Source, destination, protocol, port, bytes per second, bytes per packet.
const TALKERS: [(&str, &str, u8, u16, u64, u64); 12] = [
    ("198.51.100.37", "192.168.1.20", 6, 443, 38_400_000, 1460),
    ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:0:1::12", 17, 443, 9_200_000, 1252),
    ("192.168.1.20", "203.0.113.9", 6, 443, 3_925_000, 1388),
    ("192.168.1.31", "192.168.1.2", 6, 445, 1_310_000, 1460),
    ("203.0.113.200", "192.168.1.57", 17, 51820, 262_000, 640),
    ("192.168.1.12", "192.168.1.2", 6, 554, 500_000, 980),
    ("192.168.1.57", "185.220.101.4", 6, 9001, 236_000, 512),
    ("192.168.1.1", "fe80::1ff:fe23:4567:890a", 58, 0, 2_400, 104),
    ("192.168.1.31", "192.168.1.1", 17, 53, 1_800, 74),
    ("192.168.1.2", "192.168.1.1", 17, 123, 76, 76),
    ("10.255.255.254", "172.31.255.250", 47, 0, 52_000, 900),
    ("192.168.1.99", "239.255.255.250", 17, 1900, 420, 140),
];

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Three minutes of traffic that swells, and a few hundred small conversations.
pub(crate) fn flows() -> Vec<FlowRecord> {
    let exporter = address("192.168.1.1");
    let blank = |at| FlowRecord::blank(at, exporter, ObservationDomainId(0), Version::Ipfix);
    let mut flows = Vec::new();
    for second in -180..0_i64 {
        let at = NOW.plus(second * 1000);
        // A wave with a quiet start, in hundredths.
        let swell =
            u64::try_from(60 + second.rem_euclid(37) * 2 - second.rem_euclid(11) * 3 + (second + 180) / 3).unwrap();
        for (i, (src, dst, protocol, port, bytes, size)) in TALKERS.into_iter().enumerate() {
            if second.rem_euclid(i64::try_from(i).unwrap() + 1) != 0 {
                continue;
            }
            let bytes = bytes * swell / 100 * u64::try_from(i + 1).unwrap();
            let mut flow = blank(at);
            flow.key.src_ip = address(src);
            flow.key.dst_ip = address(dst);
            flow.key.protocol = protocol;
            flow.key.dst_port = port;
            flow.key.src_port = if port == 0 { 0 } else { 60_000 };
            flow.counts = Counts { bytes, packets: bytes.div_ceil(size) };
            flows.push(flow);
        }
        for small in 0..6_u8 {
            let mut flow = blank(at);
            flow.key.src_ip = IpAddr::from([192, 168, 2, u8::try_from(second.rem_euclid(53)).unwrap()]);
            flow.key.dst_ip = IpAddr::from([203, 0, 113, small]);
            flow.key.protocol = 6;
            flow.key.dst_port = 443;
            flow.key.src_port = 60_001;
            flow.counts = Counts { bytes: 4_000 + u64::from(small) * 700, packets: 8 };
            flows.push(flow);
        }
    }
    flows
}

/// A feed that answers what the first look of a screen asks.
pub(crate) fn feed(span: Span) -> Feed {
    let view = View { rows: 500, ..View::from(span) };
    let protocols = View { dimension: Dimension::Protocol, ..view.clone() };
    answer(Wish { views: vec![view, protocols], ..Wish::default() })
}

/// A feed that answers a wish, as the window thread does.
pub(crate) fn answer(wish: Wish) -> Feed {
    let mut window = Window::new(Limits::default());
    if let Some(at) = wish.at {
        window = window.with_end(at);
    }
    let flows = flows();
    flows.iter().for_each(|flow| window.record(flow));
    let and = |view: &View| View { filter: wish.filter.clone().and(view.filter.clone()), ..view.clone() };
    let matching = flows.iter().rev().filter(|flow| wish.filter.matches(flow) && wish.tail_filter.matches(flow));
    Feed {
        views: wish.views.iter().map(|view| Arc::new(window.snapshot(&and(view), NOW))).collect(),
        tail: matching.take(wish.tail).copied().collect(),
        lags: window.lags().collect(),
        told: wish.about.map(told),
        strip: wish.day.map(|day| Arc::new(strip(day))),
        moves: wish.comparison.map(|comparison| Arc::new(moves(comparison))),
        wish: Arc::new(wish),
        health: Arc::new(Health {
            totals: totals(),
            sockets: vec![socket(0)],
            exporters: exporters(),
            templates: exporters().iter().map(templates).collect(),
            ..Default::default()
        }),
        storage: Some(storage()),
        source: live(),
        ..silent()
    }
}

/// What is known of one thing: a record of IPFIX, and a host that was seen for two days.
fn told(about: About) -> Told {
    match about {
        About::Host(host) => {
            let day = |sent, received| Some([sent, received].map(|bytes| Counts { bytes, packets: bytes / 1_000 }));
            let mut stored = Acquaintance {
                first: Some(NOW.plus(-170_000_000)),
                last: Some(NOW.plus(-20_000)),
                begins: Some(NOW.plus(-500_000_000)),
                hour: [Counts { bytes: 9_000_000_000, packets: 1 }, Counts { bytes: 1_000_000_000, packets: 1 }],
                until: NOW.plus(-20_000),
                ..Acquaintance::default()
            };
            (stored.days[0], stored.days[1]) = (day(4_000_000_000, 800_000_000), day(3_000_000_000, 900_000_000));
            Told::Stored(host, Some(Arc::new(stored)))
        }
        About::Flow(flow) => {
            let elements = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (152, 8), (153, 8), (1, 8), (2, 8), (61, 1)];
            let field = |(id, length)| FieldSpecifier { element: ElementId::Iana(id), length };
            let template =
                Template { id: TemplateId(256), scopes: 0, fields: elements.into_iter().map(field).collect() };
            let octets = (0_u8..46).collect();
            let evidence = Evidence { octets, offset: 66, datagram: 1_404, template: Some(Arc::new(template)) };
            Told::Octets(flow, Some(Arc::new(evidence)))
        }
    }
}

/// Of an exporter of IPFIX.
fn templates(stats: &ExporterStats) -> TemplateAges {
    let list = (256..=262_u16).map(|id| TemplateAge {
        id: TemplateId(id),
        fields: usize::from(id - 240),
        is_options: id == 262,
        received: NOW.plus(-1_000 * i64::from(268 - id)),
    });
    TemplateAges {
        address: stats.address,
        domain: stats.domain,
        version: stats.version,
        count: 7,
        ids: (TemplateId(256), TemplateId(262)),
        oldest: NOW.plus(-12_000),
        list: list.collect(),
    }
}

/// A day with a busy night, an hour in which nobody listened, and a note.
pub(crate) fn strip(day: Day) -> Strip {
    let hour = |hours: i64| day.from.plus(hours * 3_600_000);
    let bytes = |minute: u64| match minute {
        780..840 => 0,
        1_020..1_050 => 9_000_000_000,
        minute => 100_000_000 + minute % 97 * 10_000_000,
    };
    let at = hour(17).plus(600_000);
    Strip {
        from: day.from,
        step_ms: Day::STEP_MS,
        steps: (0..1440).map(bytes).collect(),
        gaps: vec![(hour(13), hour(14))],
        notes: vec![Note { at, written: at, text: "the new backup began".to_owned() }],
        failed: None,
    }
}

/// Some that grew, one of them new, and one that is gone.
pub(crate) fn moves(asked: Comparison) -> Moves {
    let conversation = |outside: &str, port| Key::Conversation {
        inside: address("192.168.1.20"),
        outside: address(outside),
        protocol: 6,
        port,
    };
    let host = |last: u8| Key::Host([192, 168, 1, last].into());
    let keys = match asked.dimension {
        Dimension::Conversation => {
            [conversation("198.51.100.37", 443), conversation("203.0.113.9", 443), conversation("185.220.101.4", 9001)]
        }
        _ => [host(20), host(31), host(57)],
    };
    let amounts = [(40_000_000, 2_500_000_000), (0, 700_000_000), (90_000_000, 0)];
    let rows = keys.into_iter().zip(amounts);
    let row = |(key, (before, now))| Move { key, before, now, missing: 0 };
    Moves {
        asked: Some(asked),
        before: vec![(asked.span.0.plus(-60_000), asked.span.0)],
        rows: rows.map(row).collect(),
        keys: 3,
        total_before: 300_000_000,
        total_now: 3_400_000_000,
        is_exact: true,
        failed: None,
    }
}

/// Presses keys and answers each wish, as the loop and the window thread do.
pub(crate) fn drive(app: &mut App, keys: &[Pressed]) {
    for &key in keys {
        app.update(Event::Key(key));
        let wish = app.wish();
        if wish != *app.feed().wish {
            app.update(Event::Feed(answer(wish)));
        }
    }
}

/// An app that is answered.
pub(crate) fn app(keys: &[Pressed]) -> App {
    let mut app = App::new(Span::Minute, Units::Bits);
    app.update(Event::Room(Room { rows: 10, columns: vec![0, 1, 2, 6, 7], hidden: 3 }));
    app.update(Event::Feed(answer(app.wish())));
    drive(&mut app, keys);
    app
}

/// Before the first datagram.
pub(crate) fn silent() -> Feed {
    Feed {
        now: NOW,
        started: STARTED,
        source: live(),
        is_stored: true,
        storage: Some(StorageView { path: "/var/lib/flowglass/flows.db".to_owned(), ..StorageView::default() }),
        ..Feed::default()
    }
}

pub(crate) fn totals() -> Totals {
    Totals {
        datagrams: 52_310,
        octets: 61_000_000,
        decoded: 52_302,
        foreign: 8,
        flows: 301_204,
        waiting: 3,
        ..Totals::default()
    }
}

pub(crate) fn storage() -> StorageView {
    StorageView {
        path: "/var/lib/flowglass/flows.db".to_owned(),
        rows: 300_392,
        buffered: 812,
        last_flush: Some(NOW.plus(-3_400)),
        octets: 16_900_000,
        ..StorageView::default()
    }
}

pub(crate) fn socket(dropped: u64) -> SocketStats {
    let listen = "0.0.0.0:2055".parse().unwrap();
    SocketStats { listen, buffer_asked: 33_554_432, buffer: 425_984, queued: 0, dropped, truncated: 0 }
}

pub(crate) fn exporters() -> Vec<ExporterStats> {
    ["192.168.1.1", "192.168.1.7", "2001:db8::53"].into_iter().map(|at| exporter(address(at))).collect()
}

pub(crate) fn exporter(address: IpAddr) -> ExporterStats {
    let mut stats =
        ExporterStats { templates: 7, template_records: 5_950, datagrams: 17_000, ..blank_exporter(address) };
    stats.last_seen = NOW;
    stats
}

fn live() -> Source {
    Source::Live { listen: vec!["0.0.0.0:2055".parse().unwrap()], reachable: vec![address("192.168.1.20")] }
}

fn blank_exporter(address: IpAddr) -> ExporterStats {
    let stats = ExporterStats::new(address, ObservationDomainId(0), Version::Ipfix, STARTED);
    ExporterStats { last_seen: NOW, ..stats }
}

use std::sync::Arc;

use ratatui::backend::{Backend, TestBackend};
use ratatui::style::{Color, Modifier};

use super::*;
use crate::collector::stats::{Health, Totals};
use crate::tui::app::{Feed, Source, StorageView};
use crate::tui::canned;
use crate::tui::keys::Key;
use crate::tui::units::Units;
use crate::window::{Limits, Span, Window};

const COLOR: Theme = Theme { scheme: Scheme::Dark, depth: Depth::Sixteen, ascii: false };

/// An app that has seen `feed` and then these keys, with everything that it wished for.
fn app(feed: Feed, keys: &[Key]) -> App {
    let mut app = App::new(feed.shown(0).view.span, Units::Bits);
    app.update(Event::Room(Room { rows: 10, columns: vec![0, 1, 2], hidden: 100 }));
    if !feed.views.is_empty() {
        app.update(Event::Feed(canned::answer(app.wish())));
    }
    for key in keys {
        app.update(Event::Key(*key));
    }
    let mut answered = if feed.views.is_empty() { feed.clone() } else { canned::answer(app.wish()) };
    answered = Feed { wish: answered.wish, views: answered.views, tail: answered.tail, lags: answered.lags, ..feed };
    app.update(Event::Feed(answered));
    app
}

/// The same, where each key is answered.
fn driven(keys: &str, (width, height): (u16, u16), theme: Theme) -> (App, Buffer) {
    let mut app = canned::app(&[]);
    draw(&mut app, width, height, theme);
    for letter in keys.chars() {
        let key = match letter {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            letter => Key::Char(letter),
        };
        canned::drive(&mut app, &[key]);
        draw(&mut app, width, height, theme);
    }
    let buf = draw(&mut app, width, height, theme);
    (app, buf)
}

/// Every view, and every card, with the keys that lead there.
const VIEWS: [(&str, &str); 21] = [
    ("overview", "j"),
    ("conversations", "2jj"),
    ("hosts", "3j"),
    ("services", "4"),
    ("protocols", "4v"),
    ("exporters", "5"),
    ("interfaces", "5v"),
    ("flows", "6j"),
    ("still", " j"),
    ("past", "t-2m\nA3"),
    ("changes", "7j"),
    ("changes_hosts", "3t-60s\nACC"),
    ("jump", "tyesterdai\n"),
    ("presets", "ij"),
    ("drilled", "3j\nj\n"),
    ("card_host", "3je"),
    ("card_flow", "6je"),
    ("card_exporter", "5je"),
    ("card_service", "4je"),
    ("columns", "2c"),
    ("states", "2roaj*>>n"),
];

#[test]
fn every_view_at_every_usual_size() {
    for (name, keys) in VIEWS {
        for size in [(40, 10), (80, 24), (120, 40), (200, 60)] {
            let (_, buf) = driven(keys, size, COLOR);
            insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(&buf));
        }
    }
}

/// What colours and modifiers the overview has, cell by cell: a letter for each style, in the order of the list below.
#[test]
fn styles_of_the_overview() {
    for (name, theme) in [("dark", COLOR), ("mono", Theme { scheme: Scheme::Mono, ..COLOR })] {
        let (_, buf) = driven("j>", (120, 40), theme);
        let mut styles = Vec::new();
        let mut letters = String::new();
        for y in 0..40 {
            for x in 0..120 {
                let style = buf[(x, y)].style();
                let at = styles.iter().position(|other| *other == style).unwrap_or_else(|| {
                    styles.push(style);
                    styles.len() - 1
                });
                letters.push(char::from(b'a' + u8::try_from(at).unwrap()));
            }
            letters.push('\n');
        }
        let list: Vec<_> = styles.iter().zip('a'..).map(|(style, letter)| format!("{letter}: {style:?}")).collect();
        insta::assert_snapshot!(format!("styles_{name}"), format!("{letters}\n{}", list.join("\n")));
    }
}

/// Each view and card in a thread of its own, since there are many sizes.
#[test]
fn every_view_and_card_at_every_size() {
    std::thread::scope(|scope| {
        for (_, keys) in VIEWS {
            scope.spawn(|| {
                let (mut app, _) = driven(keys, (80, 24), COLOR);
                small()
                    .chain(large().step_by(7))
                    .for_each(|(width, height)| drop(draw(&mut app, width, height, COLOR)));
            });
        }
    });
}

/// How much, since when and who are on every screen that has any room.
#[test]
fn the_question_stays_answered_on_small_screens() {
    for size in [(80, 24), (40, 10)] {
        let (_, buf) = driven("", size, COLOR);
        let picture = text(&buf);
        assert!(picture.contains("192.168.1"), "who: {picture}");
        assert!(picture.contains("since") && picture.contains("03:09"), "since when: {picture}");
        assert!(picture.contains(" M"), "how much: {picture}");
    }
}

fn draw(app: &mut App, width: u16, height: u16, theme: Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    app.update(room(area, app));
    let mut buf = Buffer::empty(area);
    render(&mut buf, area, app, theme);
    buf
}

fn picture(feed: Feed, keys: &[Key], (width, height): (u16, u16), theme: Theme) -> String {
    let mut app = app(feed, keys);
    text(&draw(&mut app, width, height, theme))
}

fn text(buf: &Buffer) -> String {
    let mut backend = TestBackend::new(buf.area.width, buf.area.height);
    let cells = buf.content.iter().enumerate().map(|(i, cell)| {
        let (x, y) = buf.pos_of(i);
        (x, y, cell)
    });
    backend.draw(cells).unwrap();
    let lines: Vec<_> = backend.to_string().lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The three colours a cell can have, of all cells.
fn colors(buf: &Buffer) -> impl Iterator<Item = Color> {
    buf.content.iter().flat_map(|cell| [cell.fg, cell.bg])
}

#[test]
fn main_view() {
    for (width, height) in [(40, 10), (80, 24), (120, 40)] {
        let picture = picture(canned::feed(Span::Minute), &[Key::Down], (width, height), COLOR);
        insta::assert_snapshot!(format!("main_{width}x{height}"), picture);
    }
}

#[test]
fn other_views() {
    let ascii = Theme { ascii: true, ..Theme::default() };
    insta::assert_snapshot!("help_80x24", picture(canned::feed(Span::Minute), &[Key::Char('?')], (80, 24), COLOR));
    insta::assert_snapshot!("silent_80x24", picture(canned::silent(), &[], (80, 24), COLOR));
    insta::assert_snapshot!("silent_120x40", picture(canned::silent(), &[], (120, 40), COLOR));
    insta::assert_snapshot!("frozen_80x24", picture(canned::feed(Span::Hour), &[Key::Char(' ')], (80, 24), COLOR));
    insta::assert_snapshot!("ascii_120x40", picture(canned::feed(Span::FiveMinutes), &[], (120, 40), ascii));
    insta::assert_snapshot!("ascii_80x24", picture(canned::feed(Span::TenSeconds), &[], (80, 24), ascii));
}

#[test]
fn says_what_came_instead_of_flows() {
    let mut health = Health { totals: canned::totals(), sockets: vec![canned::socket(2)], ..Default::default() };
    health.totals = Totals {
        datagrams: 14,
        decoded: 9,
        waiting: 3,
        foreign: 4,
        malformed: 1,
        last_foreign: Some(("192.168.1.66:6343".parse().unwrap(), 0)),
        ..Totals::default()
    };
    let mut exporter = canned::exporter(canned::address("192.168.1.1"));
    exporter.datagrams = 9;
    exporter.templates = 1;
    exporter.waiting = 3;
    health.exporters = vec![exporter];
    let feed = Feed { health: Arc::new(health), ..canned::silent() };
    insta::assert_snapshot!("no_flows_80x24", picture(feed, &[], (80, 24), COLOR));
}

#[test]
fn says_what_is_wrong() {
    let mut feed = canned::feed(Span::Minute);
    let totals = Totals { lost: 1_204, malformed: 2, ..canned::totals() };
    feed.health = Arc::new(Health {
        totals,
        sockets: vec![canned::socket(17)],
        exporters: canned::exporters(),
        ..Default::default()
    });
    feed.storage = Some(StorageView { failing: Some("disk full".to_owned()), ..canned::storage() });
    feed.notice = Some("another collector owns the database".to_owned());
    let mut app = app(feed, &[]);
    let buf = draw(&mut app, 120, 40, COLOR);
    let alarms: Vec<_> = (0..40).filter(|&y| (0..120).any(|x| buf[(x, y)].fg == Color::Red)).collect();
    assert_eq!(alarms, [0, 38]);
    let picture = text(&buf);
    let lines: Vec<_> = picture.lines().collect();
    assert!(lines[0].contains("lost 1.20 k  kernel dropped 17  malformed 2"), "{}", lines[0]);
    assert!(lines[1].contains("another collector owns the database"), "{}", lines[1]);
    assert!(lines[38].contains("not flushed: disk full"), "{}", lines[38]);
}

#[test]
fn a_healthy_screen_is_never_red() {
    let mut app = app(canned::feed(Span::Minute), &[]);
    assert!(colors(&draw(&mut app, 120, 40, COLOR)).all(|color| color != Color::Red));
}

/// Every size up to 60 by 30, without a gap.
fn small() -> impl Iterator<Item = (u16, u16)> {
    (1..=60).flat_map(|width| (1..=30).map(move |height| (width, height)))
}

/// Of the larger ones up to 300 by 100, each width and each height with some of the others.
fn large() -> impl Iterator<Item = (u16, u16)> {
    let widths = (61..=300).flat_map(|width| [1, 2, 5, 7, 16, 24, 31, 100].map(|height| (width, height)));
    let heights =
        (31..=100).flat_map(|height| [20, 45, 59, 60, 80, 99, 100, 120, 200, 300].map(|width| (width, height)));
    widths.chain(heights)
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    let mut apps = [
        app(canned::feed(Span::Minute), &[Key::Down]),
        app(canned::feed(Span::TenSeconds), &[Key::Char(' '), Key::Char('+'), Key::Char('u')]),
        app(canned::feed(Span::Hour), &[Key::Char('s'), Key::End]),
        app(canned::feed(Span::Minute), &[Key::Char('?'), Key::End]),
        app(canned::feed(Span::Minute), &typed("?/quit")),
        app(
            canned::feed(Span::Minute),
            &typed("/src ip 日本 and prot 17 or something that is long enough for a screen"),
        ),
        app(canned::feed(Span::Minute), &typed("jy")),
        app(canned::feed(Span::Minute), &typed("jys")),
        app(canned::feed(Span::Minute), &typed("P")),
        app(canned::silent(), &[]),
        app(canned::silent(), &typed("/")),
        app(Feed::default(), &[]),
    ];
    std::thread::scope(|scope| {
        for app in &mut apps {
            scope.spawn(|| {
                small().chain(large().step_by(7)).for_each(|(width, height)| drop(draw(app, width, height, COLOR)));
            });
        }
    });
}

#[test]
fn the_filter_line_points_at_the_error() {
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    let text = "/dst port 443 and prot 17 or host in [1.2.3.4]";
    insta::assert_snapshot!("filter_80x24", picture(canned::feed(Span::Minute), &typed(text), (80, 24), COLOR));
    insta::assert_snapshot!("filter_40x10", picture(canned::feed(Span::Minute), &typed(text), (40, 10), COLOR));
    insta::assert_snapshot!(
        "filter_complete_80x24",
        picture(canned::feed(Span::Minute), &typed("/src "), (80, 24), COLOR)
    );
    let tiny = picture(canned::feed(Span::Minute), &typed("/port 443"), (20, 1), COLOR);
    assert!(tiny.contains("/port 443"), "the line that is typed in stays: {tiny}");
}

#[test]
fn what_is_copied_stands_on_the_screen() {
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    let copied = |text: &str, size| picture(canned::feed(Span::Minute), &typed(text), size, COLOR);
    insta::assert_snapshot!("copy_menu_80x24", copied("jy", (80, 24)));
    insta::assert_snapshot!("copy_sql_80x24", copied("jys", (80, 24)));
    insta::assert_snapshot!("copy_sql_40x10", copied("jys", (40, 10)));
    assert!(copied("jyt", (120, 40)).contains("tcp and host 192.168.1.20 and host 198.51.100.37 and port 443"));
}

#[test]
fn the_help_is_searched() {
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    let picture = |keys: &str| picture(canned::feed(Span::Minute), &typed(keys), (80, 24), COLOR);
    insta::assert_snapshot!("help_searched_80x24", picture("?/copy"));
    assert!(picture("?/xyzzy").contains("nothing here has this word"));
}

#[test]
fn privacy_hides_every_address_name_and_path() {
    let mut feed = canned::feed(Span::Minute);
    feed.source = Source::Replay { file: "/home/anna/secret.pcap".to_owned(), done: false };
    feed.storage = Some(StorageView { failing: Some("/home/anna is full".to_owned()), ..canned::storage() });
    for feed in [feed, canned::feed(Span::Minute), canned::silent()] {
        let picture = picture(feed, &[Key::Char('P')], (200, 60), COLOR);
        for secret in ["192.168.", "198.51.", "203.0.", "2001:db8", "fe80", "/home", "/var/lib", "anna"] {
            assert!(!picture.contains(secret), "{secret}: {picture}");
        }
    }
}

#[test]
fn names_take_the_place_of_addresses() {
    let names = crate::names::Names::default().with_hosts([(canned::address("192.168.1.20"), "nas.lan".into())]);
    let mut app = app(canned::feed(Span::Minute), &[]).with(crate::tui::keys::Keys::default(), Arc::new(names));
    let named = text(&draw(&mut app, 120, 40, COLOR));
    assert!(named.contains("nas.lan") && named.contains("https"), "{named}");
    app.update(Event::Key(Key::Char('d')));
    app.update(Event::Key(Key::Char('p')));
    let plain = text(&draw(&mut app, 120, 40, COLOR));
    assert!(!plain.contains("nas.lan") && plain.contains("tcp/443"), "{plain}");
}

#[test]
fn the_last_picture_is_plain_text() {
    let mut app = app(canned::feed(Span::Minute), &[Key::Down]);
    let buf = draw(&mut app, 80, 24, Theme::default());
    let left = super::text(&buf);
    assert_eq!(left.trim_end(), text(&buf).trim_end());
    assert!(left.ends_with('\n') && !left.contains('\u{1b}'));
}

#[test]
fn the_rate_and_the_account_stay_on_small_screens() {
    let rate = |size| picture(canned::feed(Span::Minute), &[], size, COLOR).contains("437 Mb/s");
    assert!(rate((12, 1)));
    assert!(rate((40, 1)));
    assert!(rate((20, 5)));
    assert!(picture(canned::feed(Span::Minute), &[], (20, 5), COLOR).contains("lost 0"));
    assert!(picture(canned::feed(Span::Minute), &[], (20, 8), COLOR).ends_with("? help  q quit"));
}

#[test]
fn every_line_of_the_table_is_as_wide_as_the_screen() {
    for width in 40..=240 {
        let picture = picture(canned::feed(Span::Minute), &[], (width, 20), COLOR);
        let heading = picture.lines().find(|line| line.contains("outside")).unwrap();
        let margin = usize::from(60 <= width);
        assert_eq!(heading.chars().count(), usize::from(width) - margin, "{heading}");
    }
}

#[test]
fn the_sorted_column_is_shown_before_others() {
    let heading = |keys: &[Key]| {
        let picture = picture(canned::feed(Span::Minute), keys, (80, 24), COLOR);
        picture.lines().find(|line| line.contains("outside")).unwrap().to_owned()
    };
    assert!(!heading(&[]).contains("▼"));
    assert!(!heading(&[]).contains("flows"));
    assert!(heading(&[Key::Char('S')]).contains("▼flows"));
    assert!(heading(&[Key::Char('s')]).contains("▼down"));
}

#[test]
fn the_selected_row_alone_is_reversed() {
    let mut app = app(canned::feed(Span::Minute), &[Key::Down, Key::Down]);
    for theme in [COLOR, Theme::default()] {
        let buf = draw(&mut app, 80, 24, theme);
        let reversed: Vec<_> = (0..24).filter(|&y| buf[(5, y)].modifier.contains(Modifier::REVERSED)).collect();
        assert_eq!(reversed, [9]);
    }
}

#[test]
fn rows_below_the_last_page_are_counted_and_summed() {
    let (mut app, _) = driven("2", (80, 24), COLOR);
    (0..2).for_each(|_| canned::drive(&mut app, &[Key::End]));
    let picture = text(&draw(&mut app, 80, 24, COLOR));
    assert!(picture.contains("-330 of 330"), "{picture}");
    assert!(!picture.contains("more"));
}

/// Names come from files and from the network.
fn hostile() -> Feed {
    let nasty = "\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}abc\u{200b}\u{9b}31m\r\n日本\u{301}";
    let mut feed = canned::feed(Span::Minute);
    feed.source = Source::Replay { file: nasty.to_owned(), done: false };
    feed.notice = Some(nasty.to_owned());
    feed.storage = Some(StorageView { failing: Some(nasty.to_owned()), path: nasty.to_owned(), ..canned::storage() });
    feed
}

#[test]
fn nothing_moves_the_cursor() {
    let silent = Feed { views: Vec::new(), health: Arc::default(), ..hostile() };
    for feed in [hostile(), silent] {
        let mut app = app(feed, &[]);
        for width in [20, 80, 160] {
            let buf = draw(&mut app, width, 24, COLOR);
            for cell in &buf.content {
                let turning = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                assert!(!cell.symbol().chars().any(|letter| letter.is_control() || turning(letter)), "{cell:?}");
            }
        }
    }
}

#[test]
fn without_color_there_is_none() {
    for feed in [hostile(), canned::silent()] {
        let mut app = app(feed, &[Key::Down, Key::Char(' ')]);
        let theme = Theme::default();
        assert!(colors(&draw(&mut app, 120, 40, theme)).all(|color| color == Color::Reset));
    }
}

#[test]
fn ascii_is_ascii() {
    let theme = Theme { ascii: true, ..COLOR };
    for feed in [hostile(), canned::feed(Span::Minute), canned::silent()] {
        for keys in [&[][..], &[Key::Down, Key::Char(' ')], &[Key::Char('?')]] {
            for size in [(40, 10), (80, 24), (120, 40)] {
                let picture = picture(feed.clone(), keys, size, theme);
                assert!(picture.is_ascii(), "{picture}");
            }
        }
    }
}

/// Nothing that has a letter of its own there stands as a letter for what is unknown.
#[test]
fn every_view_and_card_is_whole_in_ascii() {
    let theme = Theme { ascii: true, ..COLOR };
    for (name, keys) in
        VIEWS.into_iter().chain([("help", "?"), ("help_end", "?G"), ("filter", "/src "), ("copy", "2jy")])
    {
        for size in [(40, 10), (80, 24), (120, 40)] {
            let picture = text(&driven(keys, size, theme).1);
            let unknown = picture.replace("? help", "").replace("?  ", "").contains('?');
            assert!(picture.is_ascii() && !unknown, "{name}: {picture}");
        }
    }
}

#[test]
fn a_column_that_is_complete_keeps_its_height() {
    let heights = |later_s: i64| {
        let mut window = Window::new(Limits::default());
        canned::flows().iter().for_each(|flow| window.record(flow));
        let now = canned::NOW.plus(later_s * 1000);
        let mut app = App::new(Span::FiveMinutes, Units::Bits);
        let wish = app.wish();
        let views = wish.views.iter().map(|view| Arc::new(window.snapshot(view, now))).collect();
        app.update(Event::Feed(Feed { wish: Arc::new(wish), views, now, ..canned::feed(Span::Minute) }));
        let picture = text(&draw(&mut app, 40, 10, COLOR));
        picture.lines().nth(1).unwrap().chars().skip(1).take(20).collect::<String>()
    };
    // Fifteen seconds a column: a minute later the same columns stand four further left.
    let (now, later) = (heights(0), heights(60));
    let moved: String = now.chars().skip(4).take(12).collect();
    assert!(later.starts_with(&moved), "{now}\n{later}");
    assert_ne!(now, later);
}

use super::*;
use crate::tui::canned;
use crate::tui::keys::KEYS;

fn app() -> App {
    let mut app = App::new(Span::Minute, Units::Bits);
    app.update(Event::Room { rows: 10, help_hidden: 3 });
    app.update(Event::Feed(canned::feed(Span::Minute)));
    app
}

fn press(app: &mut App, key: Key) -> Option<Request> {
    app.update(Event::Key(key))
}

/// The same traffic with one conversation grown to the top.
fn with_grown(key: RowKey) -> Feed {
    let mut feed = canned::feed(Span::Minute);
    let snapshot = Arc::make_mut(&mut feed.views[0]);
    let row = snapshot.rows.iter_mut().find(|row| row.key == key).unwrap();
    row.ways.down.counts.bytes = u64::MAX;
    feed
}

#[test]
fn the_selection_follows_its_conversation() {
    let mut app = app();
    for _ in 0..4 {
        press(&mut app, Key::Down);
    }
    let key = app.rows()[3].key;
    assert_eq!(app.selected(), Some(key));
    app.update(Event::Feed(with_grown(key)));
    assert_eq!(app.rows()[0].key, key);
    assert_eq!(app.selected(), Some(key));
    press(&mut app, Key::Down);
    assert_eq!(app.selected(), Some(app.rows()[1].key));
}

#[test]
fn a_selection_that_left_keeps_its_place() {
    let mut app = app();
    press(&mut app, Key::End);
    let key = app.selected().unwrap();
    let mut feed = canned::feed(Span::Minute);
    Arc::make_mut(&mut feed.views[0]).rows.retain(|row| row.key != key);
    app.update(Event::Feed(feed));
    assert_eq!(app.selected(), Some(key));
    press(&mut app, Key::Up);
    assert_eq!(app.selected(), Some(app.rows()[app.rows().len() - 1].key));
    app.update(Event::Feed(Feed::default()));
    assert_eq!(press(&mut app, Key::Up), None);
}

#[test]
fn rows_are_sorted_by_each_measure_and_equal_ones_by_key() {
    let mut app = app();
    for sort in [Sort::Packets, Sort::Flows, Sort::Bytes] {
        press(&mut app, Key::Char('s'));
        assert_eq!(app.sort(), sort);
        let order: Vec<_> = app.rows().iter().map(|row| (std::cmp::Reverse(sort.measure(row)), row.key)).collect();
        assert!(order.is_sorted());
        assert!(order.windows(2).any(|pair| pair[0].0 == pair[1].0));
    }
    press(&mut app, Key::Char('S'));
    assert_eq!(app.sort(), Sort::Flows);
}

#[test]
fn frozen_figures_stay_and_can_be_sorted() {
    let mut app = app();
    let before = app.rows().to_vec();
    press(&mut app, Key::Char(' '));
    assert_eq!(app.frozen_since(), Some(canned::NOW));
    let mut feed = with_grown(before[5].key);
    feed.now = canned::NOW.plus(5000);
    app.update(Event::Feed(feed));
    assert_eq!(app.rows(), before);
    assert_eq!(app.feed().now, canned::NOW.plus(5000));
    press(&mut app, Key::Char('s'));
    assert_ne!(app.rows(), before);
    assert_eq!(app.rows().len(), before.len());
    press(&mut app, Key::Char('S'));
    assert_eq!(app.rows(), before);
    press(&mut app, Key::Char(' '));
    assert_eq!(app.frozen_since(), None);
    assert_eq!(app.rows()[0].key, before[5].key);
}

#[test]
fn frozen_figures_keep_their_span() {
    let mut app = app();
    press(&mut app, Key::Char(' '));
    assert_eq!(press(&mut app, Key::Char('+')), Some(Request::Redraw));
    assert!(app.notice().unwrap().contains("press space"));
    press(&mut app, Key::Char(' '));
    assert_eq!(app.notice(), None);
    assert_eq!(press(&mut app, Key::Char('+')), Some(Request::Redraw));
    assert_eq!(app.wish().views[0].span, Span::FiveMinutes);
}

#[test]
fn spans_end_or_go_around() {
    let mut app = app();
    let mut spans = Vec::new();
    let mut turned = |key, times: usize| {
        for _ in 0..times {
            press(&mut app, Key::Char(key));
            spans.push(app.wish().views[0].span);
        }
    };
    turned('+', 4);
    turned('w', 2);
    turned('-', 2);
    let (hour, ten) = (Span::Hour, Span::TenSeconds);
    assert_eq!(spans, [Span::FiveMinutes, Span::QuarterHour, hour, hour, ten, Span::Minute, ten, ten]);
}

#[test]
fn moving_keeps_the_selection_in_sight() {
    let mut app = app();
    let keys =
        [Key::PageDown, Key::PageDown, Key::Ctrl('d'), Key::Up, Key::End, Key::PageUp, Key::Ctrl('u'), Key::Home];
    for key in keys {
        press(&mut app, key);
        let row = app.rows().iter().position(|row| Some(row.key) == app.selected()).unwrap();
        assert!((app.offset()..app.offset() + 10).contains(&row), "{key}: row {row} from {}", app.offset());
    }
    assert_eq!(app.offset(), 0);
    press(&mut app, Key::End);
    assert_eq!(app.offset(), app.rows().len() - 10);
    assert_eq!(press(&mut app, Key::Esc), Some(Request::Redraw));
    assert_eq!((app.selected(), app.offset()), (None, 0));
    assert_eq!(press(&mut app, Key::Esc), None);
}

#[test]
fn help_lies_over_the_rows_and_scrolls_by_itself() {
    let mut app = app();
    press(&mut app, Key::Char('?'));
    assert_eq!(app.screen(), Screen::Help);
    assert_eq!(press(&mut app, Key::Char('s')), None);
    press(&mut app, Key::End);
    assert_eq!((app.help_offset(), app.selected()), (3, None));
    press(&mut app, Key::Esc);
    assert_eq!(app.screen(), Screen::Main);
    assert_eq!(press(&mut app, Key::Char('q')), Some(Request::Quit));
}

#[test]
fn a_key_without_meaning_draws_nothing() {
    let mut app = app();
    assert_eq!(press(&mut app, Key::Char('%')), None);
    assert_eq!(press(&mut app, Key::Ctrl('z')), Some(Request::Suspend));
    assert_eq!(press(&mut app, Key::Ctrl('l')), Some(Request::Repaint));
    assert_eq!(press(&mut app, Key::Ctrl('c')), Some(Request::Quit));
}

#[test]
fn every_row_of_the_table_has_keys_and_says_what_they_do() {
    assert!(KEYS.iter().all(|binding| !binding.keys.is_empty() && !binding.help.is_empty()));
}

fn press_all(app: &mut App, text: &str) {
    for letter in text.chars() {
        press(app, Key::Char(letter));
    }
}

#[test]
fn a_filter_goes_out_when_it_is_accepted() {
    let mut app = app();
    press(&mut app, Key::Char('/'));
    assert_eq!(app.screen(), Screen::Filter);
    press_all(&mut app, "port 443");
    press(&mut app, Key::Char('q'));
    assert_eq!(press(&mut app, Key::Enter), Some(Request::Redraw), "no filter, so the line stays open");
    assert_eq!(app.screen(), Screen::Filter);
    press(&mut app, Key::Backspace);
    press(&mut app, Key::Enter);
    assert_eq!(app.wish().filter.to_string(), "port 443");
    assert_eq!((app.screen(), app.filter().text()), (Screen::Main, "port 443"));
    press(&mut app, Key::Char('/'));
    press_all(&mut app, "0 and udp");
    press(&mut app, Key::Esc);
    assert_eq!(app.filter().text(), "port 443", "what held before holds on");
    press(&mut app, Key::Char('/'));
    assert_eq!(press(&mut app, Key::Ctrl('c')), Some(Request::Quit));
}

#[test]
fn pasted_text_is_typed_and_never_pressed() {
    let mut app = app();
    assert_eq!(app.update(Event::Paste("qqq".to_owned())), None);
    press(&mut app, Key::Char('/'));
    app.update(Event::Paste("port 443\n".to_owned()));
    assert_eq!(app.filter().line().text(), "port 443 ");
}

#[test]
fn the_selected_row_is_copied() {
    let mut app = app();
    assert_eq!(press(&mut app, Key::Char('y')), Some(Request::Redraw));
    assert!(app.notice().unwrap().contains("select a row first"));
    press(&mut app, Key::Down);
    press(&mut app, Key::Char('y'));
    assert_eq!(app.screen(), Screen::Copy);
    let Some(Request::Copy(text)) = press(&mut app, Key::Char('t')) else { panic!("text for the clipboard") };
    assert_eq!(text, "tcp and host 192.168.1.20 and host 198.51.100.37 and port 443");
    assert_eq!(app.copied().unwrap().text.as_deref(), Ok(text.as_str()));
    let Some(Request::Copy(text)) = press(&mut app, Key::Char('c')) else { panic!("another form") };
    assert!(
        text.starts_with("inside_ip,outside_ip,inside,outside,service,bytes,packets,flows\n192.168.1.20,"),
        "{text}"
    );
    press(&mut app, Key::Esc);
    assert_eq!((app.screen(), app.copied()), (Screen::Copy, None));
    press(&mut app, Key::Esc);
    assert_eq!(app.screen(), Screen::Main);
}

#[test]
fn the_help_is_searched() {
    let mut app = app();
    press(&mut app, Key::Char('?'));
    press(&mut app, Key::Char('/'));
    press_all(&mut app, "quit");
    assert_eq!((app.help_search().0.text(), app.help_search().1), ("quit", true));
    press(&mut app, Key::Enter);
    assert!(!app.help_search().1);
    press(&mut app, Key::Esc);
    assert_eq!((app.help_search().0.text(), app.screen()), ("", Screen::Help));
    press(&mut app, Key::Esc);
    assert_eq!(app.screen(), Screen::Main);
}

#[test]
fn the_next_start_looks_like_the_last_one() {
    let mut app = app();
    press_all(&mut app, "+suudpP/");
    press_all(&mut app, "proto tcp");
    press(&mut app, Key::Enter);
    let remembered = app.remembered();
    let mut next = App::new(Span::Minute, Units::Bits);
    next.restore(remembered.clone());
    assert_eq!(next.remembered(), remembered);
    let wish = next.wish();
    assert_eq!((wish.views[0].span, wish.filter.to_string().as_str()), (Span::FiveMinutes, "proto tcp"));
    let strange = Remembered {
        sort: Some("colour".to_owned()),
        span: Some(7),
        units: Some("miles".to_owned()),
        filter: Some("host gone.example".to_owned()),
        ..Remembered::default()
    };
    let mut next = App::new(Span::Minute, Units::Bits);
    next.restore(strange);
    assert_eq!((next.sort(), next.units()), (Sort::Bytes, Units::Bits));
    assert!(next.notice().unwrap().contains("filter of the last time"), "{:?}", next.notice());
}

#[test]
fn the_wheel_and_a_slow_line_are_heard() {
    let mut app = app();
    assert_eq!(press(&mut app, Key::Char('m')), Some(Request::Mouse(true)));
    assert_eq!(press(&mut app, Key::Char('m')), Some(Request::Mouse(false)));
    app.update(Event::Wheel(Turn::Next));
    assert_eq!(app.selected(), Some(app.rows()[2].key));
    assert_eq!(app.update(Event::Pace(Some("0.50 fps".to_owned()))), Some(Request::Redraw));
    assert_eq!(app.update(Event::Pace(Some("0.50 fps".to_owned()))), None);
    assert_eq!(app.pace(), Some("0.50 fps"));
}

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
    let snapshot = Arc::make_mut(&mut feed.snapshot);
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
    Arc::make_mut(&mut feed.snapshot).rows.retain(|row| row.key != key);
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
    assert_eq!(press(&mut app, Key::Char('+')), Some(Request::Look(Span::FiveMinutes)));
}

#[test]
fn spans_end_or_go_around() {
    let mut app = app();
    let mut spans = Vec::new();
    while let Some(Request::Look(span)) = press(&mut app, Key::Char('+')) {
        spans.push(span);
    }
    assert_eq!(spans, [Span::FiveMinutes, Span::QuarterHour, Span::Hour]);
    assert_eq!(press(&mut app, Key::Char('w')), Some(Request::Look(Span::TenSeconds)));
    assert_eq!(press(&mut app, Key::Char('w')), Some(Request::Look(Span::Minute)));
    assert_eq!(press(&mut app, Key::Char('-')), Some(Request::Look(Span::TenSeconds)));
    assert_eq!(press(&mut app, Key::Char('-')), None);
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
fn no_key_means_two_things() {
    let keys: Vec<_> = KEYS.iter().flat_map(|binding| binding.keys).collect();
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{key} twice");
    }
    assert!(KEYS.iter().all(|binding| !binding.keys.is_empty() && !binding.help.is_empty()));
}

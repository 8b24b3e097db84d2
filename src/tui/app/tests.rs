use super::*;
use crate::tui::canned;
use crate::tui::keys::KEYS;
use crate::tui::remembered::Remembered;

fn app() -> App {
    canned::app(&[])
}

fn press(app: &mut App, key: Key) -> Option<Request> {
    app.update(Event::Key(key))
}

/// Presses a key, and gets what it wishes for.
fn drive(app: &mut App, key: Key) {
    canned::drive(app, &[key]);
}

/// The same traffic with one conversation grown to the top.
fn with_grown(app: &App, key: RowKey) -> Feed {
    let mut feed = canned::answer(app.wish());
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
    let key = app.table().keys()[3];
    assert_eq!(app.selected(), Some(key));
    let grown = with_grown(&app, key);
    app.update(Event::Feed(grown));
    assert_eq!(app.table().keys()[0], key);
    assert_eq!(app.selected(), Some(key));
    press(&mut app, Key::Down);
    assert_eq!(app.selected(), Some(app.table().keys()[1]));
}

#[test]
fn a_selection_that_left_keeps_its_place() {
    let mut app = app();
    press(&mut app, Key::End);
    let key = app.selected().unwrap();
    let mut feed = canned::answer(app.wish());
    Arc::make_mut(&mut feed.views[0]).rows.retain(|row| row.key != key);
    app.update(Event::Feed(feed));
    assert_eq!(app.selected(), Some(key));
    press(&mut app, Key::Up);
    assert_eq!(app.selected(), Some(app.table().keys()[198]), "one above where it was");
    app.update(Event::Feed(Feed::default()));
    assert_eq!(press(&mut app, Key::Up), None);
}

#[test]
fn more_rows_come_when_somebody_goes_down() {
    let mut app = app();
    assert_eq!(app.table().len(), 200);
    drive(&mut app, Key::End);
    assert_eq!((app.table().len(), app.snapshot().row_count), (330, 330));
    drive(&mut app, Key::End);
    assert_eq!(app.selected(), app.table().keys().last().copied());
}

#[test]
fn rows_are_sorted_by_each_measure() {
    let mut app = app();
    for sort in [Sort::Down, Sort::Up, Sort::Total, Sort::Packets, Sort::Flows, Sort::Rate] {
        drive(&mut app, Key::Char('s'));
        assert_eq!((app.sort(), app.wish().views[0].sort), (sort, sort));
        let sizes: Vec<_> = app.table().rows().map(|row| std::cmp::Reverse(table::measure(row, sort))).collect();
        assert!(sizes.is_sorted(), "{sort:?}");
    }
    drive(&mut app, Key::Char('S'));
    assert_eq!(app.sort(), Sort::Flows);
}

#[test]
fn frozen_figures_stay_and_can_be_sorted_and_filtered() {
    let mut app = app();
    let before = app.table().keys().to_vec();
    drive(&mut app, Key::Char(' '));
    assert_eq!(app.frozen_since(), Some(canned::NOW));
    assert!(app.wish().is_frozen);
    // A feed that was under way, of another moment.
    let mut live = app.wish();
    live.is_frozen = false;
    let mut feed = canned::answer(live);
    feed.now = canned::NOW.plus(5000);
    Arc::make_mut(&mut feed.views[0]).rows.truncate(3);
    app.update(Event::Feed(feed));
    assert_eq!(app.table().keys(), before);
    assert_eq!(app.feed().now, canned::NOW.plus(5000));
    drive(&mut app, Key::Char('s'));
    assert_ne!(app.table().keys(), before);
    drive(&mut app, Key::Char('S'));
    press_all(&mut app, "/udp");
    drive(&mut app, Key::Enter);
    assert!(app.wish().is_frozen && !app.table().is_empty() && app.table().len() < before.len());
    drive(&mut app, Key::Char(' '));
    assert_eq!(app.frozen_since(), None);
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
fn a_row_leads_to_its_flows_and_back() {
    let mut app = canned::app(&[Key::Char('3'), Key::Down]);
    assert_eq!(app.kind(), Kind::Ranking(Dimension::Host));
    let host = app.selected().unwrap();
    drive(&mut app, Key::Enter);
    assert_eq!(app.kind(), Kind::Ranking(Dimension::Conversation));
    let RowKey::Host(address) = host else { panic!("a host") };
    let is_of = |key: &RowKey| matches!(*key, RowKey::Conversation { inside, outside, .. } if inside == address || outside == address);
    assert!(!app.table().is_empty() && app.table().keys().iter().all(is_of));
    drive(&mut app, Key::Down);
    drive(&mut app, Key::Enter);
    assert_eq!(app.kind(), Kind::Flows);
    assert!(!app.flows().is_empty());
    assert!(app.flows().iter().all(|flow| flow.key.src_ip == address || flow.key.dst_ip == address));
    drive(&mut app, Key::Down);
    drive(&mut app, Key::Enter);
    assert!(matches!(app.card(), Some(Card::Flow(_))));
    for screen in [Screen::Main, Screen::Main, Screen::Main] {
        drive(&mut app, Key::Esc);
        assert_eq!(app.screen(), screen);
    }
    assert_eq!((app.kind(), app.selected()), (Kind::Ranking(Dimension::Host), Some(host)));
    // Tab shows other sides of the same flows, a number begins afresh.
    drive(&mut app, Key::Enter);
    drive(&mut app, Key::Tab);
    assert_eq!((app.kind(), app.way().steps().len()), (Kind::Ranking(Dimension::Host), 1));
    drive(&mut app, Key::Char('4'));
    assert_eq!((app.kind(), app.way().steps().len()), (Kind::Ranking(Dimension::Service), 0));
    drive(&mut app, Key::Char('v'));
    assert_eq!(app.kind(), Kind::Ranking(Dimension::Protocol));
}

#[test]
fn a_cell_becomes_a_condition() {
    let mut app = canned::app(&[Key::Down, Key::Char('>'), Key::Char('>')]);
    assert_eq!(app.cell(), Some(columns::ranking::OUTSIDE));
    drive(&mut app, Key::Char('f'));
    assert_eq!(app.filter().text(), "ip 198.51.100.37");
    drive(&mut app, Key::Char('>'));
    drive(&mut app, Key::Down);
    drive(&mut app, Key::Char('F'));
    assert_eq!(app.filter().text(), "ip 198.51.100.37 and not (proto tcp and port 443)");
    assert_eq!(app.table().len(), 0);
    let mut app = canned::app(&[]);
    press(&mut app, Key::Char('f'));
    assert!(app.notice().unwrap().contains("select a row first"));
    // What stands before is one condition, and badges stay at the end.
    press_all(&mut app, "/udp or tcp and not new");
    drive(&mut app, Key::Enter);
    drive(&mut app, Key::Down);
    drive(&mut app, Key::Char('f'));
    let text = app.filter().text();
    assert!(text.starts_with("(proto udp or proto tcp) and ") && text.ends_with(" and not new"), "{text}");
}

#[test]
fn pinned_rows_stay_on_top_and_are_asked_for() {
    let mut app = canned::app(&[Key::End]);
    let key = app.selected().unwrap();
    drive(&mut app, Key::Char('*'));
    assert_eq!((app.table().keys()[0], app.table().pinned()), (key, 1));
    press(&mut app, Key::Home);
    press(&mut app, Key::Down);
    assert!(app.wish().views[0].keep.contains(&key));
    press(&mut app, Key::Up);
    drive(&mut app, Key::Char('*'));
    assert_eq!(app.table().pinned(), 0);
}

#[test]
fn every_card_asks_for_what_it_shows() {
    let mut app = canned::app(&[Key::Down, Key::Char('e')]);
    assert!(matches!(app.card(), Some(Card::Host(_))));
    let card = app.card().unwrap();
    assert!(app.card_views(&card).iter().all(|view| app.feed().answer(view).is_some()));
    drive(&mut app, Key::Esc);
    assert_eq!((app.screen(), app.card()), (Screen::Main, None));
    for (tab, is_card) in [('4', false), ('5', true)] {
        drive(&mut app, Key::Char(tab));
        drive(&mut app, Key::Down);
        drive(&mut app, Key::Char('e'));
        assert_eq!(app.screen(), Screen::Card);
        assert_eq!(matches!(app.card(), Some(Card::Exporter(..))), is_card);
        drive(&mut app, Key::Esc);
    }
}

#[test]
fn figures_are_counted_as_is_wanted() {
    let mut app = app();
    press_all(&mut app, "roa");
    let wish = app.wish();
    assert_eq!((wish.views[0].estimated, wish.views[0].once, wish.clock), (false, false, Clock::Arrival));
    press_all(&mut app, "roa");
    assert_eq!(app.wish(), *app.feed().wish);
}

#[test]
fn columns_are_chosen() {
    let mut app = canned::app(&[Key::Char('c')]);
    press(&mut app, Key::Enter);
    assert!(app.notice().unwrap().contains("need their names"));
    press(&mut app, Key::Down);
    press(&mut app, Key::Char(' '));
    assert!(app.columns().is_hidden(app.kind(), 1));
    let mut next = App::new(Span::Minute, Units::Bits);
    next.restore(app.remembered());
    assert_eq!(next.columns(), app.columns());
    press(&mut app, Key::Esc);
    assert_eq!(app.screen(), Screen::Main);
}

/// No key in the key line, the help or the README does nothing without a word.
#[test]
fn no_key_is_dead() {
    for tab in ['1', '2', '3', '4', '5', '6'] {
        for binding in KEYS.iter().filter(|binding| binding.context == Context::Main) {
            for &key in binding.keys {
                let mut app = canned::app(&[Key::Char('2'), Key::Char(tab), Key::Down, Key::Down]);
                assert_ne!(press(&mut app, key), None, "{key} in view {tab}");
            }
        }
    }
}

#[test]
fn moving_keeps_the_selection_in_sight() {
    let mut app = app();
    let keys =
        [Key::PageDown, Key::PageDown, Key::Ctrl('d'), Key::Up, Key::End, Key::PageUp, Key::Ctrl('u'), Key::Home];
    for key in keys {
        press(&mut app, key);
        let row = app.table().position(app.selected().unwrap()).unwrap();
        assert!((app.offset()..app.offset() + 10).contains(&row), "{key}: row {row} from {}", app.offset());
    }
    assert_eq!(app.offset(), 0);
    press(&mut app, Key::End);
    assert_eq!(app.offset(), app.table().len() - 10);
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
    assert_eq!((app.top_offset(), app.selected()), (3, None));
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
        text.starts_with("inside_ip,outside_ip,inside,outside,service,bytes,packets,flows,down_bytes,up_bytes,total_bytes,first_ms\n192.168.1.20,"),
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
    assert_eq!((next.sort(), next.units()), (Sort::Rate, Units::Bits));
    assert!(next.notice().unwrap().contains("filter to begin with"), "{:?}", next.notice());
}

#[test]
fn the_wheel_and_a_slow_line_are_heard() {
    let mut app = app();
    assert_eq!(press(&mut app, Key::Char('m')), Some(Request::Mouse(true)));
    assert_eq!(press(&mut app, Key::Char('m')), Some(Request::Mouse(false)));
    app.update(Event::Wheel(Turn::Next));
    assert_eq!(app.selected(), Some(app.table().keys()[2]));
    assert_eq!(app.update(Event::Pace(Some("0.50 fps".to_owned()))), Some(Request::Redraw));
    assert_eq!(app.update(Event::Pace(Some("0.50 fps".to_owned()))), None);
    assert_eq!(app.pace(), Some("0.50 fps"));
}

use super::*;
use crate::tui::app::{Event, Feed};
use crate::tui::canned::{self, NOW};

fn press(app: &mut App, key: Key) -> Option<Request> {
    app.update(Event::Key(key))
}

/// Types, and gets what it wishes for.
fn typed(app: &mut App, text: &str) {
    for letter in text.chars() {
        let key = if letter == '\n' { Key::Enter } else { Key::Char(letter) };
        canned::drive(app, &[key]);
    }
}

/// Seconds before now.
fn ago(app: &App) -> Option<i64> {
    app.wish().at.map(|at| NOW.since(at) / 1000)
}

#[test]
fn keys_lead_back_and_forth_and_to_now() {
    let mut app = canned::app(&[]);
    typed(&mut app, "t-2h\n");
    assert_eq!((ago(&app), app.is_still(), app.is_reading()), (Some(7200), true, false));
    canned::drive(&mut app, &[Key::Left]);
    assert_eq!(ago(&app), Some(7210));
    typed(&mut app, "[{");
    assert_eq!(ago(&app), Some(7270 + 86_400));
    typed(&mut app, "}]");
    canned::drive(&mut app, &[Key::Right]);
    assert_eq!(ago(&app), Some(7200));
    // A longer span has longer steps.
    typed(&mut app, "+");
    canned::drive(&mut app, &[Key::Left]);
    assert_eq!(ago(&app), Some(7250));
    canned::drive(&mut app, &[Key::End]);
    assert_eq!((ago(&app), app.is_still(), app.wish().day), (None, false, None));
    typed(&mut app, "]");
    assert!(app.notice().unwrap().starts_with("this is now"));
    // From what is frozen a step leads back, and forward to now.
    typed(&mut app, " ");
    canned::drive(&mut app, &[Key::Left]);
    assert!(app.wish().at.is_some());
    typed(&mut app, "}");
    assert_eq!((ago(&app), app.is_still()), (None, false));
}

#[test]
fn a_moment_that_is_none_is_refused_in_its_line() {
    let mut app = canned::app(&[]);
    typed(&mut app, "tsomeday\n");
    let error = app.asking().unwrap().error.clone().unwrap();
    assert!(error.contains("`someday` is no moment") && error.contains("-2h"), "{error}");
    assert_eq!(ago(&app), None);
    canned::drive(&mut app, &[Key::Esc]);
    assert!(app.asking().is_none());
    typed(&mut app, "t2031-01-01 00:00\n");
    assert_eq!(app.asking().unwrap().error.as_deref(), Some("that is still to come"));
}

#[test]
fn what_was_asked_before_does_not_come_in_between() {
    let mut app = canned::app(&[]);
    let late = canned::answer(app.wish());
    for key in "t-2m\n".chars() {
        press(&mut app, if key == '\n' { Key::Enter } else { Key::Char(key) });
    }
    assert!(app.is_reading());
    let shown = app.snapshot().at;
    app.update(Event::Feed(Feed { now: NOW.plus(1000), ..late }));
    assert!(app.is_reading() && app.snapshot().at == shown);
    app.update(Event::Feed(canned::answer(app.wish())));
    assert!(!app.is_reading());
    assert_eq!(app.snapshot().at, NOW.plus(-120_000));
}

#[test]
fn marks_are_compared_and_baselines_turn() {
    let mut app = canned::app(&[]);
    typed(&mut app, "7");
    let first = app.wish().comparison.unwrap();
    assert_eq!((first.baseline, first.span.1.since(first.span.0)), (Baseline::Before, 60_000));
    assert_eq!(first.span.1.0 % 60_000, 0, "whole minutes are in roll-ups");
    assert!(first.span.1 <= app.feed().storage.as_ref().unwrap().last_flush.unwrap());
    let baselines: Vec<_> = (0..4)
        .map(|_| {
            typed(&mut app, "C");
            app.baseline()
        })
        .collect();
    assert_eq!(baselines, [Baseline::Yesterday, Baseline::LastWeek, Baseline::Usual, Baseline::Before]);
    typed(&mut app, "t-2h\nA");
    typed(&mut app, "t-1h\nB");
    let marked = app.wish().comparison.unwrap();
    let at = |hours: i64| NOW.plus(-3_600_000 * hours);
    assert_eq!(marked.baseline, Baseline::Marks);
    assert_eq!((marked.span.1, marked.marked.unwrap().1), (at(1), at(2)));
    // Rows can be selected and opened.
    assert_eq!(app.entries().len(), 3);
    canned::drive(&mut app, &[Key::Down, Key::Enter]);
    assert_eq!((app.place().tab, app.way().steps().len()), (Tab::Flows, 1));
}

#[test]
fn notes_and_bundles_are_errands() {
    let mut app = canned::app(&[]);
    typed(&mut app, "t-2m\nb");
    typed(&mut app, "the line was full");
    let noted = press(&mut app, Key::Enter);
    let note = Errand::Note { at: NOW.plus(-120_000), text: "the line was full".to_owned() };
    assert_eq!(noted, Some(Request::Errand(note)));
    typed(&mut app, "/proto tcp\n");
    let Some(Request::Errand(Errand::Bundle { from, to, filter })) = press(&mut app, Key::Char('x')) else {
        panic!("no bundle");
    };
    assert_eq!((to, to.since(from), filter.to_string().as_str()), (NOW.plus(-120_000), 60_000, "proto tcp"));
    assert_eq!(app.said.as_deref(), Some("writing the bundle"));
    app.way.open(crate::window::Key::Country(Some(*b"NL"))).unwrap();
    press(&mut app, Key::Char('x'));
    assert_eq!(app.said.as_deref(), Some("writing the bundle, of all countries"), "which the database does not know");
    // Where nothing is stored there is neither.
    let mut app = canned::app(&[]);
    let feed = Feed { is_stored: false, ..canned::answer(app.wish()) };
    app.update(Event::Feed(feed));
    typed(&mut app, "[");
    assert!(app.notice().unwrap().starts_with("nothing is stored") && app.wish().at.is_none());
}

#[test]
fn a_named_question_is_a_view_with_an_order_and_a_filter() {
    let mut app = canned::app(&[]);
    typed(&mut app, "i\n");
    assert_eq!(app.kind(), Kind::Ranking(crate::window::Dimension::Source));
    assert_eq!(app.sort(), crate::window::Sort::Flows);
    assert!(app.filter().text().contains("dst port in [53 853]"));
    // Every one of them is understood.
    for at in 0..app.presets().len() {
        typed(&mut app, "i");
        (0..at).for_each(|_| drop(press(&mut app, Key::Down)));
        typed(&mut app, "\n");
        assert_eq!(app.notice().unwrap().split(';').next(), Some(&*app.presets()[at].help));
    }
    assert_eq!(app.filter().text(), "new", "the last one is of what is new");
}

use super::*;

fn names() -> Names {
    Names::default().with_hosts([("192.0.2.7".parse().unwrap(), "nas.lan".into())])
}

fn typed(text: &str) -> FilterLine {
    let mut line = FilterLine::default();
    line.open(&names());
    for letter in text.chars() {
        assert!(line.take(Key::Char(letter), &names()));
    }
    line
}

fn completed(text: &str) -> String {
    let mut line = typed(text);
    line.complete(&names());
    line.line().text().to_owned()
}

#[test]
fn a_filter_holds_when_it_is_accepted_and_not_before() {
    let mut line = typed("port 443");
    assert!(line.filter().is_all());
    assert_eq!(line.accept(&names()).unwrap().to_string(), "port 443");
    assert_eq!(line.text(), "port 443");
    line.open(&names());
    assert!(line.take(Key::Char('x'), &names()));
    assert_eq!(line.error().unwrap().span, 5..9);
    assert_eq!(line.accept(&names()), None);
    assert_eq!(line.filter().to_string(), "port 443", "the last good one stays in force");
    line.open(&names());
    line.take(Key::Ctrl('u'), &names());
    assert_eq!(line.accept(&names()), Some(Filter::all()));
    assert_eq!(line.text(), "");
}

#[test]
fn the_error_is_told_while_it_is_typed() {
    assert_eq!(typed("").error(), None);
    assert_eq!(typed("port 443").error(), None);
    assert_eq!(typed("prot 443").error().unwrap().span, 0..4);
    assert_eq!(typed("port 443 and ").error().unwrap().span, 13..13);
}

#[test]
fn words_are_completed_from_the_grammar_and_from_names() {
    assert_eq!(completed("por"), "port ");
    assert_eq!(completed("port 443 an"), "port 443 and ");
    assert_eq!(completed("host nas"), "host nas.lan ");
    assert_eq!(completed("host in [nas"), "host in [nas.lan ");
    assert_eq!(completed("port 443 and nas"), "port 443 and nas.lan ");
    assert_eq!(completed("NAS"), "nas.lan ");
    assert_eq!(completed("xyzzy"), "xyzzy");
}

#[test]
fn words_are_completed_as_far_as_all_agree_and_then_to_the_first() {
    let hosts = [("192.0.2.7", "nas1.lan"), ("192.0.2.8", "nas2.lan")];
    let names = Names::default().with_hosts(hosts.map(|(address, name)| (address.parse().unwrap(), name.into())));
    let mut line = FilterLine::default();
    line.open(&names);
    line.paste("host na", &names);
    let mut seen = Vec::new();
    for _ in 0..2 {
        line.complete(&names);
        seen.push(line.line().text().to_owned());
    }
    assert_eq!(seen, ["host nas", "host nas1.lan "]);
}

#[test]
fn what_is_offered_is_bounded() {
    for text in ["", "h", "i", "port h", "port 443 and "] {
        let line = typed(text);
        assert!((1..=OFFERED).contains(&line.offered().len()), "{text:?}: {:?}", line.offered());
    }
}

#[test]
fn history_goes_back_and_returns_to_what_was_typed() {
    let mut line = FilterLine::default();
    for text in ["port 1", "port 2", "port 1"] {
        line.set(text, &names()).unwrap();
    }
    assert_eq!(line.history(), ["port 2", "port 1"], "none twice, the newest last");
    line.open(&names());
    line.take(Key::Ctrl('u'), &names());
    line.paste("udp", &names());
    let mut seen = Vec::new();
    for turn in [Turn::Previous, Turn::Previous, Turn::Previous, Turn::Next, Turn::Next, Turn::Next] {
        line.turn(turn, &names());
        seen.push(line.line().text().to_owned());
    }
    assert_eq!(seen, ["port 1", "port 2", "port 2", "port 1", "udp", "udp"]);
}

#[test]
fn history_is_bounded() {
    let mut line = FilterLine::default();
    for port in 0..200 {
        line.set(&format!("port {port}"), &names()).unwrap();
    }
    assert_eq!(line.history().len(), HISTORY);
    assert_eq!(line.history().last().unwrap(), "port 199");
    line.remember((0..200).map(|port| format!("port {port}")).collect());
    assert_eq!(line.history().len(), HISTORY);
    assert_eq!(line.history()[0], "port 150");
}

#[test]
fn pasted_text_is_one_line() {
    let mut line = typed("");
    line.paste("port 443\nand udp\u{1b}", &names());
    assert_eq!(line.line().text(), "port 443 and udp");
    line.paste(&"x".repeat(100_000), &names());
    assert_eq!(line.line().text().len(), TEXT);
}

#[test]
fn a_text_from_elsewhere_that_is_no_filter_changes_nothing() {
    let mut line = typed("udp");
    line.accept(&names());
    assert!(line.set("port port", &names()).is_err());
    assert_eq!(line.text(), "udp");
}

#[test]
fn badges_at_the_end_are_conditions_on_rows() {
    let names = Names::default();
    let parts = |text: &str| read(text, &names).map(|(filter, badges)| (filter.to_string(), badges));
    assert_eq!(parts("new").unwrap(), ("any".to_owned(), vec![(Badge::New, true)]));
    let (filter, badges) = parts("port 443 or udp and syn-only and not Estimated ").unwrap();
    assert_eq!(filter, "port 443 or proto udp");
    assert_eq!(badges, [(Badge::Estimated, false), (Badge::SynOnly, true)]);
    assert_eq!(parts("port 443").unwrap().1, []);
    for wrong in ["new and port 443", "(port 443 and gone)", "port 443 or new"] {
        let error = parts(wrong).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("badges stand at the end, after `and`"), "{wrong}: {error}");
    }
}

/// The words that the language knows to be badges are all of them.
#[test]
fn a_badge_in_a_filter_of_records_says_where_it_belongs() {
    for badge in Badge::ALL {
        let error = filter::parse(badge.word(), &|_| Vec::new()).unwrap_err();
        assert!(error.hint.unwrap().starts_with("badges are of rows"), "{}", badge.word());
    }
}

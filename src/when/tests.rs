use proptest::prelude::*;

use super::*;

fn now(text: &str) -> ZonedDateTime {
    text.parse().unwrap()
}

/// A Saturday.
fn berlin() -> ZonedDateTime {
    now("2026-11-28T10:30:20[Europe/Berlin]")
}

fn at(text: &str, now: &ZonedDateTime) -> String {
    moment(text, now).map_or_else(|error| error.render(), |at| at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

#[test]
fn moments_are_read_as_people_write_them() {
    for (text, expected) in [
        ("03:10", "2026-11-28 03:10:00 +01:00"),
        ("3:10", "2026-11-28 03:10:00 +01:00"),
        ("22:00", "2026-11-27 22:00:00 +01:00"),
        ("10:30:20", "2026-11-28 10:30:20 +01:00"),
        ("10:30:21", "2026-11-27 10:30:21 +01:00"),
        ("yesterday 22:00", "2026-11-27 22:00:00 +01:00"),
        ("Yesterday", "2026-11-27 00:00:00 +01:00"),
        ("today", "2026-11-28 00:00:00 +01:00"),
        ("today 03:10:05", "2026-11-28 03:10:05 +01:00"),
        ("monday", "2026-11-23 00:00:00 +01:00"),
        ("sat", "2026-11-21 00:00:00 +01:00"),
        ("thu 18:00", "2026-11-26 18:00:00 +01:00"),
        ("tuesday 18:00", "2026-11-24 18:00:00 +01:00"),
        ("-2h", "2026-11-28 08:30:20 +01:00"),
        ("-1d 12h", "2026-11-26 22:30:20 +01:00"),
        ("90 minutes ago", "2026-11-28 09:00:20 +01:00"),
        ("now", "2026-11-28 10:30:20 +01:00"),
        ("2026-11-27 03:10", "2026-11-27 03:10:00 +01:00"),
        ("2026-11-27T03:10", "2026-11-27 03:10:00 +01:00"),
        ("2026-11-27", "2026-11-27 00:00:00 +01:00"),
        ("2026-11-27T03:10:00Z", "2026-11-27 04:10:00 +01:00"),
        ("2026-11-27T03:10:00.5-05:00", "2026-11-27 09:10:00 +01:00"),
        ("1764212400000", "2025-11-27 04:00:00 +01:00"),
        ("1764212400", "2025-11-27 04:00:00 +01:00"),
        ("  03:10 ", "2026-11-28 03:10:00 +01:00"),
    ] {
        assert_eq!(at(text, &berlin()), expected, "{text}");
    }
}

#[test]
fn what_is_no_moment_is_told_with_the_place_and_what_to_write() {
    let told = |text: &str| moment(text, &berlin()).unwrap_err();
    assert_eq!(
        told("yesterday 25:00").render(),
        format!("yesterday 25:00\n          ^^^^^\n`25:00` is no moment\nhint: {MOMENTS}")
    );
    assert_eq!(told("soon enough").span, 0..4);
    assert_eq!(told("-2x").hint, LENGTHS);
    assert_eq!(told("").problem, "`` is no moment");
    assert!(!told("\u{1b}[2J").render().contains('\u{1b}'));
    assert!(told(&"9".repeat(TEXT + 1)).problem.contains("128 octets"));
    for text in ["24:00", "1:2:3:4", "2026-02-30", "5", "-", "ago", "--2h", "monday monday"] {
        assert!(moment(text, &berlin()).is_err(), "{text}");
    }
}

#[test]
fn a_day_before_a_change_of_the_clocks_is_the_same_time_of_day() {
    // Clocks went back on 25 October, from 03:00 to 02:00.
    let after = now("2026-10-25T12:00:00[Europe/Berlin]");
    assert_eq!(at("-1d", &after), "2026-10-24 12:00:00 +02:00");
    assert_eq!(at("-24h", &after), "2026-10-24 13:00:00 +02:00");
    assert_eq!(at("today 02:30", &after), "2026-10-25 02:30:00 +02:00", "the first of two");
    // And forward on 29 March, from 02:00 to 03:00.
    let spring = now("2026-03-29T12:00:00[Europe/Berlin]");
    assert_eq!(at("02:30", &spring), "2026-03-29 03:30:00 +02:00", "a time that was left out");
    let day = span(None, Some("today"), Some("2026-03-30"), &now("2026-03-29T23:00:00[Europe/Berlin]")).unwrap();
    assert_eq!(day.ms(), 23 * 3_600_000);
    let same = Span { from: Timestamp(stamp(&after).0), to: Timestamp(stamp(&after).0 + 3_600_000) };
    let zone = after.time_zone();
    assert_eq!(shown(same.days_before(1, zone).from, &after), "2026-10-24 12:00");
    assert_eq!(same.days_before(7, zone).ms(), 3_600_000);
}

fn shown_span(last: Option<&str>, from: Option<&str>, to: Option<&str>) -> String {
    match span(last, from, to, &berlin()) {
        Ok(found) => format!("{} to {}", shown(found.from, &berlin()), shown(found.to, &berlin())),
        Err(error) => error.render(),
    }
}

#[test]
fn spans_begin_and_end_with_minutes() {
    assert_eq!(shown_span(None, None, None), "2026-11-28 09:31 to 2026-11-28 10:31");
    assert_eq!(shown_span(Some("24h"), None, None), "2026-11-27 10:31 to 2026-11-28 10:31");
    assert_eq!(shown_span(Some("1m 30s"), None, None), "2026-11-28 10:28:50 to 2026-11-28 10:30:20");
    assert_eq!(shown_span(None, Some("03:10"), None), "2026-11-28 03:10 to 2026-11-28 10:31");
    assert_eq!(shown_span(None, Some("22:00"), Some("03:20")), "2026-11-27 22:00 to 2026-11-28 03:20");
    assert_eq!(shown_span(None, Some("03:10"), Some("22:00")), "2026-11-28 03:10 to 2026-11-28 22:00");
    assert_eq!(shown_span(None, Some("monday"), Some("+1d")), "2026-11-23 00:00 to 2026-11-24 00:00");
    assert_eq!(shown_span(Some("15m"), None, Some("03:10")), "2026-11-28 02:55 to 2026-11-28 03:10");
    assert!(shown_span(None, Some("now"), Some("yesterday")).contains("the span ends at 2026-11-27 00:00 and begins"));
    for last in ["0s", "-1h", "soon", "", "h"] {
        assert!(shown_span(Some(last), None, None).contains("is no length of time"), "{last}");
    }
}

#[test]
fn lengths_are_whole_milliseconds() {
    assert_eq!(length_ms("1m"), Ok(60_000));
    assert_eq!(length_ms("1d"), Ok(86_400_000));
    assert_eq!(length_ms("1h 30m"), Ok(5_400_000));
    assert!(length_ms("0s").is_err());
    assert!(length_ms("step").is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,24}", other in "[-+0-9:a-z .TZ]{0,20}") {
        for text in [&text, &other] {
            if let Err(error) = moment(text, &berlin()) {
                error.render();
            }
            let _ = span(Some(text), None, None, &berlin());
            let _ = span(None, Some(text), Some(&other), &berlin());
            let _ = length_ms(text);
        }
    }

    #[test]
    fn what_is_shown_is_read_back(minutes in 20_000_000_i64..40_000_000) {
        // Not the hour that there was twice.
        let at = Timestamp(minutes * 60_000);
        let now = berlin().with_time_zone(TimeZone::UTC);
        prop_assert_eq!(stamp(&moment(&shown(at, &now), &now).unwrap()), at);
    }
}

#[test]
fn a_day_is_that_of_the_clock_on_screen() {
    let evening = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 - 1_000);
    assert_eq!(date(evening, 0), "2026-09-20");
    assert_eq!(date(evening, 3_600), "2026-09-21");
    assert_eq!(date(Timestamp(i64::MIN), 0), "1970-01-01");
}

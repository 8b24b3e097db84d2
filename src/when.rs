//! Moments and spans of time as people write them: `03:10`, `yesterday 22:00`, `-2h`, `monday`.
//!
//! One parser for every command and for the screen. It reads no clock: what the time is, and in which zone, comes with
//! the call. Days and weeks are those of the calendar, so that `-1d` over a change to summer time is the same time of
//! day; hours are 3,600 seconds.

use std::fmt;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Unit, ZonedDateTime};

use crate::flow::Timestamp;

/// A zone of time, with its changes to summer time and back.
pub type Zone = TimeZone;

/// Octets of a moment's text. A longer one is an error.
pub const TEXT: usize = 128;

/// From the first moment to right before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    pub const fn ms(self) -> i64 {
        self.to.since(self.from)
    }

    pub const fn pair(self) -> (Timestamp, Timestamp) {
        (self.from, self.to)
    }

    /// The span of the same length right before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self { from: self.from.plus(-self.ms()), to: self.from }
    }

    /// The same times of day so many days before, by the calendar of a zone.
    #[must_use]
    pub fn days_before(self, days: i64, zone: &TimeZone) -> Self {
        let back =
            |at: Timestamp| zoned(at, zone).and_then(|at| at.checked_sub(days.days()).ok()).map_or(at, |at| stamp(&at));
        let from = back(self.from);
        // As long as the span itself, whatever the clocks did meanwhile.
        Self { from, to: from.plus(self.ms()) }
    }
}

/// Why a text is no moment or no span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub text: String,
    /// Octets of the text.
    pub span: Range<usize>,
    pub problem: String,
    pub hint: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Error {}

impl Error {
    fn new(text: &str, span: Range<usize>, problem: impl Into<String>) -> Self {
        let text = text.chars().take(TEXT).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Self { text, span, problem: problem.into(), hint: MOMENTS.to_owned() }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The text, carets below what is wrong, the message and the hint.
    pub fn render(&self) -> String {
        let chars = |range: Range<usize>| self.text.get(range).map_or(1, |part| part.chars().count());
        let carets = "^".repeat(chars(self.span.clone()).max(1));
        let before = chars(0..self.span.start);
        format!("{}\n{:before$}{carets}\n{}\nhint: {}", self.text, "", self.problem, self.hint)
    }
}

const MOMENTS: &str =
    "write `03:10`, `yesterday 22:00`, `monday`, `-2h`, `2026-11-27 03:10`, RFC 3339 or Unix milliseconds";
const LENGTHS: &str = "write a length of time as `90s`, `15m`, `1h`, `7d` or `2w`";

/// The span of `--last`, or of `--from` and `--to`; the hour before now where nothing is said.
///
/// A span that is said in whole minutes, and one of two minutes or more before now, begins and ends with a minute, so
/// that sums by minute answer it; the minute that now is in belongs to it.
///
/// # Errors
/// When a text cannot be read, or the span is empty.
pub fn span(last: Option<&str>, from: Option<&str>, to: Option<&str>, now: &ZonedDateTime) -> Result<Span, Error> {
    if from.is_none() && to.is_none() {
        return self::last(last.unwrap_or("1h"), now);
    }
    let from_text = from.unwrap_or("-1h");
    // A length before the end, when only the end is said.
    let span = match (from, to) {
        (None, Some(end)) => {
            let to = moment(end, now)?;
            let length = last.unwrap_or("1h");
            let from = before(length, &to).ok_or_else(|| no_length(length))?;
            Span { from: stamp(&from), to: stamp(&to) }
        }
        _ => {
            let begin = moment(from_text, now)?;
            let to = match to {
                Some(text) => end(text, &begin, now)?,
                None => ceiled(now),
            };
            Span { from: stamp(&begin), to: stamp(&to) }
        }
    };
    if span.ms() <= 0 {
        let text = to.unwrap_or(from_text);
        let problem = format!("the span ends at {} and begins at {}", shown(span.to, now), shown(span.from, now));
        let hint = "`--from` is the earlier moment; a time of day without a day is the last one before now";
        return Err(Error::new(text, 0..text.len(), problem).with_hint(hint));
    }
    Ok(span)
}

/// The span of a length that ends now.
fn last(text: &str, now: &ZonedDateTime) -> Result<Span, Error> {
    let from = before(text, now).filter(|from| from < now).ok_or_else(|| no_length(text))?;
    let exact = Span { from: stamp(&from), to: stamp(now) };
    if exact.ms() < 120_000 {
        return Ok(exact);
    }
    let to = ceiled(now);
    let from = before(text, &to).ok_or_else(|| no_length(text))?;
    Ok(Span { from: Timestamp(stamp(&from).0.div_euclid(60_000) * 60_000), to: stamp(&to) })
}

fn no_length(text: &str) -> Error {
    Error::new(text, 0..text.len(), format!("`{}` is no length of time", clean(text))).with_hint(LENGTHS)
}

/// A length such as `1h` or `1d 12h` before a moment.
fn before(text: &str, at: &ZonedDateTime) -> Option<ZonedDateTime> {
    let text = text.trim();
    if TEXT < text.len() || text.starts_with(['-', '+']) {
        return None;
    }
    at.checked_sub(length(text)?).ok()
}

/// `2h`, `1d 12h`, `90 minutes`; units alone are refused, and so is what has a sign.
fn length(text: &str) -> Option<jiff::Span> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The end of a span: a time of day alone is the first one after its begin.
fn end(text: &str, begin: &ZonedDateTime, now: &ZonedDateTime) -> Result<ZonedDateTime, Error> {
    let trimmed = text.trim();
    if let Some(length) = trimmed.strip_prefix('+').and_then(length) {
        return begin.checked_add(length).map_err(|_| no_moment(text, 0..text.len()));
    }
    match time(trimmed) {
        Some(time) => {
            let on = |date: Date| date.to_datetime(time).to_zoned_datetime(begin.time_zone().clone()).ok();
            let same = on(begin.date()).filter(|at| begin < at);
            let next = || begin.date().tomorrow().ok().and_then(on);
            same.or_else(next).ok_or_else(|| no_moment(text, 0..text.len()))
        }
        None => moment(text, now),
    }
}

/// Reads one moment. A time of day alone is the last one that is not after now, a weekday the last one before today,
/// and a day is its begin.
///
/// # Errors
/// When the text is no moment.
pub fn moment(text: &str, now: &ZonedDateTime) -> Result<ZonedDateTime, Error> {
    let trimmed = text.trim();
    if TEXT < text.len() {
        return Err(Error::new(text, 0..text.len().min(TEXT), format!("more than {TEXT} octets")));
    }
    let lower = trimmed.to_ascii_lowercase();
    let ago = lower.strip_prefix('-').or_else(|| lower.strip_suffix("ago")).map(str::trim);
    if let Some(ago) = ago {
        let past = length(ago).and_then(|length| now.checked_sub(length).ok());
        return past.ok_or_else(|| no_length(text));
    }
    if lower == "now" {
        return Ok(now.clone());
    }
    if let Some(at) = number(&lower) {
        return zoned(at, now.time_zone()).ok_or_else(|| no_moment(text, 0..text.len()));
    }
    if let Ok(at) = trimmed.parse::<jiff::Timestamp>() {
        return Ok(at.to_zoned_datetime(now.time_zone().clone()));
    }
    civil(text, &lower, now)
}

/// Milliseconds since 1970, or seconds where so many milliseconds would be of the year 1973 or before.
fn number(text: &str) -> Option<Timestamp> {
    let is_number = (9..=14).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    let number: i64 = text.parse().ok().filter(|_| is_number)?;
    Some(Timestamp(if text.len() < 12 { number * 1000 } else { number }))
}

/// A day, a time of day, or both, by the calendar of now.
fn civil(text: &str, lower: &str, now: &ZonedDateTime) -> Result<ZonedDateTime, Error> {
    let zone = now.time_zone();
    let at = |at: DateTime| at.to_zoned_datetime(zone.clone()).map_err(|_| no_moment(text, 0..text.len()));
    if let Some(time) = time(lower) {
        let today = at(now.date().to_datetime(time))?;
        let yesterday = now.date().yesterday().map(|date| date.to_datetime(time));
        return if today <= *now { Ok(today) } else { at(yesterday.map_err(|_| no_moment(text, 0..text.len()))?) };
    }
    // A date has ten characters, and a `t` may follow it.
    let separated = lower.char_indices().find(|(at, c)| *c == ' ' || *at == 10 && *c == 't');
    let (first, rest) = separated.map_or((lower, ""), |(at, _)| (&lower[..at], &lower[at + 1..]));
    let begin = text.len() - text.trim_start().len();
    let Some(date) = day(first, now) else {
        let word = lower.split(' ').next().unwrap_or_default().len();
        return Err(no_moment(text, begin..begin + word));
    };
    let rest = rest.trim();
    if rest.is_empty() {
        return at(date.to_datetime(Time::midnight()));
    }
    let behind = begin + lower.len() - rest.len();
    at(date.to_datetime(time(rest).ok_or_else(|| no_moment(text, behind..behind + rest.len()))?))
}

/// `today`, `yesterday`, a weekday, or `2026-11-27`.
fn day(word: &str, now: &ZonedDateTime) -> Option<Date> {
    match word {
        "today" => return Some(now.date()),
        "yesterday" => return now.date().yesterday().ok(),
        _ => {}
    }
    if let Some(weekday) = weekday(word) {
        return now.date().nth_weekday(-1, weekday).ok();
    }
    let is_date = word.len() == 10 && word.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-');
    word.parse().ok().filter(|_| is_date)
}

fn weekday(word: &str) -> Option<Weekday> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let at = names.iter().position(|name| *name == word || 3 <= word.len() && name.starts_with(word))?;
    Weekday::from_monday_one_offset(i8::try_from(at + 1).ok()?).ok()
}

/// `3:10`, `03:10`, `03:10:20`.
fn time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let mut part = |limit: i8| {
        let text = parts.next()?;
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse().ok().filter(|number: &i8| is_number && *number <= limit)
    };
    let (hour, minute) = (part(23)?, part(59)?);
    let second = if text.matches(':').count() == 2 { part(59)? } else { 0 };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

fn no_moment(text: &str, span: Range<usize>) -> Error {
    let found = text.get(span.clone()).unwrap_or(text);
    Error::new(text, span, format!("`{}` is no moment", clean(found)))
}

fn clean(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time for people: `2026-11-27 03:10`, with seconds where there are any.
pub fn shown(at: Timestamp, now: &ZonedDateTime) -> String {
    let Some(zoned) = zoned(at, now.time_zone()) else { return at.0.to_string() };
    let seconds = if at.0.rem_euclid(60_000) == 0 { "" } else { ":%S" };
    zoned.strftime(&format!("%Y-%m-%d %H:%M{seconds}")).to_string()
}

/// With the zone's offset, as in RFC 3339.
pub fn shown_exactly(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
}

/// The end of the minute that a moment is in.
fn ceiled(at: &ZonedDateTime) -> ZonedDateTime {
    let minute = stamp(at).0.saturating_neg().div_euclid(60_000) * -60_000;
    zoned(Timestamp(minute), at.time_zone()).unwrap_or_else(|| at.clone())
}

/// A moment of a text, for whoever keeps no calendar.
///
/// # Errors
/// When the text is no moment.
pub fn moment_at(text: &str, now: Timestamp, zone: &Zone) -> Result<Timestamp, Error> {
    let now = zoned(now, zone).ok_or_else(|| no_moment(text, 0..text.len()))?;
    moment(text, &now).map(|moment| stamp(&moment))
}

/// A time for people who see what today is: `03:10:00`, and of another day `Fri 27 Nov 22:00`.
pub fn shown_briefly(at: Timestamp, now: Timestamp, zone: &Zone) -> String {
    let (Some(at), Some(now)) = (zoned(at, zone), zoned(now, zone)) else { return at.0.to_string() };
    let format = match (at.date() == now.date(), at.second() == 0) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%a %d %b %H:%M",
        (false, false) => "%a %d %b %H:%M:%S",
    };
    at.strftime(format).to_string()
}

/// `03:10`.
pub fn time_of_day(at: Timestamp, zone: &Zone) -> String {
    zoned(at, zone).map_or_else(String::new, |at| at.strftime("%H:%M").to_string())
}

/// The first moment at or after `at` at which so many milliseconds, an hour or more that make up a day, have passed since
/// midnight some times over.
pub fn hour_after(at: Timestamp, every_ms: i64, zone: &Zone) -> Timestamp {
    let offset = zoned(at, zone).map_or(0, |at| i64::from(at.offset().seconds()) * 1000);
    let local = at.0.saturating_add(offset);
    let next = local.saturating_add(every_ms.saturating_sub(1)).div_euclid(every_ms).saturating_mul(every_ms);
    Timestamp(next.saturating_sub(offset))
}

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<ZonedDateTime> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned_datetime(zone.clone()))
}

fn stamp(at: &ZonedDateTime) -> Timestamp {
    Timestamp(at.timestamp().as_millisecond())
}

/// A length of time such as `1m` or `6h` in milliseconds; days have 24 hours.
///
/// # Errors
/// When the text is no length, or one of nothing.
pub fn length_ms(text: &str) -> Result<i64, Error> {
    let span = length(text.trim()).filter(|_| text.len() <= TEXT);
    let total = span.and_then(|span| span.total((Unit::Millisecond, jiff::SpanRelativeTo::days_are_24_hours())).ok());
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let ms = total.map(|ms| ms as i64).filter(|ms| 0 < *ms);
    ms.ok_or_else(|| no_length(text))
}

/// The day of a moment, `2026-11-27`, for an offset from UTC in seconds.
pub fn date(at: Timestamp, utc_offset_s: i32) -> String {
    let offset = jiff::tz::Offset::from_seconds(utc_offset_s).unwrap_or(jiff::tz::Offset::UTC);
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    offset.to_datetime(moment).date().to_string()
}

#[cfg(test)]
mod tests;

//! Times and sizes as people write them: `7d`, `20GB`, `50%`.

use std::time::Duration;

use crate::store::retention::{Age, Size};

/// Shorter is a slip of the pen: nothing could be looked at any more.
const SHORTEST: Duration = Duration::from_secs(60);
/// Smaller is no database but its write-ahead log.
const SMALLEST: u64 = 128_000_000;

/// Longer names first: the end of `1kb` is `b` as well.
const UNITS: &[(&str, u64)] = &[
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("b", 1),
];

/// How long something is kept.
pub(super) fn age(text: &str) -> Result<Age, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "forever" => Ok(Age::Forever),
        "0" | "off" | "none" | "no" | "false" | "never" => {
            Err("say `forever` to delete nothing, or a time such as `7d`".to_owned())
        }
        text => {
            let age = humantime::parse_duration(text).map_err(|error| format!("{error}, or `forever`"))?;
            if age < SHORTEST { Err("must be at least 1m, or `forever`".to_owned()) } else { Ok(Age::Of(age)) }
        }
    }
}

/// How large something may become.
pub(super) fn size(text: &str) -> Result<Size, String> {
    let text = text.trim().to_ascii_lowercase();
    if text == "unlimited" {
        return Ok(Size::Unlimited);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.trim().parse() {
            Ok(percent @ 1..=95) => Ok(Size::Percent(percent)),
            _ => Err("a share must be between `1%` and `95%`".to_owned()),
        };
    }
    let (number, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).ok_or_else(|| {
            "expected a number and its unit such as `20GB` or `512MiB`, a share such as `50%`, or `unlimited`"
                .to_owned()
        })?;
    match octets(number.trim(), unit) {
        Some(octets) if SMALLEST <= octets => Ok(Size::Octets(octets)),
        Some(_) => Err("must be at least 128MB, or `unlimited`".to_owned()),
        None => Err(format!("`{}` is no number", number.trim())),
    }
}

/// `1.5` units, exactly; at most nine places behind the point.
fn octets(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole)
        || !is_digits(fraction)
        || 9 < fraction.len()
        || number.len() <= usize::from(number.contains('.'))
    {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    let part = u128::from(fraction) * u128::from(unit) / 1_000_000_000;
    whole.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

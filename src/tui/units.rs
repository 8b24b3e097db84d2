//! Amounts and rates as people read them: three significant digits, and in a column always the same width.
//!
//! It does not know where a number stands or which colour it has. The input is exact integers; what is lost by rounding
//! is lost here and nowhere else, so a sum is never made of rounded parts.

use std::fmt;

use humansize::{DECIMAL, format_size};

use crate::window::Tally;

/// What rates are measured in. Totals stay in bytes, whatever rates are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Units {
    #[default]
    Bits,
    Bytes,
    Packets,
    /// Flow records.
    Flows,
}

impl Units {
    pub const ALL: [Self; 4] = [Self::Bits, Self::Bytes, Self::Packets, Self::Flows];

    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Bits => Self::Bytes,
            Self::Bytes => Self::Packets,
            Self::Packets => Self::Flows,
            Self::Flows => Self::Bits,
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Bits => "b/s",
            Self::Bytes => "B/s",
            Self::Packets => "p/s",
            Self::Flows => "f/s",
        }
    }

    /// What of a tally is measured: bits, bytes, packets or flow records.
    pub const fn measure(self, tally: Tally) -> u64 {
        match self {
            Self::Bits => tally.counts.bytes.saturating_mul(8),
            Self::Bytes => tally.counts.bytes,
            Self::Packets => tally.counts.packets,
            Self::Flows => tally.flows,
        }
    }

    /// A tally over some seconds as a rate.
    pub fn rate(self, tally: Tally, seconds: u64) -> Figure {
        Figure::per_second(self.measure(tally), seconds, self.label())
    }
}

/// A number with its prefix and unit: `38.1 Mb/s`. It never needs more columns than its kind's width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    number: String,
    prefix: String,
    unit: &'static str,
}

impl Figure {
    /// Columns of a rate: `38.1 Mb/s`.
    pub const RATE_WIDTH: usize = 9;
    /// Columns of an amount of bytes: `14.2 GB`.
    pub const BYTES_WIDTH: usize = 7;
    /// Columns of a count: `1.20 k`.
    pub const COUNT_WIDTH: usize = 6;

    pub fn bytes(amount: u64) -> Self {
        Self::whole(amount, "B")
    }

    pub fn count(amount: u64) -> Self {
        Self::whole(amount, "")
    }

    /// `amount` over `seconds`; below 100 it shows parts of one, since three packets a minute are not none.
    pub fn per_second(amount: u64, seconds: u64, unit: &'static str) -> Self {
        let seconds = u128::from(seconds.max(1));
        let thousandths = u128::from(amount) * 1000 / seconds;
        let rounded = three_digits(u64::try_from(thousandths).unwrap_or(u64::MAX));
        let number = match rounded {
            _ if amount == 0 => "0".to_owned(),
            0..10_000 => {
                let hundredths = (rounded + 5) / 10;
                format!("{}.{:02}", hundredths / 100, hundredths % 100)
            }
            10_000..100_000 => format!("{}.{}", rounded / 1000, rounded / 100 % 10),
            _ => return Self::whole(u64::try_from((thousandths + 500) / 1000).unwrap_or(u64::MAX), unit),
        };
        Self { number, prefix: String::new(), unit }
    }

    /// `38.1 M`, in six columns at most, for a column whose heading says the rest.
    pub fn without_unit(&self) -> String {
        if self.prefix.is_empty() { self.number.clone() } else { format!("{} {}", self.number, self.prefix) }
    }

    fn whole(amount: u64, unit: &'static str) -> Self {
        let rounded = three_digits(amount);
        let digits = rounded.checked_ilog10().unwrap_or(0);
        let decimals = match (digits, digits % 3) {
            (..3, _) | (_, 2) => 0,
            (_, 1) => 1,
            _ => 2,
        };
        let text = format_size(rounded, DECIMAL.decimal_places(decimals).decimal_zeroes(decimals));
        let (number, prefix) = text.split_once(' ').unwrap_or((&text, ""));
        Self { number: number.to_owned(), prefix: prefix.trim_end_matches('B').to_owned(), unit }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.prefix.is_empty() && self.unit.is_empty() { "" } else { " " };
        f.pad(&format!("{}{gap}{}{}", self.number, self.prefix, self.unit))
    }
}

/// Every digit, in groups: `1 278`.
pub fn exact(amount: impl Into<u128>) -> String {
    let digits = amount.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i != 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in per cent with `decimals` digits, cut and not rounded: only the whole is 100.
pub fn percent(part: u64, whole: u64, decimals: u32) -> String {
    let scale = 10_u128.pow(decimals);
    let scaled = (u128::from(part) * 100 * scale).checked_div(u128::from(whole)).unwrap_or(0).min(100 * scale);
    match decimals {
        0 => format!("{scaled} %"),
        _ => format!("{}.{:0width$} %", scaled / scale, scaled % scale, width = decimals as usize),
    }
}

/// How long, in two units at most: `42 s`, `03:07`, `5 h 12 min`, `3 d 4 h`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The time of day, `03:12:40`, for an offset from UTC in seconds.
pub fn clock(at: crate::flow::Timestamp, utc_offset_s: i32) -> String {
    let second = at.0.div_euclid(1000).saturating_add(i64::from(utc_offset_s)).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Rounded to three significant digits here, so that formatting never carries into a fourth: 999 999 is 1.00 M.
fn three_digits(amount: u64) -> u64 {
    let digits = amount.checked_ilog10().unwrap_or(0);
    let step = 10_u64.pow(digits.saturating_sub(2));
    (amount.saturating_add(step / 2)) / step * step
}

#[cfg(test)]
mod tests;

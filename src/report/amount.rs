//! Amounts as people read them: three significant digits with a prefix, `14.2 GB`, `412 Mb/s`.
//!
//! Exact figures are for JSON and CSV; no sum is made of what is rounded here.

/// A whole number of something: below a thousand every digit stands.
pub(super) fn amount(number: u64, unit: &str) -> String {
    match number {
        0..1000 => spaced(number.to_string(), "", unit),
        _ => scaled(u128::from(number) * 1000, unit),
    }
}

/// So much in so many milliseconds, for each second.
pub(super) fn per_second(number: u64, ms: i64, unit: &str) -> String {
    // A million of milliseconds in a thousandth.
    let thousandths = u128::from(number) * 1_000_000 / ms.max(1).unsigned_abs() as u128;
    scaled(thousandths, unit)
}

/// A part of a whole: `33 %`, `3.4 %`, `< 0.1 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    let permille = u128::from(part).saturating_mul(1000).checked_div(whole.into()).unwrap_or(0).min(1000);
    match permille {
        0 if part == 0 => "0 %".to_owned(),
        0 => "< 0.1 %".to_owned(),
        1..100 => format!("{}.{} %", permille / 10, permille % 10),
        _ => format!("{} %", permille / 10),
    }
}

fn scaled(thousandths: u128, unit: &str) -> String {
    let digits = |number: u128| number.checked_ilog10().map_or(0, |log| log + 1);
    // Rounded first, so that 999 999 is 1.00 M.
    let step = 10_u128.pow(digits(thousandths).saturating_sub(3));
    let rounded = (thousandths + step / 2) / step * step;
    let power = (digits(rounded).saturating_sub(4) / 3).min(6);
    let divisor = 1000_u128.pow(power);
    // Thousandths of the unit with its prefix.
    let number = rounded / divisor;
    let text = match number {
        0 => "0".to_owned(),
        1..10_000 => format!("{}.{:02}", number / 1000, number % 1000 / 10),
        10_000..100_000 => format!("{}.{}", number / 1000, number % 1000 / 100),
        _ => (number / 1000).to_string(),
    };
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    spaced(text, PREFIXES.get(power as usize).copied().unwrap_or("?"), unit)
}

fn spaced(number: String, prefix: &str, unit: &str) -> String {
    if prefix.is_empty() && unit.is_empty() { number } else { format!("{number} {prefix}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_it() {
        let cases = [(0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (1_234, "1.23 kB"), (999_499, "999 kB")];
        for (number, text) in cases {
            assert_eq!(amount(number, "B"), text);
        }
        assert_eq!(amount(999_999, "B"), "1.00 MB");
        assert_eq!(amount(14_249_000_000, "B"), "14.2 GB");
        assert_eq!(amount(u64::MAX, ""), "18.4 E");
        assert_eq!(amount(12, ""), "12");
    }

    #[test]
    fn a_rate_below_one_is_not_none() {
        assert_eq!(per_second(3, 60_000, "p/s"), "0.05 p/s");
        assert_eq!(per_second(0, 60_000, "p/s"), "0 p/s");
        assert_eq!(per_second(1_000, 1_000, "b/s"), "1.00 kb/s");
        assert_eq!(per_second(412_300_000, 1_000, "b/s"), "412 Mb/s");
        assert_eq!(per_second(u64::MAX, 1, "b/s"), "18400 Eb/s");
        assert_eq!(per_second(5, 0, "b/s"), "5.00 kb/s");
    }

    #[test]
    fn only_the_whole_is_a_hundred() {
        assert_eq!(
            [share(1, 3), share(1, 30), share(1, 3_000), share(0, 1), share(5, 5), share(1, 0)],
            ["33 %", "3.3 %", "< 0.1 %", "0 %", "100 %", "< 0.1 %"]
        );
        assert_eq!(share(9_999, 10_000), "99 %");
    }
}

use super::*;
use crate::flow::{Counts, Timestamp};

#[test]
fn amounts_have_three_digits() {
    let check = |amount: u64, text: &str| assert_eq!(Figure::bytes(amount).to_string(), text);
    check(0, "0 B");
    check(9, "9 B");
    check(999, "999 B");
    check(1000, "1.00 kB");
    check(1004, "1.00 kB");
    check(1005, "1.01 kB");
    check(9_994, "9.99 kB");
    check(9_995, "10.0 kB");
    check(99_950, "100 kB");
    check(999_499, "999 kB");
    check(999_999, "1.00 MB");
    check(14_200_000_000, "14.2 GB");
    check(u64::MAX, "18.4 EB");
}

#[test]
fn rates_show_parts_of_one() {
    let check = |amount: u64, seconds: u64, text: &str| {
        assert_eq!(Figure::per_second(amount, seconds, "p/s").to_string(), text);
    };
    check(0, 60, "0 p/s");
    check(1, 3600, "0.00 p/s");
    check(3, 60, "0.05 p/s");
    check(1, 1, "1.00 p/s");
    check(799, 60, "13.3 p/s");
    check(9_999, 1000, "10.0 p/s");
    check(99_990, 1000, "100 p/s");
    check(999, 1, "999 p/s");
    check(59_999_999, 60, "1.00 Mp/s");
    check(5, 0, "5.00 p/s");
    check(u64::MAX, 1, "18.4 Ep/s");
}

#[test]
fn nothing_is_wider_than_its_column() {
    let powers = (0..20).map(|digits| 10_u64.pow(digits));
    let amounts = powers.flat_map(|power| [power.saturating_sub(1), power, power + power / 2]).chain([0, u64::MAX]);
    for amount in amounts {
        assert!(Figure::bytes(amount).to_string().len() <= Figure::BYTES_WIDTH, "{amount}");
        assert!(Figure::count(amount).to_string().len() <= Figure::COUNT_WIDTH, "{amount}");
        for seconds in [1, 7, 60, 3600, u64::MAX] {
            for units in [Units::Bits, Units::Bytes, Units::Packets] {
                let tally = Tally { counts: Counts { bytes: amount, packets: amount }, flows: 1 };
                assert!(units.rate(tally, seconds).to_string().len() <= Figure::RATE_WIDTH, "{amount} in {seconds} s");
            }
        }
    }
}

#[test]
fn parts_and_times() {
    assert_eq!(exact(0_u64), "0");
    assert_eq!(exact(999_u64), "999");
    assert_eq!(exact(1_278_u64), "1 278");
    assert_eq!(exact(1_234_567_u64), "1 234 567");
    assert_eq!(percent(9_999_999, 10_000_000, 2), "99.99 %");
    assert_eq!(percent(5, 5, 2), "100.00 %");
    assert_eq!(percent(0, 0, 1), "0.0 %");
    assert_eq!(percent(u64::MAX, u64::MAX, 0), "100 %");
    assert_eq!(duration(-5), "0 s");
    assert_eq!(duration(42_999), "42 s");
    assert_eq!(duration(187_000), "03:07");
    assert_eq!(duration(18_720_000), "5 h 12 min");
    assert_eq!(duration(273_600_000), "3 d 4 h");
    assert_eq!(clock(Timestamp(0), 7200), "02:00:00");
    assert_eq!(clock(Timestamp(-1), 0), "23:59:59");
}

#[test]
fn figures_stand_right_aligned() {
    assert_eq!(format!("{:>9}", Figure::per_second(412, 1, "b/s")), "  412 b/s");
    assert_eq!(format!("{:>7}", Figure::count(1_730)), " 1.73 k");
}

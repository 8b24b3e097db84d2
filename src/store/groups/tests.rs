use proptest::prelude::*;

use super::*;
use crate::flow::Counts;

fn bytes(bytes: u64) -> Pair {
    Pair([Sums { counts: Counts { bytes, packets: 1 }, flows: 1, more: Counts::default() }, Sums::default()])
}

fn key(n: u32) -> Slot {
    Slot::numbers(0, n)
}

#[test]
fn the_largest_stay_when_there_is_no_room() {
    let mut groups = Groups::new(Order::Bytes, 8);
    for n in 0..100 {
        groups.add(key(n), bytes(u64::from(n % 5)), 0);
        groups.add(key(1_000), bytes(1_000), 0);
    }
    assert!(groups.len() <= 8 && !groups.is_exact());
    let (rows, proven) = groups.largest(1);
    assert_eq!(
        (rows[0].slot, rows[0].missing, rows[0].pair),
        (key(1_000), 0, {
            let mut sum = Pair::default();
            (0..100).for_each(|_| sum.add(bytes(1_000)));
            sum
        })
    );
    assert!(proven);
    assert!(!groups.largest(5).1);
}

proptest! {
    /// Whatever went into the common sum: each key has its true sum, or lacks no more than it says.
    #[test]
    fn what_is_missing_is_bounded(added in prop::collection::vec((0..30_u32, 0..1_000_u64), 0..400), limit in 2..40_usize) {
        let mut groups = Groups::new(Order::Bytes, limit);
        let mut truth = HashMap::<u32, u64>::new();
        for (n, size) in &added {
            groups.add(key(*n), bytes(*size), 0);
            *truth.entry(*n).or_default() += size;
        }
        prop_assert!(groups.len() <= limit);
        for row in groups.all() {
            let (truth, held) = (truth[&row.slot.number()], row.pair.sum().counts.bytes);
            prop_assert!(held <= truth && truth <= held + row.missing, "{held} of {truth}, {} missing", row.missing);
        }
        let held: Vec<u32> = groups.all().map(|row| row.slot.number()).collect();
        for (n, size) in &truth {
            prop_assert!(held.contains(n) || *size <= groups.floor);
        }
        let (rows, proven) = groups.largest(3);
        if proven {
            let mut sizes: Vec<u64> = truth.values().copied().collect();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            let found: Vec<u64> = rows.iter().map(|row| row.pair.sum().counts.bytes).collect();
            prop_assert_eq!(&sizes[..found.len()], &found);
        }
    }
}

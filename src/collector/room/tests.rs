use proptest::prelude::*;

use super::*;

fn pools(bound: usize, exporters: usize) -> Pools {
    let all = Limits { exporters, all_waiting_octets: bound, ..Default::default() };
    Pools::new(&all)
}

#[test]
fn who_holds_more_than_its_share_gets_no_more_and_others_do() {
    let mut pools = pools(800, 4);
    let (mut greedy, mut late) = (Held::default(), Held::default());
    let mut take = |held: &mut Held, octets| Room { pools: &mut pools, held }.waiting().take(octets);
    assert!(take(&mut greedy, 100) && take(&mut greedy, 400));
    assert!(!take(&mut greedy, 1), "its share and all that is common");
    assert!(take(&mut late, 60) && take(&mut late, 40), "the share of another");
    assert!(!take(&mut late, 1));
    Room { pools: &mut pools, held: &mut greedy }.waiting().give(1);
    assert!(Room { pools: &mut pools, held: &mut late }.waiting().take(1));
}

proptest! {
    /// Whatever is taken and given back: the sum is below the bound, it is the sum, and nobody is refused its share.
    #[test]
    fn the_sum_stays_below_the_bound(
        steps in proptest::collection::vec((0..5_usize, any::<bool>(), 0..300_usize), 0..200),
        bound in 0..2000_usize,
    ) {
        let mut pools = pools(bound, 5);
        let mut held = [Held::default(); 5];
        for (who, takes, octets) in steps {
            let before = held[who].waiting;
            let mut room = Room { pools: &mut pools, held: &mut held[who] };
            if takes {
                let taken = room.waiting().take(octets);
                prop_assert!(taken || bound / 2 / 5 < before.saturating_add(octets));
            } else {
                room.waiting().give(octets);
            }
            let sum: usize = held.iter().map(|held| held.waiting).sum();
            prop_assert!(sum <= bound);
            prop_assert_eq!(pools.held(), [sum, 0, 0]);
        }
    }
}

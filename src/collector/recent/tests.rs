use super::Recent;

fn table(limit: usize, keys: &[u16]) -> Recent<u16, u32> {
    let mut table = Recent::new(limit);
    for &key in keys {
        table.insert(key, u32::from(key) * 10);
    }
    table
}

fn keys(table: &Recent<u16, u32>) -> Vec<u16> {
    table.iter().map(|(key, _)| *key).collect()
}

#[test]
fn the_least_recently_used_value_makes_room() {
    let mut table = table(3, &[7, 3, 5]);
    assert_eq!(table.get(&7), Some(&mut 70));
    assert_eq!(table.iter().next(), Some((&3, &30)), "to look at it is no use");
    table.insert(4, 40);
    assert_eq!(keys(&table), [4, 5, 7]);
    assert_eq!([table.remove_oldest(), table.remove_oldest(), table.remove_oldest()], [Some(50), Some(70), Some(40)]);
    assert_eq!((table.remove_oldest(), table.len()), (None, 0));
}

#[test]
fn a_value_that_is_put_again_replaces_the_old_one_and_no_other() {
    let mut table = table(2, &[1, 2]);
    assert!(table.is_full());
    table.insert(1, 11);
    assert_eq!(table.iter().collect::<Vec<_>>(), [(&1, &11), (&2, &20)]);
    assert_eq!((table.remove(&1), table.remove(&1), table.get(&1)), (Some(11), None, None));
    assert_eq!(table.remove_oldest(), Some(20));
}

#[test]
fn a_table_takes_at_most_twice_the_octets_of_its_entries() {
    let mut table = Recent::<u16, [u64; 4]>::new(usize::MAX);
    let entry = size_of::<super::Entry<u16, [u64; 4]>>();
    for key in 0..1000 {
        table.insert(key, [0; 4]);
        assert!(table.entries.capacity() * entry <= table.len() * Recent::<u16, [u64; 4]>::ENTRY, "{key}");
    }
}

/// The same uses, of a list that is simply kept in their order.
#[test]
fn it_forgets_what_a_plain_list_forgets() {
    let mut table = Recent::new(8);
    let mut list = Vec::<u16>::new();
    let mut number = 1_u64;
    for _ in 0..10_000 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let key = u16::try_from(number % 16).unwrap();
        let was_known = list.contains(&key);
        list.retain(|other| *other != key);
        if number & 0x10_0000 == 0 {
            assert_eq!(table.get(&key).is_some(), was_known);
            list.extend(was_known.then_some(key));
        } else {
            table.insert(key, u32::from(key));
            list.push(key);
            list.drain(..list.len().saturating_sub(8));
        }
        let mut sorted = list.clone();
        sorted.sort_unstable();
        assert_eq!(keys(&table), sorted);
    }
}

use super::Places;

/// Uses a value whose text is `text`, and says what had to go.
fn use_of(places: &mut Places<String>, number: u64, text: &str) -> Option<String> {
    let mut gone = None;
    let found = places.find(number, |known| known == text);
    let place = places.place(found, number, || text.to_owned(), |oldest| gone = Some(std::mem::take(oldest)));
    assert_eq!(place, text);
    gone
}

#[test]
fn the_least_recently_used_value_makes_room() {
    let mut places = Places::new(2);
    assert_eq!((use_of(&mut places, 1, "a"), use_of(&mut places, 2, "b")), (None, None));
    assert_eq!(use_of(&mut places, 1, "a"), None, "known");
    assert_eq!(places.peek(2).map(String::as_str), Some("b"), "to look at it is no use");
    assert!(places.peek_mut(2, |_| true).is_some(), "nor to change it");
    assert_eq!(use_of(&mut places, 3, "c").as_deref(), Some("b"));
    assert_eq!(places.peek(2), None);
    assert_eq!(places.values().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn values_of_one_number_are_told_apart() {
    let mut places = Places::new(4);
    assert_eq!((use_of(&mut places, 7, "a"), use_of(&mut places, 7, "b")), (None, None));
    places.values_mut().for_each(|value| value.push('!'));
    assert_eq!(places.peek_mut(7, |value| value == "b!").map(|value| value.as_str()), Some("b!"));
    assert_eq!(places.peek_mut(7, |value| value == "b"), None);
    assert_eq!(places.values().count(), 2);
}

#[test]
fn a_table_without_room_has_one_place_and_none_takes_twice_what_it_holds() {
    let mut places = Places::new(0);
    assert_eq!((use_of(&mut places, 1, "a"), use_of(&mut places, 2, "b").as_deref()), (None, Some("a")));
    let mut places = Places::new(64);
    for number in 0..100 {
        use_of(&mut places, number, "x");
        assert!(places.values.capacity() < 2 * places.values.len(), "{number}");
    }
    assert_eq!(places.values.len(), 64);
}

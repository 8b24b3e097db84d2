use super::Places;

/// Uses a value whose text is `text`, and says what had to go.
fn use_of(places: &mut Places<String>, number: u64, text: &str) -> Option<String> {
    let mut gone = None;
    let place =
        places.place(number, |known| known == text, || text.to_owned(), |oldest| gone = Some(std::mem::take(oldest)));
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
fn the_octets_of_a_value_that_is_gone_are_used_again() {
    let mut places = Places::new(0);
    let first: *const String = places.place(1, |_| true, || "a".to_owned(), |_| ());
    let second: *const String = places.place(2, |_| true, || "b".to_owned(), |oldest| assert_eq!(oldest, "a"));
    assert_eq!(first, second, "a table without room has one place");
}

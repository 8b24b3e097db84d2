use std::collections::HashSet;

use super::*;
use Action::{CopyAs, History, Sort};
use Context::{Help, Line, Main, Menu};
use Key::{Char, Ctrl};

#[test]
fn every_name_is_unique_and_the_defaults_have_no_conflict() {
    let names: HashSet<_> = KEYS.iter().map(|binding| binding.name).collect();
    assert_eq!(names.len(), KEYS.len());
    assert_eq!(Keys::rebound::<&str>([]), Ok(Keys::default()));
}

#[test]
fn every_key_reads_back_from_its_name() {
    let others = [Key::Left, Key::Right, Key::BackTab, Key::Delete, Char('ä'), Char('-'), Char('é')];
    for &key in KEYS.iter().flat_map(|binding| binding.keys).chain(&others) {
        assert_eq!(key.to_string().parse(), Ok(key), "{key:?}");
    }
    assert_eq!("Ctrl-X".parse(), Ok(Ctrl('x')));
    assert_eq!("PGDN".parse(), Ok(Key::PageDown));
    for wrong in ["", "ctrl-", "ctrl-ä", "alt-x", "ab", "\u{1b}"] {
        assert!(wrong.parse::<Key>().unwrap_err().contains("is no key"), "{wrong:?}");
    }
}

#[test]
fn keys_mean_what_the_place_says() {
    let keys = Keys::default();
    assert_eq!(keys.action(Char('s'), Main), Some(Sort(Turn::Next)));
    assert_eq!(keys.action(Char('s'), Menu), Some(CopyAs(Form::Sql)));
    assert_eq!(keys.action(Char('s'), Help), None);
    assert_eq!(keys.action(Char('q'), Help), Some(Action::Quit));
    assert_eq!(keys.action(Char('q'), Line), None, "a letter is text");
    assert_eq!(keys.action(Ctrl('c'), Line), Some(Action::Quit));
    assert_eq!(keys.action(Key::Up, Line), Some(History(Turn::Previous)));
    assert_eq!(keys.action(Key::Delete, Main), None);
}

#[test]
fn other_keys_take_the_place_of_the_old_ones() {
    let keys = Keys::rebound([("freeze", &["z", "ctrl-f"][..]), ("units", &[][..])]).unwrap();
    assert_eq!(keys.action(Char('z'), Main), Some(Action::Freeze));
    assert_eq!(keys.action(Ctrl('f'), Main), Some(Action::Freeze));
    assert_eq!(keys.action(Char(' '), Main), None);
    assert_eq!(keys.action(Char('u'), Main), None);
    assert!(keys.markdown().contains("| `z` `ctrl-f` | freeze the figures"));
    assert!(!keys.markdown().contains("rates in bits"));
    // Two that change places.
    let keys = Keys::rebound([("sort", &["u"][..]), ("units", &["s"][..])]).unwrap();
    assert_eq!(keys.action(Char('u'), Main), Some(Sort(Turn::Next)));
}

#[test]
fn what_cannot_be_bound_is_told() {
    let error = |name, keys: &[&str]| Keys::rebound([(name, keys)]).unwrap_err().to_string();
    assert_eq!(error("freez", &["f"]), "no such action: `freez`\nhint: did you mean `freeze`?");
    assert!(error("somersault", &["f"]).starts_with("no such action: `somersault`\nhint: `flowglass config` lists"));
    assert!(error("freeze", &["alt-x"]).starts_with("`freeze`: `alt-x` is no key: "));
    assert_eq!(
        error("freeze", &["s"]),
        "`s` is both `freeze` and `sort`\nhint: give one of them another key, or none: `sort = []`"
    );
    assert!(error("freeze", &["?"]).starts_with("`?` is both `freeze` and `help`"));
    assert!(error("accept", &["a"]).starts_with("`a` cannot be `accept`"));
    assert!(error("quit", &[]).starts_with("`quit` must keep a key"));
    assert!(Keys::rebound([("copy-sql", &["q"][..])]).is_err(), "everywhere is in the menu as well");
    assert!(Keys::rebound([("accept", &["ctrl-d"][..])]).is_ok(), "lines have their own keys");
}

//! One line of text that a person edits: letters, a cursor and a limit. It draws nothing and knows no meaning.

use crate::tui::keys::Key;

/// A line and the place in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Octets before the cursor, always at the border of a letter.
    cursor: usize,
}

impl Line {
    /// The cursor stands at the end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Takes a key that edits; false for one that means nothing here.
    pub fn take(&mut self, key: Key, limit: usize) -> bool {
        match key {
            Key::Char(letter) => self.insert(letter.encode_utf8(&mut [0; 4]), limit),
            Key::Backspace | Key::Ctrl('h') => self.remove(self.before(), self.cursor),
            Key::Delete => self.remove(self.cursor, self.after()),
            Key::Ctrl('w') => self.remove(self.word_before(), self.cursor),
            Key::Ctrl('u') => self.remove(0, self.cursor),
            Key::Ctrl('k') => self.remove(self.cursor, self.text.len()),
            Key::Left | Key::Ctrl('b') => self.cursor = self.before(),
            Key::Right | Key::Ctrl('f') => self.cursor = self.after(),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Puts text where the cursor stands, on one line; what goes beyond `limit` octets is left out.
    pub fn insert(&mut self, text: &str, limit: usize) {
        for letter in text.chars() {
            let letter = if letter.is_whitespace() { ' ' } else { letter };
            if letter.is_control() || limit < self.text.len() + letter.len_utf8() {
                continue;
            }
            self.text.insert(self.cursor, letter);
            self.cursor += letter.len_utf8();
        }
    }

    /// Puts `text` in the place of the octets from `from` to the cursor.
    pub fn replace(&mut self, from: usize, text: &str, limit: usize) {
        if self.text.is_char_boundary(from) && from <= self.cursor {
            self.remove(from, self.cursor);
            self.insert(text, limit);
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn before(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        before.chars().next_back().map_or(0, |letter| self.cursor - letter.len_utf8())
    }

    fn after(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        after.chars().next().map_or(self.cursor, |letter| self.cursor + letter.len_utf8())
    }

    /// Where the word before the cursor begins.
    fn word_before(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default().trim_end();
        before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edited(text: &str, keys: &[Key]) -> (String, usize) {
        let mut line = Line::new(text);
        for &key in keys {
            assert!(line.take(key, 100), "{key:?}");
        }
        (line.text, line.cursor)
    }

    #[test]
    fn keys_edit_where_the_cursor_stands() {
        use Key::{Backspace, Char, Ctrl, Delete, End, Home, Left, Right};
        let cases: [(&str, &[Key], &str, usize); 13] = [
            ("ab", &[Char('c')], "abc", 3),
            ("ab", &[Left, Char('ä')], "aäb", 3),
            ("aäb", &[Left, Backspace], "ab", 1),
            ("aäb", &[Home, Right, Delete], "ab", 1),
            ("ab", &[Ctrl('h')], "a", 1),
            ("", &[Backspace, Delete, Left, Right], "", 0),
            ("port 443 ", &[Ctrl('w')], "port ", 5),
            ("port", &[Ctrl('w')], "", 0),
            ("port 443", &[Left, Left, Left, Ctrl('u')], "443", 0),
            ("port 443", &[Left, Left, Left, Ctrl('k')], "port ", 5),
            ("ab", &[Ctrl('a'), Char('x'), Ctrl('e'), Char('y')], "xaby", 4),
            ("ab", &[Ctrl('b'), Ctrl('f'), Home, End], "ab", 2),
            ("a b", &[Ctrl('w'), Ctrl('w')], "", 0),
        ];
        for (text, keys, expected, cursor) in cases {
            assert_eq!(edited(text, keys), (expected.to_owned(), cursor), "{text:?} {keys:?}");
        }
        assert!(!Line::new("a").take(Key::Tab, 10));
    }

    #[test]
    fn pasted_text_is_one_harmless_line_and_no_longer_than_the_limit() {
        let mut line = Line::default();
        line.insert("port\r\n443\u{1b}[2J\tand", 100);
        assert_eq!(line.text(), "port  443[2J and");
        line.insert(&"x".repeat(10_000), 20);
        assert_eq!(line.text().len(), 20);
    }

    proptest! {
        #[test]
        fn no_keys_break_it(keys in proptest::collection::vec(any_key(), 0..60), text in ".{0,20}") {
            let mut line = Line::new(text);
            for key in keys {
                line.take(key, 40);
                prop_assert!(line.text.is_char_boundary(line.cursor));
            }
        }
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let others = [Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::Home, Key::End];
        prop_oneof![
            any::<char>().prop_map(Key::Char),
            "[a-z]".prop_map(|letter| Key::Ctrl(letter.chars().next().unwrap_or('a'))),
            proptest::sample::select(others.to_vec()),
        ]
    }
}

//! Names from outside, made harmless at the entrance: whoever owns a reverse zone chooses what the screen shows.
//!
//! It shortens for no column; a name that is kept is at most as long as DNS allows one to be.

use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

/// Columns of a name, the most that DNS can carry; a longer one is cut.
const WIDTH: usize = 253;

/// Stands for what must not reach a terminal.
const REPLACED: char = '?';

/// The name without what moves a cursor, turns the reading direction, hides or stands for nothing; `None` when nothing
/// is left to read.
pub fn safe(name: &str) -> Option<Arc<str>> {
    let name = name.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut kept = String::with_capacity(name.len().min(WIDTH));
    let mut columns = 0;
    for letter in name.chars().map(harmless) {
        columns += letter.width().unwrap_or(1);
        if WIDTH < columns {
            break;
        }
        kept.push(letter);
    }
    let is_readable = kept.chars().any(|letter| letter != REPLACED && letter != '_');
    is_readable.then(|| kept.into())
}

/// Marks of the reading direction have no width, most of them; those that have are named.
fn harmless(letter: char) -> char {
    let turning =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if letter.is_whitespace() {
        '_'
    } else if turning || letter.is_control() || letter.width().is_none_or(|columns| columns == 0) {
        REPLACED
    } else {
        letter
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::{WIDTH, safe};

    #[test]
    fn names_lose_what_could_harm_a_terminal() {
        let cases = [
            ("nas.lan.", Some("nas.lan")),
            ("  nas.lan\n", Some("nas.lan")),
            ("a\u{1b}[2Jb", Some("a?[2Jb")),
            ("a\u{9b}31mb", Some("a?31mb")),
            ("evil\u{202e}moc.elpmaxe", Some("evil?moc.elpmaxe")),
            ("zero\u{200b}width\u{feff}", Some("zero?width?")),
            ("two words", Some("two_words")),
            ("日本.example", Some("日本.example")),
            ("", None),
            (".", None),
            ("\u{1b}\u{7}", None),
        ];
        for (name, expected) in cases {
            assert_eq!(safe(name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn names_end_where_dns_would_end_them() {
        assert_eq!(safe(&"a".repeat(10_000)).unwrap().len(), WIDTH);
        let wide = safe(&"日".repeat(10_000)).unwrap();
        assert!(wide.width() <= WIDTH && WIDTH - 2 <= wide.width(), "{}", wide.width());
    }
}

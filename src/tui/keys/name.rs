//! Keys as people write them, and back.

use std::fmt;
use std::str::FromStr;

use crate::tui::keys::Key;

/// All that are not one letter.
const NAMES: &[(&str, Key)] = &[
    ("space", Key::Char(' ')),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("pgup", Key::PageUp),
    ("pgdn", Key::PageDown),
    ("home", Key::Home),
    ("end", Key::End),
    ("esc", Key::Esc),
    ("enter", Key::Enter),
    ("tab", Key::Tab),
    ("shift-tab", Key::BackTab),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, key)| key == self) {
            return f.write_str(name);
        }
        match self {
            Self::Char(letter) => write!(f, "{letter}"),
            Self::Ctrl(letter) => write!(f, "ctrl-{letter}"),
            // Every other key has a name; a test holds that.
            _ => Ok(()),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        if let (Some(letter), None) = (letters.next(), letters.next())
            && !letter.is_control()
        {
            return Ok(Self::Char(letter));
        }
        let lower = text.to_lowercase();
        if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == lower) {
            return Ok(*key);
        }
        if let Some(letter) = lower.strip_prefix("ctrl-")
            && let [letter @ b'a'..=b'z'] = letter.as_bytes()
        {
            return Ok(Self::Ctrl(char::from(*letter)));
        }
        let text: String = text.chars().take(32).flat_map(char::escape_debug).collect();
        Err(format!("`{text}` is no key: a letter or sign, `ctrl-` and a letter, or one of {}", all()))
    }
}

fn all() -> String {
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

//! `[screen]`: how the screen begins.

use anyhow::{Result, anyhow};

use crate::cli::layers::{Line, Origin};
use crate::cli::sections::{FLAGS, Item};
use crate::tui::opening::{self, HIDDEN, KEYS, Opening};

pub(super) fn read(items: &[&Item]) -> Result<Opening> {
    let mut opening = Opening::default();
    for item in items {
        let told = |problem| anyhow!("{}: `{}` {problem}", item.place, item.path.join("."));
        match item.path.as_slice() {
            [key] if KEYS.contains(&key.as_str()) => opening.set(key, item.one()?).map_err(told)?,
            [hidden, table] if hidden == HIDDEN => {
                if !opening::tables().any(|(name, _)| name == table) {
                    return item.unknown(&opening::tables().map(|(name, _)| name).collect::<Vec<_>>());
                }
                opening.hide(table, &item.texts).map_err(told)?;
            }
            _ => {
                let flags = FLAGS.iter().filter(|(section, ..)| *section == "screen").map(|(_, key, _)| *key);
                return item.unknown(&KEYS.into_iter().chain([HIDDEN]).chain(flags).collect::<Vec<_>>());
            }
        }
    }
    Ok(opening)
}

/// Every key with its value, those without one as a comment.
pub(super) fn lines(items: &[Item]) -> Vec<Line> {
    let given = |wanted: &str| {
        let is_it = |item: &&Item| item.section == "screen" && item.path.first().is_some_and(|key| key == wanted);
        items.iter().filter(is_it).map(Item::line).collect::<Vec<_>>()
    };
    let lines = KEYS.into_iter().chain([HIDDEN]).flat_map(|key| match given(key) {
        none if none.is_empty() && key == "remember" => vec![("remember = true".to_owned(), Origin::Default)],
        none if none.is_empty() => vec![(format!("#{key} is not set"), Origin::Default)],
        lines => lines,
    });
    lines.collect()
}

//! The sections of the configuration file: how the screen begins, its keys, own questions and own names.
//!
//! Here is what the values mean that stand there; `file` finds them. Where several files say the same, the last one
//! counts. Each value keeps its place, for who asks where it is from.

mod keys;
mod names;
mod presets;
mod screen;

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::cli::file::{Place, nearest, shown};
use crate::cli::layers::{Line, Origin, list, quoted};
use crate::store::ask::presets::Book;
use crate::tui::keys::Keys;
use crate::tui::opening::Opening;

/// The sections that there are.
pub const NAMES: [&str; 4] = ["screen", "keys", "presets", "names"];

/// Flags that may stand in a section as well, where one looks for them.
const FLAGS: [(&str, &str, &str); 4] = [
    ("screen", "theme", "theme"),
    ("screen", "color", "color"),
    ("screen", "ascii", "ascii"),
    ("names", "file", "names"),
];

/// The flag that a key of a section is.
pub(super) fn flag(section: &str, key: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(of, name, _)| (*of, *name) == (section, key)).map(|(_, _, flag)| *flag)
}

/// One value of a section.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) section: &'static str,
    /// The keys that lead to it, as `mail` and `filter`.
    pub(super) path: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) is_list: bool,
    pub(super) place: Place,
}

/// What all sections say.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    pub opening: Opening,
    pub keys: Keys,
    pub presets: Book,
    /// Addresses with the names that the operator has for them.
    pub names: Vec<(IpAddr, Arc<str>)>,
    items: Vec<Item>,
}

impl Sections {
    /// Reads the values of all files, later ones last.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub(super) fn of(all: &[Item]) -> Result<Self> {
        let mut items: Vec<Item> = Vec::new();
        for item in all {
            let item = item.clone().spelled_out();
            items.retain(|before| (before.section, &before.path) != (item.section, &item.path));
            items.push(item);
        }
        let of = |section: &str| items.iter().filter(|item| item.section == section).collect::<Vec<_>>();
        Ok(Self {
            opening: screen::read(&of("screen"))?,
            keys: keys::read(&of("keys"))?,
            presets: presets::read(&of("presets"))?,
            names: names::read(&of("names"))?,
            items,
        })
    }

    pub(super) const fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// What `flowglass config` shows, section by section.
    pub(super) fn lines(&self) -> Vec<(&'static str, Vec<Line>)> {
        let of =
            |section| (section, self.items.iter().filter(|item| item.section == section).map(Item::line).collect());
        let mut sections = vec![("screen", screen::lines(&self.items)), ("keys", keys::lines(&self.keys, &self.items))];
        sections
            .extend([of("presets"), of("names")].into_iter().filter(|(_, lines): &(_, Vec<Line>)| !lines.is_empty()));
        sections
    }
}

impl Item {
    /// A question that is nothing but a filter is one with a filter.
    fn spelled_out(mut self) -> Self {
        if self.section == "presets" && self.path.len() == 1 {
            self.path.push("filter".to_owned());
        }
        self
    }

    /// The one value.
    fn one(&self) -> Result<&str> {
        match self.texts.as_slice() {
            [text] if !self.is_list => Ok(text),
            _ => bail!("{}: `{}` takes one value, not a list", self.place, shown(&self.path.join("."))),
        }
    }

    /// As it stands in a file, and where.
    fn line(&self) -> Line {
        let is_bare = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let path = self.path.iter().map(|key| if is_bare(key) { key.clone() } else { quoted(key) });
        let path = path.collect::<Vec<_>>().join(".");
        let value = match self.texts.as_slice() {
            [text] if !self.is_list && ["true", "false"].contains(&text.as_str()) => text.clone(),
            [text] if !self.is_list => quoted(text),
            texts => list(texts),
        };
        (format!("{path} = {value}"), Origin::File(self.place.clone()))
    }

    /// Says that there is no such key, and which one is nearest to it.
    fn unknown<T>(&self, known: &[&str]) -> Result<T> {
        let path = self.path.join(".");
        let last = self.path.last().map_or("", String::as_str).to_lowercase().replace('_', "-");
        let hint = match nearest(&last, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        bail!("{}: unknown key `{}` in `[{}]`\nhint: {hint}", self.place, shown(&path), self.section)
    }
}

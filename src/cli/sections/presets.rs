//! `[presets]`: an operator's own questions, each a filter, or a table that says more.

use anyhow::{Result, anyhow, bail};

use crate::cli::file::shown;
use crate::cli::sections::Item;
use crate::store::ask::By;
use crate::store::ask::presets::{Book, Kind, Preset};
use crate::store::top::Order;
use crate::{filter, names};

/// Letters of a name, which is typed on a command line.
const NAME: usize = 32;

const KEYS: [&str; 5] = ["filter", "help", "by", "sort", "kind"];
const ORDERS: [(&str, Order); 3] = [("bytes", Order::Bytes), ("packets", Order::Packets), ("flows", Order::Flows)];
const KINDS: [&str; 3] = ["top", "fan-out", "new"];

/// A question on its way.
#[derive(Debug, Default)]
struct Draft {
    name: String,
    filter: String,
    help: Option<String>,
    by: Option<By>,
    order: Order,
    kind: &'static str,
}

pub(super) fn read(items: &[&Item]) -> Result<Book> {
    let mut drafts: Vec<Draft> = Vec::new();
    for item in items {
        let [name, key] = item.path.as_slice() else { return item.unknown(&KEYS) };
        if !is_name(name) {
            let hint = format!("letters, digits, `-` and `_`, at most {NAME}, a letter or digit first");
            bail!("{}: `{}` is no name of a question\nhint: {hint}", item.place, shown(name));
        }
        let at = drafts.iter().position(|draft| draft.name == *name);
        let at = at.unwrap_or_else(|| {
            drafts.push(Draft { name: name.clone(), ..Draft::default() });
            drafts.len() - 1
        });
        if let Some(draft) = drafts.get_mut(at) {
            draft.set(item, key)?;
        }
    }
    Ok(Book::new(drafts.into_iter().map(Draft::preset).collect()))
}

fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    name.len() <= NAME && name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}

impl Draft {
    fn set(&mut self, item: &Item, key: &str) -> Result<()> {
        let text = item.one()?;
        let told = |problem: String| anyhow!("{}: `{}` {problem}", item.place, item.path.join("."));
        match key {
            "filter" => {
                filter::parse(text, &names::meanings)
                    .map_err(|error| told(format!("is no filter\n{}", error.render(text))))?;
                text.clone_into(&mut self.filter);
            }
            // It is printed in one line.
            "help" => self.help = Some(text.chars().filter(|letter| !letter.is_control()).collect()),
            "by" => {
                let found = By::ALL.into_iter().find(|by| by.name() == text);
                self.by = Some(found.ok_or_else(|| told(one_of(By::ALL.iter().map(|by| by.name()))))?);
            }
            "sort" => {
                let found = ORDERS.iter().find(|(name, _)| *name == text);
                self.order = found.ok_or_else(|| told(one_of(ORDERS.iter().map(|(name, _)| *name))))?.1;
            }
            "kind" => {
                let found = KINDS.into_iter().find(|kind| *kind == text);
                self.kind = found.ok_or_else(|| told(one_of(KINDS.into_iter())))?;
            }
            _ => return item.unknown(&KEYS),
        }
        Ok(())
    }

    fn preset(self) -> Preset {
        let by = self.by.unwrap_or(By::Conversation);
        let kind = match self.kind {
            "fan-out" => Kind::FanOut,
            "new" => Kind::New(by, self.order),
            _ => Kind::Top(by, self.order),
        };
        let filter = if self.filter.is_empty() { "any".to_owned() } else { self.filter };
        let help = self.help.unwrap_or_else(|| filter.clone());
        Preset { name: self.name.into(), help: help.into(), filter: filter.into(), kind }
    }
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("must be one of {}", words.collect::<Vec<_>>().join(", "))
}

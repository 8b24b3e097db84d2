//! `[keys]`: other keys for the actions of the screen.

use anyhow::{Result, anyhow, bail};

use crate::cli::file::shown;
use crate::cli::layers::{Line, Origin, list};
use crate::cli::sections::Item;
use crate::tui::keys::Keys;

pub(super) fn read(items: &[&Item]) -> Result<Keys> {
    let mut pairs = Vec::with_capacity(items.len());
    for item in items {
        match item.path.as_slice() {
            [action] => pairs.push((action.as_str(), item.texts.as_slice())),
            path => bail!("{}: `{}` is no action: those have keys, not sections", item.place, shown(&path.join("."))),
        }
    }
    Keys::rebound(pairs).map_err(|error| {
        // Of two actions that share a key, one may have it by default.
        let is_of = |item: &&&Item, action: &str| item.path.first().is_some_and(|name| name == action);
        let place = error.actions().into_iter().find_map(|action| items.iter().find(|item| is_of(item, action)));
        place.map_or_else(|| anyhow!("{error}"), |item| anyhow!("{}: {error}", item.place))
    })
}

/// Every action with its keys.
pub(super) fn lines(keys: &Keys, items: &[Item]) -> Vec<Line> {
    let line = |name: &str, keys: Vec<String>| {
        let is_it = |item: &&Item| item.section == "keys" && item.path.first().is_some_and(|action| action == name);
        let origin = items.iter().find(is_it).map_or(Origin::Default, |item| Origin::File(item.place.clone()));
        (format!("{name} = {}", list(&keys)), origin)
    };
    keys.bindings().map(|(binding, keys)| line(binding.name, keys.iter().map(ToString::to_string).collect())).collect()
}

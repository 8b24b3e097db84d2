//! Other keys for the same actions: pairs of a binding's name and its keys, as a configuration file has them.
//!
//! What is not named keeps its keys. A key with two meanings in one place is an error and not a matter of order.

use crate::tui::keys::{Action, Context, KEYS, Key, Keys};

/// Why keys cannot be bound so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebindError {
    #[error("no such action: `{}`\nhint: {}", shown(.name), .near.map_or_else(|| LIST.to_owned(), |near| format!("did you mean `{near}`?")))]
    NoAction { name: String, near: Option<&'static str> },
    #[error("`{name}`: {problem}")]
    NoKey { name: &'static str, problem: String },
    #[error("`{key}` is both `{first}` and `{second}`\nhint: give one of them another key, or none: `{second} = []`")]
    Twice { key: Key, first: &'static str, second: &'static str },
    #[error("`{key}` cannot be `{name}`: it is a letter that can be typed there")]
    Typed { key: Key, name: &'static str },
    #[error("`{name}` must keep a key, or nobody finds the way")]
    Needed { name: &'static str },
}

impl RebindError {
    /// The actions that it is about, the likeliest first.
    pub fn actions(&self) -> Vec<&str> {
        match self {
            Self::NoAction { name, .. } => vec![name],
            Self::NoKey { name, .. } | Self::Typed { name, .. } | Self::Needed { name } => vec![name],
            Self::Twice { first, second, .. } => vec![second, first],
        }
    }
}

/// Where all names are.
const LIST: &str = "`flowglass config` lists the actions with their keys";

/// A word of a file, harmless on a terminal.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

impl Keys {
    /// These bindings with other keys.
    ///
    /// # Errors
    /// An action or a key that there is not, or a key that would have two meanings. Nothing is bound then.
    pub fn rebound<'a, K>(pairs: impl IntoIterator<Item = (&'a str, &'a [K])>) -> Result<Self, RebindError>
    where
        K: AsRef<str> + 'a,
    {
        let mut rebound = Self::default();
        for (name, keys) in pairs {
            let found = KEYS.iter().zip(&mut rebound.keys).find(|(binding, _)| binding.name == name);
            let Some((binding, own)) = found else {
                return Err(RebindError::NoAction { name: name.to_owned(), near: near(name) });
            };
            let keys: Result<Vec<Key>, String> = keys.iter().map(|key| key.as_ref().parse()).collect();
            *own = keys.map_err(|problem| RebindError::NoKey { name: binding.name, problem })?;
        }
        rebound.check()?;
        Ok(rebound)
    }

    fn check(&self) -> Result<(), RebindError> {
        let mut seen: Vec<(Key, Context, &'static str)> = Vec::new();
        for (binding, keys) in self.bindings() {
            let name = binding.name;
            if keys.is_empty() && matches!(binding.action, Action::Quit | Action::Help | Action::Back | Action::Accept)
            {
                return Err(RebindError::Needed { name });
            }
            for &key in keys {
                if binding.context == Context::Line && matches!(key, Key::Char(_)) {
                    return Err(RebindError::Typed { key, name });
                }
                // Within one binding a key may stand twice, which harms nobody.
                let twice = seen.iter().find(|(other, context, owner)| {
                    *other == key && context.overlaps(binding.context) && *owner != name
                });
                if let Some(&(_, _, first)) = twice {
                    return Err(RebindError::Twice { key, first, second: name });
                }
                seen.push((key, binding.context, name));
            }
        }
        Ok(())
    }
}

/// What may have been meant.
fn near(name: &str) -> Option<&'static str> {
    let lower: String = name.to_lowercase().chars().take(32).collect();
    let names = KEYS.iter().map(|binding| (strsim::damerau_levenshtein(&lower, binding.name), binding.name));
    names.min().filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

//! The configuration file: TOML whose keys are the long names of flags, and sections of what has no flag. The value of a
//! flag's key stands in for the flag, below the environment and above the default; what it may be is the flag's to say.
//! What sections mean is for `sections`.
//!
//! Its input is a file that a person wrote: what cannot be used is told with the line it stands in.

use std::env;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::sections::{self, Item};

/// The flags that a file may set, in the order in which `flowglass config` shows them.
pub const KEYS: &[&str] = &[
    "enabled",
    "host",
    "port",
    "listen",
    "allow",
    "receive-buffer",
    "sampling",
    "db",
    "flush-interval",
    "retention",
    "max-size",
    "metrics",
    "log",
    "color",
    "local",
    "theme",
    "ascii",
    "no-dns",
    "dns-server",
    "names",
    "mmdb",
];

/// That of the service.
const SYSTEM: &str = "/etc/flowglass/flowglass.toml";
/// Octets that a file may have; more is no configuration.
const LONGEST: u64 = 1 << 20;

/// One value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    /// More than one only where the flag may be given more than once.
    pub(super) values: Vec<String>,
    pub(super) place: Place,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    /// From 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// Everything that stands in files, in their order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) settings: Vec<Setting>,
    pub(super) items: Vec<Item>,
}

/// What stands in all files that are to be read; later ones win over earlier ones.
pub(super) fn read(given: Option<&Path>, definition: &Command) -> Result<Found> {
    let mut found = Found::default();
    match given {
        Some(none) if none.as_os_str().is_empty() => {}
        Some(path) => {
            let text = load(path).with_context(|| {
                format!("cannot read the configuration `{}`\nhint: `--config ''` reads none", path.display())
            })?;
            found.parse(path, &text, definition)?;
        }
        None => {
            for path in usual() {
                match load(&path) {
                    Ok(text) => found.parse(&path, &text, definition)?,
                    // A service's file that is not for everybody is not for this one.
                    Err(error) if [ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&error.kind()) => {}
                    Err(error) => {
                        return Err(error)
                            .with_context(|| format!("cannot read the configuration `{}`", path.display()));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The service's file, then the user's own.
fn usual() -> impl Iterator<Item = PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let own = config.or_else(home).map(|config| config.join("flowglass/flowglass.toml"));
    [Some(PathBuf::from(SYSTEM)), own].into_iter().flatten()
}

fn load(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if LONGEST < text.len() as u64 { Err(ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// One file on its way through its values.
struct Reader<'a> {
    path: Arc<Path>,
    text: &'a str,
    definition: &'a Command,
    found: Found,
}

impl Found {
    /// Adds what stands in a file.
    ///
    /// # Errors
    /// When it is no TOML, names a key that is none, or gives a flag a value that it refuses.
    fn parse(&mut self, path: &Path, text: &str, definition: &Command) -> Result<()> {
        let mut reader = Reader { path: path.into(), text, definition, found: Self::default() };
        reader.read()?;
        let Self { mut settings, mut items } = reader.found;
        settings.sort_by_key(|setting| setting.place.line);
        items.sort_by_key(|item| item.place.line);
        self.settings.extend(settings);
        self.items.extend(items);
        Ok(())
    }
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let line = self.text.bytes().take(offset).filter(|&octet| octet == b'\n').count() + 1;
        Place { path: Arc::clone(&self.path), line }
    }

    fn read(&mut self) -> Result<()> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let at = self.place(error.span().map_or(0, |span| span.start));
            anyhow!("{at}: {}", error.message().replace('\n', " "))
        })?;
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let at = self.place(key.span().start);
            let section = sections::NAMES.into_iter().find(|name| *name == key.get_ref());
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => self.section(section, &mut Vec::new(), table)?,
                _ => match KEYS.iter().find(|known| *known == key.get_ref()) {
                    Some(known) => self.setting(known, value, at)?,
                    None => bail!("{at}: {}", unknown(key.get_ref(), value, section)),
                },
            }
        }
        Ok(())
    }

    fn setting(&mut self, key: &'static str, value: &Spanned<DeValue<'_>>, place: Place) -> Result<()> {
        if let Some(before) = self.found.settings.iter().find(|setting| setting.key == key) {
            bail!("{place}: `{key}` stands in line {} as well", before.place.line);
        }
        let argument = self.definition.get_arguments().find(|argument| argument.get_long() == Some(key));
        let argument = argument.with_context(|| format!("`--{key}` is no flag; this is a bug, please report it"))?;
        let values = texts(value.get_ref(), argument).map_err(|problem| anyhow!("{place}: `{key}` {problem}"))?;
        check(self.definition, argument, &values).map_err(|problem| anyhow!("{place}: `{key}`: {problem}"))?;
        self.found.settings.push(Setting { key, values, place });
        Ok(())
    }

    /// Takes the values of a section apart, tables in it included.
    fn section(&mut self, section: &'static str, path: &mut Vec<String>, table: &DeTable<'_>) -> Result<()> {
        for (key, value) in table {
            let at = self.place(key.span().start);
            if let (Some(flag), []) = (sections::flag(section, key.get_ref()), path.as_slice()) {
                self.setting(flag, value, at)?;
                continue;
            }
            path.push(key.get_ref().to_string());
            let named = |problem: String| anyhow!("{at}: `{}` {problem}", shown(&path.join(".")));
            match value.get_ref() {
                DeValue::Table(table) => self.section(section, path, table)?,
                DeValue::Array(items) => {
                    let texts: Result<Vec<_>, _> = items.iter().map(|item| text(item.get_ref())).collect();
                    let texts = texts.map_err(named)?;
                    self.found.items.push(Item { section, path: path.clone(), texts, is_list: true, place: at });
                }
                value => {
                    let texts = vec![text(value).map_err(named)?];
                    self.found.items.push(Item { section, path: path.clone(), texts, is_list: false, place: at });
                }
            }
            path.pop();
        }
        Ok(())
    }
}

/// Says what is wrong with a key that is none, and which one is nearest to it.
fn unknown(key: &str, value: &Spanned<DeValue<'_>>, section: Option<&str>) -> String {
    if let Some(section) = section {
        return format!("`{section}` is a section\nhint: write `[{section}]`, and below it what it has");
    }
    let is_section = value.get_ref().is_table();
    let what = if is_section { "section" } else { "key" };
    // A flag's name with underscores is the commonest slip.
    let wanted = key.to_lowercase().replace('_', "-");
    let known = sections::NAMES.iter().chain(if is_section { [].iter() } else { KEYS.iter() });
    let hint = match nearest(&wanted, known.copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`flowglass config` lists the keys".to_owned(),
    };
    format!("unknown {what} `{}`\nhint: {hint}", shown(key))
}

/// What may have been meant.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near =
        known.map(|known| (strsim::damerau_levenshtein(word, known), known)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= (word.len() / 2).max(1)).map(|(_, known)| known)
}

/// A word of a file, harmless on a terminal.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(64).flat_map(char::escape_debug).collect()
}

/// Whether a flag may be given more than once.
pub(super) fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// The values as they would be typed.
fn texts(value: &DeValue<'_>, argument: &Arg) -> Result<Vec<String>, String> {
    if let DeValue::Array(items) = value {
        if !is_list(argument) {
            return Err("takes one value, not a list".to_owned());
        }
        return items.iter().map(|item| text(item.get_ref())).collect();
    }
    if matches!(argument.get_action(), ArgAction::SetTrue) && !matches!(value, DeValue::Boolean(_)) {
        return Err("is true or false".to_owned());
    }
    text(value).map(|text| vec![text])
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(is) => Ok(is.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err("is too large a number".to_owned()),
        },
        other => Err(format!("cannot be a {}; write it in quotes", other.type_str())),
    }
}

/// Lets the flag itself say whether it takes the values.
fn check(definition: &Command, argument: &Arg, values: &[String]) -> Result<(), String> {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    let Some(long) = argument.get_long() else { return Ok(()) };
    let typed = values.iter().map(|value| format!("--{long}={value}"));
    // Only this value is looked at, not the environment.
    let bare = definition.clone().mut_args(|argument| argument.env(None));
    let Err(error) = bare.try_get_matches_from(["flowglass".to_owned()].into_iter().chain(typed)) else {
        return Ok(());
    };
    let possible: Vec<_> = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !possible.is_empty() {
        return Err(format!("must be one of {}", possible.join(", ")));
    }
    Err(std::error::Error::source(&error).map_or_else(|| error.kind().to_string(), ToString::to_string))
}

//! The configuration file: TOML whose keys are the long names of flags. Each value stands in for its flag, below the
//! environment and above the default; what it may be is the flag's to say.
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

/// The settings of all files that are to be read; later ones win over earlier ones.
pub(super) fn settings(given: Option<&Path>, definition: &Command) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    match given {
        Some(none) if none.as_os_str().is_empty() => {}
        Some(path) => {
            let text = load(path).with_context(|| {
                format!("cannot read the configuration `{}`\nhint: `--config ''` reads none", path.display())
            })?;
            settings.extend(parse(path, &text, definition)?);
        }
        None => {
            for path in usual() {
                match load(&path) {
                    Ok(text) => settings.extend(parse(&path, &text, definition)?),
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
    Ok(settings)
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

/// Reads what stands in a file.
///
/// # Errors
/// When it is no TOML, names a key that is none, or gives a flag a value that it refuses.
pub(super) fn parse(path: &Path, text: &str, definition: &Command) -> Result<Vec<Setting>> {
    let path: Arc<Path> = path.into();
    let place = |offset: usize| Place { path: Arc::clone(&path), line: line(text, offset) };
    let table = DeTable::parse(text).map_err(|error| {
        let at = place(error.span().map_or(0, |span| span.start));
        anyhow!("{at}: {}", error.message().replace('\n', " "))
    })?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let at = place(key.span().start);
        let Some(known) = KEYS.iter().find(|known| *known == key.get_ref()) else {
            bail!("{at}: {}", unknown(key.get_ref(), value));
        };
        let argument = definition.get_arguments().find(|argument| argument.get_long() == Some(known));
        let argument = argument.with_context(|| format!("`--{known}` is no flag; this is a bug, please report it"))?;
        let values = texts(value.get_ref(), argument).map_err(|problem| anyhow!("{at}: `{known}` {problem}"))?;
        check(definition, argument, &values).map_err(|problem| anyhow!("{at}: `{known}`: {problem}"))?;
        settings.push(Setting { key: known, values, place: at });
    }
    settings.sort_by_key(|setting| setting.place.line);
    Ok(settings)
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&octet| octet == b'\n').count() + 1
}

/// Says what is wrong with a key that is none, and which one is nearest to it.
fn unknown(key: &str, value: &Spanned<DeValue<'_>>) -> String {
    let what = if value.get_ref().is_table() { "section" } else { "key" };
    // A flag's name with underscores is the commonest slip.
    let wanted = key.to_lowercase().replace('_', "-");
    let distance = |known: &&&str| strsim::damerau_levenshtein(&wanted, known);
    let nearest = KEYS.iter().min_by_key(distance).filter(|known| distance(known) <= (wanted.len() / 2).max(1));
    let key: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`flowglass config` lists the keys".to_owned(),
    };
    format!("unknown {what} `{key}`\nhint: {hint}")
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

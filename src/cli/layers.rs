//! Flags over environment over file over defaults, and where each value is from.

use std::ffi::OsString;
use std::io::Write;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::cli::file::{self, KEYS, Place, Setting};
use crate::cli::sections::Sections;
use crate::config;

/// Where a value is from; later ones win.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    #[default]
    Default,
    File(Place),
    /// The variable's name.
    Environment(String),
    Flag,
}

impl Origin {
    const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::Environment(_) => 2,
            Self::Flag => 3,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => place.fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// What a key has been set to, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Value {
    pub key: &'static str,
    /// As it was written; none where nothing is set.
    pub texts: Vec<String>,
    pub is_list: bool,
    pub origin: Origin,
}

/// All keys that a file may set, with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values(Vec<Value>);

/// Why there are no settings.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage, or a question such as `--help`: clap tells it, and knows the exit code.
    Usage(clap::Error),
    /// A configuration file that cannot be used.
    File(anyhow::Error),
}

impl Cli {
    /// Reads what was typed, the environment and the configuration files.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn load(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let definition = Self::command();
        let matches = Self::telling(definition.clone()).try_get_matches_from(&arguments).map_err(Failure::Usage)?;
        let typed = Self::from_arg_matches(&matches).map_err(Failure::Usage)?;
        if typed.command.as_ref().is_some_and(|command| !command.reads_settings()) {
            return Ok(typed);
        }
        let found = file::read(typed.config_file.as_deref(), &definition).map_err(Failure::File)?;
        let settings = found.settings;
        let layered = Self::telling(with_defaults(definition.clone(), &settings));
        let matches = layered.try_get_matches_from(&arguments).map_err(Failure::Usage)?;
        let mut cli = Self::from_arg_matches(&matches).map_err(Failure::Usage)?;
        cli.values = values(&definition, &matches, &settings);
        cli.sections = Sections::of(&found.items).map_err(Failure::File)?;
        Ok(cli)
    }
}

/// The definition with the values of files as its defaults: clap lets flags and environment win over them.
fn with_defaults(definition: Command, settings: &[Setting]) -> Command {
    settings.iter().fold(definition, |definition, setting| {
        definition.mut_arg(id(setting.key), |argument| argument.default_values(setting.values.clone()))
    })
}

/// The derived name of an argument.
fn id(key: &str) -> String {
    key.replace('-', "_")
}

fn values(definition: &Command, matches: &ArgMatches, settings: &[Setting]) -> Values {
    let value = |key: &'static str| {
        let id = id(key);
        let argument = definition.get_arguments().find(|argument| argument.get_id() == id.as_str())?;
        let raw = matches.get_raw(&id).into_iter().flatten();
        let origin = match matches.value_source(&id) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment(argument.get_env()?.to_string_lossy().into_owned()),
            _ => match settings.iter().rev().find(|setting| setting.key == key) {
                Some(setting) => Origin::File(setting.place.clone()),
                None => Origin::Default,
            },
        };
        let texts = raw.map(|text| text.to_string_lossy().into_owned()).collect();
        Some(Value { key, texts, is_list: file::is_list(argument), origin })
    };
    Values(KEYS.iter().copied().filter_map(value).collect())
}

impl Values {
    /// Whether `one` was set nearer to the person than `other`.
    pub(super) fn outranks(&self, one: &str, other: &str) -> bool {
        let rank = |key: &str| self.0.iter().find(|value| value.key == key).map_or(0, |value| value.origin.rank());
        rank(other) < rank(one)
    }

    /// The keys whose values are other ones.
    pub fn changed_from(&self, before: &Self) -> impl Iterator<Item = &'static str> {
        let pairs = self.0.iter().zip(&before.0);
        pairs.filter(|(new, old)| new.texts != old.texts).map(|(new, _)| new.key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    /// What of them `flowglass config` shows, each with where it is from.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, Line)> {
        self.0.iter().map(|value| (value.key, (value.line(), value.origin.clone())))
    }
}

/// A setting as it stands in a file, and where it is from.
pub(super) type Line = (String, Origin);

/// Writes all settings as a configuration file that says the same, each with where it is from.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, cli: &Cli) -> Result<()> {
    // A file of names stands with the names, where there are any.
    let has_names = cli.sections.has_names();
    let flags = cli.values.lines().filter(|(key, _)| !has_names || *key != "names").map(|(_, line)| line);
    write_lines(out, &flags.collect::<Vec<_>>())?;
    for (name, mut lines) in cli.sections.lines() {
        if name == "names" {
            let own = cli.values.iter().find(|value| value.key == "names");
            let file = own.map(|value| Value { key: "file", ..value.clone() });
            lines.extend(file.map(|file| (file.line(), file.origin)));
        }
        writeln!(out, "\n[{name}]")?;
        write_lines(out, &lines)?;
    }
    Ok(())
}

fn write_lines(out: &mut impl Write, lines: &[Line]) -> Result<()> {
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(60);
    for (line, origin) in lines {
        writeln!(out, "{line:width$}  # {origin}")?;
    }
    Ok(())
}

/// A text as it stands in a file.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Several of them.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

impl Value {
    fn line(&self) -> String {
        let key = self.key;
        match self.texts.as_slice() {
            texts if self.is_list => format!("{key} = {}", list(texts)),
            [] if key == "db" => match config::default_database() {
                Ok(path) => format!("{key} = {}", quoted(&path.display().to_string())),
                Err(_) => format!("#{key} is not set"),
            },
            [text] if text.parse::<i64>().is_ok() || text == "true" || text == "false" => format!("{key} = {text}"),
            [text, ..] => format!("{key} = {}", quoted(text)),
            [] => format!("#{key} is not set"),
        }
    }
}

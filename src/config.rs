//! Settings that were checked against each other and the system: what the program uses, made from what was typed.
//!
//! Only [`crate::run`] sees it whole; every other module gets its own options from it.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use ipnet::IpNet;

use crate::collector::options::Overrides;
use crate::names;
use crate::store::retention::Retention;
use crate::tui;
use crate::tui::view::Depth;

/// Everything that a run needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    pub source: Source,
    pub output: Output,
    /// `None` stores nothing.
    pub database: Option<Database>,
    pub flush_interval: Duration,
    /// Sampling rates that the operator knows better than the exporters.
    pub overrides: Overrides,
    pub retention: Retention,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// Networks that are inside; none means the usual ones.
    pub local: Vec<IpNet>,
    /// What the screen calls hosts and services.
    pub names: names::Options,
    pub log: tracing::level_filters::LevelFilter,
}

/// Where flows come from.
#[derive(Debug, Clone)]
pub enum Source {
    Live(Listen),
    /// The synthetic exporter, over loopback.
    Demo(Listen),
    Replay {
        files: Vec<PathBuf>,
        speed: Option<u32>,
    },
    /// Nothing is received; what is stored is shown.
    Stored,
}

#[derive(Debug, Clone)]
pub struct Listen {
    /// Sockets that the service manager has bound take their place.
    pub addresses: Vec<SocketAddr>,
    /// Prefixes of the senders that are heard; all are when there is none.
    pub allowed: Vec<IpNet>,
    /// Octets of receive buffer to ask for.
    pub buffer: usize,
}

/// What comes out.
#[derive(Debug, Clone)]
pub enum Output {
    Screen(Box<tui::Settings>),
    Log,
    Json,
    Table { seconds: Option<u64>, rows: usize },
}

#[derive(Debug, Clone)]
pub enum Database {
    File(PathBuf),
    /// A file in a temporary folder that goes with the program.
    ThrowAway,
}

/// What can change while a run goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adjustable {
    pub allowed: Vec<IpNet>,
    pub overrides: Overrides,
    pub retention: Retention,
    pub flush_interval: Duration,
}

/// Keys of the configuration whose change needs no restart.
pub const ADJUSTABLE: &[&str] = &["allow", "sampling", "retention", "max-size", "flush-interval", "log"];

impl Config {
    pub fn adjustable(&self) -> Adjustable {
        let allowed = match &self.source {
            Source::Live(listen) | Source::Demo(listen) => listen.allowed.clone(),
            Source::Replay { .. } | Source::Stored => Vec::new(),
        };
        let (overrides, retention) = (self.overrides.clone(), self.retention);
        Adjustable { allowed, overrides, retention, flush_interval: self.flush_interval }
    }

    /// Whether a person sits in front of it.
    pub const fn has_screen(&self) -> bool {
        matches!(self.output, Output::Screen(_))
    }
}

/// The folder for what this user's program keeps between two runs, if the user has one.
pub fn state_folder() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("flowglass"))
}

/// How many colours the terminal has. Any value of `NO_COLOR` but the empty one turns them off (no-color.org).
pub fn terminal_depth(honours_no_color: bool) -> Depth {
    let text = |name| env::var(name).ok();
    if honours_no_color && env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return Depth::None;
    }
    Depth::detect(text("COLORTERM").as_deref(), text("TERM").as_deref())
}

/// Whether the locale has more than ASCII; where nothing is set, a terminal of today is taken to have it.
pub fn locale_is_unicode() -> bool {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| is_unicode(&locale))
}

/// `C` and `POSIX` are what a program gets that nobody set up, and say nothing of the terminal.
fn is_unicode(locale: &str) -> bool {
    match locale.split_once('.') {
        Some((_, codeset)) => codeset.to_ascii_lowercase().replace('-', "").starts_with("utf8"),
        None => matches!(locale, "C" | "POSIX"),
    }
}

/// Where the service keeps its database.
const SERVICE: &str = "/var/lib/flowglass/flows.db";

/// The database of a service that this user may not look at.
pub fn hidden_database() -> Option<&'static Path> {
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    File::open(SERVICE).is_err_and(|error| is_denied(&error)).then_some(Path::new(SERVICE))
}

/// Where the database is when nobody says: the service's if it is there and can be read, else the user's own.
pub fn default_database() -> Result<PathBuf> {
    // A service has no home, but systemd gives it a folder (systemd.exec(5)).
    if let Some(folder) = env::var_os("STATE_DIRECTORY").map(PathBuf::from).filter(|folder| folder.is_absolute()) {
        return Ok(folder.join("flows.db"));
    }
    if File::open(SERVICE).is_ok() {
        return Ok(SERVICE.into());
    }
    match state_folder() {
        Some(folder) => Ok(folder.join("flows.db")),
        None => bail!(
            "no place for the database: neither `XDG_STATE_HOME` nor `HOME` is set\nhint: give one with `--db FILE`, or `--no-db`"
        ),
    }
}

/// Refuses a screen where there is no terminal to draw it on.
pub fn check_terminal() -> Result<()> {
    if !stdout().is_terminal() {
        bail!(
            "stdout is not a terminal, so there is nothing to draw the screen on\n\
             hint: use `--no-ui` to collect headless, `--json` for one line per flow, or `--once 10` for one table"
        );
    }
    if matches!(env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb")) {
        bail!(
            "`TERM` names no terminal that can draw a screen\n\
             hint: set it, for example `TERM=xterm`, or use `--no-ui`, `--json` or `--once 10`"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_unicode;

    #[test]
    fn a_locale_says_whether_there_is_more_than_ascii() {
        for (locale, expected) in [
            ("de_DE.UTF-8", true),
            ("C.utf8", true),
            ("en_US.UTF-8@x", true),
            ("de_DE.ISO-8859-1", false),
            ("de_DE", false),
            ("C", true),
        ] {
            assert_eq!(is_unicode(locale), expected, "{locale}");
        }
    }
}

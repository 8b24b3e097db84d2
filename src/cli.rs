//! What was typed: flags, their environment variables and their help. Nothing is checked against the system here.

mod amounts;
pub mod file;
pub mod layers;
pub mod questions;
pub mod sections;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::TypedValueParser as _;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::cli::layers::{Origin, Values};
use crate::cli::questions::{AskArgs, ChangesArgs, ExportArgs, FlowsArgs, NoteArgs, RatesArgs, TopArgs};
use crate::cli::sections::Sections;
use crate::collector::options::{Overrides, plausible};
use crate::config::{self, Config, Database, Listen, Output, Source};
use crate::names;
use crate::store::retention::{Age, Retention, Size};
use crate::tui;
use crate::tui::view::{Depth, Scheme, Theme};

/// A live traffic monitor in the terminal for NetFlow, IPFIX and sFlow; every flow is kept in SQLite.
#[derive(Debug, Clone, Parser)]
#[command(
    version,
    about,
    after_help = "Examples:\n  \
        flowglass                          collect on UDP port 2055 and show\n  \
        flowglass --no-ui                  collect headless, one log line per flush on stderr\n  \
        flowglass --no-ui --json | jq .    every flow as one line of JSON\n  \
        flowglass --once 30                the top of the next 30 seconds as a plain table\n  \
        flowglass --view                   look at what is stored, while a service collects it too\n  \
        flowglass demo                     look at it without a router\n  \
        flowglass replay capture.pcap      show what a capture holds\n  \
        flowglass doctor                   why is it empty, and what is being lost?\n  \
        flowglass top --last 24h           who talked most, from a second terminal too\n  \
        flowglass top ip 192.0.2.7 --from 03:00 --to 03:20\n  \
        flowglass changes --by source      what moved in the last hour\n\n\
        Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed while running, 2 wrong usage,\n\
        130 interrupted; a reader that closes the pipe is no failure.",
    args_conflicts_with_subcommands = false,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub collect: CollectArgs,
    #[command(flatten)]
    pub show: ShowArgs,
    /// Configuration file in the place of /etc/flowglass/flowglass.toml and $XDG_CONFIG_HOME/flowglass/flowglass.toml;
    /// an empty name reads none
    #[arg(long = "config", global = true, env = "FLOWGLASS_CONFIG", value_name = "FILE", value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub config_file: Option<PathBuf>,
    /// What files, environment and flags say, and where each value is from.
    #[arg(skip)]
    pub values: Values,
    /// What the sections of the files say.
    #[arg(skip)]
    pub sections: Sections,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show a made-up network: a synthetic exporter sends over loopback, into a throw-away database
    Demo,
    /// Show what pcap or pcapng captures of export traffic hold, in a throw-away database unless --db is given
    Replay(ReplayArgs),
    /// Rank what passed in a span: who talked to whom, how much
    #[command(after_help = questions::TOP_HELP)]
    Top(TopArgs),
    /// List flow records, in the order in which they were received
    #[command(after_help = questions::FLOWS_HELP)]
    Flows(FlowsArgs),
    /// Print the series of what passed, step by step
    #[command(after_help = questions::RATES_HELP)]
    Rates(RatesArgs),
    /// Rank what moved between two spans, by its part in the difference
    #[command(after_help = questions::CHANGES_HELP)]
    Changes(ChangesArgs),
    /// Answer a question that has a name; without a name, list them
    #[command(after_help = questions::ASK_HELP)]
    Ask(AskArgs),
    /// Print the health of each exporter, as of the collector's last write
    Exporters(questions::ExportersArgs),
    /// Write flow records to a file or a pipe, or everything about a span into a folder
    #[command(after_help = questions::EXPORT_HELP)]
    Export(ExportArgs),
    /// Write a note with a time into the database, while a collector runs too; without a text, list the notes
    #[command(after_help = questions::NOTE_HELP)]
    Note(NoteArgs),
    /// Why is it empty, and what is being lost? Each finding with the command that mends it; exit code 1 for warnings, 2
    /// for what is critical
    Doctor(DoctorArgs),
    /// Whether the database is whole: its pages, its roll-ups against every flow, and the times without a collector
    Check,
    /// Show every setting, and where it is from
    Config,
    /// Write what a shell needs to complete this command line
    Completions { shell: clap_complete::Shell },
    /// Write the page of the manual, or with a folder one for each command
    Man {
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// How long to listen on other usual ports when nothing arrives
    #[arg(long, default_value = "3s", value_parser = parse_wait, value_name = "TIME")]
    pub wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

impl Command {
    /// Whether a broken configuration is in its way.
    const fn reads_settings(&self) -> bool {
        !matches!(self, Self::Completions { .. } | Self::Man { .. })
    }
}

#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Captures, in the order of their time
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How fast time passes
    #[arg(long, value_enum, default_value_t = Speed::Max)]
    pub speed: Speed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Speed {
    /// As it was recorded
    #[value(name = "1")]
    Once,
    /// Ten times as fast
    #[value(name = "10")]
    Ten,
    /// Without any wait
    Max,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Collecting")]
pub struct CollectArgs {
    /// Receive flow exports; with false, only what is stored is shown
    #[arg(long, global = true, env = "NETFLOW_ENABLED", default_value_t = true, action = ArgAction::Set, value_parser = parse_bool, value_name = "BOOL")]
    pub enabled: bool,
    /// Address to listen on; `::` takes IPv4 and IPv6
    #[arg(long, global = true, env = "NETFLOW_HOST", default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// UDP port to listen on; 0 takes a free one
    #[arg(long, global = true, env = "NETFLOW_PORT", default_value_t = 2055, value_name = "PORT")]
    pub port: u16,
    /// Address and port to listen on in the place of --host and --port, for example `192.0.2.1:2055` or `[::]:9995`; may
    /// be given more than once
    #[arg(long, global = true, env = "FLOWGLASS_LISTEN", value_delimiter = ',', value_parser = parse_listen, value_name = "ADDRESS:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Hear only exporters of this address or prefix, for example `192.0.2.0/24`; may be given more than once
    #[arg(long, global = true, env = "FLOWGLASS_ALLOW", value_delimiter = ',', value_parser = parse_prefix, value_name = "PREFIX")]
    pub allow: Vec<IpNet>,
    /// Database file [default: /var/lib/flowglass/flows.db if it can be read, else in $XDG_STATE_HOME/flowglass]
    #[arg(long, global = true, env = "FLOWGLASS_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Store nothing
    #[arg(long, global = true, conflicts_with = "db")]
    pub no_db: bool,
    /// How often flows are written to the database
    #[arg(long, global = true, default_value = "10s", value_parser = parse_interval, value_name = "TIME")]
    pub flush_interval: Duration,
    /// How long flows are kept, for example `12h`, `7d` or `3months`; `forever` deletes nothing for its age
    #[arg(long, global = true, env = "FLOWGLASS_RETENTION", default_value = "7d", value_parser = amounts::age, value_name = "TIME")]
    pub retention: Age,
    /// How large the database may become, for example `20GB`, `512MiB`, or a share of its file system such as `50%`;
    /// the oldest flows go first, whatever --retention says. `unlimited` deletes nothing for its size
    #[arg(long, global = true, env = "FLOWGLASS_MAX_SIZE", default_value = "50%", value_parser = amounts::size, value_name = "SIZE")]
    pub max_size: Size,
    /// Receive buffer to ask the kernel for, in MiB
    #[arg(long, global = true, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024), value_name = "MIB")]
    pub receive_buffer: u32,
    /// Sampling rate of all exporters, or of those in a prefix, whatever they say of it; may be given more than once,
    /// and the longest prefix wins
    #[arg(long, global = true, env = "FLOWGLASS_SAMPLING", value_delimiter = ',', value_parser = parse_rate, value_name = "[PREFIX=]RATE")]
    pub sampling: Vec<Override>,
    /// Serve metrics for Prometheus and /healthz over HTTP on this address, for example `127.0.0.1:9255`
    #[arg(long, global = true, env = "FLOWGLASS_METRICS", value_parser = parse_listen, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
}

/// One value of `--sampling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// `None` for all exporters.
    pub prefix: Option<IpNet>,
    pub rate: u32,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Showing")]
pub struct ShowArgs {
    /// Collect nothing: look at what is stored, as it comes where a collector runs. Without it, so does a screen whose
    /// database another collector has
    #[arg(long, conflicts_with = "no_db")]
    pub view: bool,
    /// No screen: collect until a signal comes, and log one line per flush on stderr
    #[arg(long, global = true)]
    pub no_ui: bool,
    /// Write each flow as one line of JSON to stdout; implies --no-ui
    #[arg(long, global = true)]
    pub json: bool,
    /// Collect, or look on, for so many seconds, print one table and end; where no collector runs, print the table of the
    /// last so many seconds at once
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600), conflicts_with = "json")]
    pub once: Option<u64>,
    /// Rows of a table [default: 20; of flows all]
    #[arg(short = 'n', long, global = true, value_name = "ROWS")]
    pub rows: Option<usize>,
    /// Networks that are inside, for download and upload; in the place of private, unique local and link-local ones; may be
    /// given more than once
    #[arg(long, global = true, value_delimiter = ',', value_parser = parse_prefix, value_name = "PREFIX")]
    pub local: Vec<IpNet>,
    /// Draw with ASCII only, for serial consoles and old fonts; so it is where the locale is not UTF-8
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Colours on screen: as many as the terminal says, where NO_COLOR does not forbid it, or so many
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "COLOURS")]
    pub color: Color,
    /// Which colours: for a dark or a light background, with high contrast, for the colour-blind, or none
    #[arg(long, global = true, value_parser = parse_theme, default_value = "dark", value_name = "THEME")]
    pub theme: Scheme,
    /// Ask no DNS server for the names of hosts
    #[arg(long, global = true)]
    pub no_dns: bool,
    /// Server to ask for the names of hosts in the place of those of /etc/resolv.conf, for example `192.0.2.53` or
    /// `[::1]:5353`; may be given more than once
    #[arg(long, global = true, value_parser = parse_server, conflicts_with = "no_dns", value_name = "ADDRESS[:PORT]")]
    pub dns_server: Vec<SocketAddr>,
    /// Own names of hosts, a file like /etc/hosts
    #[arg(long, global = true, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// MMDB file with autonomous systems or countries, for example GeoLite2-ASN.mmdb; may be given more than once
    #[arg(long, global = true, value_name = "FILE")]
    pub mmdb: Vec<PathBuf>,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, global = true, env = "FLOWGLASS_LOG", default_value = "info", value_name = "LEVEL")]
    pub log: tracing::level_filters::LevelFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    /// As many as the terminal says, whatever NO_COLOR says
    Always,
    #[value(name = "16")]
    Sixteen,
    #[value(name = "256")]
    Indexed,
    Truecolor,
    Never,
}

/// Rows of a table when nobody says.
pub const ROWS: usize = 20;

/// Flags that say nothing to a question about what is stored.
const NOT_ASKED: &[&str] = &[
    "enabled",
    "host",
    "port",
    "listen",
    "allow",
    "no_db",
    "flush_interval",
    "retention",
    "max_size",
    "receive_buffer",
    "sampling",
    "no_ui",
    "json",
    "once",
    "ascii",
    "log",
];

impl Cli {
    /// A definition whose help shows each subcommand what is its own.
    pub(crate) fn telling(mut command: clap::Command) -> clap::Command {
        command.build();
        for name in ["top", "flows", "rates", "changes", "ask", "exporters", "export", "note"] {
            command = command.mut_subcommand(name, |command| {
                command.mut_args(|argument| {
                    let hidden = NOT_ASKED.contains(&argument.get_id().as_str());
                    argument.hide(hidden)
                })
            });
        }
        command
    }

    /// The settings that were asked for.
    ///
    /// # Errors
    /// When there is no place for the database.
    pub fn config(self) -> Result<Config> {
        let buffer = usize::try_from(self.collect.receive_buffer)?.saturating_mul(1 << 20);
        // Where `--listen` stands in a file, `--port` on the command line still counts.
        let is_overruled = ["host", "port"].iter().any(|key| self.values.outranks(key, "listen"));
        let addresses = match self.collect.listen {
            unused if unused.is_empty() || is_overruled => {
                vec![SocketAddr::new(self.collect.host, self.collect.port)]
            }
            some => some,
        };
        let listen = Listen { addresses, allowed: self.collect.allow, buffer };
        let source = match &self.command {
            // A free port, so that a demonstration disturbs no collector and no collector disturbs it.
            Some(Command::Demo) => {
                let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
                Source::Demo(Listen { addresses: vec![loopback], allowed: Vec::new(), buffer })
            }
            Some(Command::Replay(args)) => Source::Replay { files: args.files.clone(), speed: args.speed.factor() },
            _ if self.collect.enabled && !self.show.view => Source::Live(listen),
            // Questions about what is stored receive nothing; `run` answers them without any of this.
            _ => Source::Stored,
        };
        // The database of the service is no place for a demonstration.
        let is_shared = self.values.iter().any(|value| value.key == "db" && matches!(value.origin, Origin::File(_)));
        let database = match (self.collect.db, &source) {
            _ if self.collect.no_db => None,
            (_, Source::Demo(_) | Source::Replay { .. }) if is_shared => Some(Database::ThrowAway),
            (Some(path), _) => Some(Database::File(path)),
            (None, Source::Demo(_) | Source::Replay { .. }) => Some(Database::ThrowAway),
            (None, Source::Live(_) | Source::Stored) => Some(Database::File(config::default_database()?)),
        };
        // A capture is old by nature, and stored to be kept.
        let retention = match source {
            Source::Replay { .. } => Retention::default(),
            Source::Live(_) | Source::Demo(_) | Source::Stored => {
                Retention { age: self.collect.retention, size: self.collect.max_size }
            }
        };
        self.show.check()?;
        let is_question = !matches!(self.command, None | Some(Command::Demo | Command::Replay(_)));
        let is_demo = matches!(source, Source::Demo(_));
        let names = self.show.names(is_demo, self.sections.names.clone());
        let log = self.show.log;
        let local = self.show.local.clone();
        let output = match self.show {
            _ if is_question => Output::Log,
            ShowArgs { json: true, .. } => Output::Json,
            ShowArgs { once: Some(seconds), rows, .. } => {
                Output::Table { seconds: Some(seconds), rows: rows.unwrap_or(ROWS) }
            }
            // A capture that nobody watches ends with what it held.
            ShowArgs { no_ui: true, rows, .. } if matches!(source, Source::Replay { .. }) => {
                Output::Table { seconds: None, rows: rows.unwrap_or(ROWS) }
            }
            ShowArgs { no_ui: true, .. } => Output::Log,
            show => Output::Screen(Box::new(show.screen(is_demo, self.sections))),
        };
        Ok(Config {
            source,
            output,
            database,
            flush_interval: self.collect.flush_interval,
            retention,
            overrides: overrides(&self.collect.sampling),
            metrics: self.collect.metrics,
            local,
            names,
            log,
        })
    }
}

impl Speed {
    /// How many seconds pass in one; `None` waits for nothing.
    const fn factor(self) -> Option<u32> {
        match self {
            Self::Once => Some(1),
            Self::Ten => Some(10),
            Self::Max => None,
        }
    }
}

impl Color {
    /// Whether there are any.
    pub(crate) fn wanted(self) -> bool {
        self.depth() != Depth::None
    }

    fn depth(self) -> Depth {
        match self {
            Self::Auto => config::terminal_depth(true),
            Self::Always => config::terminal_depth(false).max(Depth::Sixteen),
            Self::Sixteen => Depth::Sixteen,
            Self::Indexed => Depth::Indexed,
            Self::Truecolor => Depth::True,
            Self::Never => Depth::None,
        }
    }
}

impl ShowArgs {
    fn check(&self) -> Result<()> {
        let shows = !self.no_ui || self.json || self.once.is_some();
        if self.view && !shows {
            bail!(
                "`--view` without a screen shows nothing\nhint: `--once 60` prints a table, `--json` one line per flow"
            );
        }
        Ok(())
    }

    /// A demonstration looks the same each time.
    fn screen(&self, is_demo: bool, sections: Sections) -> tui::Settings {
        let ascii = self.ascii || !config::locale_is_unicode();
        let remember = if is_demo { None } else { config::state_folder().map(|folder| folder.join("screen.toml")) };
        let theme = Theme { scheme: self.theme, depth: self.color.depth(), ascii };
        let Sections { opening, keys, presets, .. } = sections;
        tui::Settings { theme, remember, opening, keys, presets, ..Default::default() }
    }

    /// Nobody knows the addresses of a made-up network.
    fn names(&self, is_demo: bool, given: Vec<(IpAddr, Arc<str>)>) -> names::Options {
        let dns = match self.dns_server.as_slice() {
            _ if self.no_dns || is_demo => names::Dns::Off,
            [] => names::Dns::System,
            servers => names::Dns::Servers(servers.to_vec()),
        };
        names::Options { dns, given, own: self.names.clone(), mmdb: self.mmdb.clone(), ..Default::default() }
    }
}

fn parse_theme(text: &str) -> Result<Scheme, String> {
    let names: Vec<_> = Scheme::ALL.into_iter().map(Scheme::name).collect();
    let found = Scheme::ALL.into_iter().find(|scheme| scheme.name() == text);
    found.ok_or_else(|| format!("no such theme: it is one of {}", names.join(", ")))
}

fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)));
    address.map_err(|_| format!("`{text}` is no address\nhint: give one as `192.0.2.53`, `::1` or `[::1]:5353`"))
}

/// What people write into environment files.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn parse_rate(text: &str) -> Result<Override, String> {
    let (prefix, rate) = match text.split_once('=') {
        Some((prefix, rate)) => (Some(prefix.trim()), rate.trim()),
        None => (None, text.trim()),
    };
    let problem = |problem: String| {
        format!("{problem}\nhint: give a rate as `1000` for one of 1000, or with a prefix as `192.0.2.0/24=512`")
    };
    let number = rate.parse().map_err(|_| problem(format!("`{rate}` is not a number")))?;
    let rate = plausible(number).ok_or_else(|| problem(format!("{number} is not between 1 and 16777215")))?;
    Ok(Override { prefix: prefix.map(parse_prefix).transpose().map_err(problem)?, rate })
}

fn parse_prefix(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("`{text}` is neither an address nor a prefix"))
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let hint = "give both, as `192.0.2.1:2055` or `[2001:db8::1]:2055`; `0.0.0.0` and `[::]` are all addresses";
    text.parse().map_err(|_| format!("`{text}` is no address with a port\nhint: {hint}"))
}

/// A rate without a prefix is one for each family.
fn overrides(rates: &[Override]) -> Overrides {
    let all = || [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    Overrides::new(rates.iter().flat_map(|&Override { prefix, rate }| {
        let prefixes = prefix.map_or_else(|| all().to_vec(), |prefix| vec![prefix]);
        prefixes.into_iter().map(move |prefix| (prefix, rate))
    }))
}

fn parse_wait(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if wait <= Duration::from_secs(3600) { Ok(wait) } else { Err("must be an hour at most".to_owned()) }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&interval) {
        return Ok(interval);
    }
    Err("must be between 1s and 300s".to_owned())
}

#[cfg(test)]
mod tests;

//! Commands that answer from what is stored: they open the database for reading, ask once, print, and end.
//!
//! Nothing is received and no thread but one that hears signals is started. A first signal stops the read, and the
//! program ends with 130; a second one ends it at once.

mod bundle;
mod export;

use std::cell::OnceCell;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write, stderr, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::ZonedDateTime;

use crate::cli::questions::{
    Against, AskArgs, ChangesArgs, ExactArgs, FilterArgs, FlowsArgs, FormArgs, NoteArgs, RatesArgs, SpanArgs, TopArgs,
    order,
};
use crate::cli::{Cli, Command, ROWS};
use crate::collector::stats::ExporterNames;
use crate::config;
use crate::filter::{self, Filter};
use crate::flow::Timestamp;
use crate::names;
use crate::report::answers::{self, Account, Asked, Format, Look};
use crate::report::{flow_line, flows_head};
use crate::run::fail;
use crate::run::storage::told;
use crate::store::ask::presets::{Book, Kind};
use crate::store::ask::rates::POINTS;
use crate::store::ask::{By, Question, Read};
use crate::store::history::History;
use crate::store::notes::{self, Note};
use crate::store::scan::Watch;
use crate::store::top::{Key, Order};
use crate::when::{self, Span};

/// Runs a command of this kind; `None` when it is another one.
pub(super) fn main(cli: &Cli) -> Option<ExitCode> {
    let command = match cli.command.as_ref()? {
        Command::Demo
        | Command::Replay(_)
        | Command::Doctor(_)
        | Command::Check
        | Command::Config
        | Command::Completions { .. }
        | Command::Man { .. } => return None,
        command => command,
    };
    let asking = Asking {
        path: cli.collect.db.clone(),
        rows: cli.show.rows,
        json: cli.show.json,
        color: cli.show.color.wanted() && stdout().is_terminal() || matches!(cli.show.color, crate::cli::Color::Always),
        now: ZonedDateTime::now(),
        presets: cli.sections.presets.clone(),
        stop: Arc::new(AtomicBool::new(false)),
        is_quiet: false,
    };
    if let Err(error) = hear_signals(Arc::clone(&asking.stop)) {
        return Some(fail(&error.into(), 1));
    }
    let done = asking.run(command);
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if super::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if asking.stop.load(Ordering::Relaxed) => {
            let _ = writeln!(stderr(), "flowglass: interrupted, what was printed is not all");
            drop(error);
            ExitCode::from(130)
        }
        Err(error) if error.is::<Usage>() => fail(&error, 2),
        Err(error) => fail(&error, 1),
    })
}

/// Wrong usage that only the command itself can find.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// What all commands share.
struct Asking {
    path: Option<PathBuf>,
    rows: Option<usize>,
    json: bool,
    color: bool,
    now: ZonedDateTime,
    presets: Book,
    stop: Arc<AtomicBool>,
    /// Whether stderr is somebody else's: a screen.
    is_quiet: bool,
}

/// Writes all there is to know of a span into a new folder, with a picture of the screen; returns how many flows.
pub(super) fn bundle(path: &Path, filter: &Filter, span: Span, folder: &Path, picture: Option<&str>) -> Result<u64> {
    let asking = Asking {
        path: Some(path.to_owned()),
        rows: None,
        json: false,
        color: false,
        now: ZonedDateTime::now(),
        presets: Book::default(),
        stop: Arc::new(AtomicBool::new(false)),
        is_quiet: true,
    };
    asking.bundle(filter, span, folder, picture)
}

impl Asking {
    fn run(&self, command: &Command) -> Result<()> {
        match command {
            Command::Top(args) => self.top(args),
            Command::Flows(args) => self.flows(args),
            Command::Rates(args) => self.rates(args),
            Command::Changes(args) => self.changes(args),
            Command::Ask(args) => self.ask(args),
            Command::Exporters(args) => self.exporters(self.format(args.format.format())),
            Command::Export(args) => self.export(args),
            Command::Note(args) => self.note(args),
            _ => Ok(()),
        }
    }

    fn database(&self) -> Result<PathBuf> {
        self.path.clone().map_or_else(config::default_database, Ok)
    }

    fn open(&self) -> Result<History> {
        let mut history = History::open(&self.database()?).map_err(|error| told(&error))?;
        history.stop_on(Arc::clone(&self.stop)).map_err(|error| told(&error))?;
        Ok(history)
    }

    fn names(&self, history: &History) -> Result<Vec<ExporterNames>> {
        history.names().map_err(|error| told(&error))
    }

    fn format(&self, format: Format) -> Format {
        if self.json { Format::Json } else { format }
    }

    fn look(&self, form: FormArgs) -> Look {
        let format = self.format(form.format.format());
        Look { format, units: form.units.units(), raw: form.raw, color: self.color && format == Format::Table }
    }

    fn span(&self, args: &SpanArgs) -> Result<Span> {
        let span = when::span(args.last.as_deref(), args.from.as_deref(), args.to.as_deref(), &self.now);
        span.map_err(|error| Usage(error.render()).into())
    }

    fn asked(&self, args: &FilterArgs) -> Result<(Filter, Span)> {
        Ok((self.parsed(&args.filter.join(" "))?, self.span(&args.span)?))
    }

    /// Reads a filter; names of applications are those that exporters told.
    fn parsed(&self, text: &str) -> Result<Filter> {
        let told = OnceCell::new();
        let meanings = |word: &str| {
            let told = told.get_or_init(|| {
                let names = names::Names::default();
                // Without a database nobody told any, and the question itself says what is wrong.
                names.learn(&self.open().and_then(|history| self.names(&history)).unwrap_or_default());
                names
            });
            told.meanings(word)
        };
        filter::parse(text, &meanings).map_err(|error| Usage(error.render(text)).into())
    }

    fn shown(&self, at: Timestamp) -> String {
        when::shown(at, &self.now)
    }

    fn shown_span(&self, span: Span) -> String {
        format!("{} to {}", self.shown(span.from), self.shown(span.to))
    }

    /// Where an answer is from, for people who see a table.
    fn account(&self, look: Look, account: &Account) {
        if look.format == Format::Table {
            let told = account.told(|at| self.shown(at));
            let _ = writeln!(stderr(), "{told}");
        }
    }

    fn top(&self, args: &TopArgs) -> Result<()> {
        let (filter, span) = self.asked(&args.filter)?;
        let order = order(args.rank.sort, args.form.units);
        self.ranking(&filter, span, (args.rank.by.0, order), read(args.exact), self.look(args.form))
    }

    fn ranking(&self, filter: &Filter, span: Span, (by, order): (By, Order), read: Read, look: Look) -> Result<()> {
        let history = self.open()?;
        let question = Question { filter, by, order, span: span.pair(), read };
        let bar = Bar::new();
        let found = history.ranking(&question, self.rows.unwrap_or(ROWS), &Watch(&|done| bar.at(done)));
        drop(bar);
        let found = found.map_err(|error| told(&error))?;
        let (when, names) = (self.shown_span(span), self.names(&history)?);
        let asked = Asked { filter, span, when: &when, names: &names };
        print(|out| answers::ranking(out, look, asked, (by, &found)))?;
        self.account(look, &Account::of(&found));
        Ok(())
    }

    fn flows(&self, args: &FlowsArgs) -> Result<()> {
        let (filter, span) = self.asked(&args.filter)?;
        let look = self.look(args.form);
        let history = self.open()?;
        let limit = self.rows.map_or(u64::MAX, |rows| rows as u64);
        let mut out = BufWriter::new(stdout().lock());
        flows_head(&mut out, look)?;
        let mut written = Ok(());
        let (mut count, mut flushed) = (0, Instant::now());
        let shown = |at: Timestamp| self.shown_exactly(at);
        // Nothing to show beside rows on the same terminal.
        let bar = if stdout().is_terminal() { Bar::hidden() } else { Bar::new() };
        let read = history.flows(&filter, span.pair(), &Watch(&|done| bar.at(done)), |flow| {
            count += 1;
            written = flow_line(&mut out, look, flow, &shown);
            // The first rows at once, the others a little at a time.
            if written.is_ok() && (count <= 20 || 100 <= flushed.elapsed().as_millis()) {
                written = out.flush();
                flushed = Instant::now();
            }
            if written.is_err() || limit <= count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        drop(bar);
        written?;
        out.flush()?;
        if read.is_err() {
            let _ = writeln!(stderr(), "{count} flows until then");
        }
        read.map_err(|error| told(&error))?;
        if look.format == Format::Table {
            let _ = writeln!(stderr(), "{count} flows, {}", self.shown_span(span));
        }
        Ok(())
    }

    fn shown_exactly(&self, at: Timestamp) -> String {
        let second = self.shown(Timestamp(at.0.div_euclid(60_000) * 60_000));
        format!("{second}:{:02}.{:03}", at.0.rem_euclid(60_000) / 1000, at.0.rem_euclid(1000))
    }

    fn rates(&self, args: &RatesArgs) -> Result<()> {
        let (filter, span) = self.asked(&args.filter)?;
        let step_ms = match &args.step {
            Some(text) => when::length_ms(text).map_err(|error| Usage(error.render()))?,
            None => fitting(span),
        };
        if POINTS < span.ms() / step_ms {
            let problem = format!("more than {POINTS} steps\nhint: give a longer `--step`, or a shorter span");
            return Err(Usage(problem).into());
        }
        let (look, history) = (self.look(args.form), self.open()?);
        let question = Question {
            filter: &filter,
            by: By::Protocol,
            order: Order::Bytes,
            span: span.pair(),
            read: read(args.exact),
        };
        let bar = Bar::new();
        let found = history.rates(&question, step_ms, &Watch(&|done| bar.at(done)));
        drop(bar);
        let found = found.map_err(|error| told(&error))?;
        let when = self.shown_span(span);
        let asked = Asked { filter: &filter, span, when: &when, names: &[] };
        let shown = |at: Timestamp| self.shown(at);
        print(|out| answers::rates(out, look, asked, (&found, &shown)))?;
        self.account(look, &Account::of_rates(&found));
        Ok(())
    }

    fn changes(&self, args: &ChangesArgs) -> Result<()> {
        let (filter, span) = self.asked(&args.filter)?;
        let (look, history) = (self.look(args.form), self.open()?);
        let order = order(args.rank.sort, args.form.units);
        let zone = self.now.time_zone();
        let (against, before) = match args.against {
            Against::Previous => (self.shown_span(span.previous()), vec![span.previous()]),
            Against::Yesterday => (self.shown_span(span.days_before(1, zone)), vec![span.days_before(1, zone)]),
            Against::LastWeek => (self.shown_span(span.days_before(7, zone)), vec![span.days_before(7, zone)]),
            Against::Usual => {
                let days = (1..=7).map(|days| span.days_before(days, zone)).collect();
                ("the median of seven days".to_owned(), days)
            }
        };
        let before: Vec<_> = before.into_iter().map(Span::pair).collect();
        let question =
            Question { filter: &filter, by: args.rank.by.0, order, span: span.pair(), read: read(args.exact) };
        let bar = Bar::new();
        let rows = self.rows.unwrap_or(ROWS);
        let found = history.changes(&question, &before, rows, &Watch(&|done| bar.at(done)));
        drop(bar);
        let found = found.map_err(|error| told(&error))?;
        let (when, names) = (self.shown_span(span), self.names(&history)?);
        let asked = Asked { filter: &filter, span, when: &when, names: &names };
        print(|out| answers::changes(out, look, asked, (args.rank.by.0, order, &found, &against)))?;
        self.account(look, &Account::of_changes(&found));
        Ok(())
    }

    fn ask(&self, args: &AskArgs) -> Result<()> {
        let Some(name) = &args.name else {
            let width = self.presets.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
            return print(|out| {
                self.presets.iter().try_for_each(|preset| writeln!(out, "{:<width$}  {}", preset.name, preset.help))
            });
        };
        let preset = self.presets.find(name).ok_or_else(|| {
            let known: Vec<_> = self.presets.iter().map(|preset| &*preset.name).collect();
            Usage(format!("no question is called `{name}`\nhint: there are {}", known.join(", ")))
        })?;
        let (more, span) = self.asked(&args.filter)?;
        let filter = self.parsed(&preset.filter)?.and(more);
        let look = self.look(args.form);
        match preset.kind {
            Kind::Top(by, order) => self.ranking(&filter, span, (by, order), read(args.exact), look),
            Kind::FanOut => self.fan_out(&filter, span, look),
            Kind::New(by, order) => self.newcomers(&filter, span, (by, order), look),
        }
    }

    fn fan_out(&self, filter: &Filter, span: Span, look: Look) -> Result<()> {
        let history = self.open()?;
        let question = Question { filter, by: By::Path, order: Order::Flows, span: span.pair(), read: Read::Quick };
        let bar = Bar::new();
        let found = history.fan_out(&question, self.rows.unwrap_or(ROWS), &Watch(&|done| bar.at(done)));
        drop(bar);
        let (rows, ranking) = found.map_err(|error| told(&error))?;
        let when = self.shown_span(span);
        let asked = Asked { filter, span, when: &when, names: &[] };
        print(|out| answers::fan_out(out, look, asked, (&rows, &ranking)))?;
        self.account(look, &Account::of(&ranking));
        Ok(())
    }

    /// Keys of a span that the seven days before it do not know.
    fn newcomers(&self, filter: &Filter, span: Span, (by, order): (By, Order), look: Look) -> Result<()> {
        let history = self.open()?;
        let question = Question { filter, by, order, span: span.pair(), read: Read::Quick };
        let bar = Bar::new();
        let ask = |question: &Question<'_>| {
            history.ranking(question, usize::MAX, &Watch(&|done| bar.at(done))).map_err(|error| told(&error))
        };
        let week = span.days_before(7, self.now.time_zone()).from;
        let before = ask(&Question { span: (week, span.from), ..question })?;
        let mut found = ask(&question)?;
        drop(bar);
        let known: std::collections::HashSet<Key> = before.rows.iter().map(|row| row.key).collect();
        found.rows.retain(|row| !known.contains(&row.key));
        found.keys = found.rows.len();
        found.rows.truncate(self.rows.unwrap_or(ROWS));
        found.exact &= before.exact;
        let when = format!("{}, new since {}", self.shown_span(span), self.shown(week));
        let names = self.names(&history)?;
        let asked = Asked { filter, span, when: &when, names: &names };
        print(|out| answers::ranking(out, look, asked, (by, &found)))?;
        self.account(look, &Account::of(&found));
        Ok(())
    }

    fn exporters(&self, format: Format) -> Result<()> {
        let accounts = self.open()?.exporters().map_err(|error| told(&error))?;
        let shown = |at: Timestamp| self.shown_exactly(at);
        let now = Timestamp(self.now.timestamp().as_millisecond());
        print(|out| crate::report::exporters(out, (format, self.color), &accounts, (now, &shown)))
    }

    fn note(&self, args: &NoteArgs) -> Result<()> {
        if args.text.is_empty() {
            let notes = self.open()?.notes(self.span(&args.span)?.pair()).map_err(|error| told(&error))?;
            let format = self.format(args.format.format());
            return print(|out| crate::report::notes(out, (format, self.color), &notes, &|at| self.shown(at)));
        }
        let text = args.text.join(" ");
        if notes::TEXT < text.len() {
            return Err(Usage(format!("the note has {} octets, at most {} are kept", text.len(), notes::TEXT)).into());
        }
        let at = match &args.at {
            Some(text) => when::moment(text, &self.now).map_err(|error| Usage(error.render()))?,
            None => self.now.clone(),
        };
        let stamp = |at: &ZonedDateTime| Timestamp(at.timestamp().as_millisecond());
        let note = Note { at: stamp(&at), written: stamp(&self.now), text };
        notes::write(&self.database()?, &note).map_err(|error| told(&error))?;
        let _ = writeln!(stderr(), "noted at {}", self.shown(note.at));
        Ok(())
    }
}

const fn read(exact: ExactArgs) -> Read {
    match exact {
        ExactArgs { rows_only: true, .. } => Read::Rows,
        ExactArgs { exact: true, .. } => Read::Exact,
        ExactArgs { .. } => Read::Quick,
    }
}

/// A round step of which some sixty make the span.
fn fitting(span: Span) -> i64 {
    const STEPS: [i64; 13] = [1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 86_400];
    let wanted = span.ms() / 60_000;
    STEPS.into_iter().find(|step| wanted <= *step).unwrap_or(604_800) * 1000
}

/// Writes an answer to stdout in one go.
fn print(write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    write(&mut out)?;
    out.flush()?;
    Ok(())
}

/// Sets the flag on the first signal; a second one ends the program as the first would have without this.
fn hear_signals(stop: Arc<AtomicBool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { super::Signals::new() })?;
    thread::spawn(move || {
        runtime.block_on(async {
            signals.any().await;
            stop.store(true, Ordering::Relaxed);
            signals.any().await;
            std::process::exit(130);
        });
    });
    Ok(())
}

/// How far a long read is: on a terminal, on stderr, and only when it takes long.
struct Bar {
    bar: ProgressBar,
    begin: Instant,
}

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("reading {bar:40} {percent} %, {eta} left");
        let bar = ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, begin: Instant::now() }
    }

    fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), begin: Instant::now() }
    }

    fn at(&self, thousandths: u64) {
        if Duration::from_millis(500) < self.begin.elapsed() {
            self.bar.set_position(thousandths);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Makes an error of the file system say which file.
fn at_path<T>(result: io::Result<T>, path: &Path) -> Result<T> {
    result.with_context(|| format!("cannot write `{}`", path.display()))
}

//! The log on stderr: lines for people, or for the journal with its levels in the place of time stamps.

use std::fmt;
use std::io::{IsTerminal, stderr};

use anyhow::{Context, Result};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, Subscriber as Lines};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::Handle;

/// What sets the level anew.
pub(super) struct Log(Option<Set>);

type Set = Box<dyn Fn(EnvFilter) -> Result<()>>;

impl Log {
    pub(super) const NONE: Self = Self(None);

    /// Begins to log to stderr.
    pub(super) fn to_stderr(level: LevelFilter) -> Self {
        let builder = Lines::builder().with_env_filter(filter(level)).with_writer(stderr);
        let plain = builder.with_ansi(stderr().is_terminal()).with_target(false);
        if goes_to_journal() {
            let builder = plain.event_format(Journal(
                Format::default().with_target(false).with_level(false).with_ansi(false).without_time(),
            ));
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            // A second call in one process keeps the first subscriber, which is as good.
            let _ = tracing::subscriber::set_global_default(builder.finish());
            return Self::with(handle);
        }
        let builder = plain.with_filter_reloading();
        let handle = builder.reload_handle();
        let _ = tracing::subscriber::set_global_default(builder.finish());
        Self::with(handle)
    }

    fn with<S: 'static>(handle: Handle<EnvFilter, S>) -> Self {
        Self(Some(Box::new(move |filter| handle.reload(filter).context("the log's level cannot be changed"))))
    }

    pub(super) fn set_level(&self, level: LevelFilter) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |set| set(filter(level)))
    }
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::default().add_directive(level.into())
}

/// Whether stderr is the journal's: systemd says which file it is (systemd.exec(5)).
fn goes_to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(own) = rustix::fs::fstat(stderr()) else { return false };
    stream == format!("{}:{}", own.st_dev, own.st_ino)
}

/// Each line with its level as the journal reads it (sd-daemon(3)).
struct Journal<F>(F);

impl<S, N, F> FormatEvent<S, N> for Journal<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let level = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        // A hint stands in a line of its own, which must not lose its level.
        line.lines().try_for_each(|line| writeln!(writer, "<{level}>{}", line.trim_start()))
    }
}

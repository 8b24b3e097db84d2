//! The threads of a run and the channels between them.
//!
//! ```text
//! source ──▶ window thread ──▶ feeds (screen, table)
//!        ├─▶ storage thread ─▶ SQLite        (over the write queue, which drops the oldest when it is full)
//!        └─▶ JSON thread ────▶ stdout
//! ```
//!
//! The source owns the outlets; when it ends they close, and each thread ends after it has drained its channel.

use std::future::pending;
use std::io::{BufWriter, Write, stdout};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, SendError, Sender, TrySendError};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use crate::collector::stats::Health;
use crate::collector::{Collector, Limits};
use crate::config::{Adjustable, Config, Output, Source};
use crate::flow::{FlowRecord, Timestamp};
use crate::report;
use crate::run::confine::confine;
use crate::run::keep::Aside;
use crate::run::live::{self, Live};
use crate::run::outlet::{Batch, Outlet};
use crate::run::storage::{Inlet, Storage};
use crate::run::stored::Viewed;
use crate::run::vital::{Beat, Vital};
use crate::run::witness::{Asked, Found};
use crate::run::{intake, keep, now, replay, stored};
use crate::store::templates::Stored;
use crate::store::writer::{Writer, WriterStats};
use crate::tui::app::{Feed, Source as Shown, Wish};
use crate::window::{Atlas, Dimension, Snapshot, Span, Until, View};

/// What flows from a source to the threads.
#[derive(Debug)]
pub(super) enum Message {
    Flows(Batch),
    /// Flows that were stored long before, for the figures alone.
    Past(Batch),
    /// No flow that was sent before counts any more.
    Anew,
    Health(Arc<Health>),
    /// The source's clock: real time, or the time of a capture.
    Now(Timestamp),
    /// The screen wants to see something else.
    Wish(Arc<Wish>),
    /// What the screen says about the source has changed: a capture is over.
    Shown(Shown),
    /// Of which octets a flow was made.
    Evidence(Box<Found>),
    /// What a viewer knows of the collector that it looks at.
    Viewed(Box<Viewed>),
}

/// The sending ends, owned by the source.
#[derive(Debug)]
pub(super) struct Outlets {
    pub(super) window: Outlet,
    pub(super) storage: Option<Inlet>,
    pub(super) json: Option<Outlet>,
    /// Signs of life and the accounts, for whoever asks from outside.
    pub(super) beats: watch::Sender<Beat>,
    /// Whether anybody looks at the live figures. A service that nobody watches aggregates nothing twice: roll-ups are made
    /// as flows are stored.
    pub(super) shows: bool,
    /// What a screen wants to know of datagrams.
    pub(super) asked: Option<watch::Receiver<Asked>>,
    /// Whether the source waits for them: a capture can, a network cannot.
    pub(super) patient: bool,
}

impl Outlets {
    /// Hands a message on as far as the source may wait.
    pub(super) fn offer(&self, to: &Outlet, message: Message) -> Result<(), TrySendError<Message>> {
        if self.patient {
            return to.send(message).map_err(|SendError(message)| TrySendError::Disconnected(message));
        }
        to.try_send(message)
    }

    /// Hands flows on as far as the source may wait.
    pub(super) fn offer_flows(&self, to: &Outlet, flows: Arc<[FlowRecord]>) -> Result<(), TrySendError<Message>> {
        if self.patient {
            return to.send_flows(flows).map_err(|SendError(message)| TrySendError::Disconnected(message));
        }
        to.try_send_flows(flows)
    }
}

/// A run under way.
pub(super) struct Pipeline {
    source: JoinHandle<Result<()>>,
    ended: Option<oneshot::Receiver<()>>,
    live: JoinHandle<(Vec<Arc<Snapshot>>, Arc<Health>)>,
    storage: Option<JoinHandle<u64>>,
    json: Option<JoinHandle<Result<()>>>,
    feeds: watch::Receiver<Feed>,
    wishes: Sender<Message>,
    vital: Vital,
    settings: watch::Sender<Adjustable>,
}

/// What a run leaves behind.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) protocols: Arc<Snapshot>,
    pub(super) health: Arc<Health>,
    /// Flows that were still not stored at the end.
    pub(super) unstored: u64,
}

impl Pipeline {
    /// Opens everything that can fail, then starts the threads.
    pub(super) fn start(
        config: &Config,
        (database, writer): (Option<PathBuf>, Option<Writer>),
        atlas: Atlas,
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        let templates = writer.as_ref().map(keep::stored).unwrap_or_default();
        let patient = matches!(config.source, Source::Replay { .. });
        let waits = patient.then(|| Arc::clone(&stop));
        let (settings, adjustable) = watch::channel(config.adjustable());
        let source = SourceThread::open(config, database.clone(), adjustable.clone(), templates, stop)?;
        if matches!(config.output, Output::Log | Output::Json) {
            confine(database.as_deref().filter(|_| writer.is_some()));
        }
        let (window, from_source) = Outlet::new();
        let wishes = window.sender();
        let (stats, storage_stats) = watch::channel(None::<WriterStats>);
        let (beats, beat) = watch::channel(Beat::new(Arc::default()));
        let storage = writer.is_some().then(|| storage_stats.clone());
        let vital = Vital { beats: beat, storage, database, started: now() };
        let storage = match writer {
            Some(writer) => {
                let aside = Arc::<Aside>::default();
                let inlet = Inlet::new(writer.queue(), Arc::clone(&aside), waits);
                let storage = Storage::new(writer, aside, adjustable, stats);
                Some((inlet, spawn("storage", move || storage.run())?))
            }
            None => None,
        };
        let json = match config.output {
            Output::Json => {
                let (outlet, receiver) = Outlet::new();
                Some((outlet, spawn("json", move || write_json(&receiver))?))
            }
            Output::Screen { .. } | Output::Log | Output::Table { .. } => None,
        };
        let (storage_outlet, storage) = storage.unzip();
        let (json_outlet, json) = json.unzip();
        let shows = matches!(config.output, Output::Screen { .. } | Output::Table { .. });
        let has_datagrams = config.has_screen() && !matches!(source, SourceThread::Stored(_));
        let (ask, asked) = has_datagrams.then(|| watch::channel(Asked::default())).unzip();
        let outlets = Outlets { window, storage: storage_outlet, json: json_outlet, beats, shows, asked, patient };
        let live =
            Live::new(source.shown(), source.notice(), (wish(config), atlas), storage_stats, vital.database.clone());
        let live = if let Some(ask) = ask { live.asking(ask) } else { live };
        let (feed, feeds) = watch::channel(live.feed());
        let live = spawn("window", move || live.run(&from_source, &feed))?;
        let (sign, ended) = oneshot::channel();
        let collector = Collector::new(Limits::default()).with_overrides(config.overrides.clone());
        let source = spawn("source", move || {
            let result = source.run(collector, outlets);
            // The receiver may be gone already, when the run was ended from elsewhere.
            let _ = sign.send(());
            result
        })?;
        Ok(Self { source, ended: Some(ended), live, storage, json, feeds, wishes, vital, settings })
    }

    /// Hands other settings to the threads.
    pub(super) fn adjust(&self, settings: Adjustable) {
        self.settings.send_replace(settings);
    }

    pub(super) fn vital(&self) -> Vital {
        self.vital.clone()
    }

    pub(super) fn feeds(&self) -> watch::Receiver<Feed> {
        self.feeds.clone()
    }

    /// Returns when the source has ended by itself: a capture is over, or something failed.
    ///
    /// # Errors
    /// Never by itself; what failed is told by [`Pipeline::finish`].
    pub(super) async fn ended(&mut self) -> Result<()> {
        if let Some(ended) = &mut self.ended {
            // An error says that the thread panicked, which ends the run as well.
            let _ = ended.await;
            self.ended = None;
            return Ok(());
        }
        pending().await
    }

    /// Hands the wishes of the screen to the window thread, for ever.
    pub(super) fn forward(&self, mut wanted: watch::Receiver<Arc<Wish>>) -> impl Future<Output = ()> + use<> {
        let wishes = self.wishes.clone();
        async move {
            while wanted.changed().await.is_ok() {
                // The window thread may be busy; a wish that was lost would never come again.
                while let Err(TrySendError::Full(_)) =
                    wishes.try_send(Message::Wish(Arc::clone(&wanted.borrow_and_update())))
                {
                    sleep(Duration::from_millis(20)).await;
                }
            }
            pending().await
        }
    }

    /// Waits for the threads, left to right. The stop flag must be set, or the source be at its end.
    ///
    /// # Errors
    /// The first thing that failed.
    pub(super) fn finish(self) -> Result<Outcome> {
        drop(self.wishes);
        let source = join(self.source, "source").and_then(|result| result);
        let live = join(self.live, "window");
        let unstored = self.storage.map_or(Ok(0), |thread| join(thread, "storage"));
        let json = self.json.map_or(Ok(()), |thread| join(thread, "json").and_then(|result| result));
        source?;
        json?;
        let (views, health) = live?;
        let view = |at: usize| views.get(at).map(Arc::clone).unwrap_or_default();
        let (snapshot, protocols) = (view(0), view(1));
        Ok(Outcome { snapshot, protocols, health, unstored: unstored? })
    }
}

/// Where flows come from, opened and ready to run in its thread.
enum SourceThread {
    Live(Box<intake::Sockets>),
    Replay(replay::Replay),
    Stored(Box<stored::Stored>),
}

impl SourceThread {
    fn open(
        config: &Config,
        database: Option<PathBuf>,
        settings: watch::Receiver<Adjustable>,
        templates: Stored,
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        match &config.source {
            Source::Live(listen) | Source::Demo(listen) => {
                let is_demo = matches!(config.source, Source::Demo(_));
                Ok(Self::Live(Box::new(intake::Sockets::open(listen, is_demo, settings, templates, stop)?)))
            }
            Source::Replay { files, speed } => {
                let progress = !config.has_screen();
                Ok(Self::Replay(replay::Replay::open(files.clone(), *speed, progress, stop)?))
            }
            Source::Stored => {
                let path = database.context("there is nothing to show: nothing is received, and `--no-db` is set")?;
                Ok(Self::Stored(Box::new(stored::Stored::open(path, &config.output, stop)?)))
            }
        }
    }

    /// What the screen says about the source.
    fn shown(&self) -> Shown {
        match self {
            Self::Live(sockets) => sockets.shown(),
            Self::Replay(replay) => replay.shown(false),
            Self::Stored(stored) => stored.shown(),
        }
    }

    /// What a person should know from the start.
    fn notice(&self) -> Option<String> {
        match self {
            Self::Live(sockets) => sockets.notice(),
            Self::Replay(_) | Self::Stored(_) => None,
        }
    }

    fn run(self, collector: Collector, outlets: Outlets) -> Result<()> {
        match self {
            Self::Live(sockets) => sockets.run(collector, outlets),
            Self::Replay(replay) => replay.run(collector, outlets),
            Self::Stored(stored) => stored.run(&outlets),
        }
    }
}

/// What a table shows; a screen says itself what it wants.
fn wish(config: &Config) -> Wish {
    let span = match config.output {
        Output::Table { seconds: Some(seconds), .. } => live::span_of(seconds),
        Output::Table { seconds: None, .. } => Span::Hour,
        Output::Screen { .. } | Output::Log | Output::Json => Span::default(),
    };
    // A table is of everything that was received, settled or not.
    let until = if matches!(config.output, Output::Table { .. }) { Until::Now } else { Until::Settled };
    let conversations = View { until, ..View::from(span) };
    let protocols = View { dimension: Dimension::Protocol, ..conversations.clone() };
    Wish { views: vec![conversations, protocols], ..Wish::default() }
}

fn write_json(messages: &Receiver<Message>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    while let Ok(message) = messages.recv() {
        if let Message::Flows(flows) = message {
            for flow in flows.iter() {
                report::json_line(&mut out, flow)?;
            }
        }
        // Whoever reads gets each line soon, and many of them at once when there are many.
        if messages.is_empty() {
            out.flush()?;
        }
    }
    Ok(out.flush()?)
}

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).with_context(|| format!("cannot start the {name} thread"))
}

fn join<T>(thread: JoinHandle<T>, name: &str) -> Result<T> {
    thread.join().map_err(|_| anyhow!("the {name} thread failed; this is a bug, please report it"))
}

/// Addresses under which others can reach `listen`.
pub(super) fn reachable(listen: SocketAddr) -> Vec<IpAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen.ip()];
    }
    intake::own_addresses()
}

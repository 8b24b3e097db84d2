//! The window thread: books every flow, and once a second puts together what the screen shows.

mod asks;
mod looking;
mod past;
mod rewound;
mod seen;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use tokio::sync::watch;

use crate::collector::stats::Health;
use crate::flow::Timestamp;
use crate::run::live::asks::Asks;
use crate::run::live::looking::Looking;
use crate::run::live::past::Past;
use crate::run::live::rewound::Rewound;
use crate::run::live::seen::Seen;
use crate::run::live::told::Desk;
use crate::run::now;
use crate::run::pipeline::Message;
use crate::run::stored::Viewed;
use crate::run::witness::Asked;
use crate::store::writer::WriterStats;
use crate::tui::app::{Feed, Source, StorageView, Wish};
use crate::window::{Atlas, Snapshot, Span};

/// A source whose clock runs faster than this one's gets no more snapshots a second than four.
const SHORTEST: Duration = Duration::from_millis(250);

/// State of the window thread.
pub(super) struct Live {
    looking: Looking,
    seen: Option<Seen>,
    desk: Desk,
    asks: Asks,
    /// Everything as it was when time was made to stand still.
    frozen: Option<Box<(Looking, Timestamp)>>,
    /// The past, where somebody went back.
    rewound: Option<Box<Rewound>>,
    past: Past,
    atlas: Atlas,
    wish: Arc<Wish>,
    /// The source's clock.
    now: Timestamp,
    started: Timestamp,
    /// What the clock on screen adds to UTC.
    utc_offset_s: i32,
    source: Source,
    notice: Option<String>,
    health: Arc<Health>,
    /// What a viewer knows of the collector that it looks at.
    viewed: Option<Box<Viewed>>,
    /// The answer to the wish, without what is not asked of the window.
    answer: Feed,
    storage: watch::Receiver<Option<WriterStats>>,
    shown: Option<Instant>,
}

impl Live {
    pub(super) fn new(
        source: Source,
        notice: Option<String>,
        (wish, atlas): (Wish, Atlas),
        storage: watch::Receiver<Option<WriterStats>>,
        database: Option<PathBuf>,
    ) -> Self {
        let past = Past::new(database.clone());
        // Sockets live in real time before the first datagram; a capture says itself when it is.
        let is_now = matches!(source, Source::Live { .. } | Source::Demo);
        Self {
            looking: Looking::new(atlas.clone(), past.fork()),
            seen: Seen::new(database.clone()),
            asks: Asks::new(database.clone(), atlas.clone()),
            desk: Desk::new(database),
            frozen: None,
            rewound: None,
            past,
            atlas,
            wish: Arc::new(wish),
            now: if is_now { now() } else { Timestamp::default() },
            started: now(),
            utc_offset_s: jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now()).seconds(),
            source,
            notice,
            health: Arc::default(),
            viewed: None,
            answer: Feed::default(),
            storage,
            shown: None,
        }
    }

    /// The same, with a source that has the datagrams of its flows.
    pub(super) fn asking(self, source: watch::Sender<Asked>) -> Self {
        Self { desk: self.desk.asking(source), ..self }
    }

    /// Runs until the source is gone, and gives back the last state.
    pub(super) fn run(
        mut self,
        messages: &Receiver<Message>,
        feed: &watch::Sender<Feed>,
    ) -> (Vec<Arc<Snapshot>>, Arc<Health>) {
        loop {
            let is_news = select! {
                recv(messages) -> message => match message {
                    Ok(message) => self.take(message),
                    Err(_) => break,
                },
                recv(self.past.pieces) -> piece => piece.is_ok_and(|piece| self.remember(&piece)),
                recv(self.asks.answers) -> answered => answered.is_ok_and(|answered| self.asks.take(answered)),
            };
            if is_news {
                self.refresh();
                // Nobody may be looking.
                let _ = feed.send(self.feed());
            }
        }
        self.refresh();
        let _ = feed.send(self.feed());
        (self.answer.views, self.health)
    }

    /// Takes a message; true when the screen should be told.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Flows(flows) => {
                self.now = flows.iter().map(|flow| flow.received).fold(self.now, Timestamp::max);
                self.looking.record(flows.shared());
                false
            }
            Message::Past(flows) => {
                self.looking.record_past(&flows);
                false
            }
            Message::Anew => {
                self.looking.clear(&self.wish);
                self.now = Timestamp::default();
                false
            }
            Message::Viewed(viewed) => {
                self.looking.settle(!viewed.is_live());
                self.viewed = Some(viewed);
                false
            }
            Message::Health(health) => {
                // The first datagrams should not wait for the next second.
                let first = self.health.totals.datagrams == 0 && health.totals.datagrams != 0;
                self.health = health;
                first
            }
            Message::Now(now) => {
                self.now = self.now.max(now);
                self.shown.is_none_or(|shown| SHORTEST <= shown.elapsed())
            }
            Message::Wish(wish) => self.grant(wish),
            Message::Evidence(found) => self.desk.take(*found),
            Message::Shown(source) => {
                self.source = source;
                true
            }
        }
    }

    /// True when the answer cannot wait.
    fn grant(&mut self, wish: Arc<Wish>) -> bool {
        let can_wait = wish.keeps_only(&self.wish);
        match (&self.frozen, wish.is_frozen && wish.at.is_none()) {
            (None, true) => self.frozen = Some(Box::new((self.looking.fork(), self.now))),
            (Some(_), false) => self.frozen = None,
            _ => {}
        }
        self.desk.ask(&wish, wish.at.unwrap_or(self.now));
        if !self.rewound.as_ref().is_some_and(|rewound| rewound.answers(&wish)) {
            let go_back = |at| Box::new(Rewound::new(&wish, at, self.atlas.clone(), &self.past));
            self.rewound = wish.at.map(go_back);
        }
        self.asks.prepare(&wish);
        self.looking.prepare(&wish);
        if let Some(frozen) = &mut self.frozen {
            frozen.0.prepare(&wish);
        }
        self.wish = wish;
        // What was shown before stays until there is something of the past.
        !can_wait && self.rewound.as_ref().is_none_or(|rewound| rewound.has_begun())
    }

    /// Takes in what was read of the past; true when there is more to see.
    fn remember(&mut self, piece: &past::Piece) -> bool {
        if let Some(frozen) = &mut self.frozen {
            frozen.0.remember(piece);
        }
        let is_news = self.rewound.as_mut().is_some_and(|rewound| rewound.remember(piece));
        self.looking.remember(piece) && piece.is_last || is_news
    }

    fn refresh(&mut self) {
        let now = self.now;
        // Nothing changes of what stands still until something else is wished for.
        let is_answered = Arc::ptr_eq(&self.answer.wish, &self.wish) && !self.answer.views.is_empty();
        let at = match (&mut self.rewound, &mut self.frozen) {
            (Some(rewound), _) => {
                // Until there is something of the past, what was shown before stays, and says that it is being read.
                if rewound.has_begun() && (!is_answered || rewound.has_news()) {
                    self.answer = rewound.look(&self.wish);
                }
                rewound.at()
            }
            (None, Some(frozen)) => {
                if !is_answered {
                    self.answer = frozen.0.look(&self.wish, frozen.1);
                }
                frozen.1
            }
            (None, None) => {
                self.answer = self.looking.look(&self.wish, now);
                now
            }
        };
        self.asks.put(&mut self.answer);
        if let Some(seen) = &mut self.seen {
            seen.mark(&mut self.answer.views, at);
        }
        self.answer.told = self.desk.told(&self.wish, at);
        self.shown = Some(Instant::now());
    }

    pub(super) fn feed(&self) -> Feed {
        let (storage, notice) = self.stored();
        let feed = Feed {
            health: Arc::clone(&self.health),
            is_stored: self.asks.can_ask(),
            storage,
            now: self.now,
            utc_offset_s: self.utc_offset_s,
            started: self.started,
            source: self.source.clone(),
            notice: notice.or_else(|| self.notice.clone()),
            ..self.answer.clone()
        };
        match &self.viewed {
            Some(viewed) => viewed.on(feed),
            None => feed,
        }
    }

    /// What the screen says about the storage, and its notice. The lock is taken once: to take it again while the storage
    /// thread waits to write would stop both threads for ever.
    fn stored(&self) -> (Option<StorageView>, Option<String>) {
        let stats = self.storage.borrow();
        (stats.as_ref().map(view), stats.as_ref().and_then(|stats| stats.notice.clone()))
    }
}

fn view(stats: &WriterStats) -> StorageView {
    StorageView {
        path: stats.path.display().to_string(),
        rows: stats.rows,
        buffered: u64::try_from(stats.buffered).unwrap_or(u64::MAX),
        dropped: stats.dropped_flows,
        failing: stats.last_error.clone().filter(|_| 0 < stats.failures),
        last_flush: stats.last_flush,
        octets: stats.size,
    }
}

/// The shortest span that covers so many seconds.
pub(super) fn span_of(seconds: u64) -> Span {
    let covers = |span: &Span| u64::try_from(span.seconds()).is_ok_and(|covered| seconds <= covered);
    Span::ALL.into_iter().find(covers).unwrap_or(Span::Hour)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use tokio::sync::watch;

    use super::Live;
    use crate::store::writer::WriterStats;
    use crate::tui::app::Source;

    #[test]
    fn the_screen_and_the_storage_never_wait_for_each_other() {
        let (stats, seen) = watch::channel(None);
        let live = Live::new(Source::Demo, None, Default::default(), seen, None);
        let (done, ended) = mpsc::channel();
        let writer_done = done.clone();
        thread::spawn(move || {
            (0..50_000).for_each(|_| drop(stats.send_replace(Some(WriterStats::default()))));
            writer_done.send(())
        });
        thread::spawn(move || {
            (0..50_000).for_each(|_| drop(live.feed()));
            done.send(())
        });
        for _ in 0..2 {
            ended.recv_timeout(Duration::from_secs(60)).expect("both threads come to their end");
        }
    }
}

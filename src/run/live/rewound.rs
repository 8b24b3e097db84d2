//! What a screen would have shown at a moment of the past, had everything been reported at once: a window that ends there,
//! filled from the database.

use std::sync::Arc;

use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::run::live::looking::{snapshots, split};
use crate::run::live::past::{Past, Piece};
use crate::tui::app::{Feed, Wish};
use crate::window::{Atlas, Clock, Limits, Window};

/// A window of the past.
pub(super) struct Rewound {
    at: Timestamp,
    /// What is read; a filter that lanes decide is none of reading.
    filter: Filter,
    clock: Clock,
    window: Window,
    question: Option<u64>,
    /// Everything from then on is in it.
    whole: Timestamp,
    is_whole: bool,
    /// Whether it has more than was shown.
    has_news: bool,
}

impl Rewound {
    pub(super) fn new(wish: &Wish, at: Timestamp, atlas: Atlas, past: &Past) -> Self {
        let (_, filter) = split(&wish.filter);
        let window = Window::new(Limits::default()).with_atlas(atlas).with_clock(wish.clock).with_end(at);
        let question = past.ask_before(filter.clone(), at);
        Self {
            at,
            filter,
            clock: wish.clock,
            window,
            question,
            whole: at,
            is_whole: question.is_none(),
            has_news: true,
        }
    }

    /// Whether it answers a wish.
    pub(super) fn answers(&self, wish: &Wish) -> bool {
        wish.at == Some(self.at) && self.clock == wish.clock && self.filter == split(&wish.filter).1
    }

    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether there is anything to show yet.
    pub(super) fn has_begun(&self) -> bool {
        self.is_whole || self.whole < self.at
    }

    pub(super) const fn has_news(&self) -> bool {
        self.has_news
    }

    /// Takes in a piece of the past; true when something is whole now that was not.
    pub(super) fn remember(&mut self, piece: &Piece) -> bool {
        if self.question != Some(piece.question) {
            return false;
        }
        self.window.record_all(&piece.flows);
        self.whole = piece.whole.unwrap_or(self.whole);
        self.is_whole |= piece.is_last;
        let is_news = piece.whole.is_some() || piece.is_last;
        self.has_news |= is_news;
        is_news
    }

    pub(super) fn look(&mut self, wish: &Arc<Wish>) -> Feed {
        self.has_news = false;
        let views = snapshots(&mut self.window, wish, self.at);
        let past = (!self.is_whole).then_some(self.whole);
        Feed { wish: Arc::clone(wish), views, past, ..Feed::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::collector::stats::Health;
    use crate::flow::{FlowRecord, ObservationDomainId, Version};
    use crate::store::history::History;
    use crate::store::top::{Dimension as By, Order};
    use crate::store::writer::{Options, Writer};
    use crate::window::{Dimension, Span, View};

    const NOW: Timestamp = Timestamp(1_790_000_040_000);

    /// Reported late, and of all lengths.
    fn flows() -> Vec<FlowRecord> {
        let flow = |n: i64| {
            let last = NOW.plus(-7_000_000 + n * 7_000);
            let mut flow =
                FlowRecord::blank(last.plus(n % 50 * 1000), [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9);
            (flow.first, flow.last) = (last.plus(-(n % 13) * 20_000), last);
            flow.key.src_ip = [10, 0, 0, u8::try_from(n % 7).unwrap()].into();
            flow.key.dst_ip = [198, 51, 100, 1].into();
            (flow.key.protocol, flow.key.dst_port, flow.key.src_port) = (6, 443, 50_000);
            flow.counts.bytes = 1_000 + n.unsigned_abs() * 37;
            flow
        };
        let mut flows: Vec<_> = (0..900).map(flow).collect();
        flows.sort_by_key(|flow| flow.received);
        flows
    }

    #[test]
    fn a_moment_of_the_past_shows_what_the_database_sums_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        let mut writer = Writer::open(&path, Options::default()).unwrap();
        writer.push(&flows());
        writer.flush(NOW, &Health::default()).unwrap();
        let past = Past::new(Some(path.clone()));
        let at = Timestamp(NOW.0.div_euclid(60_000) * 60_000 - 1_800_000);
        for text in ["any", "bytes > 10k"] {
            let filter = crate::filter::parse(text, &|_| Vec::new()).unwrap();
            let view = View { span: Span::FiveMinutes, dimension: Dimension::Host, ..View::default() };
            let wish =
                Wish { views: vec![view], filter: filter.clone(), at: Some(at), is_frozen: true, ..Wish::default() };
            let wish = Arc::new(wish);
            let mut rewound = Rewound::new(&wish, at, Atlas::default(), &past);
            assert!(rewound.answers(&wish) && !rewound.has_begun());
            let begin = Instant::now();
            let mut stages = 0;
            while !rewound.is_whole {
                let piece = past.pieces.recv_timeout(Duration::from_secs(60)).unwrap();
                stages += u32::from(rewound.remember(&piece) && !rewound.is_whole);
                assert!(begin.elapsed() < Duration::from_secs(60));
            }
            assert_eq!(stages, 4);
            let feed = rewound.look(&wish);
            assert_eq!((feed.past, feed.views[0].until, feed.views[0].seconds), (None, at, 300));
            let sum = feed.views[0].everything();
            let mut expected = (0, 0);
            let span = (at.plus(-300_000), at);
            for flow in flows().iter().filter(|flow| filter.matches(flow)) {
                expected.0 += crate::flow::share(flow, span.0, span.1).bytes;
                expected.1 += u64::from(crate::flow::share::Booking::of(flow).ends_in(span.0, span.1));
            }
            assert_eq!((sum.counts.bytes, sum.flows), expected, "{text}");
            if text == "any" {
                let top = History::open(&path).unwrap().top(By::Host, Order::Bytes, span, 10).unwrap();
                assert_eq!(top.total.counts.bytes, sum.counts.bytes);
            }
        }
    }
}

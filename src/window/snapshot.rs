//! What a screen or a report needs of a [`Window`], copied out so that nobody has to lock anything.
//!
//! A snapshot never changes: freezing a screen is keeping one.

use crate::flow::Timestamp;
use crate::window::{ConversationKey, OTHER, Span, Tally, Window};

/// The last [`Span`] before `at`.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub at: Timestamp,
    pub span: Span,
    /// Seconds that the totals cover and the rates are averaged over: less than the span while the window is younger,
    /// a little more where old slices are coarse.
    pub seconds: u64,
    pub total: Tally,
    /// What each second of the span received, oldest first; the last one is the last second that is over.
    pub series: Vec<Tally>,
    /// The largest under each measure (bytes, packets, flows), sorted by bytes.
    pub conversations: Vec<Conversation>,
    /// How many there are in the span, shown or not.
    pub conversation_count: usize,
    /// By bytes, largest first.
    pub protocols: Vec<ProtocolShare>,
    /// What was booked without its conversation, since the window was full.
    pub other: Tally,
    /// Records that found the window full since it was made.
    pub folded: u64,
}

/// One row: who sends to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversation {
    pub key: ConversationKey,
    pub tally: Tally,
    /// What the last ten seconds brought.
    pub recent: Tally,
}

/// One IP protocol's part of the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolShare {
    /// `None` for what was booked under "other".
    pub protocol: Option<u8>,
    pub tally: Tally,
}

impl Snapshot {
    /// Bytes, packets or flows per second, over the span.
    pub const fn per_second(&self, amount: u64) -> u64 {
        match self.seconds {
            0 => 0,
            seconds => amount / seconds,
        }
    }
}

impl Window {
    /// Looks back over `span` from `now`.
    pub fn snapshot(&mut self, span: Span, now: Timestamp) -> Snapshot {
        self.advance(now);
        let mut total = Tally::default();
        let mut protocols = [Tally::default(); 256];
        let mut conversations = Vec::new();
        for entry in &self.entries {
            let tally = entry.tallies[span as usize];
            total.add(tally);
            let (Some(key), 1..) = (entry.key, tally.flows) else { continue };
            protocols[usize::from(key.protocol)].add(tally);
            conversations.push(Conversation { key, tally, recent: entry.tallies[Span::TenSeconds as usize] });
        }
        let conversation_count = conversations.len();
        let other = self.entries[OTHER.0 as usize].tallies[span as usize];
        let (series, seconds) = self.series(span);
        Snapshot {
            at: now,
            span,
            seconds,
            total,
            series,
            conversations: largest(conversations, self.limits.rows),
            conversation_count,
            protocols: shares(&protocols, other),
            other,
            folded: self.folded,
        }
    }

    fn series(&self, span: Span) -> (Vec<Tally>, u64) {
        let totals = self.slices.totals();
        let over = totals.len().saturating_sub(1);
        let wanted = usize::try_from(span.seconds()).unwrap_or(0);
        let mut series = vec![Tally::default(); wanted.saturating_sub(over)];
        series.extend(totals.range(over.saturating_sub(wanted)..over));
        let covered = usize::try_from(self.slices.covered(span)).unwrap_or(wanted);
        // The running second counts too, or the first one would divide by nothing.
        let seconds = totals.len().min(covered);
        (series, u64::try_from(seconds).unwrap_or(1))
    }
}

/// The `rows` largest under each measure, none twice, sorted by bytes.
fn largest(mut all: Vec<Conversation>, rows: usize) -> Vec<Conversation> {
    let measures: [fn(&Conversation) -> u64; 3] =
        [|c| c.tally.counts.bytes, |c| c.tally.counts.packets, |c| c.tally.flows];
    let order = |measure: fn(&Conversation) -> u64| {
        move |a: &Conversation, b: &Conversation| measure(b).cmp(&measure(a)).then_with(|| a.key.cmp(&b.key))
    };
    if rows.saturating_mul(measures.len()) < all.len() {
        // Each pass brings the largest of what is left under one measure to the front of the rest.
        let mut chosen = 0_usize;
        for measure in measures {
            let rest = &mut all[chosen..];
            if rows < rest.len() {
                rest.select_nth_unstable_by(rows, order(measure));
            }
            chosen = chosen.saturating_add(rows).min(all.len());
        }
        all.truncate(chosen);
    }
    all.sort_unstable_by(order(measures[0]));
    all
}

fn shares(protocols: &[Tally; 256], other: Tally) -> Vec<ProtocolShare> {
    let mut shares: Vec<_> = protocols
        .iter()
        .zip(0_u8..=255)
        .map(|(&tally, protocol)| ProtocolShare { protocol: Some(protocol), tally })
        .chain([ProtocolShare { protocol: None, tally: other }])
        .filter(|share| share.tally.flows != 0)
        .collect();
    shares.sort_by_key(|share| std::cmp::Reverse((share.tally.counts.bytes, share.protocol)));
    shares
}

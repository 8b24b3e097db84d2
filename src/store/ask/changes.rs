//! What moved between two spans: keys by their part in the difference.
//!
//! The span before may be several, whose median is what is usual.

use hashbrown::HashMap;
use rusqlite::{Connection, Result};

use crate::flow::Timestamp;
use crate::store::ask::{Question, Source, sheet};
use crate::store::groups::KEYS;
use crate::store::rollup::slot::Slot;
use crate::store::rollup::{Pair, Sums};
use crate::store::scan::Watch;
use crate::store::top::Key;

/// One key, in the measure that the question is by: estimates, both directions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    pub key: Key,
    pub before: u64,
    pub now: u64,
    /// At most so much may be missing in either of the two.
    pub missing: u64,
}

impl Changed {
    pub fn difference(&self) -> i128 {
        i128::from(self.now) - i128::from(self.before)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Those that changed most first, whichever way.
    pub rows: Vec<Changed>,
    /// Keys that changed at all.
    pub keys: usize,
    pub before: u64,
    pub now: u64,
    /// Whether the figures are proven to be those of the raw rows.
    pub exact: bool,
    pub until: Option<Timestamp>,
    /// Rows from before then were deleted, and are missing.
    pub since: Option<Timestamp>,
    /// Raw rows read, where roll-ups did not know.
    pub source: Source,
}

/// Compares the span of a question with others of the same length; of several the median.
pub(in crate::store) fn changes(
    connection: &Connection,
    question: &Question<'_>,
    before: &[(Timestamp, Timestamp)],
    rows: usize,
    watch: &Watch<'_>,
) -> Result<Changes> {
    let spans: Vec<_> = [question.span].iter().chain(before).copied().collect();
    let mut keys: HashMap<Slot, (Vec<u64>, u64)> = HashMap::new();
    let mut totals = Vec::new();
    let (mut exact, mut until, mut since, mut source) = (true, None, None, Source::RollUps);
    for (at, span) in spans.iter().enumerate() {
        let parts = u64::try_from(spans.len()).unwrap_or(1);
        let done = u64::try_from(at).unwrap_or(0);
        let part = |thousandths| watch.0((done * 1000 + thousandths) / parts);
        let sheet = sheet(connection, &Question { span: *span, ..*question }, KEYS / spans.len(), &Watch(&part))?;
        for row in sheet.groups.all() {
            let (values, missing) = keys.entry(row.slot).or_insert_with(|| (vec![0; spans.len()], 0));
            if let Some(value) = values.get_mut(at) {
                *value = question.order.of(&row.pair);
            }
            *missing = (*missing).max(row.missing);
        }
        totals.push(question.order.of(&Pair([sheet.groups.total, Sums::default()])));
        exact &= sheet.groups.is_exact() && sheet.until.is_none();
        until = until.or(sheet.until);
        since = since.max(sheet.since);
        source = match (source, sheet.source) {
            (Source::Rows(a), Source::Rows(b)) => Source::Rows(a.saturating_add(b)),
            (Source::Rows(rows), _) | (_, Source::Rows(rows)) => Source::Rows(rows),
            _ => Source::RollUps,
        };
    }
    let (now, before) = now_and_before(&mut totals);
    let mut changed: Vec<_> = keys
        .into_iter()
        .map(|(slot, (mut values, missing))| {
            let (now, before) = now_and_before(&mut values);
            (slot, Changed { key: Key::Other, before, now, missing })
        })
        .filter(|(_, row)| row.now != row.before)
        .collect();
    let count = changed.len();
    let by_size = |(a, x): &(Slot, Changed), (b, y): &(Slot, Changed)| {
        y.difference().unsigned_abs().cmp(&x.difference().unsigned_abs()).then_with(|| a.cmp(b))
    };
    if 0 < rows && rows < changed.len() {
        changed.select_nth_unstable_by(rows - 1, by_size);
    }
    changed.truncate(rows);
    changed.sort_unstable_by(by_size);
    let named = changed.into_iter().map(|(slot, row)| Ok(Changed { key: question.by.key(connection, slot)?, ..row }));
    Ok(Changes { rows: named.collect::<Result<_>>()?, keys: count, before, now, exact, until, since, source })
}

/// The first value, and the median of the others.
fn now_and_before(values: &mut [u64]) -> (u64, u64) {
    let Some((now, before)) = values.split_first_mut() else { return (0, 0) };
    before.sort_unstable();
    (*now, before.get(before.len() / 2).copied().unwrap_or(0))
}

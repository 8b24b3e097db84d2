//! Which rows are new: looked up in all that is stored, by a thread of its own.
//!
//! The skip index says where a host may occur, so that one that never did costs no read of flows. What was found is kept,
//! since the past does not change but for what retention deletes.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::filter::{self, Filter};
use crate::flow::Timestamp;
use crate::store::RowKey;
use crate::store::blocks::Token;
use crate::store::history::History;
use crate::store::scan::Watch;
use crate::window::{Badge, Key, Snapshot};

/// Rows whose past is known; beyond, all of it is looked up again.
const KNOWN: usize = 20_000;
/// Rows that wait to be looked up; more are asked for by the next snapshot.
const WAITING: usize = 256;
/// What was first seen before this many milliseconds is not new.
const NEW_MS: i64 = 3_600_000;
/// When there is no database yet, it is looked for again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// When something was first seen; `None` for what was never stored.
type First = Option<Timestamp>;

/// What is known of the past of rows, and who looks it up.
pub(super) struct Seen {
    known: HashMap<Key, First>,
    asked: Sender<Key>,
    found: Receiver<(Key, First)>,
    /// When everything that is stored begins, once it is known.
    begins: Option<Timestamp>,
    beginning: Receiver<Timestamp>,
}

impl Seen {
    /// `None` where nothing is stored: then nothing is called new.
    pub(super) fn new(database: Option<PathBuf>) -> Option<Self> {
        let path = database?;
        let (asked, keys) = bounded(WAITING);
        let (to, found) = bounded(WAITING);
        let (begin, beginning) = bounded(1);
        thread::Builder::new().name("seen".to_owned()).spawn(move || look_up(&path, &keys, &to, &begin)).ok()?;
        Some(Self { known: HashMap::new(), asked, found, begins: None, beginning })
    }

    /// Marks the rows that are new, and asks for what is not known yet.
    pub(super) fn mark(&mut self, views: &mut [Arc<Snapshot>], now: Timestamp) {
        self.begins = self.beginning.try_iter().last().or(self.begins);
        if KNOWN <= self.known.len() {
            self.known.clear();
        }
        self.known.extend(self.found.try_iter());
        let recent = now.plus(-NEW_MS);
        // Of a young database everything is new, which says nothing.
        let is_old_enough = self.begins.is_some_and(|begins| begins < recent);
        for view in views.iter_mut().filter(|_| is_old_enough) {
            // What stands still is marked again each second, and copied only where a mark changes.
            let mut differing = Vec::new();
            for (at, row) in view.rows.iter().enumerate() {
                match self.known.get(&row.key) {
                    Some(first) => {
                        let is_new = first.is_none_or(|first| recent <= first);
                        if row.badges.has(Badge::New) != is_new {
                            differing.push((at, is_new));
                        }
                    }
                    // Whoever finds no room is asked for by the next snapshot.
                    None if can_be_new(row.key) => {
                        let _ = self.asked.try_send(row.key);
                    }
                    None => {}
                }
            }
            if differing.is_empty() {
                continue;
            }
            let rows = &mut Arc::make_mut(view).rows;
            for (at, is_new) in differing {
                if let Some(row) = rows.get_mut(at) {
                    row.badges.put(Badge::New, is_new);
                }
            }
        }
    }
}

/// Looks up until nobody asks any more.
fn look_up(path: &Path, keys: &Receiver<Key>, to: &Sender<(Key, First)>, begin: &Sender<Timestamp>) {
    let mut history = None;
    let mut tried: Option<Instant> = None;
    let mut begins = None;
    loop {
        if history.is_none() && tried.is_none_or(|tried| AGAIN <= tried.elapsed()) {
            tried = Some(Instant::now());
            history = History::open(path).ok();
        }
        if let (Some(history), None) = (&history, begins) {
            begins = history.oldest().ok().flatten().map(RowKey::received);
            if let Some(begins) = begins {
                let _ = begin.try_send(begins);
            }
        }
        let key = match keys.recv_timeout(AGAIN) {
            Ok(key) => key,
            Err(error) if error.is_timeout() => continue,
            Err(_) => return,
        };
        let (Some(opened), Some(filter)) = (&history, question(key)) else { continue };
        match first(opened, &filter) {
            Ok(first) if to.send((key, first)).is_err() => return,
            Ok(_) => {}
            // The file was replaced, or its disk is gone: try again with a new look at it.
            Err(_) => history = None,
        }
    }
}

/// When the first flow of a filter was received.
fn first(history: &History, filter: &Filter) -> Result<First, crate::store::Error> {
    let mut first = None;
    history.flows(filter, (Timestamp(0), Timestamp(i64::MAX >> 1)), &Watch::NOBODY, |flow| {
        first = Some(flow.received);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

/// Whether it is worth a look: services on ports that are not in the skip index would cost a read of everything.
fn can_be_new(key: Key) -> bool {
    match key {
        Key::Service { port, .. } => Token::port(port).is_some(),
        Key::Host(_) | Key::Source(_) | Key::Destination(_) | Key::Conversation { .. } => true,
        _ => false,
    }
}

/// What of the past a row is.
fn question(key: Key) -> Option<Filter> {
    let text = match key {
        Key::Host(host) => format!("ip {host}"),
        Key::Source(host) => format!("src ip {host}"),
        Key::Destination(host) => format!("dst ip {host}"),
        Key::Service { protocol, port } => format!("proto {protocol} and port {port}"),
        Key::Conversation { inside, outside, protocol, port } => {
            let service = if port == 0 { String::new() } else { format!(" and port {port}") };
            format!("ip {inside} and ip {outside} and proto {protocol}{service}")
        }
        _ => return None,
    };
    filter::parse(&text, &|_| Vec::new()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::stats::Health;
    use crate::flow::{FlowRecord, ObservationDomainId, Version};
    use crate::store::writer::{Options, Writer};
    use crate::window::{Dimension, Limits, Until, View, Window};

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn flow(host: u8, ago_s: i64) -> FlowRecord {
        let at = NOW.plus(-1000 * ago_s);
        let mut flow = FlowRecord::blank(at, [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9);
        flow.key.src_ip = [10, 0, 0, host].into();
        flow.key.dst_ip = [198, 51, 100, 1].into();
        (flow.key.protocol, flow.key.dst_port, flow.key.src_port) = (6, 443, 50_000);
        flow.counts.bytes = 1000;
        flow
    }

    #[test]
    fn a_host_that_no_stored_hour_knows_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        let mut writer = Writer::open(&path, Options::default()).unwrap();
        writer.push([flow(1, 90_000), flow(1, 30), flow(2, 30)].as_slice());
        writer.flush(NOW, &Health::default()).unwrap();
        let mut window = Window::new(Limits::default());
        [flow(1, 30), flow(2, 30), flow(3, 1)].iter().for_each(|flow| window.record(flow));
        let view = View { until: Until::Now, dimension: Dimension::Host, ..View::default() };
        let mut seen = Seen::new(Some(path)).unwrap();
        let begin = Instant::now();
        loop {
            let mut views = [Arc::new(window.snapshot(&view, NOW))];
            seen.mark(&mut views, NOW);
            if seen.known.len() == 4 {
                let is_new = |host: u8| {
                    let key = Key::Host([10, 0, 0, host].into());
                    views[0].rows.iter().find(|row| row.key == key).unwrap().badges.has(Badge::New)
                };
                assert_eq!([1, 2, 3].map(is_new), [false, true, true]);
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", seen.known);
            thread::yield_now();
        }
    }
}

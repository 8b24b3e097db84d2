//! What is told of one thing beyond what a window has: the octets of a flow, and what is stored of a host.
//!
//! The octets are with the source, which is asked over a channel; the database is read by a thread of its own. Neither is
//! waited for: the screen says "one moment" until the answer is here.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::watch;

use crate::flow::Timestamp;
use crate::run::witness::{self, Found};
use crate::store::acquaintance::Acquaintance;
use crate::store::history::History;
use crate::tui::app::{About, Told, Wish};

/// A host that is asked for, and what time it is.
type Asked = (IpAddr, Timestamp);
/// A host, what is stored of it, and nothing where nothing can be read.
type Known = (IpAddr, Option<Arc<Acquaintance>>);

/// The ends of the one who reads the database.
type Reader = (Sender<Asked>, Receiver<Known>);

/// Questions that are under way, and the last answer.
pub(super) struct Desk {
    about: Option<About>,
    told: Option<Told>,
    /// Who has the datagrams; `None` where flows come without.
    source: Option<watch::Sender<witness::Asked>>,
    /// Who reads the database; `None` where nothing is stored.
    reader: Option<Reader>,
}

impl Desk {
    pub(super) fn new(database: Option<PathBuf>) -> Self {
        Self { about: None, told: None, source: None, reader: database.and_then(reader) }
    }

    /// The same, with somebody who has the datagrams.
    pub(super) fn asking(self, source: watch::Sender<witness::Asked>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Asks for what a wish is about, when that is something else than before.
    pub(super) fn ask(&mut self, wish: &Wish, now: Timestamp) {
        if let Some(source) = &self.source {
            let flow = if let Some(About::Flow(flow)) = wish.about { Some(flow) } else { None };
            let asked = witness::Asked { flow, is_frozen: wish.is_frozen };
            source.send_if_modified(|before| std::mem::replace(before, asked) != asked);
        }
        if wish.about == self.about {
            return;
        }
        (self.about, self.told) = (wish.about, None);
        match wish.about {
            Some(About::Flow(flow)) if self.source.is_none() => self.told = Some(Told::Octets(flow, None)),
            Some(About::Host(host)) => {
                // One that is still read for another host is asked again once it is done.
                let is_asked = self.reader.as_ref().is_some_and(|(asked, _)| asked.try_send((host, now)).is_ok());
                match (is_asked, &self.reader) {
                    (false, None) => self.told = Some(Told::Stored(host, None)),
                    (false, Some(_)) => self.about = None,
                    (true, _) => {}
                }
            }
            _ => {}
        }
    }

    /// Takes the answer of the source; true when it is still wanted.
    pub(super) fn take(&mut self, (flow, evidence): Found) -> bool {
        let is_wanted = self.about == Some(About::Flow(flow));
        if is_wanted {
            self.told = Some(Told::Octets(flow, evidence));
        }
        is_wanted
    }

    /// What is known by now of what the last wish is about.
    pub(super) fn told(&mut self, wish: &Wish, now: Timestamp) -> Option<Told> {
        for (host, stored) in self.reader.iter().flat_map(|(_, known)| known.try_iter()) {
            if self.about == Some(About::Host(host)) {
                self.told = Some(Told::Stored(host, stored));
            }
        }
        self.ask(wish, now);
        self.told.clone()
    }
}

/// Starts who reads the database.
fn reader(path: PathBuf) -> Option<Reader> {
    let (ask, asked) = bounded::<Asked>(1);
    let (tell, known) = bounded(1);
    let read = move || {
        for (host, now) in asked {
            // Who went on to another host has no use for this one, and takes it from the channel all the same.
            if tell.send((host, read(&path, host, now))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("told".to_owned()).spawn(read).ok()?;
    Some((ask, known))
}

/// The file is opened anew each time: another one may stand in its place.
fn read(path: &Path, host: IpAddr, now: Timestamp) -> Option<Arc<Acquaintance>> {
    History::open(path).ok()?.acquaintance(host, now).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::collector::stats::Health;
    use crate::flow::{FlowRecord, ObservationDomainId, Version};
    use crate::store::writer::{Options, Writer};

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn about(about: About) -> Wish {
        Wish { about: Some(about), ..Wish::default() }
    }

    fn flow() -> FlowRecord {
        FlowRecord::blank(NOW, [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9)
    }

    #[test]
    fn a_host_is_looked_up_while_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        let mut writer = Writer::open(&path, Options::default()).unwrap();
        let mut flow = flow();
        (flow.first, flow.last, flow.counts.bytes) = (NOW.plus(-90_000_000), NOW.plus(-90_000_000), 1_000);
        (flow.key.src_ip, flow.key.dst_ip) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        writer.push([flow].as_slice());
        writer.flush(NOW, &Health::default()).unwrap();
        writer.close(NOW, &Health::default()).unwrap();
        let mut desk = Desk::new(Some(path));
        let begin = Instant::now();
        // Hosts one after the other: the last one that is asked for is the one that is told of.
        for host in [7, 9, 1] {
            desk.ask(&about(About::Host([10, 0, 0, host].into())), NOW);
        }
        let wish = about(About::Host([10, 0, 0, 1].into()));
        loop {
            if let Some(Told::Stored(host, stored)) = desk.told(&wish, NOW) {
                assert_eq!(host, IpAddr::from([10, 0, 0, 1]));
                assert!(stored.unwrap().first.is_some());
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
    }

    #[test]
    fn where_nobody_has_it_that_is_told_at_once() {
        let mut desk = Desk::new(None);
        let (flow, host) = (flow(), [10, 0, 0, 1].into());
        assert_eq!(desk.told(&about(About::Flow(flow)), NOW), Some(Told::Octets(flow, None)));
        assert_eq!(desk.told(&about(About::Host(host)), NOW), Some(Told::Stored(host, None)));
        assert_eq!(desk.told(&Wish::default(), NOW), None);
    }

    #[test]
    fn the_source_is_asked_once_and_its_answer_is_of_the_flow_in_question() {
        let (ask, mut asked) = watch::channel(witness::Asked::default());
        let mut desk = Desk::new(None).asking(ask);
        let wish = about(About::Flow(flow()));
        assert_eq!(desk.told(&wish, NOW), None);
        assert_eq!(asked.borrow_and_update().flow, Some(flow()));
        assert_eq!(desk.told(&wish, NOW), None);
        assert!(!asked.has_changed().unwrap());
        assert!(!desk.take((FlowRecord { tos: 1, ..flow() }, None)));
        assert!(desk.take((flow(), None)));
        assert_eq!(desk.told(&wish, NOW), Some(Told::Octets(flow(), None)));
    }
}

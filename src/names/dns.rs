//! Host names by reverse DNS, known later: the asker gets at once what is known, and is woken when more is.
//!
//! One thread with one socket has up to [`worker::IN_FLIGHT`] questions out at a time. The system's resolver would need
//! a blocked thread for each and keeps the time to live to itself; a full resolver library would triple the
//! dependencies. So the messages are the `domain` crate's, and the little that a stub resolver does is here: ask the
//! servers of `resolv.conf` in turn, twice, and believe the answer for as long as it says.

mod cache;
mod message;
mod worker;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::names::dns::cache::Cache;

/// Addresses whose names are kept. Those that nobody asked for longest go first.
const NAMES: usize = 10_000;

/// Questions that wait for the thread; further ones are put again with the next frame.
const WAITING: usize = 1_024;

/// Names by reverse DNS. Its thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Resolver {
    shared: Arc<Shared>,
    questions: SyncSender<IpAddr>,
}

#[derive(Debug)]
struct Shared {
    cache: Mutex<Cache>,
    generation: AtomicU64,
}

impl Shared {
    /// A thread that panicked left a cache that is whole: each change is one insertion.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// Starts to ask these servers. `wake` is called whenever something new is known, from another thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(servers: Vec<SocketAddr>, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (questions, asked) = sync_channel(WAITING);
        let shared = Arc::new(Shared { cache: Mutex::new(Cache::new(NAMES)), generation: AtomicU64::new(0) });
        let told = Arc::clone(&shared);
        let tell = move |answers: Vec<worker::Answer>| {
            let mut cache = told.cache();
            for answer in answers {
                cache.insert(answer.address, answer.name, answer.until);
            }
            drop(cache);
            told.generation.fetch_add(1, Ordering::Release);
            wake();
        };
        thread::Builder::new().name("dns".to_owned()).spawn(move || worker::run(&servers, &asked, tell))?;
        Ok(Self { shared, questions })
    }

    /// What is known now. What is not, or not any more, is asked for; an old name stays until the new one is there.
    pub(super) fn host(&self, address: IpAddr) -> Option<Arc<str>> {
        if !has_name(address) {
            return None;
        }
        let mut cache = self.shared.cache();
        let (name, must_ask) = cache.look(address, Instant::now());
        if must_ask && self.questions.try_send(address).is_err() {
            cache.not_asked(address);
        }
        name
    }

    /// Whatever is known under this name, in any case.
    pub(super) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.shared.cache().known().filter(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(at, _)| at).collect()
    }

    /// Calls `each` with every known name.
    pub(super) fn each(&self, mut each: impl FnMut(&Arc<str>)) {
        self.shared.cache().known().for_each(|(_, name)| each(name));
    }

    /// Grows whenever something new is known.
    pub(super) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }
}

/// Addresses that many hosts share, or none has, are not worth a question.
fn has_name(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && address != IpAddr::from([255, 255, 255, 255])
}

/// The servers in the text of a `resolv.conf`; no more than the three that the system would ask.
pub(super) fn servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.split('%').next()?.parse::<IpAddr>().ok())?
    };
    resolv_conf.lines().filter_map(address).map(|address| SocketAddr::new(address, 53)).take(3).collect()
}

#[cfg(test)]
mod tests;

//! What is known of addresses, for how long, and what was asked: bounded, and without a clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<IpAddr, Entry>,
    limit: usize,
    /// Grows with each look, so that the larger one of two was later.
    looks: u64,
}

#[derive(Debug)]
struct Entry {
    /// `None` where there is no name, which is worth knowing as well.
    name: Option<Arc<str>>,
    /// `None` before the first answer.
    until: Option<Instant>,
    is_asked: bool,
    looked: u64,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), limit, looks: 0 }
    }

    /// The name as far as it is known, and whether the caller must ask for it. It then counts as asked.
    pub(super) fn look(&mut self, address: IpAddr, now: Instant) -> (Option<Arc<str>>, bool) {
        self.looks += 1;
        if !self.entries.contains_key(&address) {
            self.make_room();
        }
        let entry =
            self.entries.entry(address).or_insert(Entry { name: None, until: None, is_asked: false, looked: 0 });
        entry.looked = self.looks;
        let is_fresh = entry.until.is_some_and(|until| now < until);
        let must_ask = !is_fresh && !entry.is_asked;
        entry.is_asked |= must_ask;
        (entry.name.clone(), must_ask)
    }

    /// Nobody could be asked; the next look tries again.
    pub(super) fn not_asked(&mut self, address: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.is_asked = false;
        }
    }

    /// An answer. One for an address that went in the meantime is dropped.
    pub(super) fn insert(&mut self, address: IpAddr, name: Option<Arc<str>>, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&address) {
            *entry = Entry { name, until: Some(until), is_asked: false, looked: entry.looked };
        }
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (IpAddr, &Arc<str>)> {
        self.entries.iter().filter_map(|(&address, entry)| Some((address, entry.name.as_ref()?)))
    }

    /// Drops an eighth when it is full: those that were looked at longest ago.
    fn make_room(&mut self) {
        if self.entries.len() < self.limit {
            return;
        }
        let mut looked: Vec<_> = self.entries.values().map(|entry| entry.looked).collect();
        let at = looked.len() / 8;
        let (_, &mut oldest, _) = looked.select_nth_unstable(at);
        self.entries.retain(|_, entry| oldest < entry.looked);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(n).into()
    }

    #[test]
    fn an_address_is_asked_for_once_and_again_when_its_answer_is_old() {
        let now = Instant::now();
        let mut cache = Cache::new(8);
        assert_eq!(cache.look(address(1), now), (None, true));
        assert_eq!(cache.look(address(1), now), (None, false));
        cache.not_asked(address(1));
        assert_eq!(cache.look(address(1), now), (None, true));
        cache.insert(address(1), Some("nas".into()), now + Duration::from_secs(60));
        assert_eq!(cache.look(address(1), now), (Some("nas".into()), false));
        let later = now + Duration::from_secs(61);
        assert_eq!(
            cache.look(address(1), later),
            (Some("nas".into()), true),
            "the old name stays until there is a new one"
        );
        cache.insert(address(1), None, later + Duration::from_secs(60));
        assert_eq!(cache.look(address(1), later), (None, false), "that there is none is known too");
    }

    #[test]
    fn what_nobody_looks_at_goes_when_it_is_full() {
        let now = Instant::now();
        let mut cache = Cache::new(64);
        for n in 0..10_000 {
            cache.look(address(n), now);
            cache.look(address(0), now);
            assert!(cache.entries.len() <= 64, "{}", cache.entries.len());
        }
        assert!(cache.entries.contains_key(&address(0)));
        assert!(!cache.entries.contains_key(&address(1)));
        cache.insert(address(1), Some("late".into()), now);
        assert!(!cache.entries.contains_key(&address(1)));
    }
}

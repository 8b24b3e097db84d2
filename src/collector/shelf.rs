//! Templates by their ids, the least recently used first, with what they cost in octets.
//!
//! It does not say where a template came from or what it means. A template that finds no room takes the place of those
//! of the same shelf that were not used for the longest time, and of no other.

use std::sync::Arc;

use crate::collector::recent::Recent;
use crate::collector::room::Account;
use crate::collector::session::{ALLOCATION, Compiled};
use crate::flow::Timestamp;
use crate::wire::template::TemplateId;

type Table = Recent<TemplateId, (Arc<Compiled>, Timestamp)>;

/// Octets of an entry itself, and its part of the table's allocation.
pub(super) const ENTRY: usize = Table::ENTRY.saturating_add(ALLOCATION);

#[derive(Debug)]
pub(super) struct Shelf {
    templates: Table,
    /// Octets of the templates.
    octets: usize,
    /// Entries that there were at once: what they took is kept for others.
    most: usize,
}

impl Shelf {
    pub(super) const fn new(limit: usize) -> Self {
        Self { templates: Recent::new(limit), octets: 0, most: 0 }
    }

    pub(super) fn get(&mut self, id: TemplateId) -> Option<&Arc<Compiled>> {
        self.templates.get(&id).map(|(compiled, _)| &*compiled)
    }

    /// Each template, and when it last came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Compiled>, Timestamp)> {
        self.templates.iter().map(|(_, (compiled, received))| (compiled, *received))
    }

    pub(super) const fn len(&self) -> usize {
        self.templates.len()
    }

    /// Notes that a template came again; `false` when it is not the one that is here.
    pub(super) fn renew(&mut self, compiled: &Arc<Compiled>, received: Timestamp) -> bool {
        let Some((known, at)) = self.templates.get(&compiled.template.id) else { return false };
        // Most repetitions are of the very template that is known, which saves the comparison of its fields.
        if !Arc::ptr_eq(known, compiled) && known.template != compiled.template {
            return false;
        }
        *at = received;
        true
    }

    /// Puts a template in the place of the one with the same id. Returns how many others had to go, or `None` when even
    /// then there is no room.
    pub(super) fn put(
        &mut self,
        compiled: Arc<Compiled>,
        received: Timestamp,
        account: &mut Account<'_>,
    ) -> Option<u64> {
        let id = compiled.template.id;
        self.remove(id, account);
        let mut gone = 0_u64;
        if self.templates.is_full() {
            gone = gone.saturating_add(u64::from(self.shorten(account)));
        }
        let octets = compiled.octets();
        loop {
            let entry = if self.templates.len() < self.most { 0 } else { ENTRY };
            if account.take(octets.saturating_add(entry)) {
                break;
            }
            if !self.shorten(account) {
                return None;
            }
            gone = gone.saturating_add(1);
        }
        self.octets = self.octets.saturating_add(octets);
        self.templates.insert(id, (compiled, received));
        self.most = self.most.max(self.templates.len());
        Some(gone)
    }

    /// Octets that it holds, of its account.
    pub(super) const fn octets(&self) -> usize {
        self.octets.saturating_add(self.most.saturating_mul(ENTRY))
    }

    fn remove(&mut self, id: TemplateId, account: &mut Account<'_>) {
        if let Some((old, _)) = self.templates.remove(&id) {
            self.give(&old, account);
        }
    }

    fn shorten(&mut self, account: &mut Account<'_>) -> bool {
        let Some((oldest, _)) = self.templates.remove_oldest() else { return false };
        self.give(&oldest, account);
        true
    }

    fn give(&mut self, compiled: &Compiled, account: &mut Account<'_>) {
        self.octets = self.octets.saturating_sub(compiled.octets());
        account.give(compiled.octets());
    }
}

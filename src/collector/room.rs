//! How many octets all addresses hold together, and which of them may take more.
//!
//! Half of each bound is dealt out: an address can always hold its share, whatever others do. The other half is common:
//! who holds more than its share has the rest from there, and when that is used up, it gets no more until somebody
//! gives back. So no address ever pushes out what another holds, and the sum stays below the bound. Octets are
//! estimates, made from the sizes of the structures and never below them; nothing is measured here.

use crate::collector::Limits;
use crate::flow::Timestamp;

/// Octets of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// What each address may hold of its own.
    share: usize,
    /// What is left for those that hold more.
    common: usize,
    /// What all hold.
    held: usize,
}

/// The octets of all addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pools {
    waiting: Pool,
    templates: Pool,
    facts: Pool,
}

/// The octets of one address.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    waiting: usize,
    templates: usize,
    facts: usize,
    /// No set of the address has waited too long before.
    pub(super) due: Option<Timestamp>,
}

/// What one address holds, among all.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pub(super) pools: &'a mut Pools,
    pub(super) held: &'a mut Held,
}

/// What one address holds of one kind, among all.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pool: &'a mut Pool,
    held: &'a mut usize,
}

impl Pools {
    pub(super) fn new(limits: &Limits) -> Self {
        let pool = |bound: usize| {
            let share = (bound / 2).checked_div(limits.exporters).unwrap_or(0);
            Pool { share, common: bound.saturating_sub(share.saturating_mul(limits.exporters)), held: 0 }
        };
        Self {
            waiting: pool(limits.all_waiting_octets),
            templates: pool(limits.all_template_octets),
            facts: pool(limits.all_fact_octets),
        }
    }

    /// Octets of waiting sets, of templates and of facts.
    pub(super) const fn held(&self) -> [usize; 3] {
        [self.waiting.held, self.templates.held, self.facts.held]
    }
}

impl Room<'_> {
    pub(super) const fn waiting(&mut self) -> Account<'_> {
        Account { pool: &mut self.pools.waiting, held: &mut self.held.waiting }
    }

    pub(super) const fn templates(&mut self) -> Account<'_> {
        Account { pool: &mut self.pools.templates, held: &mut self.held.templates }
    }

    pub(super) const fn facts(&mut self) -> Account<'_> {
        Account { pool: &mut self.pools.facts, held: &mut self.held.facts }
    }

    /// Gives back everything.
    pub(super) const fn leave(&mut self) {
        self.waiting().give(usize::MAX);
        self.templates().give(usize::MAX);
        self.facts().give(usize::MAX);
    }
}

impl Account<'_> {
    /// Takes so many octets more; `false` when there are not so many.
    pub(super) const fn take(&mut self, octets: usize) -> bool {
        let after = self.held.saturating_add(octets);
        let beyond = self.beyond(after).saturating_sub(self.beyond(*self.held));
        let Some(common) = self.pool.common.checked_sub(beyond) else { return false };
        self.pool.common = common;
        self.pool.held = self.pool.held.saturating_add(octets);
        *self.held = after;
        true
    }

    /// Gives so many octets back; more than there are gives all of them.
    pub(super) const fn give(&mut self, octets: usize) {
        let after = self.held.saturating_sub(octets);
        let back = self.beyond(*self.held).saturating_sub(self.beyond(after));
        self.pool.common = self.pool.common.saturating_add(back);
        self.pool.held = self.pool.held.saturating_sub(self.held.saturating_sub(after));
        *self.held = after;
    }

    const fn beyond(&self, held: usize) -> usize {
        held.saturating_sub(self.pool.share)
    }
}

#[cfg(test)]
mod tests;

//! Templates that outlive the collector: what is known, for whoever stores it, and what was stored, put back.
//!
//! It stores nothing itself and knows no table. What is put back comes from a file, so it is checked like what comes
//! from the network. Nobody knows from which port a restored template was sent: it becomes no session's own, but may
//! be borrowed until the exporter sends it again.

use std::net::IpAddr;
use std::sync::Arc;

use crate::collector::Collector;
use crate::flow::{ObservationDomainId, Timestamp, Version};
use crate::wire::template::{Template, TemplateId};

/// How long after it was last received a template is stored and restored, in milliseconds; then it is left out and
/// has to come again. Exporters can be told to repeat their templates every 24 hours at the latest: this is twice
/// that, so that one repetition may be lost. What is older was given up by its exporter, and its id may since mean
/// something else.
pub const LIFETIME_MS: i64 = 2 * 86_400_000;

/// Templates that are stored; of more, those of the exporters with the most are left out.
pub const STORED: usize = 16_384;
/// Fields of all templates that are stored, which bounds the octets; what exceeds it is left out in the same order.
pub const STORED_FIELDS: usize = 262_144;

/// A template as it was last received from an exporter and domain, whatever the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTemplate {
    pub exporter: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    pub template: Arc<Template>,
    /// When the exporter sent it last, a repetition of the same definition included.
    pub received: Timestamp,
}

/// Counters of template records. What was stored is up to date as long as they stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revision {
    /// Records that changed what is known.
    pub definitions: u64,
    /// All records; a repetition changes only the time of its template.
    pub records: u64,
}

impl Revision {
    pub(super) const fn add(&mut self, more: Self) {
        self.definitions = self.definitions.saturating_add(more.definitions);
        self.records = self.records.saturating_add(more.records);
    }
}

/// What became of stored templates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Put back, those included that found no room beside newer ones.
    pub templates: usize,
    /// Left out for their age, see [`LIFETIME_MS`].
    pub outdated: usize,
    /// Left out since no exporter's data could be read with them.
    pub unusable: usize,
}

impl Collector {
    /// Puts stored templates back, to be called before the first datagram. Each is used, and counted as borrowed,
    /// until the exporter sends one of the same id. The limits hold: when there are too many, the newest stay.
    pub fn restore(&mut self, now: Timestamp, mut stored: Vec<KnownTemplate>) -> Restored {
        let mut restored = Restored::default();
        // The least recently used goes first, which is to be the oldest.
        stored.sort_by_key(|known| known.received);
        for known in stored {
            let is_template = matches!(known.version, Version::V9 | Version::Ipfix)
                && TemplateId::FIRST <= known.template.id.0
                && known.template.scopes <= known.template.fields.len();
            let count = if !is_template || !self.limits.allow(&known.template) {
                &mut restored.unusable
            } else if LIFETIME_MS < now.since(known.received) {
                &mut restored.outdated
            } else {
                self.put_back(known, now);
                &mut restored.templates
            };
            *count = count.saturating_add(1);
        }
        restored
    }

    /// Every template that could be borrowed now.
    pub fn templates(&self) -> impl Iterator<Item = KnownTemplate> {
        self.hosts.values().flat_map(|host| host.templates())
    }

    /// The templates worth storing: no older than [`LIFETIME_MS`] and no more than [`STORED`]. The exporters with the
    /// fewest come first, so that none that floods pushes out the others; of as many, in no order.
    pub fn templates_to_store(&self, now: Timestamp) -> Vec<KnownTemplate> {
        let mut hosts: Vec<_> = self.hosts.values().collect();
        hosts.sort_by_cached_key(|host| host.known());
        let mut room = STORED_FIELDS;
        let young = |known: &KnownTemplate| now.since(known.received) <= LIFETIME_MS;
        let fits = |known: &KnownTemplate| {
            let left = room.checked_sub(known.template.fields.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        hosts.into_iter().flat_map(|host| host.templates()).filter(young).take_while(fits).take(STORED).collect()
    }

    /// How many templates could be borrowed now; those that are not among the ones to store are lost by a restart.
    pub fn template_count(&self) -> usize {
        self.hosts.values().map(|host| host.known()).sum()
    }

    /// Whether templates have come since another revision.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    fn put_back(&mut self, known: KnownTemplate, now: Timestamp) {
        // A clock that was set back must not make a template immortal.
        let known = KnownTemplate { received: known.received.min(now), ..known };
        if !self.hosts.contains_key(&known.exporter) {
            self.take_in(known.exporter, known.received);
        }
        let Self { limits, hosts, pools, totals, .. } = self;
        if let Some(host) = hosts.get_mut(&known.exporter) {
            host.restore(limits, known, (pools, totals));
        }
    }
}

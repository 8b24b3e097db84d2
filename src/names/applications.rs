//! What exporters call applications, from name to ids: a filter is asked for a name, and a flow has an id.
//!
//! The names come from options records, so they were made harmless and bounded by the collector.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::collector::options::names::NameKind;
use crate::collector::stats::ExporterNames;

/// Names in lower case; two exporters may have one name for different ids.
#[derive(Debug, Default)]
pub(super) struct Applications(RwLock<HashMap<String, Vec<u64>>>);

impl Applications {
    /// Takes the place of what was known.
    pub(super) fn learn(&self, exporters: &[ExporterNames]) {
        let mut known = HashMap::<_, Vec<u64>>::new();
        for (kind, id, name) in exporters.iter().flat_map(|exporter| exporter.names.iter()) {
            if kind == NameKind::Application {
                let ids = known.entry(name.to_lowercase()).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    pub(super) fn ids(&self, name: &str) -> Vec<u64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&name.to_lowercase()).cloned().unwrap_or_default()
    }

    /// Names that begin so, in any order.
    pub(super) fn beginning(&self, start: &str) -> Vec<String> {
        let start = start.to_lowercase();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.keys().filter(|name| name.starts_with(&start)).cloned().collect()
    }
}

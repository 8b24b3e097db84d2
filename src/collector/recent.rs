//! Values by key, up to a limit, and which of them was not used for the longest time.
//!
//! The entries lie side by side in the order of their keys: there may be tens of thousands of these tables with one to
//! some dozens of entries each. Making room looks at every entry, which happens only when a value is new. It does not
//! know what a value costs: see [`room`](super::room).

/// A table of at most some thousand values.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    entries: Vec<Entry<K, V>>,
    limit: usize,
    /// How often any entry was used.
    uses: u64,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    /// The number of its last use.
    used: u64,
    value: V,
}

impl<K: Ord, V> Recent<K, V> {
    pub(super) const fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit, uses: 0 }
    }

    /// Octets that an entry takes while the table is half empty.
    pub(super) const ENTRY: usize = 2_usize.saturating_mul(size_of::<Entry<K, V>>());

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.limit <= self.entries.len()
    }

    /// The value of a key, which is used now.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        self.uses = self.uses.saturating_add(1);
        let entry = self.entries.get_mut(index)?;
        entry.used = self.uses;
        Some(&mut entry.value)
    }

    /// Each value, in the order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Puts a value in, which is used now; a table that is full loses its oldest one.
    pub(super) fn insert(&mut self, key: K, value: V) -> &mut V {
        self.remove(&key);
        if self.is_full() {
            self.remove_oldest();
        }
        self.put(key, value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.find(key).ok()?;
        Some(self.entries.remove(index).value)
    }

    /// Takes the value out that was not used for the longest time.
    pub(super) fn remove_oldest(&mut self) -> Option<V> {
        let (index, _) = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.used)?;
        Some(self.entries.remove(index).value)
    }

    /// Puts the value of a new key where it belongs.
    fn put(&mut self, key: K, value: V) -> &mut V {
        self.uses = self.uses.saturating_add(1);
        // Never more than twice what there is, which is what `ENTRY` says.
        if self.entries.capacity() == self.entries.len() {
            self.entries.reserve_exact(self.entries.len().max(1));
        }
        let index = self.find(&key).unwrap_or_else(|index| index);
        &mut self.entries.insert_mut(index, Entry { key, used: self.uses, value }).value
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.cmp(key))
    }
}

#[cfg(test)]
mod tests;

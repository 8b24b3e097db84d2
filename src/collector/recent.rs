//! Values by key, up to a limit, and which of them was not used for the longest time.
//!
//! The entries lie side by side in the order of their keys. There may be tens of thousands of these tables with one to
//! some dozens of entries each, so what a look costs is the memory that it touches. Making room looks at every entry,
//! which happens only when a value is new. It does not know what a value costs: see [`room`](super::room).

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

    /// The value of a key, without a use.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(self.find(key).ok()?).map(|entry| &entry.value)
    }

    /// The value of a key to be changed, without a use.
    pub(super) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        self.entries.get_mut(index).map(|entry| &mut entry.value)
    }

    /// Each value, in the order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Each value to be changed, without a use.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
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

impl<K: Ord, V> Recent<K, Box<V>> {
    /// The value of a key, which is used now, made when it is new. In a full table it takes the place of the oldest one,
    /// which is shown to `gone` first, and its octets, so that senders that come and go cost no allocation.
    pub(super) fn place(&mut self, key: K, new: impl FnOnce() -> V, gone: impl FnOnce(&mut V)) -> &mut V {
        match self.find(&key) {
            #[expect(clippy::indexing_slicing, reason = "the index was found just now")]
            Ok(index) => {
                self.uses = self.uses.saturating_add(1);
                let entry = &mut self.entries[index];
                entry.used = self.uses;
                &mut entry.value
            }
            Err(_) => {
                let spare = if self.is_full() { self.remove_oldest() } else { None };
                let value = match spare {
                    Some(mut spare) => {
                        gone(&mut spare);
                        *spare = new();
                        spare
                    }
                    None => Box::new(new()),
                };
                self.put(key, value)
            }
        }
    }
}

#[cfg(test)]
mod tests;

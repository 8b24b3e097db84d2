//! The sessions or the domains of one address, and which of them was not heard for the longest time.
//!
//! Each has a number, and the numbers lie side by side, apart from what is large: a flood of datagrams from many
//! addresses finds none of this in the processor's cache, so that what a look costs is the memory that it touches. In a
//! full table the oldest makes room, so that senders that come and go cost no allocation.

/// A table of some dozens of values.
#[derive(Debug)]
pub(super) struct Places<V> {
    numbers: Vec<u64>,
    /// The number of the last use of each.
    used: Vec<u64>,
    values: Vec<V>,
    limit: usize,
    /// How often any value was used.
    uses: u64,
}

impl<V> Places<V> {
    /// At most `limit` values, and always at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self { numbers: Vec::new(), used: Vec::new(), values: Vec::new(), limit: limit.max(1), uses: 0 }
    }

    /// Where the value of a number is that `is` the one that is sought.
    pub(super) fn find(&self, number: u64, is: impl Fn(&V) -> bool) -> Option<usize> {
        let equal = self.numbers.iter().zip(&self.values).enumerate().filter(|(_, (other, _))| **other == number);
        equal.into_iter().find(|(_, (_, value))| is(value)).map(|(index, _)| index)
    }

    /// The value that was `found` for a number, which is used now, made when it is new. When it takes the place of the
    /// oldest one, that is shown to `gone` first.
    #[expect(clippy::indexing_slicing, reason = "the three lists are of one length, and an index was found in one")]
    pub(super) fn place(
        &mut self,
        found: Option<usize>,
        number: u64,
        new: impl FnOnce() -> V,
        gone: impl FnOnce(&mut V),
    ) -> &mut V {
        let index = match found {
            Some(index) => index,
            None if self.values.len() < self.limit => self.push(number, new()),
            None => {
                let index = self.oldest();
                gone(&mut self.values[index]);
                self.values[index] = new();
                self.numbers[index] = number;
                index
            }
        };
        self.uses = self.uses.saturating_add(1);
        self.used[index] = self.uses;
        &mut self.values[index]
    }

    /// The value of a number, without a use.
    pub(super) fn peek(&self, number: u64) -> Option<&V> {
        self.values.get(self.find(number, |_| true)?)
    }

    /// The value of a number that `is` the one that is sought, to be changed, without a use.
    pub(super) fn peek_mut(&mut self, number: u64, is: impl Fn(&V) -> bool) -> Option<&mut V> {
        let index = self.find(number, is)?;
        self.values.get_mut(index)
    }

    /// Each value, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter()
    }

    /// Each value to be changed, without a use.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }

    fn push(&mut self, number: u64, value: V) -> usize {
        let index = self.values.len();
        self.numbers.push(number);
        self.used.push(self.uses);
        // Never more than twice what there is, since values are large.
        if self.values.capacity() == index {
            self.values.reserve_exact(index.max(1));
        }
        self.values.push(value);
        index
    }

    fn oldest(&self) -> usize {
        self.used.iter().enumerate().min_by_key(|(_, used)| **used).map_or(0, |(index, _)| index)
    }
}

#[cfg(test)]
mod tests;

//! A list that forgets its oldest items and still numbers them for ever.

use std::collections::VecDeque;

/// At most `limit` items, each with a number that stays its own when older ones are forgotten.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    first: u64,
    limit: usize,
    items: VecDeque<T>,
}

impl<T> Ring<T> {
    /// An empty list that will keep this many items.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a list that keeps nothing numbers nothing");
        Self { first: 0, limit, items: VecDeque::new() }
    }

    /// Adds an item and tells its number.
    pub fn push(&mut self, item: T) -> u64 {
        if self.items.len() == self.limit {
            self.items.pop_front();
            self.first += 1;
        }
        self.items.push_back(item);
        self.end() - 1
    }

    /// The number that the next item will get.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The items that are still kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    /// The items from this number on, as far as they are still kept.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &T> {
        let skip = number.saturating_sub(self.first);
        self.items.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.items.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;

    #[test]
    fn numbers_survive_the_forgetting_of_older_items() {
        let mut ring = Ring::new(2);
        let numbers: Vec<u64> = ["a", "b", "c"].into_iter().map(|item| ring.push(item)).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(ring.since(0).collect::<Vec<_>>(), [&"b", &"c"]);
        assert_eq!(ring.since(2).collect::<Vec<_>>(), [&"c"]);
        assert_eq!(ring.get_mut(0), None);
        assert_eq!(ring.end(), 3);
    }
}

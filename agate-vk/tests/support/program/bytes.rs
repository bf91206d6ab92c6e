//! A program's bytes, read one after the other; behind the end are zeros.

/// What is left of a program.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_more(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.next()) % end
    }

    /// Once in `times`.
    pub(crate) fn once_in(&mut self, times: u8) -> bool {
        self.next() % times == times - 1
    }

    /// Takes one of them out, if there is any.
    pub(crate) fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        let place = self.below(from.len().max(1));
        (place < from.len()).then(|| from.swap_remove(place))
    }
}

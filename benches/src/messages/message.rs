//! What is sent: a number of 8 bytes, or a cache line full of it.

/// A message that carries a number, so that the receiver can check what it got.
pub trait Message: Copy + Send + 'static {
    /// A message that carries `number`, which is less than 2^60.
    fn new(number: u64) -> Self;

    /// The number; reads all of the message.
    fn number(&self) -> u64;
}

impl Message for u64 {
    #[inline(always)]
    fn new(number: u64) -> Self {
        number
    }

    #[inline(always)]
    fn number(&self) -> u64 {
        *self
    }
}

/// 64 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Line([u64; 8]);

impl Message for Line {
    #[inline(always)]
    fn new(number: u64) -> Self {
        Self([number; 8])
    }

    #[inline(always)]
    fn number(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum: u64, word| sum.wrapping_add(*word))
            / 8
    }
}

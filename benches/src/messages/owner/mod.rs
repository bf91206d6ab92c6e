//! Owners of a number, to be told to add to it or asked for it: agate's, an actor, and what one builds from the standard
//! library.

pub mod agate;
pub mod by_hand;
pub mod kameo;

use crate::messages::peer::Info;

/// An owner, as one thread sees it that uses it. Dropping it ends the owner.
pub trait Owner: Sized {
    /// What it is.
    fn info() -> Info;

    /// Starts one, on the processor of receivers.
    ///
    /// # Errors
    ///
    /// When it does not start.
    fn start() -> Result<Self, String>;

    /// Has it add to its number, without an answer; whether it was handed over.
    fn tell(&mut self, add: u64) -> bool;

    /// Has it add to its number and say what that is then.
    fn ask(&mut self, add: u64) -> Option<u64>;
}

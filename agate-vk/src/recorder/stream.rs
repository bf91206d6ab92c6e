//! The stream lane: a recorder that writes commands into blocks and sends the blocks to the owner of the pool.
//!
//! The invariants of `header.rs` (H1–H3) and `cursor.rs` (K1–K4) hold here.

#![allow(
    unsafe_code,
    reason = "keeps the recorder's state at the start of its block, behind a raw pointer"
)]

use super::cursor::{Cursor, HasCursor, SPARE_WORDS, Said};
use super::held::Held;
use super::{BlockHeader, HEADER_WORDS, Jumbos, Published, Room};
use crate::after::Work;
use crate::commands::closure;
use crate::error::{RecordError, SlotLoss};
use crate::frame::{SlotPlace, SlotToken};
use crate::pool::PoolMessage;
use crate::raw::Device;
use agate::Block;
use std::marker::PhantomData;
use std::ptr;

/// What a recorder needs only when a block is full, at an error, and at the end. It stands at the start of the block in
/// use, so that a recorder is three pointers and makes no allocation.
struct Slow {
    token: SlotToken,
    block: Block,
    /// Whether closures stand in the block.
    closures: bool,
    error: Option<RecordError>,
    #[cfg(feature = "checks")]
    checks: crate::checks::State,
    /// Full blocks, where a shard replays the slot.
    held: Option<Held>,
}

const _: () =
    assert!(size_of::<Slow>() + size_of::<Said>() <= HEADER_WORDS * 8 && align_of::<Slow>() <= 64);

/// Records one slot by writing messages: the job's side of the stream lane.
///
/// Made by [`Slot::stream`](crate::Slot::stream). Commands are the methods of [`Recorder`](crate::Recorder). Call
/// [`finish`](Self::finish) at the end; a recorder that is dropped without it, by a panic too, loses its slot, and the
/// frame's policy says what that means.
///
/// It can be sent to another thread between two calls. In a function that is handed `&mut StreamRecorder` and records in a
/// loop, [`enter`](Self::enter) keeps the write position in registers.
///
/// # Progress
///
/// Every call is wait-free but for the exchange of a full block, which is lock-free. Nothing here waits for the owner; but
/// where [users drive](crate::ServiceOptions::driven_by_users) it, with shards always, that exchange and the end of the
/// recorder, by `finish` or drop, may do the work that they find, and take as long.
pub struct StreamRecorder {
    cursor: Cursor,
    /// Neither `Sync` nor, unless said below, `Send`.
    _not_sync: PhantomData<*mut ()>,
}

// SAFETY: by K1 and H1 the recorder is the only user of its block, and everything in `Slow` is `Send` (asserted below), so
// it may be used from any one thread at a time.
unsafe impl Send for StreamRecorder {}

const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Slow>();
};

impl StreamRecorder {
    /// Starts recording for the slot of `token`.
    pub(crate) fn new(token: SlotToken) -> Result<Self, RecordError> {
        let block = match token.take_block() {
            Ok(block) => block,
            Err(error) => {
                token.lose(SlotLoss::Failed(error));
                return Err(error);
            }
        };
        let held = token.is_sharded().then(Held::default);
        let (base, cur, end) = Slow {
            #[cfg(feature = "checks")]
            checks: token.unchecked(),
            token,
            block,
            closures: false,
            error: None,
            held,
        }
        .settle();
        let cursor = Cursor {
            base,
            cur,
            end,
            push_end: ptr::null_mut(),
            push_at: ptr::null_mut(),
        };
        Ok(Self {
            cursor,
            _not_sync: PhantomData,
        })
    }

    /// Ends the recording and hands it to the owner. The commands are replayed in slot order, whatever the order in which
    /// jobs finish.
    ///
    /// # Errors
    ///
    /// The first error of the recording; the slot is lost then, and the frame's ticket says so too.
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the owner if it sleeps. Where [users drive](crate::ServiceOptions::driven_by_users) it, this replays
    /// what is there to replay, of other jobs too; with [shards](crate::ServiceOptions::shards), the slot itself.
    #[inline(always)]
    pub fn finish(self) -> Result<(), RecordError> {
        let Cursor { base, cur, .. } = self.cursor;
        std::mem::forget(self);
        finish(base, cur)
    }

    /// Which slot is being recorded.
    pub fn place(&self) -> SlotPlace {
        // SAFETY: by K1 `base` holds this recorder's `Slow`; the reference ends with this call.
        unsafe { (*self.cursor.base.cast::<Slow>()).token.place() }
    }

    /// Calls `record` with the write position held in local variables. Use it where a function gets
    /// `&mut StreamRecorder` and records in a loop: the compiler then keeps the position in registers.
    #[inline(always)]
    pub fn enter<R>(&mut self, record: impl FnOnce(&mut Entered<'_>) -> R) -> R {
        let mut entered = Entered {
            cursor: self.cursor,
            home: &mut self.cursor,
        };
        record(&mut entered)
    }
}

impl Drop for StreamRecorder {
    #[inline(always)]
    fn drop(&mut self) {
        give_up(self.cursor.base, self.cursor.cur);
    }
}

impl std::fmt::Debug for StreamRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamRecorder")
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}

impl HasCursor for StreamRecorder {
    #[inline(always)]
    fn cursor(&mut self) -> &mut Cursor {
        &mut self.cursor
    }
}

/// A [`StreamRecorder`] with its write position in local variables; see [`StreamRecorder::enter`].
pub struct Entered<'a> {
    cursor: Cursor,
    home: &'a mut Cursor,
}

impl HasCursor for Entered<'_> {
    #[inline(always)]
    fn cursor(&mut self) -> &mut Cursor {
        &mut self.cursor
    }
}

impl Drop for Entered<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // A push at the end is not joined with a draw behind it: where it stands need not be kept in a register.
        *self.home = Cursor {
            push_end: ptr::null_mut(),
            push_at: ptr::null_mut(),
            ..self.cursor
        };
    }
}

impl std::fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

impl Slow {
    /// Moves into the start of its block; returns (base, first command word, end).
    fn settle(self) -> (*mut u64, *mut u64, *mut u64) {
        let base = self.block.as_ptr();
        let words = self.block.capacity_words();
        // SAFETY: a block has more than HEADER_WORDS words (checked when the service was made).
        let cur = unsafe { base.add(HEADER_WORDS) };
        // SAFETY: `words` is the length of the block, which has more words than these.
        let end = unsafe { base.add(words - SPARE_WORDS) };
        // SAFETY: H1: this recorder is the block's only user, and K4's place is behind the `Slow`.
        unsafe { Said::place(base).write(Said::NOTHING) };
        // SAFETY: H1: this recorder is the block's only user; size and alignment are asserted above.
        unsafe { base.cast::<Self>().write(self) };
        (base, cur, end)
    }

    /// Notes an error, if it is the first.
    fn fails(&mut self, error: RecordError) {
        if self.error.is_none() {
            self.error = Some(error);
            #[cfg(feature = "checks")]
            self.token.note(error);
        }
    }

    /// Moves out of the start of the block.
    ///
    /// # Safety
    ///
    /// `base` holds a `Slow` that was written by `settle` and not taken since.
    unsafe fn take(base: *mut u64) -> Self {
        // SAFETY: the caller's contract.
        unsafe { base.cast::<Self>().read() }
    }

    /// Drops the closures in the block, whose commands end at `cur`.
    fn drop_closures(&mut self, cur: *mut u64) {
        if std::mem::take(&mut self.closures) {
            let from = self.block.as_ptr().wrapping_add(HEADER_WORDS);
            // SAFETY: H1 and K1: this recorder alone uses the block, and whole commands stand there.
            unsafe { closure::discard(from, cur) };
        }
    }

    /// Ends the recording without its commands, which end at `cur`.
    fn abandon(mut self, cur: *mut u64, loss: SlotLoss) {
        self.drop_closures(cur);
        self.token.lose(loss);
    }
}

/// Publishes the full block and goes on in a fresh one. Where there is none, the error sticks and the recording goes on
/// over the same memory, to be thrown away at the end.
#[cold]
#[inline(never)]
pub(super) fn grow(base: *mut u64, cur: *mut u64) -> (*mut u64, *mut u64, *mut u64) {
    // SAFETY: K1: `base` is that of a live cursor and holds its `Slow`; the cursor gets the new place in return.
    let mut slow = unsafe { Slow::take(base) };
    if slow.error.is_none() {
        match slow.token.take_block() {
            Ok(fresh) => {
                let full = std::mem::replace(&mut slow.block, fresh);
                let closures = std::mem::take(&mut slow.closures);
                let full = seal(&slow.token, (full, closures), cur, false);
                slow.error = match &mut slow.held {
                    Some(held) => held.push(&slow.token, full).err(),
                    None => send(&slow.token, full).err(),
                };
            }
            Err(error) => slow.fails(error),
        }
    }
    // Where there was an error, they still stand in the block.
    slow.drop_closures(cur);
    slow.settle()
}

/// Publishes the last block of a recording that has ended.
#[inline(never)]
fn finish(base: *mut u64, cur: *mut u64) -> Result<(), RecordError> {
    #[cfg(feature = "checks")]
    check_end(base);
    // SAFETY: K1: `base` is that of a recorder that was forgotten by its `finish`, so its `Slow` is taken once.
    let slow = unsafe { Slow::take(base) };
    if let Some(error) = slow.error {
        slow.abandon(cur, SlotLoss::Failed(error));
        return Err(error);
    }
    let Slow {
        token,
        block,
        closures,
        held,
        ..
    } = slow;
    let last = seal(&token, (block, closures), cur, true);
    match held {
        Some(held) => held.finish(token, last),
        None => send(&token, last),
    }
}

/// Ends a recording that was not finished.
#[cold]
#[inline(never)]
fn give_up(base: *mut u64, cur: *mut u64) {
    // SAFETY: K1: `base` is that of a recorder that is being dropped; `finish` forgets the recorder, so its `Slow` was not
    // taken before.
    let slow = unsafe { Slow::take(base) };
    let loss = match slow.error {
        Some(error) => SlotLoss::Failed(error),
        None if std::thread::panicking() => SlotLoss::Panicked,
        None => SlotLoss::Dropped,
    };
    slow.abandon(cur, loss);
}

/// Notes the first error of a recording.
#[cold]
#[inline(never)]
pub(crate) fn fail(base: *mut u64, error: RecordError) {
    // SAFETY: K1: `base` is that of a live cursor and holds its `Slow`; the reference ends with this call.
    let slow = unsafe { &mut *base.cast::<Slow>() };
    slow.fails(error);
}

/// Does `work` when the frame of the recording is over. By value, so that no cursor's address gets here (K2).
#[inline(never)]
pub(crate) fn after(base: *mut u64, work: Work) {
    // SAFETY: as in `fail`.
    let slow = unsafe { &*base.cast::<Slow>() };
    slow.token.after(work);
}

/// Looks at the command of an index that is about to be encoded.
#[cfg(feature = "checks")]
#[inline(never)]
pub(crate) fn check(base: *mut u64, index: u16) {
    // SAFETY: as in `fail`.
    let slow = unsafe { &mut *base.cast::<Slow>() };
    if let Err(error) = slow.checks.command(index) {
        slow.fails(error);
    }
}

/// Looks at what the slot has left open.
#[cfg(feature = "checks")]
fn check_end(base: *mut u64) {
    // SAFETY: as in `fail`.
    let slow = unsafe { &mut *base.cast::<Slow>() };
    if let Err(error) = slow.checks.end() {
        slow.fails(error);
    }
}

/// Notes that a pipeline is bound.
#[cfg(feature = "checks")]
#[inline(never)]
pub(crate) fn note_pipeline(base: *mut u64, point: ash::vk::PipelineBindPoint) {
    // SAFETY: as in `fail`.
    let slow = unsafe { &mut *base.cast::<Slow>() };
    slow.checks.binds(point);
}

/// Notes that closures stand in the block.
#[inline(never)]
pub(crate) fn note_closure(base: *mut u64) {
    // SAFETY: as above.
    let slow = unsafe { &mut *base.cast::<Slow>() };
    slow.closures = true;
    #[cfg(feature = "checks")]
    slow.checks.binds_all();
}

/// The device that the recording is for.
pub(crate) fn device<'a>(base: *mut u64) -> &'a Device {
    // SAFETY: K1: `base` is that of a live cursor and holds its `Slow`; its token keeps the device, and the callers use the
    // reference while they hold the cursor.
    unsafe { (*base.cast::<Slow>()).token.device() }
}

/// Counts a command that is larger than a block.
pub(super) fn room_for(base: *mut u64, bytes: usize) -> Result<Room, RecordError> {
    // SAFETY: as above; the reference ends with this call.
    unsafe { &(*base.cast::<Slow>()).token }.room_for(bytes)
}

/// Where the frame keeps commands that are larger than a block.
pub(super) fn jumbos<'a>(base: *mut u64) -> &'a Jumbos {
    // SAFETY: as above; the token keeps the frame's place.
    unsafe { (*base.cast::<Slow>()).token.jumbos() }
}

/// Writes the header of a block whose commands end at `cur`, with or without closures. Its `Slow` must have been moved
/// out.
fn seal(
    token: &SlotToken,
    (block, closures): (Block, bool),
    cur: *mut u64,
    last: bool,
) -> Published {
    let end = (cur as usize - block.as_ptr() as usize) / 8;
    BlockHeader::new(token.place(), last, closures, end).write(&block);
    Published::new(block)
}

/// Sends a block to the pools' owner, and has it replayed where users drive that: else blocks would pile up.
fn send(token: &SlotToken, block: Published) -> Result<(), RecordError> {
    let sent = token.port().send_and_help(PoolMessage::Block(block));
    sent.map_err(|_| RecordError::Closed)
}

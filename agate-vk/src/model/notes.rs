//! Notes of leases that end while their frame is submitted: the owner hears of each, once.

use agate::{Driver, Handler, Local, Owner, OwnerOptions, Pending, Port, Scope};
use ash::vk;
use loom::sync::Arc;
use loom::thread;
use std::time::Duration;

use super::check;
use crate::frame::SlotPlace;
use crate::notes::{Note, Notes};
use crate::pool::PoolMessage;
use crate::turnstile::Fault;

const LONG: Duration = Duration::from_secs(1_000_000);

/// The frame that is submitted.
const SERIAL: u64 = 5;

/// In place of the pools' owner.
struct Hears;

impl Handler for Hears {
    type Message = PoolMessage;

    fn handle(&mut self, message: PoolMessage) {
        assert!(matches!(message, PoolMessage::Ready { .. }));
    }
}

fn note(slot: u32) -> Note {
    Note {
        place: SlotPlace {
            serial: SERIAL,
            pass: 0,
            slot,
            frame: 0,
            part: slot,
        },
        buffer: vk::CommandBuffer::null(),
        commands: 0,
    }
}

type To = Port<PoolMessage>;

/// Jobs end their leases beside the submission, as they do by `put` and `submit`; all is heard.
fn told(
    (preemptions, jobs, blocks): (usize, u32, usize),
    fault: Option<Fault>,
    put: fn(&Notes, Note, &To),
    submit: fn(&Notes, &To),
) {
    check(preemptions, move || {
        let options = OwnerOptions::named("hears").driven_by(Driver::Users);
        let owner: Owner<Hears> = Local.owner_from(options, Hears).unwrap();
        let mut notes = Notes::with_blocks(blocks).unwrap();
        notes.told.fault = fault;
        let notes = Arc::new(notes);
        let jobs: Vec<_> = (0..jobs)
            .map(|slot| {
                let (notes, port) = (Arc::clone(&notes), owner.attach().unwrap());
                thread::spawn(move || put(&notes, note(slot), &port))
            })
            .collect();
        let port = owner.attach().unwrap();
        submit(&notes, &port);
        drop(port);
        let count = jobs.len() as u64;
        jobs.into_iter().for_each(|job| job.join().unwrap());
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!(report.handled, count, "a note is lost");
    });
}

/// Preemptions, jobs, blocks.
const ONE: (usize, u32, usize) = (3, 1, 1);

fn put(notes: &Notes, note: Note, port: &To) {
    notes.put(note, port).unwrap();
}

fn submit(notes: &Notes, port: &To) {
    notes.submitted(SERIAL, port);
}

#[test]
fn a_note_beside_the_submission_is_told_once() {
    told(ONE, None, put, submit);
    told((2, 1, 2), None, put, submit);
}

/// Two notes, and room for one in each block.
#[test]
fn two_notes_beside_the_submission_are_told_once() {
    told((1, 2, 2), None, put, submit);
}

/// The mutants of the exchange.
mod mutants {
    use super::{Fault, ONE, put, submit, told};

    #[test]
    #[should_panic(expected = "a note is lost")]
    fn a_job_that_only_loads_misses_the_submission() {
        told(ONE, Some(Fault::Loads), put, submit);
    }

    /// The steps the other way round.
    #[test]
    #[should_panic(expected = "a note is lost")]
    fn a_submission_that_looks_before_it_passes_misses_the_note() {
        told(ONE, None, put, |notes, port| {
            notes.tell(port).unwrap();
            notes.told.set(super::SERIAL);
        });
    }

    #[test]
    #[should_panic(expected = "a note is lost")]
    fn a_job_that_looks_before_it_puts_the_note_down_misses_the_submission() {
        told(
            ONE,
            None,
            |notes, note, port| {
                let told = notes.told.pass() >= super::SERIAL;
                if notes.put_down(note) && told {
                    notes.tell(port).unwrap();
                }
            },
            submit,
        );
    }
}

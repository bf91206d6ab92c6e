//! What a service counts is what the device saw.

#[path = "support/null.rs"]
mod support;

use agate_vk::SubmitOptions;
use std::time::Duration;
use support::{LONG, checked, close, drawn, run, service};

const ALL: agate_vk::vk::PipelineStageFlags2 = agate_vk::vk::PipelineStageFlags2::ALL_COMMANDS;

#[test]
fn submissions_and_their_calls() {
    let null = checked();
    let mut service = service(&null, |options| options.frames_in_flight = 4);
    let calls = || {
        let call = |call: &&&str| **call == "vkQueueSubmit2";
        null.log().iter().filter(call).count() as u64
    };
    for _ in 0..5 {
        run(&mut service).expect("executed");
    }
    let counted = service.counters();
    assert_eq!((counted.frames, counted.submissions), (5, 5));
    assert_eq!((counted.submit_calls, counted.largest_batch), (calls(), 1));
    assert_eq!(counted.held, 0);
    assert!(counted.replay_time > Duration::ZERO && counted.queue_delay > Duration::ZERO);
    assert!(counted.longest_queue_delay <= counted.queue_delay);
    assert!(counted.pool_owner.handled > 5 && counted.retire_owner.handled <= 5);
    // While the owner is in a submission, three more come. However many go out together, the counts agree.
    let inside = null.hold("vkQueueSubmit2");
    let mut tickets = vec![drawn(&mut service).submit(SubmitOptions::default())];
    assert!(inside.wait_entered(LONG));
    for _ in 0..3 {
        tickets.push(drawn(&mut service).submit(SubmitOptions::default()));
    }
    drop(inside);
    for ticket in &mut tickets {
        ticket.wait_timeout(LONG).expect("executed");
    }
    let counted = service.counters();
    assert_eq!((counted.submissions, counted.submit_calls), (9, calls()));
    // One that waits for a frame that is not submitted.
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let slot = frame.outside(1).expect("room").slot(0).expect("free");
    let first = frame.submit(SubmitOptions::default());
    let options = SubmitOptions::default().after(&first, ALL);
    let mut second = drawn(&mut service).submit(options);
    support::until("it is held", || service.counters().held == 1);
    slot.stream().expect("room").finish().expect("an owner");
    second.wait_timeout(LONG).expect("executed");
    assert_eq!(service.counters().submissions, 11);
    close(service, &null);
}

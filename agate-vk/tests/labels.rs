//! Names and labels for debuggers, where the device has them.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Service, ServiceOptions};
use null_device::{NullDevice, NullOptions};
use support::{LONG, acquire, checked, close, drawn, present, run, service, swapchain};

fn labelled() -> NullDevice {
    NullDevice::new(NullOptions::default().owner_only().labels())
}

#[test]
fn objects_have_names() {
    let null = labelled();
    let mut service = service(&null, |options| options.name = "mine".to_owned());
    let chain = swapchain(&mut service, &null, (64, 64));
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    let labels = null.labels();
    let live = null.live();
    for (what, times) in [
        ("timeline", 1),
        ("command pool", live.pools),
        ("primary", live.buffers),
        ("image semaphore", live.semaphores - 1),
        ("swapchain", 1),
    ] {
        let name = format!("name mine {what}");
        let found = labels.iter().filter(|label| **label == name).count();
        assert_eq!(found, times, "{what}: {labels:?}");
    }
    drop(chain);
    close(service, &null);
}

#[test]
fn frames_and_submissions_have_labels() {
    let null = labelled();
    let mut service = service(&null, |_| ());
    run(&mut service).expect("executed");
    drop(drawn(&mut service));
    run(&mut service).expect("executed");
    let of = |kind: &str| {
        let labels = null.labels().into_iter();
        labels
            .filter(|label| label.starts_with(kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("queue: "),
        [
            "queue: frame 1",
            "queue: end",
            "queue: frame 3",
            "queue: end"
        ]
    );
    // The frame that was discarded is not ended, only reset.
    assert_eq!(
        of("commands: "),
        [
            "commands: frame 1",
            "commands: end",
            "commands: frame 2",
            "commands: frame 3",
            "commands: end"
        ]
    );
    close(service, &null);
}

#[test]
fn a_batch_is_labelled_with_its_frames() {
    let null = labelled();
    let mut service = service(&null, |options| options.frames_in_flight = 4);
    let inside = null.hold("vkQueueSubmit2");
    let mut tickets = vec![support::submit(&mut service)];
    assert!(inside.wait_entered(LONG));
    for _ in 0..3 {
        tickets.push(support::submit(&mut service));
    }
    drop(inside);
    for ticket in &mut tickets {
        ticket.wait_timeout(LONG).expect("executed");
    }
    // However many went together, each frame is in the label of one call.
    let mut frames = Vec::new();
    for label in null.labels() {
        if let Some(rest) = label.strip_prefix("queue: frame") {
            let numbers = rest.split(|c: char| !c.is_ascii_digit());
            let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
            frames.extend(numbers[0]..=numbers[numbers.len() - 1]);
        }
    }
    assert_eq!(frames, [1, 2, 3, 4]);
    close(service, &null);
}

#[test]
fn a_device_without_them() {
    let null = checked();
    let mut service = service(&null, |_| ());
    run(&mut service).expect("executed");
    assert_eq!(null.labels(), Vec::<String>::new());
    close(service, &null);
}

/// A layer answers for the functions even where the extension is not enabled: only the host can tell.
#[test]
fn nothing_is_named_unless_the_host_says_so() {
    let null = labelled();
    // SAFETY: the functions are those of the device, which outlives the service.
    let device = unsafe { agate_vk::Device::load(null.handle(), |name| null.function(name)) };
    let (device, options) = (
        device.expect("all functions are there"),
        ServiceOptions::new(null.queue(), 0),
    );
    // SAFETY: the test leaves the queue to the service.
    let mut service = unsafe { Service::new(device, options) }.expect("a service starts");
    run(&mut service).expect("executed");
    close(service, &null);
    assert_eq!(null.labels(), [""; 0]);
}

//! Who may use the queue: its owner alone, the host's work on its owner, or the host too under its own lock.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{QueueGuard, QueueMode, ash, vk};
use null_device::{NullDevice, NullOptions, Rule};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use support::{
    Bomb, LONG, acquire, checked, close, explode, present, run, service, submit, swapchain,
};

/// The host's lock, which counts.
#[derive(Default)]
struct Lock {
    taken: AtomicBool,
    times: AtomicU64,
    queue: AtomicU64,
}

impl Lock {
    fn lock(&self) {
        while self.taken.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    fn unlock(&self) {
        assert!(self.taken.swap(false, Ordering::Release), "was not locked");
    }

    fn guard(&'static self, lock: agate_vk::QueueLock) -> QueueMode {
        let user = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the lock is static, and excludes.
        QueueMode::Guarded(unsafe { QueueGuard::new(lock, unlock, user) })
    }
}

unsafe extern "C" fn lock(user: *mut c_void, queue: vk::Queue) {
    // SAFETY: the pointer is that of a static lock.
    let lock = unsafe { &*user.cast::<Lock>() };
    lock.lock();
    lock.times.fetch_add(1, Ordering::Relaxed);
    lock.queue
        .store(vk::Handle::as_raw(queue), Ordering::Relaxed);
}

unsafe extern "C" fn unlock(user: *mut c_void, _: vk::Queue) {
    // SAFETY: as above.
    unsafe { &*user.cast::<Lock>() }.unlock();
}

fn any_thread() -> NullDevice {
    NullDevice::new(NullOptions::default().checked())
}

fn new_lock() -> &'static Lock {
    Box::leak(Box::default())
}

#[test]
fn the_hosts_lock_is_held_around_each_call() {
    let (null, guard) = (any_thread(), new_lock());
    let mut service = service(&null, |options| options.queue_mode = guard.guard(lock));
    let chain = swapchain(&mut service, &null, (64, 64));
    for width in [32, 32, 64] {
        chain.resize(vk::Extent2D { width, height: 32 });
        present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    }
    drop(acquire(&chain));
    // SAFETY: nothing is done with the queue.
    let mut answer = unsafe { service.with_queue(|_, _| ()) };
    answer.wait_timeout(LONG).expect("it ran");
    drop(chain);
    close(service, &null);
    let calls = null
        .log()
        .iter()
        .filter(|call| call.starts_with("vkQueue"))
        .count();
    let times = guard.times.load(Ordering::Relaxed);
    assert_eq!(times, calls as u64 + 1, "one for the host's own work");
    assert_eq!(
        guard.queue.load(Ordering::Relaxed),
        vk::Handle::as_raw(null.queue())
    );
    assert!(!guard.taken.load(Ordering::Relaxed));
}

/// The host submits while the service does.
fn share_the_queue(null: &NullDevice, mode: QueueMode, guard: &Lock) {
    let mut service = service(null, |options| options.queue_mode = mode);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let device = null.table();
            while !done.load(Ordering::Relaxed) {
                guard.lock();
                // SAFETY: the lock is held.
                let result = unsafe { device.queue_submit2(null.queue(), &[], vk::Fence::null()) };
                guard.unlock();
                result.expect("it submits");
            }
        });
        // Until the service was seen inside by the host, or long enough.
        for _ in 0..300 {
            run(&mut service).expect("executed");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(service.shutdown(LONG).leaked, 0);
}

#[test]
fn the_host_submits_too() {
    let (null, guard) = (any_thread(), new_lock());
    share_the_queue(&null, guard.guard(lock), guard);
    assert_eq!(null.violations(), []);
}

/// The red control: a lock that the service does not take is a race that the device sees.
#[test]
fn without_the_lock_the_device_sees_a_race() {
    let null = any_thread();
    let mut service = service(&null, |_| ());
    let inside = null.hold("vkQueueSubmit2");
    let mut ticket = submit(&mut service);
    assert!(inside.wait_entered(LONG), "the service submits");
    // SAFETY: wrong on purpose; the device only looks.
    let result = unsafe {
        null.table()
            .queue_submit2(null.queue(), &[], vk::Fence::null())
    };
    result.expect("it submits");
    drop(inside);
    ticket.wait_timeout(LONG).expect("executed");
    let rules: Vec<_> = null.violations().iter().map(|found| found.rule).collect();
    let inside = "vkQueueSubmit2";
    assert_eq!(rules, [Rule::Race { inside }]);
}

#[test]
fn the_hosts_work_runs_on_the_owner() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut ticket = submit(&mut service);
    ticket.wait_timeout(LONG).expect("executed");
    let act = |device: &ash::Device, queue| {
        // SAFETY: an empty submission, on the queue's owner.
        let result = unsafe { device.queue_submit2(queue, &[], vk::Fence::null()) };
        (result, queue, std::thread::current().id())
    };
    // SAFETY: it keeps nothing.
    let mut answer = unsafe { service.with_queue(act) };
    let (result, queue, thread) = answer.wait_timeout(LONG).expect("an answer");
    assert_eq!((result, queue), (Ok(()), null.queue()));
    assert_ne!(thread, std::thread::current().id());
    // One that panics is told, and the owner goes on.
    // SAFETY: it does nothing with the queue.
    let mut answer = unsafe { service.with_queue::<()>(|_, _| panic!("planted")) };
    assert!(answer.wait_timeout(LONG).is_err());
    run(&mut service).expect("executed");
    // None runs on a lost device.
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    let _ = run(&mut service);
    // SAFETY: as above.
    let mut answer = unsafe { service.with_queue(|_, _| ()) };
    assert!(answer.wait_timeout(LONG).is_err());
    close(service, &null);
}

/// The host's work may panic with what panics again when it is dropped; it is told, and the owner goes on. So it does where
/// the work, or its answer, cannot be dropped without a panic.
#[test]
fn work_that_panics_takes_nobody_along() {
    let null = checked();
    let mut service = service(&null, |_| ());
    // SAFETY: nothing is done with the queue.
    let mut answer = unsafe { service.with_queue::<()>(|_, _| explode()) };
    assert!(answer.wait_timeout(LONG).is_err());
    // Not before the answer is given up: else it is this thread that drops what comes.
    let (go_on, told) = mpsc::channel::<()>();
    // SAFETY: as above.
    let bomb = unsafe {
        service.with_queue(move |_, _| {
            let _ = told.recv();
            Bomb
        })
    };
    drop(bomb);
    drop(go_on);
    run(&mut service).expect("executed");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    assert!(run(&mut service).is_err());
    let bomb = Bomb;
    // SAFETY: as above.
    let mut answer = unsafe { service.with_queue(move |_, _| drop(bomb)) };
    assert!(answer.wait_timeout(LONG).is_err(), "the device is lost");
    close(service, &null);
}

//! What encoding a draw costs in a hot block, in the shapes that renderers have, beside a copy of the same bytes.
//!
//! # Invariants
//!
//! - E1: nothing recorded here reaches a driver: every recorder is dropped, and the frame with it. So handles may be
//!   numbers.

#![allow(unsafe_code, reason = "makes a service for a device without a driver")]

use std::hint::black_box;
use std::time::Duration;

use agate_vk::{Frame, Pass, Service, ServiceOptions, StreamRecorder};
use null_device::{NullDevice, NullOptions};

use crate::clock::{floor_ticks, ns_per_tick, ticks};
use crate::commands::strategy::{BYTES_PER_DRAW, Encoded, RECORDS};
use crate::commands::work::{Calls, Matrices, Matrix, Scene};
use crate::rounds::{self, Candidate, Series};
use crate::stats::Summary;

/// Draws in one sample: they fit in one block, and a block in the first-level cache.
const DRAWS: usize = 200;
const BLOCK_BYTES: usize = 32 << 10;
/// Samples in one measurement, which is their median.
const SAMPLES: usize = 200;
const SLOTS: u32 = 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// Slots without end, whose recorders are dropped: the same block comes back each time, still in the cache.
struct HotBlock {
    service: Service,
    frame: Option<(Frame, Pass)>,
}

impl HotBlock {
    fn new(null: &NullDevice) -> Self {
        // SAFETY: the functions are those of the device, which outlives the service: see `measure`.
        let device = unsafe { agate_vk::Device::load(null.handle(), |name| null.function(name)) };
        let device = device.expect("the null device has all functions");
        let mut options = ServiceOptions::new(null.queue(), 0);
        options.block_bytes = BLOCK_BYTES;
        // SAFETY: as above; nobody else uses the queue.
        let service = unsafe { Service::new(device, options) }.expect("threads for the owners");
        Self {
            service,
            frame: None,
        }
    }

    fn recorder(&mut self) -> StreamRecorder {
        loop {
            if let Some((_, pass)) = &self.frame
                && let Ok(slot) = pass.next_slot()
            {
                return slot.stream().expect("a block");
            }
            self.frame = None;
            let frame = self.service.begin_frame_timeout(DEADLINE);
            let mut frame = frame.expect("the frame before was dropped");
            let pass = frame.outside(SLOTS).expect("few slots");
            self.frame = Some((frame, pass));
        }
    }

    /// The median time of a draw in nanoseconds.
    fn time(&mut self, record: impl Fn(&mut StreamRecorder)) -> f64 {
        let floor = floor_ticks();
        let samples: Vec<f64> = (0..SAMPLES)
            .map(|_| {
                let mut recorder = self.recorder();
                let begin = ticks();
                record(&mut recorder);
                let spent = ticks().wrapping_sub(begin);
                per_draw(spent, floor)
            })
            .collect();
        Summary::of(&samples).median
    }
}

fn per_draw(ticks: u64, floor: u64) -> f64 {
    ticks.saturating_sub(floor) as f64 * ns_per_tick() / DRAWS as f64
}

/// The names of the measurements of [`measure`].
pub mod names {
    /// The limit: a copy of the same bytes, draw by draw.
    pub const COPY: &str = "limit: copy of as many bytes, draw by draw";
    /// Four calls in a loop that is inlined.
    pub const INLINED: &str = "four calls, loop inlined";
    /// Four calls in a loop in a function that gets the recorder.
    pub const LOOP: &str = "four calls, loop in a function";
    /// The same without `enter`.
    pub const LOOP_BARE: &str = "four calls, loop in a function, without `enter`";
    /// A function for each draw.
    pub const EACH: &str = "four calls, a function per draw";
    /// A function for each draw, whose matrix was written just before.
    pub const FRESH: &str = "four calls, a function per draw, matrix just written";
    /// A loop that builds the matrix in the message.
    pub const IN_PLACE: &str = "four calls, loop inlined, matrix built in place";
}

/// Measures all shapes, in turns; nanoseconds per draw.
pub fn measure(rounds_count: usize) -> Vec<Series<f64>> {
    let null = NullDevice::new(NullOptions::default());
    let matrices = Matrices::default();
    let scene = black_box(Scene {
        pipeline: ash::vk::Handle::from_raw(0x10),
        layout: ash::vk::Handle::from_raw(0x20),
        vertices: ash::vk::Handle::from_raw(0x30),
    });
    let block = std::cell::RefCell::new(HotBlock::new(&null));
    let (scene, matrices, block) = (&scene, &matrices, &block);
    let shape = |name: &'static str, record: fn(&mut StreamRecorder, &Scene, &Matrices)| {
        Candidate::new(name, move || {
            block
                .borrow_mut()
                .time(|recorder| record(recorder, scene, matrices))
        })
    };
    let mut copy = Copy::default();
    let candidates = vec![
        Candidate::new(names::COPY, move || copy.time()),
        shape(names::INLINED, inlined::<0>),
        shape(names::LOOP, in_a_function),
        shape(names::LOOP_BARE, in_a_function_bare),
        shape(names::EACH, function_per_draw),
        shape(names::FRESH, function_per_draw_fresh),
        shape(names::IN_PLACE, in_place),
    ];
    // The service in `block` ends before `null`, which was made before it.
    rounds::run(candidates, 2, rounds_count)
}

#[inline(always)]
fn four(calls: &mut impl Calls, scene: &Scene, matrix: &Matrix) {
    calls.bind_pipeline(scene.pipeline);
    calls.bind_vertices(scene.vertices);
    calls.push(scene.layout, matrix);
    calls.draw();
}

/// `SHAPE` makes each use a function of its own, as a renderer's loops are: a closure with two callers is not inlined.
#[inline(always)]
fn inlined<const SHAPE: usize>(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    recorder.enter(|entered| {
        for draw in 0..DRAWS {
            four(&mut Encoded(entered), scene, matrices.of(draw));
        }
    });
}

#[inline(never)]
fn in_a_function(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    inlined::<1>(recorder, scene, matrices);
}

#[inline(never)]
fn in_a_function_bare(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    for draw in 0..DRAWS {
        four(&mut Encoded(recorder), scene, matrices.of(draw));
    }
}

fn function_per_draw(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    #[inline(never)]
    fn draw(recorder: &mut StreamRecorder, scene: &Scene, matrix: &Matrix) {
        four(&mut Encoded(recorder), scene, matrix);
    }
    for index in 0..DRAWS {
        draw(recorder, scene, matrices.of(index));
    }
}

fn function_per_draw_fresh(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    #[inline(never)]
    fn draw(recorder: &mut StreamRecorder, scene: &Scene, matrix: &Matrix) {
        four(&mut Encoded(recorder), scene, matrix);
    }
    let mut matrix = *matrices.of(0);
    for index in 0..DRAWS {
        matrix[3] = index as f32;
        draw(recorder, scene, &matrix);
    }
}

fn in_place(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    recorder.enter(|entered| {
        for draw in 0..DRAWS {
            let mut calls = Encoded(entered);
            calls.bind_pipeline(scene.pipeline);
            calls.bind_vertices(scene.vertices);
            calls.push_in_place(scene.layout, |matrix| {
                matrix.write(*matrices.of(draw));
            });
            calls.draw();
        }
    });
}

/// The limit: as many bytes as a draw's messages have, copied from a small table into hot memory.
struct Copy {
    from: Box<[[u8; BYTES_PER_DRAW]; RECORDS]>,
    to: Vec<[u8; BYTES_PER_DRAW]>,
}

impl Default for Copy {
    fn default() -> Self {
        Self {
            from: Box::new(std::array::from_fn(|byte| [byte as u8; BYTES_PER_DRAW])),
            to: vec![[0; BYTES_PER_DRAW]; DRAWS],
        }
    }
}

impl Copy {
    fn time(&mut self) -> f64 {
        let floor = floor_ticks();
        let samples: Vec<f64> = (0..SAMPLES)
            .map(|_| {
                let begin = ticks();
                let from = black_box(&self.from);
                for (index, to) in self.to.iter_mut().enumerate() {
                    *to = from[index % RECORDS];
                }
                black_box(&mut self.to);
                per_draw(ticks().wrapping_sub(begin), floor)
            })
            .collect();
        Summary::of(&samples).median
    }
}

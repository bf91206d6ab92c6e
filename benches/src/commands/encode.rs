//! What encoding a draw costs in a hot block, in the shapes that renderers have, beside a copy of the same bytes.
//!
//! # Invariants
//!
//! - E1: nothing recorded here reaches a driver: every recorder is dropped, and the frame with it. So handles may be
//!   numbers.

#![allow(unsafe_code, reason = "makes a service for a device without a driver")]

use std::hint::black_box;
use std::time::Duration;

use agate_vk::{Frame, Pass, Recorder, Service, ServiceOptions, StreamRecorder};
use null_device::{NullDevice, NullOptions};

use crate::clock::{floor_ticks, ns_per_tick, ticks};
use crate::commands::strategy::{BYTES_PER_DRAW, Encoded, EncodedFused, RECORDS};
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

/// How a draw is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Four calls.
    Four,
    /// One, which says all.
    Fused,
}

/// Where the calls of a draw stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// In a loop that is inlined.
    Inlined,
    /// In a loop in a function that gets the recorder, and enters it.
    Function,
    /// The same without `enter`.
    Bare,
    /// In a function of their own, called for each draw.
    Each,
}

/// One measurement of [`measure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// How a draw is recorded; nothing for the limit, a copy of as many bytes, draw by draw.
    pub form: Option<Form>,
    /// Where.
    pub shape: Shape,
    /// Whether a word of the matrix was written just before.
    pub fresh: bool,
    /// Whether what is bound already is left out.
    pub eliminate: bool,
}

impl Row {
    /// What the table calls it.
    pub fn name(self) -> String {
        let form = match self.form {
            None => {
                let bytes = if self.eliminate {
                    FEWER_BYTES
                } else {
                    BYTES_PER_DRAW
                };
                let fresh = if self.fresh { ", just written" } else { "" };
                return format!("limit: copy of {bytes} bytes{fresh}");
            }
            Some(Form::Four) => "four calls",
            Some(Form::Fused) => "fused",
        };
        let shape = match self.shape {
            Shape::Inlined => "loop inlined",
            Shape::Function => "loop in a function",
            Shape::Bare => "loop in a function, without `enter`",
            Shape::Each => "a function per draw",
        };
        let fresh = if self.fresh {
            ", matrix just written"
        } else {
            ""
        };
        let eliminate = if self.eliminate { ", eliminating" } else { "" };
        format!("{form}, {shape}{fresh}{eliminate}")
    }

    /// The limit that it is held against: as many bytes, written as recently.
    #[must_use]
    pub fn limit(self) -> Self {
        Self {
            form: None,
            shape: Shape::Inlined,
            ..self
        }
    }
}

type Record = fn(&mut StreamRecorder, &Scene, &Matrices);

/// All rows but the limits.
fn rows() -> Vec<(Row, Record)> {
    let mut rows: Vec<(Row, Record)> = Vec::new();
    macro_rules! add {
        ($($form:ident $fresh:literal $eliminate:literal;)*) => {$(
            for (shape, record) in [
                (Shape::Inlined, inlined::<$form, $fresh, $eliminate, 0> as Record),
                (Shape::Function, in_a_function::<$form, $fresh, $eliminate>),
                (Shape::Each, function_per_draw::<$form, $fresh, $eliminate>),
            ] {
                let row = Row { form: Some(Form::$form), shape, fresh: $fresh, eliminate: $eliminate };
                rows.push((row, record));
            }
        )*};
    }
    add! {
        Four false false;
        Four true false;
        Fused false false;
        Fused true false;
        Four false true;
        Four true true;
        Fused false true;
        Fused true true;
    }
    let bare = Row {
        form: Some(Form::Four),
        shape: Shape::Bare,
        fresh: false,
        eliminate: false,
    };
    rows.insert(2, (bare, in_a_function_bare));
    rows
}

/// Measures all shapes, in turns; nanoseconds per draw.
pub fn measure(rounds_count: usize) -> Vec<(Row, Series<f64>)> {
    let null = NullDevice::new(NullOptions::default());
    let matrices = Matrices::default();
    let scene = black_box(Scene {
        pipeline: ash::vk::Handle::from_raw(0x10),
        layout: ash::vk::Handle::from_raw(0x20),
        vertices: ash::vk::Handle::from_raw(0x30),
    });
    let block = std::cell::RefCell::new(HotBlock::new(&null));
    let (scene, matrices, block) = (&scene, &matrices, &block);
    let limit = |fresh, eliminate| Row {
        form: None,
        shape: Shape::Inlined,
        fresh,
        eliminate,
    };
    let mut measured = vec![
        limit(false, false),
        limit(true, false),
        limit(false, true),
        limit(true, true),
    ];
    let (mut copy, mut fresh) = (Copy::<BYTES_PER_DRAW>::new(), Copy::<BYTES_PER_DRAW>::new());
    let (mut fewer, mut fewer_fresh) = (Copy::<FEWER_BYTES>::new(), Copy::<FEWER_BYTES>::new());
    let mut candidates = vec![
        Candidate::new("", move || copy.time(false)),
        Candidate::new("", move || fresh.time(true)),
        Candidate::new("", move || fewer.time(false)),
        Candidate::new("", move || fewer_fresh.time(true)),
    ];
    for (row, record) in rows() {
        measured.push(row);
        candidates.push(Candidate::new("", move || {
            block
                .borrow_mut()
                .time(|recorder| record(recorder, scene, matrices))
        }));
    }
    // The service in `block` ends before `null`, which was made before it.
    let series = rounds::run(candidates, 2, rounds_count);
    measured.into_iter().zip(series).collect()
}

/// A way of recording a draw, as a type: each loop is compiled for it alone, as a renderer's is.
trait Drawn {
    fn draw<R: Recorder>(to: &mut R, scene: &Scene, matrix: &Matrix);
}

struct Four;
struct Fused;

impl Drawn for Four {
    #[inline(always)]
    fn draw<R: Recorder>(to: &mut R, scene: &Scene, matrix: &Matrix) {
        Encoded(to).all(scene, matrix);
    }
}

impl Drawn for Fused {
    #[inline(always)]
    fn draw<R: Recorder>(to: &mut R, scene: &Scene, matrix: &Matrix) {
        EncodedFused(to).all(scene, matrix);
    }
}

/// The matrix of each draw: one of a table, or one that was written just before.
#[inline(always)]
fn each<const FRESH: bool>(matrices: &Matrices, mut draw: impl FnMut(&Matrix)) {
    let mut own = *matrices.of(0);
    for index in 0..DRAWS {
        if FRESH {
            own[3] = index as f32;
            draw(black_box(&own));
        } else {
            draw(matrices.of(index));
        }
    }
}

/// `SHAPE` makes each use a function of its own, as a renderer's loops are: a closure with two callers is not inlined.
#[inline(always)]
fn inlined<F: Drawn, const FRESH: bool, const ELIMINATE: bool, const SHAPE: usize>(
    recorder: &mut StreamRecorder,
    scene: &Scene,
    matrices: &Matrices,
) {
    if ELIMINATE {
        recorder.eliminate(|to| each::<FRESH>(matrices, |matrix| F::draw(to, scene, matrix)));
    } else {
        recorder.enter(|to| each::<FRESH>(matrices, |matrix| F::draw(to, scene, matrix)));
    }
}

#[inline(never)]
fn in_a_function<F: Drawn, const FRESH: bool, const ELIMINATE: bool>(
    recorder: &mut StreamRecorder,
    scene: &Scene,
    matrices: &Matrices,
) {
    inlined::<F, FRESH, ELIMINATE, 1>(recorder, scene, matrices);
}

#[inline(never)]
fn in_a_function_bare(recorder: &mut StreamRecorder, scene: &Scene, matrices: &Matrices) {
    each::<false>(matrices, |matrix| Four::draw(recorder, scene, matrix));
}

fn function_per_draw<F: Drawn, const FRESH: bool, const ELIMINATE: bool>(
    recorder: &mut StreamRecorder,
    scene: &Scene,
    matrices: &Matrices,
) {
    #[inline(never)]
    fn draw<F: Drawn, R: Recorder>(to: &mut R, scene: &Scene, matrix: &Matrix) {
        F::draw(to, scene, matrix);
    }
    if ELIMINATE {
        recorder.eliminate(|to| {
            each::<FRESH>(matrices, |matrix| draw::<F, _>(to, scene, matrix));
        });
    } else {
        each::<FRESH>(matrices, |matrix| draw::<F, _>(recorder, scene, matrix));
    }
}

/// The bytes of a push and a draw, without the bindings.
pub const FEWER_BYTES: usize = 72;

/// The limit: as many bytes as a draw's messages have, copied from a small table into hot memory.
struct Copy<const BYTES: usize> {
    from: Box<[[u8; BYTES]; RECORDS]>,
    to: Vec<[u8; BYTES]>,
}

impl<const BYTES: usize> Copy<BYTES> {
    fn new() -> Self {
        Self {
            from: Box::new(std::array::from_fn(|byte| [byte as u8; BYTES])),
            to: vec![[0; BYTES]; DRAWS],
        }
    }

    fn time(&mut self, fresh: bool) -> f64 {
        let floor = floor_ticks();
        let samples: Vec<f64> = (0..SAMPLES)
            .map(|_| {
                let begin = ticks();
                if fresh {
                    let mut own = self.from[0];
                    for (index, to) in self.to.iter_mut().enumerate() {
                        own[32..36].copy_from_slice(&(index as f32).to_ne_bytes());
                        *to = *black_box(&own);
                    }
                } else {
                    let from = black_box(&self.from);
                    for (index, to) in self.to.iter_mut().enumerate() {
                        *to = from[index % RECORDS];
                    }
                }
                black_box(&mut self.to);
                per_draw(ticks().wrapping_sub(begin), floor)
            })
            .collect();
        Summary::of(&samples).median
    }
}

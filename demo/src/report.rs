//! The numbers of a run: kept frame by frame, told as a table and as JSON at the end.

use std::path::Path;
use std::time::Duration;

use ash::vk;
use serde_json::{Value, json};

use crate::cli::{Options, StrategyName};
use crate::count::{self, Group};
use crate::error::Error;
use crate::files;
use crate::gpu::device::{Driver, kind_name};
use crate::presentation;
use crate::stage::Stage;
use crate::strategy::{FRAMES_IN_FLIGHT, FrameSample, Objects};

/// What is known of a run.
pub(crate) struct Ledger {
    facts: Facts,
    strategies: [Column; StrategyName::ALL.len()],
    validation: Option<u64>,
    hidden: Hidden,
}

/// The circumstances.
struct Facts {
    device: String,
    device_kind: &'static str,
    driver: Driver,
    size: (u32, u32),
    samples: u32,
    draws: usize,
    jobs: usize,
    job_threads: usize,
    pass: &'static str,
    window: bool,
    seed: u64,
    time_step: Option<f32>,
    executes: bool,
    validates: bool,
}

/// How often the window was hidden, and what was drawn for nobody.
#[derive(Default)]
struct Hidden {
    times: u64,
    frames: u64,
    /// Frames drawn before it was hidden, while it is.
    since: Option<u64>,
}

impl Hidden {
    fn set(&mut self, hidden: bool, drawn: u64) {
        if hidden && self.since.is_none() {
            self.times += 1;
            self.since = Some(drawn);
        } else if !hidden && let Some(since) = self.since.take() {
            self.frames += drawn - since;
        }
    }
}

/// The numbers of one strategy.
#[derive(Default)]
struct Column {
    frames: u64,
    ns_per_draw: Spread,
    until_ended_us: Spread,
    jobs: u64,
    jobs_blocked: u64,
    jobs_paged: u64,
    blocked_us: f64,
    helping_us: f64,
    objects: Objects,
}

/// Values to take a median and a percentile of; the newest ones, so that a long run stays small.
#[derive(Default)]
struct Spread {
    values: Vec<f64>,
    next: usize,
}

impl Ledger {
    pub(crate) fn new(stage: &Stage, options: &Options, window: bool) -> Self {
        let gpu = &stage.gpu;
        let extent = stage.target.extent;
        let draws = stage.scene.len();
        let facts = Facts {
            device: gpu.name.clone(),
            device_kind: kind_name(gpu.kind),
            driver: gpu.driver.clone(),
            size: (extent.width, extent.height),
            samples: stage.formats.samples.as_raw(),
            draws,
            jobs: stage.jobs.count(draws),
            job_threads: stage.jobs.threads(),
            pass: if options.render_pass {
                "render-pass"
            } else {
                "dynamic"
            },
            window,
            seed: options.seed,
            time_step: options.time_step,
            executes: !options.no_execute,
            validates: options.validation,
        };
        Self {
            facts,
            strategies: Default::default(),
            validation: None,
            hidden: Hidden::default(),
        }
    }

    /// Notes one frame.
    pub(crate) fn add(&mut self, strategy: StrategyName, frame: &FrameSample, objects: Objects) {
        self.add_ended(strategy, &frame.until_ended);
        let column = &mut self.strategies[strategy.index()];
        column.frames += 1;
        column.objects = Objects {
            pools: column.objects.pools.max(objects.pools),
            command_buffers: column.objects.command_buffers.max(objects.command_buffers),
        };
        for job in &frame.jobs {
            column.jobs += 1;
            column.jobs_paged += u64::from(job.was_paged());
            column.helping_us += job.helping.as_secs_f64() * 1e6;
            if job.was_blocked() {
                column.jobs_blocked += 1;
                column.blocked_us += job.blocked.as_secs_f64() * 1e6;
            }
            if let Some(ns) = job.ns_per_draw() {
                column.ns_per_draw.add(ns);
            }
        }
    }

    /// Notes when primary command buffers were ended, which an owner tells later than the rest.
    pub(crate) fn add_ended(&mut self, strategy: StrategyName, until_ended: &[Duration]) {
        let spread = &mut self.strategies[strategy.index()].until_ended_us;
        until_ended
            .iter()
            .for_each(|time| spread.add(time.as_secs_f64() * 1e6));
    }

    /// The picture has this size from now on.
    pub(crate) fn set_size(&mut self, extent: vk::Extent2D) {
        self.facts.size = (extent.width, extent.height);
    }

    /// The window is hidden now (minimised, or covered), or is not.
    pub(crate) fn set_hidden(&mut self, hidden: bool) {
        let drawn = self.strategies.iter().map(|column| column.frames).sum();
        self.hidden.set(hidden, drawn);
    }

    /// Notes how many messages the validation layer had.
    pub(crate) fn set_validation(&mut self, messages: u64) {
        self.validation = self.facts.validates.then_some(messages);
    }

    /// Messages of the validation layer.
    pub(crate) fn validation_messages(&self) -> u64 {
        self.validation.unwrap_or(0)
    }

    /// Jobs of the strategy `agate` that waited; there must be none.
    pub(crate) fn agate_jobs_blocked(&self) -> u64 {
        self.strategies[StrategyName::Agate.index()].jobs_blocked
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let facts = &self.facts;
        let mut lines = vec![
            format!("{} ({}, {})", facts.device, facts.device_kind, facts.driver),
            format!(
                "{}x{}, {} sample(s), {} draws in {} jobs on {} job threads, {} pass, {} frames in flight{}",
                facts.size.0,
                facts.size.1,
                facts.samples,
                facts.draws,
                facts.jobs,
                facts.job_threads,
                facts.pass,
                FRAMES_IN_FLIGHT,
                if facts.executes {
                    ""
                } else {
                    ", recorded and not executed"
                }
            ),
            String::new(),
            format!(
                "{:<18}{:>7}{:>18}{:>14}{:>18}{:>14}{:>7}{:>9}{:>14}{:>13}{:>13}{:>8}",
                "strategy",
                "frames",
                "record ns/draw",
                "p99",
                "until ended us",
                "p99",
                "pools",
                "buffers",
                "jobs blocked",
                "blocked us",
                "helping us",
                "paged"
            ),
        ];
        lines.extend(self.used().map(|(name, column)| column.line(name)));
        lines.push(
            "(blocked: a job slept of its own accord; helping: it did an owner's work; paged: it slept while it touched new memory)"
                .into(),
        );
        lines.push(String::new());
        lines.push("who called Vulkan (thread id and name: calls)".into());
        for (name, _) in self.used() {
            lines.extend(
                Group::ALL
                    .into_iter()
                    .filter_map(|group| callers_line(name, group)),
            );
        }
        if let Some(messages) = self.validation {
            lines.push(String::new());
            lines.push(format!("validation: {messages} message(s)"));
        }
        lines.join("\n")
    }

    /// Writes the same as JSON.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), Error> {
        let text = format!("{:#}\n", self.json());
        files::write(path, text.as_bytes())
    }

    fn json(&self) -> Value {
        let facts = &self.facts;
        let strategies: Vec<Value> = self
            .used()
            .map(|(name, column)| column.json(name))
            .collect();
        let swapchain = presentation::newest_size();
        json!({
            "device": facts.device,
            "device_kind": facts.device_kind,
            "driver": facts.driver.to_string(),
            "driver_name": facts.driver.name,
            "driver_info": facts.driver.info,
            "driver_version": facts.driver.version,
            "width": facts.size.0,
            "height": facts.size.1,
            "samples": facts.samples,
            "draws": facts.draws,
            "jobs": facts.jobs,
            "job_threads": facts.job_threads,
            "pass": facts.pass,
            "window": facts.window,
            "window_hidden": self.hidden.times,
            "frames_while_hidden": self.hidden.frames,
            "swapchain_size": swapchain.map(|(width, height)| [width, height]),
            "seed": facts.seed,
            "time_step": facts.time_step,
            "executed": facts.executes,
            "frames_in_flight": FRAMES_IN_FLIGHT,
            "main_thread_id": crate::measure::thread_id(),
            "validation_messages": self.validation,
            "strategies": strategies,
        })
    }

    fn used(&self) -> impl Iterator<Item = (StrategyName, &Column)> {
        StrategyName::ALL
            .into_iter()
            .zip(&self.strategies)
            .filter(|(_, column)| column.frames > 0)
    }
}

impl Column {
    fn line(&self, name: StrategyName) -> String {
        format!(
            "{:<18}{:>7}{:>18.0}{:>14.0}{:>18.1}{:>14.1}{:>7}{:>9}{:>14}{:>13.1}{:>13.1}{:>8}",
            name.name(),
            self.frames,
            self.ns_per_draw.quantile(0.5),
            self.ns_per_draw.quantile(0.99),
            self.until_ended_us.quantile(0.5),
            self.until_ended_us.quantile(0.99),
            self.objects.pools,
            self.objects.command_buffers,
            format!("{}/{}", self.jobs_blocked, self.jobs),
            self.blocked_us,
            self.helping_us,
            self.jobs_paged
        )
    }

    fn json(&self, name: StrategyName) -> Value {
        let threads: serde_json::Map<String, Value> = Group::ALL
            .into_iter()
            .map(|group| {
                let callers = count::callers(name.index(), group);
                let callers = callers.iter().map(|caller| {
                    json!({
                        "id": caller.thread_id,
                        "name": caller.thread_name,
                        "calls": caller.calls(),
                        "functions": caller.functions,
                    })
                });
                (group.name().to_owned(), callers.collect())
            })
            .collect();
        let met = presentation::met(name.index());
        json!({
            "strategy": name.name(),
            "frames": self.frames,
            "record_ns_per_draw_median": self.ns_per_draw.quantile(0.5),
            "record_ns_per_draw_p99": self.ns_per_draw.quantile(0.99),
            "until_ended_us_median": self.until_ended_us.quantile(0.5),
            "until_ended_us_p99": self.until_ended_us.quantile(0.99),
            "pools": self.objects.pools,
            "command_buffers": self.objects.command_buffers,
            "jobs_measured": self.jobs,
            "jobs_blocked": self.jobs_blocked,
            "jobs_waiting_with_page_faults": self.jobs_paged,
            "blocked_us": self.blocked_us,
            "helping_us": self.helping_us,
            "swapchains": met.swapchains,
            "out_of_date": met.out_of_date,
            "suboptimal": met.suboptimal,
            "threads": threads,
        })
    }
}

impl Spread {
    const NEWEST: usize = 65_536;

    fn add(&mut self, value: f64) {
        if self.values.len() < Self::NEWEST {
            self.values.push(value);
        } else {
            self.values[self.next] = value;
            self.next = (self.next + 1) % Self::NEWEST;
        }
    }

    /// The value that this part of all values does not exceed; 0 if there is none.
    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() as f64 * part).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    }
}

fn callers_line(name: StrategyName, group: Group) -> Option<String> {
    let callers = count::callers(name.index(), group);
    let callers: Vec<String> = callers
        .iter()
        .map(|caller| {
            format!(
                "{} {}: {}",
                caller.thread_id,
                caller.thread_name,
                caller.calls()
            )
        })
        .collect();
    (!callers.is_empty()).then(|| {
        format!(
            "  {:<18}{:<10} {}",
            name.name(),
            group.name(),
            callers.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let mut spread = Spread::default();
        assert_eq!(spread.quantile(0.5), 0.0);
        (1..=100)
            .rev()
            .for_each(|value| spread.add(f64::from(value)));
        assert_eq!(spread.quantile(0.5), 50.0);
        assert_eq!(spread.quantile(0.99), 99.0);
        assert_eq!(spread.quantile(1.0), 100.0);
    }

    #[test]
    fn frames_count_as_hidden_between_hiding_and_showing() {
        let mut hidden = Hidden::default();
        for (state, drawn) in [(false, 3), (true, 5), (true, 6), (false, 9), (true, 20)] {
            hidden.set(state, drawn);
        }
        assert_eq!((hidden.times, hidden.frames), (2, 4));
    }

    #[test]
    fn only_the_newest_values_are_kept() {
        let mut spread = Spread::default();
        (0..Spread::NEWEST + 10).for_each(|value| spread.add(value as f64));
        assert_eq!(spread.values.len(), Spread::NEWEST);
        assert!(!spread.values.contains(&9.0));
        assert!(spread.values.contains(&10.0));
    }
}

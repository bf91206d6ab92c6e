//! The jobs of a frame: ranges of stones, recorded on a rayon pool, each measured.

use std::ops::Range;

use rayon::prelude::*;

use crate::caught::{caught, one_line_panics};
use crate::error::Error;
use crate::measure::{self, JobSample};

/// The threads that record, and into how many jobs a frame is cut.
pub(crate) struct Jobs {
    pool: rayon::ThreadPool,
    per_frame: usize,
}

/// What the jobs of one frame did, in the order of their ranges.
#[derive(Default)]
pub(crate) struct JobResults<T> {
    slots: Vec<(JobSample, Option<Result<T, Error>>)>,
}

impl Jobs {
    /// A thread for each processor; `per_frame` jobs, or four for each thread.
    pub(crate) fn new(per_frame: Option<usize>) -> Result<Self, Error> {
        one_line_panics();
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("job-{index}"))
            // A job that would wait is told so instead.
            .start_handler(|_| agate::forbid_wait())
            .build()
            .map_err(|why| Error::Jobs(why.to_string()))?;
        let per_frame = per_frame.unwrap_or(4 * pool.current_num_threads());
        Ok(Self { pool, per_frame })
    }

    /// Threads of the pool.
    pub(crate) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Jobs that a frame of `draws` is cut into: none without a draw.
    pub(crate) fn count(&self, draws: usize) -> usize {
        self.per_frame.min(draws)
    }

    /// The draws of one job.
    pub(crate) fn range(&self, job: usize, draws: usize) -> Range<usize> {
        let jobs = self.count(draws).max(1);
        draws * job / jobs..draws * (job + 1) / jobs
    }

    /// Runs `record` for every job on the pool, and returns when the last has ended. A panic is an error of its job.
    pub(crate) fn run<T: Send>(
        &self,
        draws: usize,
        results: &mut JobResults<T>,
        record: impl Fn(usize, Range<usize>) -> Result<T, Error> + Sync,
    ) {
        results.slots.clear();
        results
            .slots
            .resize_with(self.count(draws), || (JobSample::default(), None));
        self.pool.install(|| {
            results
                .slots
                .par_iter_mut()
                .with_max_len(1)
                .enumerate()
                .for_each(|(job, slot)| {
                    let range = self.range(job, draws);
                    let (result, sample) =
                        measure::job(range.len(), || caught(|| record(job, range.clone())));
                    let result = result.unwrap_or_else(|why| Err(Error::JobPanicked { job, why }));
                    *slot = (sample, Some(result));
                });
        });
    }
}

impl<T> JobResults<T> {
    /// The measurements, and either what all jobs made or the first error.
    pub(crate) fn take(
        &mut self,
        samples: &mut Vec<JobSample>,
        mut each: impl FnMut(T),
    ) -> Result<(), Error> {
        let mut failed = None;
        for (sample, result) in self.slots.drain(..) {
            samples.push(sample);
            match result {
                Some(Ok(made)) => each(made),
                Some(Err(error)) => failed = failed.or(Some(error)),
                None => {}
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_draw_once_and_in_order() {
        for (jobs, draws) in [(1, 1), (3, 10), (8, 3), (7, 7), (4, 1001)] {
            let jobs = Jobs::new(Some(jobs)).expect("threads");
            let all: Vec<usize> = (0..jobs.count(draws))
                .flat_map(|job| jobs.range(job, draws))
                .collect();
            assert_eq!(all, (0..draws).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_error_wins_and_every_job_is_measured() {
        let jobs = Jobs::new(Some(4)).expect("threads");
        let mut results = JobResults::default();
        jobs.run(100, &mut results, |job, _| match job {
            2 => Err(Error::Jobs("second".into())),
            1 => Err(Error::Jobs("first".into())),
            job => Ok(job),
        });
        let (mut samples, mut made) = (Vec::new(), Vec::new());
        let error = results
            .take(&mut samples, |job| made.push(job))
            .expect_err("two jobs failed");
        assert!(error.to_string().contains("first"));
        assert_eq!(made, [0, 3]);
        assert_eq!(
            samples.iter().map(|sample| sample.draws).sum::<usize>(),
            100
        );
    }

    #[test]
    fn a_job_that_panics_is_an_error_of_one_line_and_the_others_are_done() {
        let jobs = Jobs::new(Some(4)).expect("threads");
        let mut results = JobResults::default();
        jobs.run(100, &mut results, |job, range| {
            assert!(job != 2, "no {job}\nat all");
            Ok(range.len())
        });
        let (mut samples, mut made) = (Vec::new(), Vec::new());
        let error = results
            .take(&mut samples, |draws| made.push(draws))
            .expect_err("a job panicked");
        assert_eq!(
            error.to_string(),
            "job 2 of a frame panicked: no 2; this is a fault in the program"
        );
        assert_eq!((made, samples.len()), (vec![25, 25, 25], 4));
        assert_eq!(crate::ended(Err(error), None), crate::FAILED);
        // The pool is as good as before.
        jobs.run(4, &mut results, |job, _| Ok(job));
        let mut made = Vec::new();
        results
            .take(&mut samples, |job| made.push(job))
            .expect("all jobs are well");
        assert_eq!(made, [0, 1, 2, 3]);
    }
}

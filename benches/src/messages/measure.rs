//! Runs candidates in turns, and stops at the first that gives wrong results.

use crate::messages::peer::Info;
use crate::messages::watch::Watch;
use crate::rounds::{self, Candidate};

/// One candidate: what it is, and a run of it that tells figures or what was wrong.
pub struct Entry<'a, M> {
    info: Info,
    run: Box<dyn FnMut() -> Result<M, String> + 'a>,
}

impl<'a, M> Entry<'a, M> {
    /// A candidate.
    pub fn new(info: Info, run: impl FnMut() -> Result<M, String> + 'a) -> Self {
        Self {
            info,
            run: Box::new(run),
        }
    }
}

/// A candidate and what its runs gave.
#[derive(Debug)]
pub struct Row<M> {
    /// What it is.
    pub info: Info,
    /// One measurement of each round.
    pub runs: Vec<M>,
}

impl<M> Row<M> {
    /// One number of each round.
    pub fn numbers(&self, number: impl Fn(&M) -> f64) -> Vec<f64> {
        self.runs.iter().map(number).collect()
    }
}

/// The row of that name.
pub fn find<'a, M>(rows: &'a [Row<M>], name: &str) -> Option<&'a Row<M>> {
    rows.iter().find(|row| row.info.name == name)
}

/// How often candidates run.
#[derive(Clone, Debug)]
pub struct Turns {
    /// Rounds that are not looked at.
    pub warm_up: usize,
    /// Rounds that count.
    pub rounds: usize,
    /// Ends the process when a candidate hangs.
    pub watch: Watch,
}

/// Runs all candidates in turns.
///
/// # Errors
///
/// The name of the first candidate that gave a wrong result, and what was wrong.
pub fn measure<M>(turns: &Turns, entries: Vec<Entry<'_, M>>) -> Result<Vec<Row<M>>, String> {
    let infos: Vec<Info> = entries.iter().map(|entry| entry.info.clone()).collect();
    let candidates = entries
        .into_iter()
        .map(|mut entry| {
            let (watch, name) = (turns.watch.clone(), entry.info.name.clone());
            Candidate::new(entry.info.name.clone(), move || {
                watch.over(&name, || (entry.run)())
            })
        })
        .collect();
    let series = rounds::run(candidates, turns.warm_up, turns.rounds);
    infos
        .into_iter()
        .zip(series)
        .map(|(info, series)| {
            let runs: Result<Vec<M>, String> = series.runs.into_iter().collect();
            let runs = runs.map_err(|why| format!("{}: {why}", info.name))?;
            Ok(Row { info, runs })
        })
        .collect()
}

/// Candidates for one workload: `candidates![u64, stream(4, 1000): Agate, Crossbeam]` runs `stream::<u64, Agate>(4, 1000)`
/// and so on.
#[macro_export]
macro_rules! candidates {
    ($message:ty, $run:ident $arguments:tt: $($peer:ty),+ $(,)?) => {
        vec![$(
            $crate::messages::measure::Entry::new(
                <$peer as $crate::messages::peer::Peer<$message>>::info(),
                move || $run::<$message, $peer> $arguments,
            )
        ),+]
    };
}

//! Taking turns: every candidate runs once in each round, in an order that changes from round to round.

/// One thing that is measured beside others; `M` is what one run of it yields.
pub struct Candidate<'a, M> {
    /// What the tables call it.
    pub name: String,
    run: Box<dyn FnMut() -> M + 'a>,
}

impl<'a, M> Candidate<'a, M> {
    /// A candidate of that name.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> M + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// The measurements of one candidate, one for each round.
#[derive(Debug)]
pub struct Series<M> {
    /// What the tables call it.
    pub name: String,
    /// One measurement for each round.
    pub runs: Vec<M>,
}

impl<M> Series<M> {
    /// One number of each run.
    pub fn numbers(&self, number: impl Fn(&M) -> f64) -> Vec<f64> {
        self.runs.iter().map(number).collect()
    }
}

/// Runs all candidates `warm_up` times without looking, then `rounds` times. Each round begins with another candidate, and
/// every second one goes backwards, so that nobody always follows the same neighbour.
pub fn run<M>(
    mut candidates: Vec<Candidate<'_, M>>,
    warm_up: usize,
    rounds: usize,
) -> Vec<Series<M>> {
    let count = candidates.len();
    let mut series: Vec<Series<M>> = candidates
        .iter()
        .map(|candidate| Series {
            name: candidate.name.clone(),
            runs: Vec::with_capacity(rounds),
        })
        .collect();
    for round in 0..warm_up + rounds {
        for step in 0..count {
            let index = turn(round, step, count);
            let measured = (candidates[index].run)();
            if round >= warm_up {
                series[index].runs.push(measured);
            }
        }
    }
    series
}

/// Whose turn it is.
fn turn(round: usize, step: usize, count: usize) -> usize {
    let step = if round.is_multiple_of(2) {
        step
    } else {
        count - 1 - step
    };
    (round + step) % count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn everybody_runs_once_in_each_round_and_begins_as_often_as_the_others() {
        let log = RefCell::new(Vec::new());
        let log_ref = &log;
        let candidates = (0..3)
            .map(|name| Candidate::new(name.to_string(), move || log_ref.borrow_mut().push(name)))
            .collect();
        let series = run(candidates, 1, 6);
        assert!(series.iter().all(|series| series.runs.len() == 6));
        let log = log.into_inner();
        for round in log.chunks(3) {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        let first = |name| log.chunks(3).filter(|round| round[0] == name).count();
        assert!((0..3).all(|name| first(name) >= 1), "{log:?}");
    }
}

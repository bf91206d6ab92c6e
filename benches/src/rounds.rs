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

/// Runs all candidates `warm_up` times without looking, then `rounds` times. Each round has an order of its own, shuffled
/// in the same way in every run, so that nobody always follows the same neighbour.
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
    let mut order: Vec<usize> = (0..count).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15;
    for round in 0..warm_up + rounds {
        shuffle(&mut order, &mut random);
        for &index in &order {
            let measured = (candidates[index].run)();
            if round >= warm_up {
                series[index].runs.push(measured);
            }
        }
    }
    series
}

/// Puts `order` into another order: Fisher and Yates, with numbers from xorshift.
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        order.swap(last, (*random % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn everybody_runs_once_in_each_round_and_begins_about_as_often_as_the_others() {
        let log = RefCell::new(Vec::new());
        let log_ref = &log;
        let candidates = (0..3)
            .map(|name| Candidate::new(name.to_string(), move || log_ref.borrow_mut().push(name)))
            .collect();
        let series = run(candidates, 1, 299);
        assert!(series.iter().all(|series| series.runs.len() == 299));
        let log = log.into_inner();
        for round in log.chunks(3) {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        let first = |name| log.chunks(3).filter(|round| round[0] == name).count();
        assert!((0..3).all(|name| first(name) >= 80), "{log:?}");
    }
}

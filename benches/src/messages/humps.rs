//! Whether times gather at two places instead of one: a mean or a median would then tell of a time that nobody sees.
//!
//! Every time is divided by the median of its round, so that a machine that is slower in one round than in another makes
//! no hump. The quotients are counted in bins a quarter of an octave wide. There are two humps where some bin holds less
//! than a quarter of what the fullest bin on either side of it holds, those two are a factor of two or more apart, and at
//! least 5 % of all times lie on each side.

use crate::messages::workload::round_trip::Trips;

/// Bins of an octave.
const BINS: f64 = 4.0;
/// What each side must hold.
const SHARE: f64 = 0.05;
/// The valley holds less than the lower peak divided by this.
const DEPTH: usize = 4;

/// Where the two humps are, as multiples of the median; `None` with one hump or none.
pub fn two<'a>(rounds: impl IntoIterator<Item = &'a Trips>) -> Option<(f64, f64)> {
    let mut quotients: Vec<f64> = Vec::new();
    for trips in rounds {
        let median = trips.quantile(0.5);
        if median > 0.0 {
            let positive = trips.sorted.iter().filter(|ns| **ns > 0.0);
            quotients.extend(positive.map(|ns| ns / median));
        }
    }
    let bin = |quotient: f64| (quotient.log2() * BINS).round() as i64;
    let first = quotients.iter().copied().map(bin).min()?;
    let last = quotients.iter().copied().map(bin).max()?;
    let mut counts = vec![0_usize; (last - first + 1) as usize];
    for quotient in &quotients {
        counts[(bin(*quotient) - first) as usize] += 1;
    }
    let least = SHARE * quotients.len() as f64;
    let place = |bin: usize| ((bin as i64 + first) as f64 / BINS).exp2();
    (1..counts.len().saturating_sub(1)).find_map(|valley| {
        let (left, right) = (&counts[..valley], &counts[valley + 1..]);
        let holds = |bins: &[usize]| bins.iter().sum::<usize>() as f64 >= least;
        let left_peak = fullest(left)?;
        let right_peak = valley + 1 + fullest(right)?;
        let deep = counts[valley] * DEPTH < counts[left_peak].min(counts[right_peak]);
        let far = right_peak - left_peak >= BINS as usize;
        (deep && far && holds(left) && holds(right)).then(|| (place(left_peak), place(right_peak)))
    })
}

fn fullest(bins: &[usize]) -> Option<usize> {
    (0..bins.len()).max_by_key(|bin| bins[*bin])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trips(mut sorted: Vec<f64>) -> Trips {
        sorted.sort_by(f64::total_cmp);
        Trips { sorted }
    }

    fn around(middle: f64, count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |n| middle * (0.8 + 0.4 * n as f64 / count as f64))
    }

    #[test]
    fn one_hump_with_a_long_tail_is_one_hump() {
        let tail = (0..40).map(|n| 200.0 + 50.0 * f64::from(n));
        assert_eq!(
            two([&trips(around(100.0, 1_000).chain(tail).collect())]),
            None
        );
        assert_eq!(two([&Trips::default()]), None);
    }

    #[test]
    fn two_humps_are_found_where_they_are() {
        let both = trips(around(100.0, 900).chain(around(1_600.0, 100)).collect());
        let (low, high) = two([&both]).expect("two humps");
        assert!((0.7..1.4).contains(&low), "{low}");
        assert!((11.0..23.0).contains(&high), "{high}");
    }

    #[test]
    fn rounds_of_different_speed_are_no_humps() {
        let (slow, fast) = (
            trips(around(500.0, 500).collect()),
            trips(around(100.0, 500).collect()),
        );
        assert_eq!(two([&slow, &fast]), None);
    }
}

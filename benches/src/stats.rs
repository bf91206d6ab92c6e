//! Medians, quartiles and quantiles.

/// The middle of a set of measurements and their spread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The first quartile.
    pub low: f64,
    /// The third quartile.
    pub high: f64,
}

impl Summary {
    /// Of these measurements; all zero without any.
    ///
    /// # Examples
    ///
    /// ```
    /// let summary = benches::stats::Summary::of(&[5.0, 1.0, 3.0, 2.0, 4.0]);
    /// assert_eq!((summary.low, summary.median, summary.high), (2.0, 3.0, 4.0));
    /// ```
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: quantile(&sorted, 0.5),
            low: quantile(&sorted, 0.25),
            high: quantile(&sorted, 0.75),
        }
    }
}

/// The quantile `q` (0 to 1) of sorted measurements, between two of them where it falls there; 0 without any.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// The ratios of two series of measurements, round by round, summarised: what disturbs a round disturbs both.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Summary {
    let ratios: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .filter(|(_, theirs)| **theirs > 0.0)
        .map(|(ours, theirs)| ours / theirs)
        .collect();
    Summary::of(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few() {
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&[7.0], 0.999), 7.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The second round was twice as slow for both.
        let ratio = ratio(&[1.0, 2.0, 1.0], &[4.0, 8.0, 4.0]);
        assert_eq!((ratio.low, ratio.median, ratio.high), (0.25, 0.25, 0.25));
    }
}

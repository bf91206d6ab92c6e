//! Verdicts: is a measured ratio at its goal?

use crate::stats::Summary;

/// A number that is to be reached, where less is better: what must be, and what would be best.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// What is compared with what.
    pub what: &'static str,
    /// What the numbers count; `x` for ratios.
    pub unit: &'static str,
    /// At the most this.
    pub must: f64,
    /// Better this.
    pub aim: f64,
}

/// What a measurement says of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The median is within the goal.
    Reached,
    /// The median is not, and the goal lies between the quartiles.
    Equal,
    /// The quartiles lie beyond it.
    Missed,
}

impl Verdict {
    /// Of a number where less is better.
    ///
    /// # Examples
    ///
    /// ```
    /// use benches::{commands::goals::Verdict, stats::Summary};
    /// let noisy = Summary { median: 1.1, low: 0.9, high: 1.3 };
    /// assert_eq!(Verdict::of(noisy, 1.2), Verdict::Reached);
    /// assert_eq!(Verdict::of(noisy, 1.0), Verdict::Equal);
    /// assert_eq!(Verdict::of(noisy, 0.8), Verdict::Missed);
    /// ```
    pub fn of(measured: Summary, goal: f64) -> Self {
        if measured.median <= goal {
            Self::Reached
        } else if measured.low <= goal {
            Self::Equal
        } else {
            Self::Missed
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Equal => "equal",
            Self::Missed => "missed",
        }
    }
}

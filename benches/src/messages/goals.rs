//! The numbers to reach, and whether they were.

pub use crate::commands::goals::Verdict;
use crate::messages::measure::{Row, find};
use crate::messages::peer::{Class, Info};
use crate::stats::{Summary, ratio};
use crate::table::{Table, number, spread};

/// A goal, and what was measured of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What is compared with what.
    pub what: String,
    /// What the numbers count; `x` for ratios.
    pub unit: &'static str,
    /// What must be.
    pub must: f64,
    /// What would be best.
    pub aim: f64,
    /// Whether less is better than more.
    pub less: bool,
    /// The measurement.
    pub measured: Summary,
}

impl Judged {
    /// A goal that is reached by no more than this.
    pub fn at_most(
        what: impl Into<String>,
        unit: &'static str,
        must: f64,
        aim: f64,
        measured: Summary,
    ) -> Self {
        Self {
            what: what.into(),
            unit,
            must,
            aim,
            less: true,
            measured,
        }
    }

    /// A goal that is reached by no less than this.
    pub fn at_least(what: impl Into<String>, must: f64, aim: f64, measured: Summary) -> Self {
        Self {
            less: false,
            ..Self::at_most(what, "x", must, aim, measured)
        }
    }

    /// Whether a number is reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use benches::messages::goals::{Judged, Verdict};
    /// use benches::stats::Summary;
    /// let measured = Summary { low: 1.8, median: 2.0, high: 2.2 };
    /// let judged = Judged::at_least("faster than the others", 2.1, 3.0, measured);
    /// assert_eq!(judged.verdict(judged.must), Verdict::Equal);
    /// assert_eq!(judged.verdict(judged.aim), Verdict::Missed);
    /// ```
    pub fn verdict(&self, goal: f64) -> Verdict {
        let Summary { median, low, high } = self.measured;
        if self.less {
            Verdict::of(self.measured, goal)
        } else {
            let turned = Summary {
                median: -median,
                low: -high,
                high: -low,
            };
            Verdict::of(turned, -goal)
        }
    }
}

/// Goals in one table.
pub fn table(judged: &[Judged]) -> String {
    let mut table = Table::new(["goal", "measured", "must", "", "aim", " "]);
    for one in judged {
        let bound = |goal: f64| {
            let sign = if one.less { "≤" } else { "≥" };
            format!("{sign} {}{}", number(goal), one.unit)
        };
        table.row([
            one.what.clone(),
            spread(one.measured),
            bound(one.must),
            one.verdict(one.must).word().to_owned(),
            bound(one.aim),
            one.verdict(one.aim).word().to_owned(),
        ]);
    }
    table.text()
}

/// How many goals were reached, in a line.
pub fn count(judged: &[Judged]) -> String {
    let of = |goal: fn(&Judged) -> f64, verdict| {
        let same = |one: &&Judged| one.verdict(goal(one)) == verdict;
        judged.iter().filter(same).count()
    };
    let line = |name, goal: fn(&Judged) -> f64| {
        format!(
            "{name}: {} reached, {} equal, {} missed",
            of(goal, Verdict::Reached),
            of(goal, Verdict::Equal),
            of(goal, Verdict::Missed)
        )
    };
    format!(
        "{}; {}",
        line("must", |one| one.must),
        line("aim", |one| one.aim)
    )
}

/// Compares rows of one table by one number of theirs.
#[derive(Debug)]
pub struct Compare<'a, M> {
    rows: &'a [Row<M>],
    number: fn(&M) -> f64,
}

impl<'a, M> Compare<'a, M> {
    /// These rows by this number.
    pub fn new(rows: &'a [Row<M>], number: fn(&M) -> f64) -> Self {
        Self { rows, number }
    }

    fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        Some(find(self.rows, name)?.numbers(self.number))
    }

    /// `ours` divided by `theirs`, round by round.
    pub fn of(&self, ours: &str, theirs: &str) -> Option<Summary> {
        Some(ratio(&self.numbers(ours)?, &self.numbers(theirs)?))
    }

    /// What is left of `ours` above `floor`, round by round.
    pub fn above(&self, ours: &str, floor: &str) -> Option<Summary> {
        let (ours, floor) = (self.numbers(ours)?, self.numbers(floor)?);
        let above: Vec<f64> = ours
            .iter()
            .zip(floor)
            .map(|(ours, floor)| ours - floor)
            .collect();
        Some(Summary::of(&above))
    }

    /// The number itself.
    pub fn value(&self, name: &str) -> Option<Summary> {
        Some(Summary::of(&self.numbers(name)?))
    }

    /// The best, by its median, of those that are wanted.
    pub fn best(&self, wanted: impl Fn(&Info) -> bool) -> Option<&'a str> {
        let median = |row: &Row<M>| Summary::of(&row.numbers(self.number)).median;
        self.rows
            .iter()
            .filter(|row| wanted(&row.info))
            .min_by(|a, b| median(a).total_cmp(&median(b)))
            .map(|row| row.info.name.as_str())
    }

    /// The best peer that parks.
    pub fn best_parking(&self, bounded: bool) -> Option<&'a str> {
        self.best(|info| {
            info.class == Class::Parks && info.bounded == bounded && !info.name.starts_with("agate")
        })
    }
}

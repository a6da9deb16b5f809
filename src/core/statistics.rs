//! Intervals of proportions and of means, and the comparison of two models on the same examples.

mod bootstrap;
mod student;

pub use bootstrap::{BootstrapDifferences, PairedPrediction, RESAMPLES, bootstrap_differences};
pub use student::{MeanInterval, mean_interval};

/// The 0.975 quantile of the standard normal distribution, for intervals of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a proportion, each bound from 0 to 1: Wilson (1927), Journal of the American
/// Statistical Association 22, 209–212, without a continuity correction. `None` without trials.
pub fn wilson_interval(successes: u64, trials: u64) -> Option<[f64; 2]> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let share = successes.min(trials) as f64 / n;
    let scale = 1.0 + Z * Z / n;
    let center = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some([(center - half).max(0.0), (center + half).min(1.0)])
}

/// How often each of two models is right on the same examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairedCounts {
    /// Both are right.
    pub both: u64,
    /// Only the first is right.
    pub first_only: u64,
    /// Only the second is right.
    pub second_only: u64,
    /// Neither is right.
    pub neither: u64,
}

impl PairedCounts {
    /// Counts examples, given whether each model is right.
    pub fn of(outcomes: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            *match outcome {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.first_only,
                (false, true) => &mut counts.second_only,
                (false, false) => &mut counts.neither,
            } += 1;
        }
        counts
    }

    /// The number of examples.
    pub fn total(self) -> u64 {
        self.both + self.first_only + self.second_only + self.neither
    }

    /// The accuracy of the first model minus that of the second, from -1 to 1; NaN without examples.
    pub fn difference(self) -> f64 {
        (self.first_only as f64 - self.second_only as f64) / self.total() as f64
    }

    /// The two-sided p-value of `McNemar`'s test in its exact, binomial form, for any number of
    /// examples: the probability that of the examples that only one model gets right, at least as
    /// many as here fall to one of them, if each is equally likely to fall to either. It is 1 if there
    /// are none.
    pub fn mcnemar_p(self) -> f64 {
        let discordant = self.first_only + self.second_only;
        let fewer = self.first_only.min(self.second_only);
        // The logarithm of the probability of `count` successes in `discordant` trials.
        let mut log_probability = -(discordant as f64) * std::f64::consts::LN_2;
        let mut tail = log_probability.exp();
        for count in 0..fewer {
            log_probability += ((discordant - count) as f64 / (count + 1) as f64).ln();
            tail += log_probability.exp();
        }
        (2.0 * tail).min(1.0)
    }

    /// The 95 % interval of [`Self::difference`]: the adjusted Wald interval of Bonett and Price
    /// (2012), Journal of Educational and Behavioral Statistics 37, 479–488, which adds one example
    /// to each of the two counts of examples that one model alone gets right.
    pub fn difference_interval(self) -> [f64; 2] {
        let n = self.total() as f64 + 2.0;
        let (first, second) =
            ((self.first_only as f64 + 1.0) / n, (self.second_only as f64 + 1.0) / n);
        let difference = first - second;
        let half = Z * ((first + second - difference * difference) / n).sqrt();
        [(difference - half).max(-1.0), (difference + half).min(1.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Reference {
        wilson: Vec<(u64, u64, [f64; 2])>,
        paired: Vec<Paired>,
    }

    #[derive(Deserialize)]
    struct Paired {
        counts: [u64; 4],
        p: f64,
        interval: [f64; 2],
    }

    #[test]
    fn the_values_are_those_of_scipy() -> anyhow::Result<()> {
        let reference: Reference =
            serde_json::from_str(include_str!("../../tests/reference/statistics.json"))?;
        let close = |ours: f64, theirs: f64| {
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3), "{ours} {theirs}");
        };
        assert!(reference.wilson.len() > 5 && reference.paired.len() > 5);
        for (successes, trials, expected) in reference.wilson {
            let ours = wilson_interval(successes, trials).unwrap_or_default();
            ours.into_iter().zip(expected).for_each(|(ours, theirs)| close(ours, theirs));
        }
        for Paired { counts: [both, first_only, second_only, neither], p, interval } in
            reference.paired
        {
            let counts = PairedCounts { both, first_only, second_only, neither };
            let ours = counts.mcnemar_p();
            assert!((ours - p).abs() <= 1e-8 * p, "{ours} {p}");
            let ours = counts.difference_interval();
            ours.into_iter().zip(interval).for_each(|(ours, theirs)| close(ours, theirs));
        }
        Ok(())
    }

    #[test]
    fn models_that_agree_do_not_differ() {
        let counts = PairedCounts::of([(true, true), (false, false), (true, true)]);
        assert_eq!((counts.total(), counts.difference(), counts.mcnemar_p()), (3, 0.0, 1.0));
        let one = PairedCounts::of([(true, false)]);
        assert_eq!((one.first_only, one.mcnemar_p()), (1, 1.0));
        assert_eq!(wilson_interval(0, 0), None);
        assert!(PairedCounts::default().difference().is_nan());
    }
}

//! Bootstrap intervals of the differences of two models on the same examples.

use rayon::prelude::*;

/// The number of resamples.
pub const RESAMPLES: usize = 10_000;

/// The key of the random numbers.
const KEY: u64 = 0x6e73_6d63_2d74_7569;

/// The true class of an example and the classes that two models predict for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairedPrediction {
    /// The true class.
    pub label: u32,
    /// The class that the first model predicts.
    pub first: u32,
    /// The class that the second model predicts.
    pub second: u32,
}

/// The differences of the scores of two models, first minus second, each with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapDifferences {
    /// The 95 % interval of the difference in accuracy.
    pub accuracy: [f64; 2],
    /// The difference in F1.
    pub f1: f64,
    /// Its 95 % interval.
    pub f1_interval: [f64; 2],
}

/// Examples with the same outcome, and what is counted of them.
struct Cells {
    classes: usize,
    kinds: Vec<PairedPrediction>,
    /// The cell of each example.
    of_example: Vec<u32>,
}

/// The counts behind the scores of one model, for each class: examples of the class that are
/// predicted as it, examples of it, and examples predicted as it.
#[derive(Clone, Default)]
struct ClassCounts {
    hits: Vec<u64>,
    labels: Vec<u64>,
    predicted: Vec<u64>,
}

impl ClassCounts {
    fn clear(&mut self, classes: usize) {
        for counts in [&mut self.hits, &mut self.labels, &mut self.predicted] {
            counts.clear();
            counts.resize(classes, 0);
        }
    }

    fn add(&mut self, label: u32, predicted: u32, count: u64) {
        self.labels[label as usize] += count;
        self.predicted[predicted as usize] += count;
        if label == predicted {
            self.hits[label as usize] += count;
        }
    }

    /// F1 as in [`Confusion::scores`](crate::core::train::metrics::Confusion::scores): of class 1 of
    /// two, or else the mean over the classes that occur or are predicted.
    fn f1(&self) -> f64 {
        let of = |class: usize| {
            let both = self.labels[class] + self.predicted[class];
            (both > 0).then(|| 2.0 * self.hits[class] as f64 / both as f64)
        };
        if self.hits.len() <= 2 {
            return if self.hits.len() == 2 { of(1).unwrap_or(0.0) } else { 0.0 };
        }
        let (sum, count) = (0..self.hits.len())
            .filter_map(of)
            .fold((0.0, 0_usize), |(sum, count), f1| (sum + f1, count + 1));
        sum / count.max(1) as f64
    }
}

/// What one resample computes with; kept, so that it is allocated once a thread.
#[derive(Clone, Default)]
struct Scratch {
    counts: Vec<u64>,
    first: ClassCounts,
    second: ClassCounts,
}

impl Cells {
    /// The cells of examples whose classes are below `classes`.
    fn new(examples: &[PairedPrediction], classes: usize) -> Self {
        let mut kinds = examples.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        let cell = |example| kinds.binary_search(example).unwrap_or(0) as u32;
        let of_example = examples.iter().map(cell).collect();
        Self { classes, kinds, of_example }
    }

    /// The difference in accuracy and that in F1, given how many examples each cell has.
    fn differences(&self, scratch: &mut Scratch) -> [f64; 2] {
        let Scratch { counts, first, second } = scratch;
        first.clear(self.classes);
        second.clear(self.classes);
        for (kind, &count) in self.kinds.iter().zip(counts.iter()) {
            first.add(kind.label, kind.first, count);
            second.add(kind.label, kind.second, count);
        }
        let right = |counts: &ClassCounts| counts.hits.iter().sum::<u64>() as f64;
        let accuracy = (right(first) - right(second)) / self.of_example.len() as f64;
        [accuracy, first.f1() - second.f1()]
    }

    /// The differences of the examples as they are.
    fn observed(&self) -> [f64; 2] {
        let mut scratch = Scratch { counts: vec![0; self.kinds.len()], ..Scratch::default() };
        self.of_example.iter().for_each(|&cell| scratch.counts[cell as usize] += 1);
        self.differences(&mut scratch)
    }

    /// The differences of the examples drawn with replacement. The numbers depend on the number of
    /// the resample alone.
    fn resampled(&self, scratch: &mut Scratch, resample: u64) -> [f64; 2] {
        let examples = self.of_example.len() as u64;
        scratch.counts.clear();
        scratch.counts.resize(self.kinds.len(), 0);
        let start = mix(KEY ^ mix(resample));
        for draw in 0..examples {
            let random = mix(start.wrapping_add(draw.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let example = (u128::from(random) * u128::from(examples)) >> 64;
            scratch.counts[self.of_example[example as usize] as usize] += 1;
        }
        self.differences(scratch)
    }
}

/// splitmix64's finalizer (Steele, Lea and Flood, 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The differences of two models by the paired bootstrap (Efron, 1979): [`RESAMPLES`] times, as many
/// examples are drawn with replacement, with the predictions of both models, and the interval is
/// that between the percentiles 2.5 and 97.5 of the differences. The same examples have the same
/// intervals in every process and for any number of threads. `None` without examples, or if a class
/// is not below `classes`.
pub fn bootstrap_differences(
    examples: &[PairedPrediction],
    classes: usize,
) -> Option<BootstrapDifferences> {
    let is_valid = |PairedPrediction { label, first, second }: &PairedPrediction| {
        [label, first, second].into_iter().all(|class| (*class as usize) < classes)
    };
    if examples.is_empty() || !examples.iter().all(is_valid) {
        return None;
    }
    let cells = Cells::new(examples, classes);
    let resampled: Vec<[f64; 2]> = (0..RESAMPLES as u64)
        .into_par_iter()
        .map_init(Scratch::default, |scratch, resample| cells.resampled(scratch, resample))
        .collect();
    let interval = |score: usize| {
        let mut values: Vec<f64> = resampled.iter().map(|differences| differences[score]).collect();
        values.sort_by(f64::total_cmp);
        [0.025, 0.975].map(|share| percentile(&values, share))
    };
    let [_, f1] = cells.observed();
    Some(BootstrapDifferences { accuracy: interval(0), f1, f1_interval: interval(1) })
}

/// The percentile of sorted values, interpolated as `numpy.percentile` does.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::metrics::Confusion;
    use serde::Deserialize;

    /// The percentiles of many more resamples by numpy; see `tests/python/statistics_fixtures.py`.
    #[derive(Deserialize)]
    struct Case {
        classes: usize,
        /// Label, predictions of both models, and the number of such examples.
        cells: Vec<[u32; 4]>,
        f1: f64,
        accuracy: [f64; 2],
        f1_interval: [f64; 2],
    }

    #[derive(Deserialize)]
    struct Reference {
        bootstrap: Vec<Case>,
    }

    fn examples(cells: &[[u32; 4]]) -> Vec<PairedPrediction> {
        let of = |&[label, first, second, count]: &[u32; 4]| {
            std::iter::repeat_n(PairedPrediction { label, first, second }, count as usize)
        };
        cells.iter().flat_map(of).collect()
    }

    #[test]
    fn the_intervals_are_those_of_numpy() -> anyhow::Result<()> {
        let reference: Reference =
            serde_json::from_str(include_str!("../../../tests/reference/statistics.json"))?;
        assert!(reference.bootstrap.len() > 2);
        for case in reference.bootstrap {
            let ours = bootstrap_differences(&examples(&case.cells), case.classes);
            let ours = ours.expect("there are examples");
            assert!((ours.f1 - case.f1).abs() < 1e-12, "{} {}", ours.f1, case.f1);
            for (ours, theirs) in
                [(ours.accuracy, case.accuracy), (ours.f1_interval, case.f1_interval)]
            {
                // The 2.5th percentile of 10,000 resamples has a standard error of 0.7 % of the width.
                let tolerance = 0.028 * (theirs[1] - theirs[0]);
                for (ours, theirs) in ours.into_iter().zip(theirs) {
                    assert!((ours - theirs).abs() <= tolerance, "{ours} {theirs} ± {tolerance}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn the_order_of_the_examples_and_the_threads_change_nothing_of_the_scores() {
        let all = examples(&[[0, 0, 1, 30], [1, 1, 1, 40], [2, 0, 2, 9], [2, 2, 2, 21]]);
        let found = bootstrap_differences(&all, 3).expect("there are examples");
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        assert_eq!(one.install(|| bootstrap_differences(&all, 3)), Some(found));
        let confusion = |of: fn(&PairedPrediction) -> u32| {
            let mut confusion = Confusion::new(3);
            for example in &all {
                confusion.add(example.label, of(example));
            }
            confusion.scores().f1
        };
        let f1 = confusion(|example| example.first) - confusion(|example| example.second);
        assert!((found.f1 - f1).abs() < 1e-12);
        let [low, high] = found.f1_interval;
        assert!(low < found.f1 && found.f1 < high);
    }

    #[test]
    fn models_that_agree_have_an_interval_of_zero() {
        let all = examples(&[[0, 0, 0, 3], [1, 0, 0, 2]]);
        let found = bootstrap_differences(&all, 2).expect("there are examples");
        assert_eq!((found.accuracy, found.f1, found.f1_interval), ([0.0; 2], 0.0, [0.0; 2]));
        assert_eq!(bootstrap_differences(&[], 2), None);
        assert_eq!(bootstrap_differences(&all, 1), None, "class 1 is not known");
    }
}

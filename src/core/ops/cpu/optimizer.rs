//! AdamW in one pass over all parameters; rows of the table of words only when they are needed.

use super::memory::Gradients;
use super::numeric::{ELEMENTS_A_TASK, lane_sum, vectorised};
use crate::core::ops::adamw::{AdamWSettings, clip_factor};
use crate::core::ops::backend::{Arrangement, Moments, Update};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// What one step multiplies by.
#[derive(Clone, Copy, Debug)]
struct Factors {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// What is left of a parameter after weight decay.
    keep: f32,
    /// The learning rate, corrected for the first moment's start from zero.
    rate: f32,
    /// The correction of the square root of the second moment.
    correction: f32,
}

impl Factors {
    /// As `torch.optim.AdamW` has them at the step of this number, counted from 1.
    fn new(settings: &AdamWSettings, step: u64, learning_rate: f64, decays: bool) -> Self {
        let step = step as f64;
        let decay = if decays { settings.weight_decay } else { 0.0 };
        Self {
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            keep: (1.0 - learning_rate * decay) as f32,
            rate: (learning_rate / (1.0 - settings.beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - settings.beta2.powf(step)).sqrt()) as f32,
        }
    }

    /// One update of `parameter`, whose gradient is `gradient(i)`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
    fn apply(
        &self,
        parameter: &mut [f32],
        mean: &mut [f32],
        variance: &mut [f32],
        gradient: impl Fn(usize) -> f32,
    ) {
        let n = parameter.len();
        let (mean, variance) = (&mut mean[..n], &mut variance[..n]);
        for i in 0..n {
            let g = gradient(i);
            mean[i] = self.beta1 * mean[i] + (1.0 - self.beta1) * g;
            variance[i] = self.beta2 * variance[i] + (1.0 - self.beta2) * g * g;
            let denominator = variance[i].sqrt() * self.correction + self.epsilon;
            parameter[i] = parameter[i] * self.keep - self.rate * mean[i] / denominator;
        }
    }
}

/// AdamW's moments. A row of the table of words that gets no gradient is left as it is, and the
/// updates that it is owed are made up for, one by one, when it is next needed.
#[derive(Debug)]
pub struct Optimizer {
    settings: AdamWSettings,
    step: u64,
    mean: Vec<f32>,
    variance: Vec<f32>,
    decayed: Vec<Range<usize>>,
    width: usize,
    words_len: usize,
    /// Of each word's row: the step up to which it is updated.
    updated: Vec<u64>,
    /// Of each word's row: whether it ever had a gradient.
    touched: Vec<bool>,
    /// The factors of the steps after `settled` for rows of words.
    owed: Vec<Factors>,
    settled: u64,
}

impl Optimizer {
    pub(super) fn new(arrangement: &Arrangement, settings: AdamWSettings) -> Self {
        let tables = &arrangement.tables;
        Self {
            settings,
            step: 0,
            mean: vec![0.0; arrangement.len],
            variance: vec![0.0; arrangement.len],
            decayed: arrangement.decayed.clone(),
            width: tables.width,
            words_len: arrangement.words_len(),
            updated: vec![0; tables.vocabulary],
            touched: vec![false; tables.vocabulary],
            owed: Vec::new(),
            settled: 0,
        }
    }

    /// How many words there are.
    pub(super) fn words(&self) -> usize {
        self.updated.len()
    }

    /// The width of a word's row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn moments(&self) -> Moments<'_> {
        Moments {
            steps: self.step,
            mean: Cow::Borrowed(&self.mean),
            variance: Cow::Borrowed(&self.variance),
        }
    }

    /// Goes on from these moments; `false` if they are of another model.
    pub(super) fn restore(&mut self, moments: Moments<'static>) -> bool {
        let len = self.mean.len();
        if moments.mean.len() != len || moments.variance.len() != len {
            return false;
        }
        self.mean = moments.mean.into_owned();
        self.variance = moments.variance.into_owned();
        self.step = moments.steps;
        let means = self.mean.chunks_exact(self.width);
        let rows = means.zip(self.variance.chunks_exact(self.width));
        for ((mean, variance), touched) in rows.zip(&mut self.touched) {
            *touched = mean.iter().chain(variance).any(|&moment| moment != 0.0);
        }
        self.all_settled();
        true
    }

    fn all_settled(&mut self) {
        self.updated.fill(self.step);
        self.owed.clear();
        self.settled = self.step;
    }

    /// Whether any row is owed anything.
    pub(super) fn is_settled(&self) -> bool {
        self.settled == self.step
    }

    /// Brings the rows of these words, each listed once, up to date.
    pub(super) fn catch_up(&mut self, words: &[u32], parameters: &mut [f32]) {
        let mut rows: Vec<usize> = words.iter().map(|&word| word as usize).collect();
        rows.sort_unstable();
        let all = rows.clone();
        let still = self.owed.iter().all(|factors| factors.keep == 1.0);
        rows.retain(|&row| self.touched[row] || !still);
        self.for_rows(&rows, parameters, |_, owed, touched, [row, mean, variance]| {
            for factors in owed {
                if touched {
                    factors.apply(row, mean, variance, |_| 0.0);
                } else {
                    for value in row.iter_mut() {
                        *value *= factors.keep;
                    }
                }
            }
        });
        for row in all {
            self.updated[row] = self.step;
        }
    }

    /// Brings every row up to date.
    pub(super) fn settle(&mut self, parameters: &mut [f32]) {
        if !self.is_settled() {
            let all: Vec<u32> = (0..self.updated.len() as u32).collect();
            self.catch_up(&all, parameters);
            self.all_settled();
        }
    }

    /// Calls `work` with each row's place in `rows`, the factors it is owed, whether it ever had a
    /// gradient, and its parameters and moments; `rows` are sorted.
    fn for_rows(
        &mut self,
        rows: &[usize],
        parameters: &mut [f32],
        work: impl Fn(usize, &[Factors], bool, [&mut [f32]; 3]) + Sync,
    ) {
        let (width, words_len) = (self.width, self.words_len);
        let mut tasks = Vec::with_capacity(rows.len());
        let mut tables = [parameters, &mut self.mean, &mut self.variance]
            .map(|table| Rest { numbers: &mut table[..words_len], width });
        let mut passed = 0;
        for (place, &row) in rows.iter().enumerate() {
            let skip = (row - passed) * width;
            let parts = tables.each_mut().map(|table| table.next(skip));
            passed = row + 1;
            let owed = &self.owed[(self.updated[row] - self.settled) as usize..];
            tasks.push((place, owed, self.touched[row], parts));
        }
        tasks.into_par_iter().with_min_len(8).for_each(|(place, owed, touched, parts)| {
            vectorised(|| work(place, owed, touched, parts));
        });
    }

    /// Clips, and updates all parameters but the rows of words without a gradient.
    pub(super) fn update(
        &mut self,
        update: Update,
        parameters: &mut [f32],
        gradients: &mut Gradients,
    ) {
        let scale = clip_factor(gradients.grad_norm, update.max_grad_norm) as f32;
        self.step += 1;
        let factors =
            |decays| Factors::new(&self.settings, self.step, update.learning_rate, decays);
        let (plain, decaying) = (factors(false), factors(true));
        let words_decay = self.decayed.iter().any(|range| range.start < self.words_len);
        let of_words = if words_decay { decaying } else { plain };

        let words_len = self.words_len;
        let decayed = &self.decayed;
        parameters[words_len..]
            .par_chunks_mut(ELEMENTS_A_TASK)
            .zip(self.mean[words_len..].par_chunks_mut(ELEMENTS_A_TASK))
            .zip(self.variance[words_len..].par_chunks_mut(ELEMENTS_A_TASK))
            .zip(gradients.dense.par_chunks(ELEMENTS_A_TASK))
            .enumerate()
            .for_each(|(task, (((parameter, mean), variance), gradient))| {
                let first = words_len + task * ELEMENTS_A_TASK;
                for (range, decays) in pieces(decayed, first..first + parameter.len()) {
                    let here = range.start - first..range.end - first;
                    let gradient = &gradient[here.clone()];
                    let factors = if decays { &decaying } else { &plain };
                    vectorised(|| {
                        factors.apply(
                            &mut parameter[here.clone()],
                            &mut mean[here.clone()],
                            &mut variance[here],
                            |i| gradient[i] * scale,
                        );
                    });
                }
            });

        // The rows were brought up to date when the step began.
        let mut rows: Vec<(usize, usize)> =
            gradients.words.iter().enumerate().map(|(i, &word)| (word as usize, i)).collect();
        rows.sort_unstable();
        let words: Vec<usize> = rows.iter().map(|&(word, _)| word).collect();
        let (width, grads) = (self.width, &gradients.word_rows);
        self.for_rows(&words, parameters, |place, _, _, [row, mean, variance]| {
            let gradient = &grads[rows[place].1 * width..][..width];
            of_words.apply(row, mean, variance, |i| gradient[i] * scale);
        });
        for row in words {
            self.touched[row] = true;
            self.updated[row] = self.step;
        }
        self.owed.push(of_words);
    }
}

/// What is left of a table of which rows are taken from the front.
struct Rest<'a> {
    numbers: &'a mut [f32],
    width: usize,
}

impl<'a> Rest<'a> {
    /// The next row, after skipping so many numbers.
    fn next(&mut self, skip: usize) -> &'a mut [f32] {
        let numbers = std::mem::take(&mut self.numbers);
        let (row, after) = numbers[skip..].split_at_mut(self.width);
        self.numbers = after;
        row
    }
}

/// `range` cut where weight decay begins or ends; `decayed` is sorted.
fn pieces(
    decayed: &[Range<usize>],
    range: Range<usize>,
) -> impl Iterator<Item = (Range<usize>, bool)> + '_ {
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let next = decayed.partition_point(|decayed| decayed.end <= at);
        let (end, decays) = match decayed.get(next) {
            Some(decayed) if decayed.start <= at => (decayed.end, true),
            Some(decayed) => (decayed.start, false),
            None => (range.end, false),
        };
        let piece = at..end.min(range.end);
        at = piece.end;
        Some((piece, decays))
    })
}

/// The norm of all gradients together, as `torch.nn.utils.clip_grad_norm_` gives it.
pub(super) fn norm(gradients: &Gradients) -> f64 {
    (squared_norm(&gradients.dense) + squared_norm(&gradients.word_rows)).sqrt()
}

fn squared_norm(values: &[f32]) -> f64 {
    let partials: Vec<f64> = values
        .par_chunks(ELEMENTS_A_TASK)
        .map(|chunk| {
            // Short runs in f32, added up in f64.
            vectorised(|| {
                let runs = chunk.chunks(256);
                runs.map(|run| f64::from(lane_sum(run.len(), |i| run[i] * run[i]))).sum()
            })
        })
        .collect();
    partials.iter().sum()
}

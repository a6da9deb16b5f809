//! AdamW on a card; rows of the table of words only when they are needed.

use super::driver::{Driver, arguments};
use super::memory::{Card, Memory};
use super::state::{FLOAT, Gradients, Outcome, Parameters};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{Arrangement, Moments, Update};
use candle_core::{Result, bail};
use std::borrow::Cow;
use std::sync::Arc;

/// The threads of most blocks here.
const THREADS: [usize; 3] = [128, 1, 1];

/// The numbers that the history of updates has for each.
const ENTRY: usize = 3;

/// What one step multiplies by.
#[derive(Clone, Copy, Debug)]
struct Factors {
    /// The learning rate, corrected for the first moment's start from zero.
    rate: f32,
    /// What weight decay leaves of a parameter.
    keep: f32,
    /// The correction of the square root of the second moment.
    correction: f32,
}

impl Factors {
    /// As `torch.optim.AdamW` has them at the step of this number, counted from 1.
    fn new(settings: &AdamWSettings, step: u64, learning_rate: f64) -> Self {
        let step = step as f64;
        Self {
            rate: (learning_rate / (1.0 - settings.beta1.powf(step))) as f32,
            keep: (1.0 - learning_rate * settings.weight_decay) as f32,
            correction: (1.0 / (1.0 - settings.beta2.powf(step)).sqrt()) as f32,
        }
    }
}

/// AdamW's moments. A row of the table of words that gets no gradient is left as it is, and the
/// updates that it is owed are made up for, one by one, when it is next needed.
pub struct Optimizer<D: Driver> {
    settings: AdamWSettings,
    /// The updates made, but for that of `last`.
    steps: u64,
    /// The last step, until it is known whether it was applied: if loss or norm are not finite, it
    /// was not.
    last: Option<Arc<Outcome<D>>>,
    mean: Memory<D>,
    variance: Memory<D>,
    /// The parameters that decay: starts and ends.
    decayed: Memory<D>,
    ranges: usize,
    words_decay: bool,
    len: usize,
    width: usize,
    vocabulary: usize,
    /// Of each word's row: how many entries of the history it has caught up with.
    updated: Memory<D>,
    /// Of each word's row: whether it ever had a gradient.
    touched: Memory<D>,
    /// What rows of words without a gradient are owed, update by update.
    history: Memory<D>,
    entries: usize,
    /// Whether any entry decays.
    decays: bool,
}

impl<D: Driver> Optimizer<D> {
    pub(super) fn new(
        card: &Arc<Card<D>>,
        arrangement: &Arrangement,
        settings: AdamWSettings,
    ) -> Result<Self> {
        let (tables, len) = (&arrangement.tables, arrangement.len);
        let decayed = &arrangement.decayed;
        let ends: Vec<u64> =
            decayed.iter().flat_map(|range| [range.start as u64, range.end as u64]).collect();
        Ok(Self {
            settings,
            steps: 0,
            last: None,
            mean: Memory::zeroed(card, len * FLOAT)?,
            variance: Memory::zeroed(card, len * FLOAT)?,
            decayed: Memory::holding(card, &ends)?,
            ranges: decayed.len(),
            words_decay: decayed.iter().any(|range| range.start < arrangement.words_len()),
            len,
            width: tables.width,
            vocabulary: tables.vocabulary,
            updated: Memory::zeroed(card, tables.vocabulary * size_of::<u32>())?,
            touched: Memory::zeroed(card, tables.vocabulary * size_of::<u32>())?,
            history: Memory::default(),
            entries: 0,
            decays: false,
        })
    }

    /// The updates made; waits for the last one unless it is known what became of it.
    fn steps(&self) -> Result<u64> {
        match &self.last {
            Some(last) => Ok(self.steps + u64::from(last.applied()?)),
            None => Ok(self.steps),
        }
    }

    /// Brings the rows of the words that `gradients` lists up to date, or with `None` every row.
    pub(super) fn catch_up(
        &mut self,
        card: &Arc<Card<D>>,
        gradients: Option<&Gradients<D>>,
        parameters: &mut Parameters<D>,
    ) -> Result<()> {
        if self.entries == 0 {
            return Ok(());
        }
        let rows = gradients.map_or(self.vocabulary, |gradients| gradients.words.len());
        let words = gradients.map_or_else(Default::default, |gradients| gradients.word_ids.start());
        card.run(
            "catch_up_words",
            [rows, 1, 1],
            THREADS,
            0,
            arguments![
                words,
                self.width,
                self.settings.beta1 as f32,
                self.settings.beta2 as f32,
                self.settings.epsilon as f32,
                self.decays,
                self.history.start(),
                self.entries,
                parameters.floats(0, self.vocabulary * self.width)?,
                self.mean.start(),
                self.variance.start(),
                self.updated.start(),
                self.touched.start(),
            ],
        )
    }

    /// Before a step: learns what became of the last one, which `figures` knows already if it was
    /// asked, and brings the step's words up to date.
    pub(super) fn begin(
        &mut self,
        card: &Arc<Card<D>>,
        gradients: &Gradients<D>,
        parameters: &mut Parameters<D>,
    ) -> Result<()> {
        self.steps = self.steps()?;
        self.last = None;
        self.catch_up(card, Some(gradients), parameters)
    }

    /// Brings every row up to date, and forgets what they were owed.
    pub(super) fn settle(
        &mut self,
        card: &Arc<Card<D>>,
        parameters: &mut Parameters<D>,
    ) -> Result<()> {
        if self.entries > 0 {
            self.catch_up(card, None, parameters)?;
            self.forget_history()?;
        }
        Ok(())
    }

    fn forget_history(&mut self) -> Result<()> {
        self.entries = 0;
        self.decays = false;
        self.updated.clear()
    }

    /// Clips, and updates all parameters but the rows of words without a gradient.
    pub(super) fn update(
        &mut self,
        card: &Arc<Card<D>>,
        update: Update,
        parameters: &mut Parameters<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        if parameters.lens().0 != self.len || gradients.dense().1 + self.words_len() != self.len {
            bail!("the optimizer is of another model");
        }
        self.steps = self.steps()?;
        self.last = None;
        let factors = Factors::new(&self.settings, self.steps + 1, update.learning_rate);
        let word_keep = if self.words_decay { factors.keep } else { 1.0 };
        let before = self.entries * ENTRY * FLOAT;
        let history = self.history.grow(card, before + ENTRY * FLOAT, before)?;
        let outcome = Arc::clone(&gradients.outcome);
        outcome.forget();

        let count = squares(card, gradients)?;
        card.run(
            "prepare_update",
            [1, 1, 1],
            [256, 1, 1],
            0,
            arguments![
                gradients.partials.start(),
                count,
                update.max_grad_norm as f32,
                gradients.loss.start(),
                factors.rate,
                word_keep,
                factors.correction,
                history.offset(before),
                outcome.start(),
            ],
        )?;
        self.update_dense(card, factors, parameters, gradients)?;
        self.update_words(card, Factors { keep: word_keep, ..factors }, parameters, gradients)?;
        self.entries += 1;
        self.decays |= word_keep != 1.0;
        self.last = Some(outcome);
        gradients.ended = true;
        Ok(())
    }

    fn words_len(&self) -> usize {
        self.vocabulary * self.width
    }

    fn update_dense(
        &self,
        card: &Card<D>,
        factors: Factors,
        parameters: &Parameters<D>,
        gradients: &Gradients<D>,
    ) -> Result<()> {
        let (dense, n) = gradients.dense();
        let first = self.words_len();
        card.run(
            "adamw",
            [n.div_ceil(1024), 1, 1],
            [256, 1, 1],
            0,
            arguments![
                first as u64,
                n as u64,
                self.decayed.start(),
                self.ranges,
                self.settings.beta1 as f32,
                self.settings.beta2 as f32,
                self.settings.epsilon as f32,
                factors.rate,
                factors.keep,
                factors.correction,
                gradients.outcome.start(),
                dense,
                parameters.floats(first, n)?,
                self.mean.start().offset(first * FLOAT),
                self.variance.start().offset(first * FLOAT),
                parameters.shadow(),
            ],
        )
    }

    fn update_words(
        &self,
        card: &Card<D>,
        factors: Factors,
        parameters: &Parameters<D>,
        gradients: &Gradients<D>,
    ) -> Result<()> {
        card.run(
            "update_words",
            [gradients.words.len(), 1, 1],
            THREADS,
            0,
            arguments![
                gradients.word_ids.start(),
                self.width,
                self.settings.beta1 as f32,
                self.settings.beta2 as f32,
                self.settings.epsilon as f32,
                factors.rate,
                factors.keep,
                factors.correction,
                gradients.outcome.start(),
                gradients.word_rows.start(),
                parameters.floats(0, self.words_len())?,
                self.mean.start(),
                self.variance.start(),
                self.updated.start(),
                self.touched.start(),
                self.entries + 1,
            ],
        )
    }

    pub(super) fn moments(&self) -> Result<Moments<'_>> {
        let (mut mean, mut variance) = (vec![0f32; self.len], vec![0f32; self.len]);
        self.mean.download(0, &mut mean)?;
        self.variance.download(0, &mut variance)?;
        Ok(Moments { steps: self.steps()?, mean: Cow::Owned(mean), variance: Cow::Owned(variance) })
    }

    pub(super) fn restore(&mut self, card: &Card<D>, moments: &Moments<'_>) -> Result<()> {
        if moments.mean.len() != self.len || moments.variance.len() != self.len {
            bail!("the optimizer's moments are of another model");
        }
        self.mean.upload(0, &moments.mean)?;
        self.variance.upload(0, &moments.variance)?;
        self.steps = moments.steps;
        self.last = None;
        self.forget_history()?;
        card.run(
            "find_touched",
            [self.vocabulary, 1, 1],
            THREADS,
            0,
            arguments![self.width, self.mean.start(), self.variance.start(), self.touched.start(),],
        )
    }
}

/// Sums of squares of all gradients, side by side in their partial sums; how many there are.
fn squares<D: Driver>(card: &Arc<Card<D>>, gradients: &mut Gradients<D>) -> Result<usize> {
    let (dense, dense_len) = gradients.dense();
    let (words, words_len) = (gradients.word_rows.start(), gradients.word_rows_len());
    let blocks = |n: usize| n.div_ceil(4096).min(1024);
    let count = blocks(dense_len) + blocks(words_len);
    let partials = gradients.partials.fit(card, count * size_of::<f64>())?;
    let sums = |x, n: usize, before: usize| {
        let to = partials.offset(before * size_of::<f64>());
        card.run("squared_sums", [blocks(n), 1, 1], [256, 1, 1], 0, arguments![x, n as u64, to])
    };
    sums(dense, dense_len, 0)?;
    sums(words, words_len, blocks(dense_len))?;
    Ok(count)
}

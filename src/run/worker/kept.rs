//! What a run keeps of its evaluations besides their metrics: the outcomes for each text, and the
//! predictions for pinned sentences.

use super::PreparedRun;
use crate::core::data::batching::Example;
use crate::core::engine::Engine;
use crate::core::predict::{TextInput, classify_inputs};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::TrainEvent;
use crate::core::train::event::Probe;
use crate::core::train::outcomes::MAX_PROBABILITIES;
use crate::run::dataset::Dataset;
use crate::run::options::{TrainOptions, ValueSource};
use crate::run::predictions::EvaluationTexts;
use crate::run::worker::input_of;

/// The most pinned sentences.
pub(super) const MAX_PROBES: usize = 16;

/// What a run keeps of its evaluations.
pub(super) struct Kept {
    /// The evaluation texts, if the outcomes are kept.
    pub texts: Option<EvaluationTexts>,
    /// The pinned sentences.
    pub probes: Vec<String>,
    /// Whether the caller names the sentences, rather than the run that is resumed.
    is_explicit: bool,
}

impl Kept {
    /// What the options say; `notes` receives what the user should know.
    ///
    /// # Errors
    /// If there are too many sentences.
    pub fn new(
        options: &TrainOptions,
        dataset: &Dataset,
        examples: &[Example],
        classes: usize,
        tokenizer: &Tokenizer,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Self> {
        let given = options.output.probe.as_ref();
        let mut probes: Vec<String> = Vec::new();
        for sentence in given.into_iter().flat_map(|given| &given.value) {
            if !probes.contains(sentence) {
                probes.push(sentence.clone());
            }
        }
        anyhow::ensure!(
            probes.len() <= MAX_PROBES,
            "--probe: {} sentences are pinned; at most {MAX_PROBES} can be",
            probes.len()
        );
        let is_of_the_run =
            |source: &ValueSource| matches!(source, ValueSource::RunToml | ValueSource::Checkpoint);
        let is_explicit = given.is_some_and(|given| !is_of_the_run(&given.source));
        let is_wanted = options.output.save_predictions.as_ref().is_none_or(|given| given.value)
            && options.pretraining.chosen().is_none();
        let fits = examples.len().saturating_mul(classes) <= MAX_PROBABILITIES;
        let texts = Some(()).filter(|()| is_wanted && fits);
        let texts = texts.and_then(|()| {
            EvaluationTexts::new(&dataset.eval, examples, tokenizer, &dataset.slice_columns)
        });
        if is_wanted && texts.is_none() {
            notes.push(
                "the evaluation data is too large for its predictions to be kept; \
                 --max-eval-samples limits it"
                    .to_owned(),
            );
        }
        Ok(Self { texts, probes, is_explicit })
    }

    /// Adds the sentences that were pinned during the run so far, unless the caller names others.
    pub fn add_pinned(&mut self, history: &[TrainEvent]) {
        if self.is_explicit {
            return;
        }
        let last = history.iter().rev().find_map(|event| match event {
            TrainEvent::Evaluated(evaluated) => Some(&evaluated.probes),
            _ => None,
        });
        for probe in last.into_iter().flatten() {
            // The journal is sanitized for the terminal when it is read.
            let is_known = |known: &String| *sanitize_for_terminal(known) == *probe.text;
            if self.probes.len() < MAX_PROBES && !self.probes.iter().any(is_known) {
                self.probes.push(probe.text.clone());
            }
        }
    }
}

impl PreparedRun {
    /// Classifies pinned sentences with the current weights.
    ///
    /// # Errors
    /// If a sentence cannot be classified; the error is safe to show.
    pub(super) fn classify_probes(
        &self,
        probes: &[String],
        engine: &mut dyn Engine,
    ) -> Result<Vec<Probe>, String> {
        let config = self.model.config();
        let inputs: Result<Vec<TextInput>, _> =
            probes.iter().map(|text| input_of(config, text)).collect();
        let max_length = self.arguments.max_seq_length;
        let predictions = inputs.and_then(|inputs| {
            classify_inputs(engine, &config.labels, &self.tokenizer, &inputs, max_length)
        });
        let predictions =
            predictions.map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())?;
        let probe = |(text, prediction): (&String, crate::core::predict::Prediction)| Probe {
            text: text.clone(),
            label: prediction.label,
            probabilities: prediction.probabilities,
        };
        Ok(probes.iter().zip(predictions).map(probe).collect())
    }
}

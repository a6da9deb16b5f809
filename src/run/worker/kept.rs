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

    /// Pins the sentences that were pinned at the last evaluation, if there were any, unless the caller names
    /// others.
    pub fn add_pinned(&mut self, history: &[TrainEvent]) {
        if self.is_explicit {
            return;
        }
        let last = history.iter().rev().find_map(|event| match event {
            TrainEvent::Evaluated(evaluated) => Some(&evaluated.probes),
            _ => None,
        });
        let Some(last) = last.filter(|probes| !probes.is_empty()) else { return };
        let given = std::mem::take(&mut self.probes);
        for probe in last.iter().take(MAX_PROBES) {
            // The journal is sanitized for the terminal when it is read.
            let known = given.iter().find(|known| *sanitize_for_terminal(known) == *probe.text);
            self.probes.push(known.unwrap_or(&probe.text).clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::evaluated;

    #[test]
    fn a_resumed_run_has_the_sentences_that_were_pinned_last() {
        let probe = |text: &str| Probe {
            text: text.to_owned(),
            label: String::new(),
            probabilities: vec![0.3, 0.7],
        };
        let at = |step, pinned: &[&str]| {
            let mut evaluation = evaluated(step, 1.0, 0.6, 9.5);
            evaluation.probes = pinned.iter().map(|text| probe(text)).collect();
            TrainEvent::Evaluated(evaluation)
        };
        // Of the two given ones, one was unpinned; the journal does not have the control character.
        let history = [at(1, &["하나", "둘\u{fffd}"]), at(2, &["둘\u{fffd}", "셋"])];
        let given = || vec!["하나".to_owned(), "둘\u{1b}".to_owned()];
        for (is_explicit, history, expected) in [
            (false, &history[..], vec!["둘\u{1b}", "셋"]),
            (false, &[at(1, &[])][..], vec!["하나", "둘\u{1b}"]),
            (true, &history[..], vec!["하나", "둘\u{1b}"]),
        ] {
            let mut kept = Kept { texts: None, probes: given(), is_explicit };
            kept.add_pinned(history);
            assert_eq!(kept.probes, expected);
        }
    }
}

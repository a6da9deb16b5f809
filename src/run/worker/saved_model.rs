//! The model that a run has saved, for questions about texts.

use crate::core::attribution::{ExplainMethod, WordAttributions};
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{Engine, EngineOptions, build};
use crate::core::model::weights::WEIGHTS;
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier, folder};
use crate::core::predict::{Prediction, classify_inputs};
use crate::core::text::display_path;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::event::Setting;
use crate::core::train::temperature;
use crate::run::worker::explaining::explain_by;
use crate::run::worker::{check_pairs, check_vocabulary, input_of};
use anyhow::Context;
use std::path::Path;

/// The setting with the longest sequence of tokens that the run was trained on.
const MAX_SEQ_LENGTH: &str = "max_seq_length";

/// A saved model with its tokenizer and the engine that computes it.
pub(super) struct SavedModel {
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    engine: Box<dyn Engine>,
    /// The most tokens of a text, as in the run.
    max_length: usize,
    /// What calibrates its probabilities, if it was evaluated.
    temperature: Option<f64>,
}

impl SavedModel {
    /// Loads the model in the folder of a run with these settings.
    ///
    /// # Errors
    /// If the folder has no model, or only a part of one, or a file cannot be read.
    pub fn load(folder: &Path, settings: &[Setting]) -> anyhow::Result<Self> {
        let shown = display_path(folder);
        anyhow::ensure!(
            folder::holds_a_model(folder),
            "{shown}: no config.json with a {WEIGHTS} in it: the run has not saved its model"
        );
        let config = ModelConfig::read(&folder.join("config.json"), &[])?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let (model, report) = folder::load(folder, config, false, 0)?;
        anyhow::ensure!(
            report.missing.is_empty(),
            "{shown}: the model has no trained {}, so it classifies nothing",
            LoadReport::listed(&report.missing)
        );
        check_vocabulary(&model, &tokenizer)?;
        if model.config().text_pair_columns().is_some() {
            check_pairs(&model, &tokenizer)?;
        }
        let setting = settings.iter().find(|setting| setting.name == MAX_SEQ_LENGTH);
        let recorded = setting.and_then(|setting| setting.value.parse().ok());
        let longest = model.config().max_tokens();
        let wanted = recorded.or(tokenizer.model_max_length()).unwrap_or(longest);
        // The GPU is left to runs.
        let device = DeviceChoice::Cpu;
        let options = EngineOptions { device, keep_weights: true, ..EngineOptions::default() };
        let engine = build(&model, &options)?;
        let temperature = temperature::of_folder(folder)?;
        Ok(Self { max_length: wanted.min(longest), model, tokenizer, engine, temperature })
    }

    /// The words of a text, or of a pair of texts, that lead to its class; `None` if `continues` says
    /// no before they are known.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn explain(
        &mut self,
        text: &str,
        method: ExplainMethod,
        continues: &mut dyn FnMut() -> bool,
    ) -> Result<Option<WordAttributions>, String> {
        let model = (self.model.config(), &self.tokenizer, self.max_length);
        explain_by(method, self.engine.as_mut(), model, text, continues)
    }

    /// Classifies a text or, for a model of pairs, a pair of texts on one line.
    ///
    /// # Errors
    /// If it cannot be tokenized or computed.
    pub fn classify(&mut self, text: &str) -> anyhow::Result<Prediction> {
        let input = input_of(self.model.config(), text)?;
        let labels = &self.model.config().labels;
        let engine = self.engine.as_mut();
        let mut predictions =
            classify_inputs(engine, labels, &self.tokenizer, &[input], self.max_length)?;
        let prediction = predictions.pop().context("there is no prediction")?;
        Ok(prediction.calibrated(self.temperature))
    }
}

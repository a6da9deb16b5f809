//! The model that a run starts from: a checkpoint, a folder, a model of the hub or the embedded one.

use super::resume::{Found, ResumedRun};
use crate::core::model::embedded::{self, EMBEDDED_MODEL, SMALL_MODEL};
use crate::core::model::folder::{self, LoadOptions, holds_a_model};
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier, Weights};
use crate::core::tokenizer::Tokenizer;
use crate::core::train::arguments::StartingWeights;
use crate::run::locate::{self, DownloadCallback};
use crate::run::options::{Given, ModelTraits, TrainOptions};
use std::path::PathBuf;

/// The location of a model's files.
pub(super) enum ModelFiles {
    /// The pretrained model that is part of the program.
    Embedded,
    /// The small model that starts from random weights.
    Small,
    /// A folder.
    Folder(PathBuf),
}

impl ModelFiles {
    pub fn tokenizer(&self) -> anyhow::Result<Tokenizer> {
        Ok(match self {
            Self::Embedded => Tokenizer::embedded()?,
            Self::Small => Tokenizer::small()?,
            Self::Folder(folder) => Tokenizer::from_folder(folder)?,
        })
    }

    pub fn config(&self, overrides: &[(String, serde_json::Value)]) -> anyhow::Result<ModelConfig> {
        Ok(match self {
            Self::Embedded => embedded::config(overrides)?,
            Self::Small => ModelConfig::small_with(overrides)?,
            Self::Folder(folder) => ModelConfig::read(&folder.join("config.json"), overrides)?,
        })
    }

    /// The names of the model's classes, if it has any. The program's own models can be trained on
    /// any data, so their labels, NSMC's, do not count.
    pub fn class_names<'c>(&self, config: &'c ModelConfig) -> Option<&'c [String]> {
        match self {
            Self::Embedded | Self::Small => None,
            Self::Folder(_) => config.given_names(),
        }
    }

    /// The weights to start from.
    pub fn weights(&self) -> StartingWeights {
        match self {
            Self::Embedded => StartingWeights::Embedded,
            Self::Small => StartingWeights::Random,
            Self::Folder(folder) => StartingWeights::of_file(holds_a_model(folder)),
        }
    }
}

/// The model to start from, before its weights are read.
pub(super) struct StartingPoint {
    pub resumed: Option<ResumedRun>,
    pub files: ModelFiles,
    pub config: ModelConfig,
    /// Notes for the user on checkpoints that were skipped.
    pub notes: Vec<String>,
}

impl StartingPoint {
    /// Finds the model. For a resumed run, the options are completed with the run's own;
    /// it continues with `world_size` processes.
    pub fn find(
        options: &mut TrainOptions,
        world_size: usize,
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<Self> {
        let Found { resumed, notes } = ResumedRun::find(options)?;
        let model = &options.model;
        let files = match (&resumed, &model.model_name_or_path) {
            (Some(resumed), _) => ModelFiles::Folder(resumed.checkpoint.folder.clone()),
            (None, None) => ModelFiles::Embedded,
            (None, Some(name)) => match name.value.as_str() {
                EMBEDDED_MODEL => ModelFiles::Embedded,
                SMALL_MODEL => ModelFiles::Small,
                name => {
                    let folder = locate::model(name, model.hub_revision(), on_download)?;
                    ModelFiles::Folder(folder)
                }
            },
        };
        // A checkpoint's config.json already contains the overrides of its run.
        let overrides = if resumed.is_some() { &[] } else { model.overrides() };
        let mut config = files.config(overrides)?;
        if let (None, Some(pooling)) = (&resumed, &model.pooling) {
            config.set_pooling(pooling.value);
        }
        let mut found = Self { resumed, files, config, notes };
        let traits = found.traits(options);
        if let Some(resumed) = &mut found.resumed {
            resumed.apply_own(options, traits, world_size)?;
        }
        Ok(found)
    }

    pub fn traits(&self, options: &TrainOptions) -> ModelTraits {
        // What is wrong with the tokenizer's files is reported by the run.
        let limit = self.files.tokenizer().ok().and_then(|tokenizer| tokenizer.model_max_length());
        ModelTraits {
            weights: match &self.resumed {
                Some(resumed) => resumed.checkpoint.run.starting_weights,
                None => self.files.weights(),
            },
            max_tokens: max_tokens(options, &self.config, limit),
            pooling: self.config.pooling,
        }
    }
}

/// The most tokens of a text: as many as the model has positions or, if the user does not choose, as
/// its tokenizer's `model_max_length` allows. As in transformers, an explicit length overrides that.
pub(super) fn max_tokens(
    options: &TrainOptions,
    config: &ModelConfig,
    limit: Option<usize>,
) -> usize {
    let limit = limit.filter(|_| options.trainer.max_seq_length.is_none());
    config.max_tokens().min(limit.unwrap_or(usize::MAX))
}

/// Reads the weights, and initializes those that the files lack.
pub(super) fn load_model(
    files: &ModelFiles,
    config: ModelConfig,
    options: &TrainOptions,
    is_resumed: bool,
) -> anyhow::Result<(SequenceClassifier, LoadReport)> {
    let seed = options.trainer.seed.as_ref().map_or(42, |given| given.value);
    let reinit_top_layers = Given::value_or_default(options.model.reinit_top_layers.as_ref());
    let layers = config.encoder.num_hidden_layers;
    anyhow::ensure!(
        reinit_top_layers <= layers,
        "--reinit-top-layers {reinit_top_layers}: the model has {layers} layers; pass at most as many"
    );
    anyhow::ensure!(
        reinit_top_layers == 0 || is_resumed || files.weights() != StartingWeights::Random,
        "--reinit-top-layers {reinit_top_layers}: the model starts from random weights, so there is \
         nothing to initialize again. Leave it out"
    );
    let load = LoadOptions {
        ignore_mismatched_sizes: Given::value_or_default(
            options.model.ignore_mismatched_sizes.as_ref(),
        ),
        reinit_top_layers,
    };
    // The weights of a checkpoint are complete.
    let load = if is_resumed { LoadOptions::default() } else { load };
    Ok(match files {
        ModelFiles::Small => SequenceClassifier::new(config, Weights::none(), seed)?,
        ModelFiles::Embedded => embedded::load(config, load, seed)?,
        ModelFiles::Folder(path) => folder::load_with(path, config, load, seed)?,
    })
}

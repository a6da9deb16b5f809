//! What a run of pretraining prepares in another way than the fine-tuning of a classifier.

use crate::core::data::masking::Masker;
use crate::core::engine::{Engine, EngineOptions, PretrainingSettings, build, build_pretraining};
use crate::core::model::{LoadReport, SequenceClassifier};
use crate::core::text::display_path;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::event::Setting;
use crate::run::options::{TrainOptions, generator_settings};

/// The name of the setting of the factor of the head's learning rate.
const FACTOR: &str = "new_parameters_lr_factor";

/// Builds the engine that trains the model: a classifier or, with an objective, a pretrained model,
/// whose head's learning rate has this factor.
pub(super) fn build_engine(
    (options, engine_options): (&TrainOptions, EngineOptions),
    model: &SequenceClassifier,
    tokenizer: &Tokenizer,
    settings: &[Setting],
    seed: u64,
) -> anyhow::Result<Box<dyn Engine>> {
    let pretraining = &options.pretraining;
    if pretraining.chosen().is_none() {
        return Ok(build(model, &engine_options)?);
    }
    let Some(kinds) = tokenizer.token_kinds() else {
        anyhow::bail!(
            "{}: the tokenizer has no mask token, which pretraining needs. Add one such as [MASK] to \
             its vocabulary and its special tokens, or use another model",
            display_path(tokenizer.file())
        );
    };
    let factor = settings.iter().find(|setting| setting.name == FACTOR);
    let factor = factor.and_then(|setting| setting.value.parse().ok());
    let settings = PretrainingSettings {
        masker: Masker::new(kinds, pretraining.masked_share(), pretraining.mask_shares()),
        evaluation_seed: seed,
        discriminator_weight: pretraining.discriminator_weight_or_default(),
        head_lr_factor: factor.unwrap_or(1.0),
        frozen_steps: pretraining.frozen_steps(),
    };
    Ok(build_pretraining(model, &engine_options, settings)?)
}

/// Completes the settings: those of a generator, and the factor of the learning rate of a head that is
/// in the weights, unless it is given.
pub(super) fn complete(
    settings: &mut Vec<Setting>,
    options: &TrainOptions,
    model: &SequenceClassifier,
    report: &LoadReport,
) {
    settings.extend(generator_settings(&options.pretraining, model.config().task));
    let layout = model.layout();
    let is_new = layout.parameters.iter().any(|parameter| {
        parameter.start == layout.head.weight && report.initialized(&parameter.name)
    });
    let factor = settings.iter_mut().find(|setting| setting.name == FACTOR);
    if let Some(factor) = factor
        && !is_new
        && options.pretraining.new_parameters_lr_factor.is_none()
    {
        factor.value = options.pretraining.head_lr_factor(false).to_string();
        "the head is in the weights".clone_into(&mut factor.reason);
    }
}

//! The options of pretraining on texts without labels.

use super::group::{Given, option_group};
use super::parse::{count, from_str, not_negative, positive, proper_share, whole};
use crate::core::data::masking::MaskShares;
use crate::core::model::{GeneratorShape, ModelConfig, Objective, Task};

option_group! {
    /// The objective of pretraining and what belongs to it.
    pub struct PretrainingOptions {
        /// The objective; without one, a classifier is fine-tuned.
        objective: Objective = from_str,
        /// The share of words that are masked.
        mlm_probability: f64 = proper_share,
        /// The number of layers of the generator of replaced tokens.
        generator_layers: usize = count,
        /// The width of the generator's layers.
        generator_size: usize = count,
        /// The weight of the discriminator's loss.
        discriminator_weight: f64 = not_negative,
        /// The factor of the learning rate of the head and of the generator.
        new_parameters_lr_factor: f64 = positive,
        /// The number of steps at the start in which only the head and the generator are trained.
        freeze_encoder_steps: u64 = whole,
    }
}

/// The default share of masked words: BERT's and ELECTRA's.
pub(super) const MLM_PROBABILITY: f64 = 0.15;

/// The default weight of the discriminator's loss: ELECTRA's.
pub(super) const DISCRIMINATOR_WEIGHT: f64 = 50.0;

/// The default factor of the learning rate of parameters that are not in the weights.
pub(super) const NEW_PARAMETERS_LR_FACTOR: f64 = 5.0;

impl PretrainingOptions {
    /// The objective, if the run pretrains.
    pub fn chosen(&self) -> Option<Objective> {
        self.objective.as_ref().map(|given| given.value)
    }

    /// What the model is trained for.
    ///
    /// # Errors
    /// If the model's architecture is not pretrained here, or the generator does not fit the model.
    pub fn task(&self, config: &ModelConfig) -> Result<Task, String> {
        let architecture = config.architecture;
        if self.chosen().is_some() && !architecture.is_pretrained_here() {
            return Err(format!(
                "pretraining of {} models (model_type \"{}\") is not supported; fine-tuning is: \
                 nsmc-tui train",
                architecture.title(),
                architecture.model_type()
            ));
        }
        Ok(match self.chosen() {
            None => Task::SequenceClassification,
            Some(Objective::Mlm) => Task::MaskedLm,
            Some(Objective::Rtd) => {
                let value = |given: &Option<Given<usize>>| given.as_ref().map(|given| given.value);
                let layers = config.encoder.num_hidden_layers.div_ceil(2);
                let layers = value(&self.generator_layers).unwrap_or(layers);
                let hidden = value(&self.generator_size);
                let hidden = hidden.unwrap_or_else(|| GeneratorShape::default_hidden(config));
                Task::ReplacedTokens(GeneratorShape::new(config, layers, hidden)?)
            }
        })
    }

    /// The share of words that are masked.
    pub fn masked_share(&self) -> f64 {
        self.mlm_probability.as_ref().map_or(MLM_PROBABILITY, |given| given.value)
    }

    /// What masked tokens are replaced by.
    pub fn mask_shares(&self) -> MaskShares {
        match self.chosen() {
            Some(Objective::Rtd) => MaskShares::MASK_ONLY,
            _ => MaskShares::BERT,
        }
    }

    /// The weight of the discriminator's loss.
    pub fn discriminator_weight_or_default(&self) -> f64 {
        self.discriminator_weight.as_ref().map_or(DISCRIMINATOR_WEIGHT, |given| given.value)
    }

    /// The factor of the learning rate of the head and of the generator, which may be new or in the
    /// weights.
    pub fn head_lr_factor(&self, is_new: bool) -> f64 {
        let default = if is_new { NEW_PARAMETERS_LR_FACTOR } else { 1.0 };
        self.new_parameters_lr_factor.as_ref().map_or(default, |given| given.value)
    }

    /// The number of steps in which the encoder stays as it is.
    pub fn frozen_steps(&self) -> u64 {
        Given::value_or_default(self.freeze_encoder_steps.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::fixtures::small_config;
    use crate::run::options::group::ValueSource;

    #[test]
    fn architectures_that_are_not_pretrained_are_refused_by_name() -> anyhow::Result<()> {
        let source = ValueSource::Flag;
        let objective = Some(Given { value: Objective::Mlm, text: "mlm".to_owned(), source });
        let pretrains = PretrainingOptions { objective, ..PretrainingOptions::default() };
        let deberta = small_config([("model_type", "deberta-v2")])?;
        let refused = pretrains.task(&deberta);
        assert!(refused.is_err_and(|why| why.contains("pretraining of DeBERTa-v2 models")));
        assert_eq!(pretrains.task(&small_config([("model_type", "bert")])?), Ok(Task::MaskedLm));
        assert_eq!(PretrainingOptions::default().task(&deberta), Ok(Task::SequenceClassification));
        Ok(())
    }
}

//! Flags of `pretrain`: those of `train` that make sense without labels, and the objective's.

use super::train::TrainFlags;
use super::values::{choice, flag};
use crate::core::model::Objective;
use crate::run::options::{Given, PretrainingOptions};
use clap::{Arg, Args};

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui pretrain --train-file reviews.txt.zst --model-name-or-path klue/bert-base
  nsmc-tui pretrain --train-file reviews.csv --text-column-name comment --objective rtd \\
      --model-name-or-path monologg/koelectra-small-v3-discriminator --output-dir adapted
  nsmc-tui pretrain --train-file reviews.txt.zst --device cuda --bf16
  nsmc-tui pretrain --resume-from-checkpoint --output-dir adapted
  nsmc-tui train --model-name-or-path adapted         Fine-tune the adapted model

Texts: one a line in .txt (also .txt.gz and .txt.zst), or the text column of any file that train
reads; labels are not read. Empty lines are left out, and long texts are cut to --max-seq-length.

Defaults: 3 epochs of batches of 32 texts, learning rate 5e-5 (from random weights 2e-4) after a
warm-up over 0.06 of all steps (0.1), weight decay 0.01, a checkpoint every 500 steps, evaluation on
2,000 of the texts, of which 0.05 are held out.

The model is saved as transformers saves it: a language model as BertForMaskedLM and the like, an
encoder trained on replaced tokens with its discriminator's head, without the generator.
";

/// Flags of `train` that are hidden in the help of `pretrain`, because they are refused there or have
/// no use.
pub(super) const HIDDEN: [&str; 20] = [
    "label_column_name",
    "text_pair_column_name",
    "label_smoothing_factor",
    "pooling",
    "greater_is_better",
    "pad_to_max_length",
    "ops",
    "recipe",
    "class_weights",
    "rdrop_alpha",
    "unlabelled",
    "unlabelled_batch_size",
    "pseudo_label_warmup",
    "pseudo_label_threshold",
    "pseudo_label_weight",
    "ema_decay",
    "probe",
    "save_predictions",
    "slice_column",
    "corrections",
];

/// Flags with other defaults than those of `train`, which [`EXAMPLES`] names.
const OTHER_DEFAULTS: [&str; 8] = [
    "num_train_epochs",
    "learning_rate",
    "warmup_steps",
    "weight_decay",
    "layerwise_lr_decay",
    "save_steps",
    "validation_split",
    "max_train_samples",
];

/// The flag without the default of `train` in its help, if its default is another one.
pub(super) fn without_default(argument: Arg) -> Arg {
    let help = argument.get_help().map(ToString::to_string);
    match help.as_deref().and_then(|help| help.split_once(" [default")) {
        Some((help, _)) if OTHER_DEFAULTS.contains(&argument.get_id().as_str()) => {
            let help = help.to_owned();
            argument.help(help)
        }
        _ => argument,
    }
}

/// Flags of `pretrain`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct PretrainFlags {
    /// What the model learns from texts without labels [default: mlm]
    #[arg(long, value_parser = choice(PretrainingOptions::objective), help_heading = "Objective")]
    pub objective: Option<Given<Objective>>,
    /// Share of the words that are masked, anew in each step [default: 0.15]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(PretrainingOptions::mlm_probability), help_heading = "Objective")]
    pub mlm_probability: Option<Given<f64>>,
    /// Layers of the generator of replaced tokens [default: half of the model's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(PretrainingOptions::generator_layers), help_heading = "Objective")]
    pub generator_layers: Option<Given<usize>>,
    /// Width of the generator's layers, a multiple of the width of the model's attention heads
    /// [default: a third of the model's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(PretrainingOptions::generator_size), help_heading = "Objective")]
    pub generator_size: Option<Given<usize>>,
    /// Weight of the discriminator's loss, which is added to the generator's [default: 50]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(PretrainingOptions::discriminator_weight), help_heading = "Objective")]
    pub discriminator_weight: Option<Given<f64>>,
    /// Factor of the learning rate of a head that is not in the weights, and of the generator
    /// [default: 5; from random weights 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(PretrainingOptions::new_parameters_lr_factor), help_heading = "Objective")]
    pub new_parameters_lr_factor: Option<Given<f64>>,
    /// Train only the head and the generator in this many steps at the start [default: 0]
    #[arg(long, value_name = "N", value_parser = flag(PretrainingOptions::freeze_encoder_steps), help_heading = "Objective")]
    pub freeze_encoder_steps: Option<Given<u64>>,
    #[command(flatten)]
    pub train: TrainFlags,
}

impl PretrainFlags {
    /// The options of the objective, and the flags that `train` has, too.
    pub fn into_parts(self) -> (PretrainingOptions, TrainFlags) {
        let pretraining = PretrainingOptions {
            objective: self.objective,
            mlm_probability: self.mlm_probability,
            generator_layers: self.generator_layers,
            generator_size: self.generator_size,
            discriminator_weight: self.discriminator_weight,
            new_parameters_lr_factor: self.new_parameters_lr_factor,
            freeze_encoder_steps: self.freeze_encoder_steps,
        };
        (pretraining, self.train)
    }
}

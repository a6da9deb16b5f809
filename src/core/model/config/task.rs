//! What a model is trained for, which decides its head: classification, or pretraining on plain text.

use super::ModelConfig;
use crate::core::model::architecture::Architecture;
use crate::core::named::named_enum;
use crate::core::ops::backend::Activation;
use candle_transformers::models::bert::HiddenAct;
use serde_json::{Map, Value, json};

named_enum! {
    /// A pretraining objective on texts without labels.
    #[derive(Default)]
    pub enum Objective {
        /// Masked language modeling (BERT): predict masked words
        @default Mlm = "mlm",
        /// Replaced token detection (ELECTRA): tell the tokens apart that a small generator replaced
        Rtd = "rtd",
    }
}

impl Objective {
    /// What the trained model tells apart, as the names of classes: nothing in language modeling.
    pub fn class_names(self) -> Vec<String> {
        match self {
            Self::Mlm => Vec::new(),
            Self::Rtd => ["original", "replaced"].map(str::to_owned).into(),
        }
    }
}

/// The size of a generator of replaced tokens; its other settings are those of the encoder that is
/// trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorShape {
    /// The number of encoder layers.
    pub layers: usize,
    /// The width of the layers: a multiple of the width of the encoder's attention heads.
    pub hidden: usize,
    /// The width of the feed-forward blocks.
    pub intermediate: usize,
    /// The number of attention heads.
    pub heads: usize,
}

/// What a model is trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// One class for a text: `…ForSequenceClassification`.
    #[default]
    SequenceClassification,
    /// The masked tokens of a text: `…ForMaskedLM`.
    MaskedLm,
    /// Whether each token was replaced by a generator, which is trained together with the model:
    /// `ElectraForPreTraining` (Clark et al., 2020).
    ReplacedTokens(GeneratorShape),
}

impl Task {
    /// Whether the model is trained on texts without labels.
    pub fn is_pretraining(self) -> bool {
        self != Self::SequenceClassification
    }
}

impl GeneratorShape {
    /// The generator with this number of layers of this width for an encoder. Its heads are as wide as
    /// the encoder's, and its feed-forward blocks have the encoder's proportions, as in ELECTRA.
    ///
    /// # Errors
    /// If `layers` is 0, or `hidden` is not a multiple of the width of the encoder's heads.
    pub fn new(config: &ModelConfig, layers: usize, hidden: usize) -> Result<Self, String> {
        let encoder = &config.encoder;
        let head_width = encoder.hidden_size / encoder.num_attention_heads;
        if hidden == 0 || !hidden.is_multiple_of(head_width) || hidden > encoder.hidden_size {
            return Err(format!(
                "the generator's width {hidden} is not a multiple of {head_width}, the width of the \
                 encoder's attention heads, up to {}; pass another --generator-size",
                encoder.hidden_size
            ));
        }
        if layers == 0 || layers > encoder.num_hidden_layers {
            return Err(format!(
                "a generator of {layers} layers is not possible; pass --generator-layers from 1 to {}",
                encoder.num_hidden_layers
            ));
        }
        let intermediate = (encoder.intermediate_size * hidden / encoder.hidden_size).max(1);
        Ok(Self { layers, hidden, intermediate, heads: hidden / head_width })
    }

    /// The default width for an encoder: about a third of the encoder's, as ELECTRA's base model has.
    pub fn default_hidden(config: &ModelConfig) -> usize {
        let encoder = &config.encoder;
        let heads = (encoder.num_attention_heads / 3).max(1);
        encoder.hidden_size / encoder.num_attention_heads * heads
    }
}

/// The activation of an encoder's feed-forward blocks.
pub(in crate::core::model) fn activation(act: HiddenAct) -> Activation {
    match act {
        HiddenAct::Gelu => Activation::Gelu,
        HiddenAct::GeluApproximate => Activation::GeluTanh,
        HiddenAct::Relu => Activation::Relu,
    }
}

impl ModelConfig {
    /// Sets what the model is trained for, and with it the parameters of its head.
    pub fn set_task(&mut self, task: Task) {
        self.task = task;
    }

    /// The activation function within the head.
    pub fn head_activation(&self) -> Activation {
        let of_the_encoder = activation(self.encoder.hidden_act);
        match (self.task, self.architecture) {
            (Task::SequenceClassification, architecture) => self
                .deberta
                .map_or(architecture.head_activation(), |deberta| deberta.pooler_activation),
            (Task::ReplacedTokens(_), _)
            | (Task::MaskedLm, Architecture::Bert | Architecture::DistilBert) => of_the_encoder,
            // `RobertaLMHead` and `ElectraGeneratorPredictions` have GELU in any model.
            (Task::MaskedLm, _) => Activation::Gelu,
        }
    }

    /// The name of the model's class in transformers. For replaced tokens only ELECTRA has one; other
    /// encoders are saved as such, with the head's tensors beside them.
    pub fn saved_class(&self) -> String {
        match (self.task, self.architecture) {
            (Task::SequenceClassification, architecture) => architecture.class_name(),
            (Task::MaskedLm, architecture) => architecture.class_name_for("ForMaskedLM"),
            (Task::ReplacedTokens(_), Architecture::Electra) => {
                Architecture::Electra.class_name_for("ForPreTraining")
            }
            (Task::ReplacedTokens(_), architecture) => architecture.class_name_for("Model"),
        }
    }

    /// The values of `config.json` for a pretrained model, which has no classes.
    pub(super) fn pretrained_values(json: &mut Map<String, Value>) {
        for name in ["id2label", "label2id", "problem_type", "num_labels", "text_columns"] {
            json.shift_remove(name);
        }
        json.insert("tie_word_embeddings".into(), json!(true));
    }
}

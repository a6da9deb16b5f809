//! The layout of a model's parameters in one flat tensor: each parameter's name in Hugging Face's
//! files, its shape, its initialization and its offset.
//!
//! The token embeddings come first. A layer's query, key and value weights are adjacent, and so
//! are their biases, so that one matrix multiplication computes all three.

mod planner;
mod pretraining;

use super::config::ModelConfig;
use super::config::task::{Task, activation};
use crate::core::ops::backend::{
    Activation, EmbeddingTables, LayerNormLayout, LinearLayout, ParameterLayout, RelativeTable,
};
use planner::Planner;
use pretraining::LanguageModelHead;
use std::ops::Range;

/// How a parameter is initialized if no file has it: Hugging Face's `_init_weights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Normal, with the configuration's `initializer_range` as standard deviation.
    Normal,
    /// Normal, except that this row is zero: the padding token's.
    NormalExceptRow(usize),
    /// The sines and cosines of Vaswani et al. (2017), for a table of positions: column `2i` of row
    /// `p` is `sin(p / 10000^(2i / width))`, and the next column its cosine.
    Sinusoidal,
    /// All zero: biases.
    Zeros,
    /// All one: the scale of a normalization.
    Ones,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in Hugging Face's files.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its initialization.
    pub init: Init,
    /// Its offset in the flat tensor.
    pub start: usize,
}

impl Parameter {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether weight decay applies under Hugging Face's grouping: not to biases, and not to
    /// layer normalizations.
    pub fn decays(&self) -> bool {
        let is_norm = ["LayerNorm", "layer_norm"].iter().any(|norm| self.name.contains(norm));
        self.name.rsplit('.').next() != Some("bias") && !is_norm
    }
}

/// The layout of one encoder layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerLayout {
    /// The query projection.
    pub query: LinearLayout,
    /// The key projection.
    pub key: LinearLayout,
    /// The value projection.
    pub value: LinearLayout,
    /// The queries and keys of relative positions, side by side, those that the model has.
    pub relative: Option<LinearLayout>,
    /// The attention block's output projection.
    pub attention_output: LinearLayout,
    /// The attention block's normalization.
    pub attention_norm: LayerNormLayout,
    /// The feed-forward block's first layer, to `intermediate_size`.
    pub intermediate: LinearLayout,
    /// The feed-forward block's second layer, back to `hidden_size`.
    pub output: LinearLayout,
    /// The feed-forward block's normalization.
    pub output_norm: LayerNormLayout,
}

impl LayerLayout {
    /// The query, key and value projections as one layer.
    pub fn query_key_value(&self) -> LinearLayout {
        LinearLayout { outputs: 3 * self.query.outputs, ..self.query }
    }

    /// The key and value projections as one layer.
    pub fn key_value(&self) -> LinearLayout {
        LinearLayout { outputs: 2 * self.key.outputs, ..self.key }
    }
}

/// The layout of a whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLayout {
    /// Every parameter, by offset.
    pub parameters: Vec<Parameter>,
    /// The embedding tables.
    pub tables: EmbeddingTables,
    /// The embeddings' normalization.
    pub embedding_norm: LayerNormLayout,
    /// The projection from the embeddings' width to the encoder's, where the two differ.
    pub project: Option<LinearLayout>,
    /// The table of relative positions, in models that have one.
    pub relative: Option<RelativeTable>,
    /// The encoder's layers.
    pub layers: Vec<LayerLayout>,
    /// The activation of the feed-forward blocks.
    pub activation: Activation,
    /// The head's first layer.
    pub head: LinearLayout,
    /// The normalization after the head's first layer, in language modeling heads.
    pub head_norm: Option<LayerNormLayout>,
    /// The head's last layer; in language modeling heads, its weight is the token table.
    pub classifier: LinearLayout,
    /// The generator of replaced tokens, with the same tables.
    pub generator: Option<Box<ModelLayout>>,
}

impl ModelLayout {
    /// The layout of the model that a configuration describes.
    pub fn new(config: &ModelConfig) -> Self {
        let encoder = &config.encoder;
        let (hidden, wide) = (encoder.hidden_size, encoder.intermediate_size);
        let (width, labels) = (config.embedding_size, config.labels.len());
        let architecture = config.architecture;
        let prefix = architecture.prefix();
        let mut planner = Planner::new(encoder.layer_norm_eps as f32);

        let without_padding = config.padding_row().map_or(Init::Normal, Init::NormalExceptRow);
        let position_init = if architecture.is_roberta() {
            without_padding
        } else if config.sinusoidal_positions {
            Init::Sinusoidal
        } else {
            Init::Normal
        };
        let mut table = |name: &str, rows, init| {
            let name = format!("{prefix}.embeddings.{name}_embeddings.weight");
            planner.add(name, &[rows, width], init)
        };
        let (vocabulary, max_positions) = (encoder.vocab_size, encoder.max_position_embeddings);
        let tables = EmbeddingTables {
            tokens: table("word", vocabulary, without_padding),
            vocabulary,
            positions: config
                .has_positions()
                .then(|| table("position", max_positions, position_init)),
            max_positions,
            first_position: config.first_position(),
            token_types: match encoder.type_vocab_size {
                0 => 0,
                rows => table("token_type", rows, Init::Normal),
            },
            max_token_types: encoder.type_vocab_size,
            padding_token: config.padding_row().map(|row| row as u32),
            padding_position: architecture.is_roberta().then_some(encoder.pad_token_id as u32),
            width,
        };
        let embedding_norm = planner.norm(&format!("{prefix}.embeddings.LayerNorm"), width);
        let project = (width != hidden)
            .then(|| planner.dense(&format!("{prefix}.embeddings_project"), width, hidden));
        let positions = config.relative.as_ref();
        let relative = positions.map(|positions| planner.relative_table(positions, hidden));
        let (layer, names) = architecture.layer_names();
        let layers = (0..encoder.num_hidden_layers)
            .map(|index| {
                planner.layer(&format!("{layer}.{index}"), &names, (hidden, wide), positions)
            })
            .collect();
        let activation = activation(encoder.hidden_act);
        let (mut head_norm, mut generator) = (None, None);
        let (head, classifier) = match config.task {
            Task::SequenceClassification => {
                let [head, classifier] = architecture.head_names();
                let head = planner.dense(head, hidden, hidden);
                (head, planner.dense(classifier, hidden, labels))
            }
            Task::MaskedLm => {
                let LanguageModelHead { dense, norm, decoder } =
                    planner.language_model_head(config.architecture, hidden, &tables);
                head_norm = Some(norm);
                (dense, decoder)
            }
            Task::ReplacedTokens(shape) => {
                let head = planner.dense("discriminator_predictions.dense", hidden, hidden);
                let last = "discriminator_predictions.dense_prediction";
                let classifier = planner.dense(last, hidden, 1);
                let planned = planner.generator(config, shape, tables, embedding_norm, activation);
                generator = Some(Box::new(planned));
                (head, classifier)
            }
        };
        let parameters = planner.parameters;
        Self {
            parameters,
            tables,
            embedding_norm,
            project,
            relative,
            layers,
            activation,
            head,
            head_norm,
            classifier,
            generator,
        }
    }

    /// The names of the parameters of the head's last layer, whose size is the number of classes.
    pub fn classifier_names(&self) -> [&str; 2] {
        let name = |start: usize| {
            let found = self.parameters.iter().find(|parameter| parameter.start == start);
            found.map_or("", |parameter| &parameter.name)
        };
        [name(self.classifier.weight), name(self.classifier.bias)]
    }

    /// The offset of the first parameter after the embedding tables: of the projection of the
    /// embeddings or of the first layer, in a model without relative positions. In a generator, no parameter is before it.
    pub fn first_parameter(&self) -> usize {
        self.project.map_or(self.layer_range(0).start, |project| project.weight)
    }

    /// The number of elements of all parameters together.
    pub fn len(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.start + last.len())
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parameters of the encoder's layer of this index, counted from 0 at the bottom; empty if
    /// there is no such layer.
    pub fn layer_range(&self, index: usize) -> Range<usize> {
        let start = |index: usize| {
            self.layers.get(index).map_or(self.head.weight, |layer| layer.query.weight)
        };
        start(index)..start(index + 1)
    }

    /// Whether a parameter belongs to this many layers at the top of the encoder, or to the pooler
    /// above them.
    pub fn is_in_top_layers(&self, parameter: &Parameter, layers: usize) -> bool {
        let first = self.layers.len().saturating_sub(layers);
        let range = self.layer_range(first).start..self.head.weight;
        range.contains(&parameter.start) || (layers > 0 && parameter.name.contains(".pooler."))
    }

    /// The factors of the learning rate with a `decay` from one layer to the next below, for all
    /// parameters whose factor is not 1. Of L layers, the layer of index k, counted from 0 at the
    /// bottom, has `decay^(L - k)`, and the embeddings and their projection have `decay^(L + 1)`. The
    /// head has the full rate, to which BERT's pooler belongs.
    ///
    /// This is the `layerwise_lr_decay` of ELECTRA (Clark et al., 2020), with the exponents of `BEiT`
    /// and timm (`param_groups_layer_decay`): in ELECTRA's own code they are larger by one.
    pub fn layer_rates(&self, decay: f64) -> Vec<(Range<usize>, f64)> {
        if decay == 1.0 {
            return Vec::new();
        }
        let count = self.layers.len();
        let factor = |exponent: usize| decay.powi(i32::try_from(exponent).unwrap_or(i32::MAX));
        let embeddings = (0..self.layer_range(0).start, factor(count + 1));
        let layers = (0..count).map(|index| (self.layer_range(index), factor(count - index)));
        std::iter::once(embeddings).chain(layers).collect()
    }

    /// The layout for a backend. Weight decay applies to all parameters with `decay_everything`,
    /// else by Hugging Face's grouping; the learning rates are those of [`Self::layer_rates`].
    pub fn parameter_layout(
        &self,
        decay_everything: bool,
        layerwise_lr_decay: f64,
    ) -> ParameterLayout {
        let decayed = self.parameters.iter();
        let decayed = decayed
            .filter(|parameter| decay_everything || parameter.decays())
            .map(|parameter| parameter.start..parameter.start + parameter.len())
            .collect();
        let rates = self.layer_rates(layerwise_lr_decay);
        ParameterLayout { len: self.len(), tables: self.tables, decayed, rates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_and_normalizations_do_not_decay() {
        let decays = |name: &str| {
            Parameter { name: name.to_owned(), shape: vec![1], init: Init::Zeros, start: 0 }
                .decays()
        };
        assert!(decays("bert.pooler.dense.weight"));
        assert!(!decays("bert.pooler.dense.bias"));
        assert!(!decays("bert.embeddings.LayerNorm.weight"));
        assert!(!decays("distilbert.transformer.layer.0.sa_layer_norm.weight"));
        assert!(decays("distilbert.transformer.layer.0.attention.q_lin.weight"));
        assert!(decays("deberta.encoder.rel_embeddings.weight"));
        assert!(!decays("deberta.encoder.LayerNorm.weight"));
    }

    #[test]
    fn the_rate_decays_from_the_head_to_the_embeddings() -> anyhow::Result<()> {
        for family in ["bert", "roberta", "electra", "xlm_roberta", "distilbert", "deberta"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
            let config = ModelConfig::read(&folder.join(family).join("config.json"), &[])?;
            let layout = ModelLayout::new(&config);
            assert!(layout.layer_rates(1.0).is_empty());
            let rates = layout.layer_rates(0.5);
            for parameter in &layout.parameters {
                let found = rates.iter().find(|(range, _)| range.contains(&parameter.start));
                let rate = found.map_or(1.0, |(_, rate)| *rate);
                let name = &parameter.name;
                let layers = layout.layers.len() as i32;
                let expected = match name.split_once(".layer.") {
                    Some((_, rest)) => {
                        let index: i32 = rest.split('.').next().unwrap_or_default().parse()?;
                        0.5f64.powi(layers - index)
                    }
                    None if name.contains(".embeddings") || name.contains(".encoder.") => {
                        0.5f64.powi(layers + 1)
                    }
                    None => 1.0,
                };
                assert_eq!(rate, expected, "{family}, {name}");
            }
        }
        Ok(())
    }
}

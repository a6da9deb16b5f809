//! The heads of pretraining: the language modeling heads of transformers' `…ForMaskedLM`, whose last
//! layer is the token table, and the head of `ElectraForPreTraining` with its generator.

use super::ModelLayout;
use super::planner::Planner;
use crate::core::model::architecture::Architecture;
use crate::core::model::config::ModelConfig;
use crate::core::model::config::task::GeneratorShape;
use crate::core::ops::backend::{Activation, EmbeddingTables, LayerNormLayout, LinearLayout};

/// The layers of a language modeling head.
pub(super) struct LanguageModelHead {
    pub dense: LinearLayout,
    pub norm: LayerNormLayout,
    /// The token table as a linear layer, with a bias of its own.
    pub decoder: LinearLayout,
}

impl Planner {
    /// The head of an encoder of width `hidden`, with the names of the architecture.
    pub(super) fn language_model_head(
        &mut self,
        architecture: Architecture,
        hidden: usize,
        tables: &EmbeddingTables,
    ) -> LanguageModelHead {
        let (dense, norm, bias) = match architecture {
            // No other architecture is pretrained: `Architecture::is_pretrained_here`.
            Architecture::Bert | Architecture::DebertaV2 => (
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                "cls.predictions.bias",
            ),
            Architecture::Roberta | Architecture::XlmRoberta => {
                ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias")
            }
            Architecture::Electra => (
                "generator_predictions.dense",
                "generator_predictions.LayerNorm",
                "generator_lm_head.bias",
            ),
            Architecture::DistilBert => {
                ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias")
            }
        };
        let dense = self.dense(dense, hidden, tables.width);
        let norm = self.norm(norm, tables.width);
        let bias = self.add(bias.to_owned(), &[tables.vocabulary], super::Init::Zeros);
        let decoder = LinearLayout {
            weight: tables.tokens,
            bias,
            inputs: tables.width,
            outputs: tables.vocabulary,
        };
        LanguageModelHead { dense, norm, decoder }
    }

    /// The generator of replaced tokens: an encoder over the embeddings of the model that is trained,
    /// projected to its width, with ELECTRA's language modeling head (Clark et al., 2020).
    pub(super) fn generator(
        &mut self,
        config: &ModelConfig,
        shape: GeneratorShape,
        tables: EmbeddingTables,
        embedding_norm: LayerNormLayout,
        activation: Activation,
    ) -> ModelLayout {
        let GeneratorShape { hidden, intermediate, .. } = shape;
        let width = config.embedding_size;
        let project =
            (width != hidden).then(|| self.dense("generator.embeddings_project", width, hidden));
        let (_, names) = Architecture::Electra.layer_names();
        let layers = (0..shape.layers)
            .map(|index| {
                let name = format!("generator.encoder.layer.{index}");
                self.layer(&name, &names, (hidden, intermediate), None)
            })
            .collect();
        let LanguageModelHead { dense, norm, decoder } =
            self.language_model_head(Architecture::Electra, hidden, &tables);
        ModelLayout {
            parameters: Vec::new(),
            tables,
            embedding_norm,
            project,
            relative: None,
            layers,
            activation,
            head: dense,
            head_norm: Some(norm),
            classifier: decoder,
            generator: None,
        }
    }
}

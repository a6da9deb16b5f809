//! A model's trainable parameters, by Hugging Face's names.

use super::layout::{Init, ModelLayout};
use super::weights::{Taken, Weights};
use crate::core::data::sampling::Generator;
use crate::core::ops::cpu::overwrite;
use candle_core::{DType, Device, Result, Tensor};

/// All parameters of a model: one flat tensor, and a view of each part of it.
#[derive(Clone, Debug)]
pub struct Parameters {
    flat: Tensor,
    named: Vec<(String, Tensor)>,
}

impl Parameters {
    /// Name and view of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.named.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// All numbers, as the layout arranges them; [`Self::iter`] gives views of it.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// How many numbers there are in all.
    pub fn count(&self) -> usize {
        self.named.iter().map(|(_, tensor)| tensor.elem_count()).sum()
    }

    /// How many numbers there are outside the embedding tables, as Hugging Face counts for
    /// `total_flos`.
    pub fn count_without_embeddings(&self) -> usize {
        self.iter()
            .filter(|(name, _)| !name.contains("_embeddings."))
            .map(|(_, tensor)| tensor.elem_count())
            .sum()
    }

    /// Whether weight decay applies under Hugging Face's grouping: not to biases, and not to
    /// layer normalisations.
    pub fn decays(name: &str) -> bool {
        name.rsplit('.').next() != Some("bias") && !name.contains("LayerNorm")
    }
}

/// What loading found, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters that no file held and that were initialised.
    pub missing: Vec<String>,
    /// Parameters that a file held in another shape and that were initialised on request.
    pub mismatched: Vec<String>,
    /// Tensors in the file that the model has no place for.
    pub unexpected: Vec<String>,
}

/// Makes a model's parameters: from weights where there are any, else by [`Init`].
pub struct ParameterBuilder {
    weights: Weights,
    ignore_mismatched_sizes: bool,
    generator: Generator,
    deviation: f64,
}

impl ParameterBuilder {
    /// `weights` may be empty; `seed` and `deviation` are for what they do not hold.
    pub fn new(weights: Weights, seed: u64, deviation: f64) -> Self {
        Self { weights, ignore_mismatched_sizes: false, generator: Generator::new(seed), deviation }
    }

    /// Whether a tensor of another shape is initialised anew instead of refused.
    #[must_use]
    pub fn ignore_mismatched_sizes(mut self, ignore: bool) -> Self {
        self.ignore_mismatched_sizes = ignore;
        self
    }

    /// The parameters that a layout asks for, and what was and was not found.
    ///
    /// # Errors
    /// If the weights hold one in another shape, or cannot be read.
    pub fn build(mut self, layout: &ModelLayout) -> Result<(Parameters, LoadReport)> {
        let flat = Tensor::zeros(layout.len(), DType::F32, &Device::Cpu)?;
        let mut report = LoadReport::default();
        let mut named = Vec::with_capacity(layout.parameters.len());
        for parameter in &layout.parameters {
            let (name, shape) = (&parameter.name, parameter.shape.as_slice());
            let values = match self.weights.take(name, shape)? {
                Taken::Values(values) => values,
                Taken::Missing => {
                    report.missing.push(name.to_owned());
                    self.fresh(shape, parameter.init)
                }
                Taken::OtherShape(other) if self.ignore_mismatched_sizes => {
                    report.mismatched.push(format!("{name} {other:?} instead of {shape:?}"));
                    self.fresh(shape, parameter.init)
                }
                Taken::OtherShape(other) => candle_core::bail!(
                    "{name} has shape {other:?}, but config.json and the data's classes ask for \
                     {shape:?}; --ignore-mismatched-sizes starts such tensors anew"
                ),
            };
            let view = flat.narrow(0, parameter.start, parameter.len())?.reshape(shape)?;
            overwrite(&view, &values)?;
            named.push((name.to_owned(), view));
        }
        report.unexpected = self.weights.names();
        Ok((Parameters { flat, named }, report))
    }

    fn fresh(&mut self, shape: &[usize], init: Init) -> Vec<f32> {
        let count = shape.iter().product();
        let mut values = match init {
            Init::Zeros => vec![0f32; count],
            Init::Ones => vec![1f32; count],
            Init::Normal | Init::NormalExceptRow(_) => {
                (0..count).map(|_| (self.generator.normal() * self.deviation) as f32).collect()
            }
        };
        if let Init::NormalExceptRow(row) = init {
            let width = count / shape[0].max(1);
            if let Some(row) = values.chunks_mut(width.max(1)).nth(row) {
                row.fill(0.0);
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::ModelConfig;
    use crate::core::model::layout::Parameter;

    #[test]
    fn initialisation_is_hugging_faces() -> Result<()> {
        let parameter = |name: &str, shape: &[usize], init, start| Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            init,
            start,
        };
        let config = ModelConfig::embedded().map_err(candle_core::Error::wrap)?;
        let mut layout = ModelLayout::new(&config);
        layout.parameters = vec![
            parameter("a", &[500, 40], Init::NormalExceptRow(0), 0),
            parameter("b", &[3], Init::Ones, 20_000),
        ];
        let builder = ParameterBuilder::new(Weights::none(), 1, 0.02);
        let (parameters, report) = builder.build(&layout)?;
        let views: Vec<&Tensor> = parameters.iter().map(|(_, view)| view).collect();
        let rows = views[0].to_vec2::<f32>()?;
        assert_eq!(rows[0], [0.0; 40]);
        let values: Vec<f32> = rows[1..].concat();
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!((variance.sqrt() - 0.02).abs() < 0.001);
        assert_eq!(views[1].to_vec1::<f32>()?, [1.0; 3]);
        assert_eq!(parameters.count(), 20_003);
        assert_eq!(report.missing, ["a", "b"]);
        assert!(report.unexpected.is_empty());
        // They are parts of the flat tensor.
        overwrite(views[1], &[4.0, 5.0, 6.0])?;
        assert_eq!(parameters.flat().to_vec1::<f32>()?[20_000..], [4.0, 5.0, 6.0]);
        Ok(())
    }

    #[test]
    fn biases_and_normalisations_do_not_decay() {
        assert!(Parameters::decays("bert.pooler.dense.weight"));
        assert!(!Parameters::decays("bert.pooler.dense.bias"));
        assert!(!Parameters::decays("bert.embeddings.LayerNorm.weight"));
    }
}

//! A model's trainable parameters, by Hugging Face's names.

use super::weights::{Taken, Weights};
use crate::data::sampling::Generator;
use candle_core::{Device, Result, Tensor, Var};

/// How a parameter starts when no file holds it; Hugging Face's `_init_weights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Normal, with the configuration's `initializer_range` as standard deviation.
    Normal,
    /// Normal, but this row is zero: the padding token's.
    NormalExceptRow(usize),
    /// All zero: biases.
    Zeros,
    /// All one: the scale of a normalisation.
    Ones,
}

/// All parameters of a model, in the order in which it was built.
#[derive(Clone, Debug)]
pub struct Parameters {
    named: Vec<(String, Var)>,
}

impl Parameters {
    /// Name and variable of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.named.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// How many numbers there are in all.
    pub fn count(&self) -> usize {
        self.named.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// How many numbers there are outside the embedding tables, as Hugging Face counts for
    /// `total_flos`.
    pub fn count_without_embeddings(&self) -> usize {
        self.iter()
            .filter(|(name, _)| !name.contains("_embeddings."))
            .map(|(_, var)| var.elem_count())
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

/// Makes parameters one by one: from weights where there are any, else by [`Init`].
pub struct ParameterBuilder {
    weights: Weights,
    ignore_mismatched_sizes: bool,
    generator: Generator,
    deviation: f64,
    named: Vec<(String, Var)>,
    report: LoadReport,
}

impl ParameterBuilder {
    /// `weights` may be empty; `seed` and `deviation` are for what they do not hold.
    pub fn new(weights: Weights, seed: u64, deviation: f64) -> Self {
        Self {
            weights,
            ignore_mismatched_sizes: false,
            generator: Generator::new(seed),
            deviation,
            named: Vec::new(),
            report: LoadReport::default(),
        }
    }

    /// Whether a tensor of another shape is initialised anew instead of refused.
    #[must_use]
    pub fn ignore_mismatched_sizes(mut self, ignore: bool) -> Self {
        self.ignore_mismatched_sizes = ignore;
        self
    }

    /// The parameter of this name and shape, as a tensor that follows its variable.
    ///
    /// # Errors
    /// If the weights hold it in another shape, or cannot be read.
    pub fn get(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let values = match self.weights.take(name, shape)? {
            Taken::Values(values) => values,
            Taken::Missing => {
                self.report.missing.push(name.to_owned());
                self.fresh(shape, init)
            }
            Taken::OtherShape(other) if self.ignore_mismatched_sizes => {
                self.report.mismatched.push(format!("{name} {other:?} instead of {shape:?}"));
                self.fresh(shape, init)
            }
            Taken::OtherShape(other) => candle_core::bail!(
                "{name} has shape {other:?}, but config.json and the data's classes ask for \
                 {shape:?}; --ignore-mismatched-sizes starts such tensors anew"
            ),
        };
        let var = Var::from_vec(values, shape, &Device::Cpu)?;
        let tensor = var.as_tensor().clone();
        self.named.push((name.to_owned(), var));
        Ok(tensor)
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

    /// The parameters made, and what was and was not found.
    pub fn finish(mut self) -> (Parameters, LoadReport) {
        self.report.unexpected = self.weights.names();
        (Parameters { named: self.named }, self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialisation_is_hugging_faces() -> Result<()> {
        let mut builder = ParameterBuilder::new(Weights::none(), 1, 0.02);
        let table = builder.get("a", &[500, 40], Init::NormalExceptRow(0))?;
        let rows = table.to_vec2::<f32>()?;
        assert_eq!(rows[0], [0.0; 40]);
        let values: Vec<f32> = rows[1..].concat();
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!((variance.sqrt() - 0.02).abs() < 0.001);
        assert_eq!(builder.get("b", &[3], Init::Ones)?.to_vec1::<f32>()?, [1.0; 3]);
        let (parameters, report) = builder.finish();
        assert_eq!(parameters.count(), 20_003);
        assert_eq!(report.missing, ["a", "b"]);
        assert!(report.unexpected.is_empty());
        Ok(())
    }

    #[test]
    fn biases_and_normalisations_do_not_decay() {
        assert!(Parameters::decays("bert.pooler.dense.weight"));
        assert!(!Parameters::decays("bert.pooler.dense.bias"));
        assert!(!Parameters::decays("bert.embeddings.LayerNorm.weight"));
    }
}

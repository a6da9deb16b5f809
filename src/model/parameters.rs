//! A model's trainable parameters, by Hugging Face's names.

use crate::data::sampling::Generator;
use candle_core::{DType, Device, Result, Tensor, Var};
use std::collections::HashMap;

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

/// Makes parameters one by one: from loaded tensors where there are any, else by [`Init`].
pub struct ParameterBuilder {
    loaded: HashMap<String, Tensor>,
    generator: Generator,
    deviation: f64,
    named: Vec<(String, Var)>,
    missing: Vec<String>,
}

impl ParameterBuilder {
    /// `loaded` may be empty; `seed` and `deviation` are for what it does not hold.
    pub fn new(loaded: HashMap<String, Tensor>, seed: u64, deviation: f64) -> Self {
        Self {
            loaded,
            generator: Generator::new(seed),
            deviation,
            named: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// The parameter of this name and shape, as a tensor that follows its variable.
    ///
    /// # Errors
    /// If the loaded tensor has another shape.
    pub fn get(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let value = match self.loaded.remove(name) {
            Some(tensor) if tensor.dims() == shape => tensor.to_dtype(DType::F32)?,
            Some(tensor) => candle_core::bail!(
                "{name} has shape {:?}, but config.json asks for {shape:?}",
                tensor.dims()
            ),
            None => {
                self.missing.push(name.to_owned());
                self.fresh(shape, init)?
            }
        };
        let var = Var::from_tensor(&value.contiguous()?)?;
        let tensor = var.as_tensor().clone();
        self.named.push((name.to_owned(), var));
        Ok(tensor)
    }

    fn fresh(&mut self, shape: &[usize], init: Init) -> Result<Tensor> {
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
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    /// The parameters made, the names that had to be initialised, and the loaded names that no
    /// one asked for.
    pub fn finish(self) -> (Parameters, Vec<String>, Vec<String>) {
        let mut unexpected: Vec<String> = self.loaded.into_keys().collect();
        unexpected.sort_unstable();
        (Parameters { named: self.named }, self.missing, unexpected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialisation_is_hugging_faces() -> Result<()> {
        let mut builder = ParameterBuilder::new(HashMap::new(), 1, 0.02);
        let table = builder.get("a", &[500, 40], Init::NormalExceptRow(0))?;
        let rows = table.to_vec2::<f32>()?;
        assert_eq!(rows[0], [0.0; 40]);
        let values: Vec<f32> = rows[1..].concat();
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!((variance.sqrt() - 0.02).abs() < 0.001);
        assert_eq!(builder.get("b", &[3], Init::Ones)?.to_vec1::<f32>()?, [1.0; 3]);
        let (parameters, missing, unexpected) = builder.finish();
        assert_eq!(parameters.count(), 20_003);
        assert_eq!(missing, ["a", "b"]);
        assert!(unexpected.is_empty());
        Ok(())
    }

    #[test]
    fn a_wrong_shape_names_both() {
        let loaded = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)
            .map(|tensor| HashMap::from([("w".to_owned(), tensor)]))
            .unwrap_or_default();
        let mut builder = ParameterBuilder::new(loaded, 1, 0.02);
        let message = builder
            .get("w", &[3, 2], Init::Normal)
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("[2, 3]") && message.contains("[3, 2]"), "{message}");
    }

    #[test]
    fn biases_and_normalisations_do_not_decay() {
        assert!(Parameters::decays("bert.pooler.dense.weight"));
        assert!(!Parameters::decays("bert.pooler.dense.bias"));
        assert!(!Parameters::decays("bert.embeddings.LayerNorm.weight"));
    }
}

//! A model's trainable parameters, by Hugging Face's names.

use super::layout::{Init, ModelLayout, Parameter};
use super::weights::{StoredTensor, Weights};
use crate::core::data::sampling::Generator;
use crate::core::ops::cpu::overwrite;
use crate::core::text::truncate_width;
use candle_core::{DType, Device, Result, Tensor};

/// The parameters of a model: one flat tensor, and a view of it for each parameter.
#[derive(Clone, Debug)]
pub struct ModelParameters {
    flat: Tensor,
    named: Vec<(String, Tensor)>,
}

impl ModelParameters {
    /// The name and the view of each parameter.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.named.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The flat tensor, in the order of the layout.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// The number of elements of all parameters together.
    pub fn count(&self) -> usize {
        self.named.iter().map(|(_, tensor)| tensor.elem_count()).sum()
    }

    /// The number of elements of the parameters outside the embedding tables, as Hugging Face
    /// counts them for `total_flos`.
    pub fn count_without_embeddings(&self) -> usize {
        self.iter()
            .filter(|(name, _)| !name.contains("_embeddings."))
            .map(|(_, tensor)| tensor.elem_count())
            .sum()
    }
}

/// The differences between a model's parameters and the tensors in its files, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters that are in no file and were initialized.
    pub missing: Vec<String>,
    /// Parameters that a file has in another shape and that were initialized on request.
    pub mismatched: Vec<String>,
    /// Parameters that a file has and that were initialized on request.
    pub reinitialized: Vec<String>,
    /// Tensors in the files that are not parameters of the model, or are second names of one; by
    /// their names in the files.
    pub unexpected: Vec<String>,
}

impl LoadReport {
    /// Names for a message: at most 40 of them, each at most 100 columns wide, and the number of the
    /// others. Safe to print.
    pub fn listed(names: &[String]) -> String {
        let mut listed: Vec<String> =
            names.iter().take(40).map(|name| truncate_width(name, 100)).collect();
        if names.len() > listed.len() {
            listed.push(format!("and {} more", names.len() - listed.len()));
        }
        listed.join(", ")
    }

    /// Whether this parameter was initialized instead of loaded.
    pub fn initialized(&self, name: &str) -> bool {
        let is_mismatched = |entry: &String| entry.split(' ').next() == Some(name);
        let mut names = self.missing.iter().chain(&self.reinitialized);
        names.any(|missing| missing == name) || self.mismatched.iter().any(is_mismatched)
    }
}

/// Builds a model's parameters from weights; missing ones are initialized according to [`Init`].
pub struct ParameterBuilder {
    weights: Weights,
    ignore_mismatched_sizes: bool,
    reinit_top_layers: usize,
    generator: Generator,
    deviation: f64,
}

impl ParameterBuilder {
    /// `weights` may be empty. Missing parameters are initialized with `seed` and this standard
    /// deviation.
    pub fn new(weights: Weights, seed: u64, deviation: f64) -> Self {
        Self {
            weights,
            ignore_mismatched_sizes: false,
            reinit_top_layers: 0,
            generator: Generator::new(seed),
            deviation,
        }
    }

    /// Whether to initialize a parameter whose tensor has another shape, instead of returning an
    /// error.
    #[must_use]
    pub fn ignore_mismatched_sizes(mut self, ignore: bool) -> Self {
        self.ignore_mismatched_sizes = ignore;
        self
    }

    /// The number of layers at the top of the encoder to initialize even if the weights have them,
    /// with BERT's pooler above them: Zhang et al. (2021), "Revisiting Few-sample BERT Fine-tuning".
    #[must_use]
    pub fn reinit_top_layers(mut self, layers: usize) -> Self {
        self.reinit_top_layers = layers;
        self
    }

    /// Compares the weights with a layout, without reading values.
    ///
    /// # Errors
    /// If a tensor has another shape, unless such tensors are to be initialized.
    pub fn compare(&mut self, layout: &ModelLayout) -> Result<LoadReport> {
        self.weights.assign(layout.parameters.iter().map(|parameter| parameter.name.as_str()));
        let mut report = LoadReport::default();
        for parameter in &layout.parameters {
            let Parameter { name, shape, .. } = parameter;
            match self.weights.shape(name) {
                Some(_) if layout.is_in_top_layers(parameter, self.reinit_top_layers) => {
                    report.reinitialized.push(name.to_owned());
                }
                None => report.missing.push(name.to_owned()),
                Some(stored) if stored == shape => {}
                Some(other) if self.ignore_mismatched_sizes => {
                    report.mismatched.push(format!("{name} {other:?} instead of {shape:?}"));
                }
                Some(other) => candle_core::bail!(
                    "{name} has shape {other:?}, but config.json and the classes of the data require \
                     {shape:?}; --ignore-mismatched-sizes initializes such tensors"
                ),
            }
        }
        Ok(report)
    }

    /// The parameters of a layout, and which of them were not loaded.
    ///
    /// # Errors
    /// If a tensor has another shape or is not finite, or the weights cannot be read.
    pub fn build(mut self, layout: &ModelLayout) -> Result<(ModelParameters, LoadReport)> {
        // Nothing is allocated for a model that its files do not fit.
        let mut report = self.compare(layout)?;
        let flat = Tensor::zeros(layout.len(), DType::F32, &Device::Cpu)?;
        let mut named = Vec::with_capacity(layout.parameters.len());
        for parameter in &layout.parameters {
            let Parameter { name, shape, init, start } = parameter;
            let values = match self.weights.read(name, shape)? {
                _ if layout.is_in_top_layers(parameter, self.reinit_top_layers) => {
                    self.initialize(shape, *init)
                }
                StoredTensor::Values(values) if !values.iter().all(|value| value.is_finite()) => {
                    candle_core::bail!(
                        "{name} holds NaN or infinite values, so every prediction would be NaN; use \
                         an earlier checkpoint, or download the model again"
                    )
                }
                StoredTensor::Values(values) => values,
                StoredTensor::Missing | StoredTensor::OtherShape(_) => {
                    self.initialize(shape, *init)
                }
            };
            let view = flat.narrow(0, *start, values.len())?.reshape(shape.as_slice())?;
            overwrite(&view, &values)?;
            named.push((name.to_owned(), view));
        }
        report.unexpected = self.weights.names();
        Ok((ModelParameters { flat, named }, report))
    }

    fn initialize(&mut self, shape: &[usize], init: Init) -> Vec<f32> {
        let count = shape.iter().product();
        let mut values = match init {
            Init::Zeros => vec![0f32; count],
            Init::Ones => vec![1f32; count],
            Init::Sinusoidal => sinusoidal(count, shape.last().copied().unwrap_or(1)),
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

/// The rows of [`Init::Sinusoidal`], `[count / width, width]`: transformers'
/// `create_sinusoidal_embeddings`.
fn sinusoidal(count: usize, width: usize) -> Vec<f32> {
    let value = |index: usize| {
        let (position, column) = (index / width, index % width);
        let frequency = 10000f64.powf((2 * (column / 2)) as f64 / width as f64);
        let angle = position as f64 / frequency;
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::ModelConfig;

    #[test]
    fn weights_that_are_not_finite_are_refused_by_name() -> anyhow::Result<()> {
        use crate::core::model::folder::{TensorData, write_tensors};
        let file = tempfile::NamedTempFile::new()?;
        let mut layout = ModelLayout::new(&ModelConfig::small()?);
        layout.parameters.truncate(1);
        layout.parameters[0] =
            Parameter { name: "a".to_owned(), shape: vec![3], init: Init::Ones, start: 0 };
        for (value, is_read) in [(1.0, true), (f32::NAN, false), (f32::INFINITY, false)] {
            let tensor = TensorData::Values(&[0.5, value, 2.0], &[3]);
            write_tensors(file.path(), [("a", tensor)].into_iter())?;
            let weights = Weights::open_file(file.path())?;
            let built = ParameterBuilder::new(weights, 1, 0.02).build(&layout);
            assert_eq!(built.is_ok(), is_read, "{value}");
            let message = built.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(message.contains("a holds NaN or infinite values"), !is_read, "{message}");
        }
        Ok(())
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..42).map(|n| format!("{n}\u{1b}")).collect();
        let listed = LoadReport::listed(&names);
        assert!(listed.ends_with(", and 2 more") && !listed.contains('\u{1b}'), "{listed}");
        assert_eq!(LoadReport::listed(&["a".into(), "b".into()]), "a, b");
    }

    #[test]
    fn sinusoidal_positions_equal_those_of_transformers() {
        // DistilBertForSequenceClassification with dim 12 and sinusoidal_pos_embds, row 3.
        let expected = [0.1411, -0.9900, 0.6023, 0.7983, 0.1388, 0.9903];
        let table = sinusoidal(5 * 12, 12);
        for (ours, expected) in table[36..].iter().zip(expected) {
            assert!((ours - expected).abs() < 6e-5, "{ours} {expected}");
        }
    }

    #[test]
    fn initialization_is_that_of_hugging_face() -> Result<()> {
        let parameter = |name: &str, shape: &[usize], init, start| Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            init,
            start,
        };
        let config = ModelConfig::small().map_err(candle_core::Error::wrap)?;
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
        // The views share the flat tensor's memory.
        overwrite(views[1], &[4.0, 5.0, 6.0])?;
        assert_eq!(parameters.flat().to_vec1::<f32>()?[20_000..], [4.0, 5.0, 6.0]);
        Ok(())
    }
}

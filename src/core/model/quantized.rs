//! Weights in 8 bits, as the embedded model's are.
//!
//! The file is a safetensors file. A matrix `NAME` is stored as `I8`, and its scales as
//! `NAME.scales`, `F16`: one for each 64 columns of a row (fewer in the last block of a row). A
//! value is its 8-bit integer times the scale of its block. Other tensors are stored as `F32`.
//! `tests/python/embedded_model.py` writes such files.

use super::ModelError;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

/// The columns that share a scale.
const BLOCK: usize = 64;

/// The ending of the name of a matrix's scales.
const SCALES: &str = ".scales";

/// The tensors of a file in memory.
#[derive(Debug)]
pub(super) struct QuantizedTensors(SafeTensors<'static>);

impl QuantizedTensors {
    /// Reads the header of a file in memory; `file` is its name in errors.
    pub fn parse(bytes: &'static [u8], file: &Path) -> Result<Self, ModelError> {
        let damaged = |reason: String| ModelError::Weights { file: file.to_path_buf(), reason };
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
        let tensors = Self(tensors);
        let lacks_scales = |(name, view): &(String, TensorView<'_>)| {
            view.dtype() == Dtype::I8 && tensors.scales(name, view).is_none()
        };
        match tensors.0.tensors().iter().find(|tensor| lacks_scales(tensor)) {
            Some((name, _)) => {
                Err(damaged(format!("{name} has no scales, or not one for each block")))
            }
            None => Ok(tensors),
        }
    }

    /// The name and the shape of each tensor.
    pub fn shapes(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let tensors = self.0.tensors().into_iter().filter(|(name, _)| !name.ends_with(SCALES));
        tensors.map(|(name, view)| (name, view.shape().to_vec()))
    }

    /// The values of a tensor, row-major; `None` if there is no tensor of this name that can be
    /// read.
    pub fn read(&self, name: &str) -> Option<Vec<f32>> {
        let view = self.0.tensor(name).ok()?;
        match view.dtype() {
            Dtype::F32 => {
                let chunks = view.data().as_chunks::<4>().0.iter();
                Some(chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            Dtype::I8 => {
                let scales = self.scales(name, &view)?;
                let columns = view.shape().last().copied().filter(|&columns| columns > 0)?;
                let blocks = view.data().chunks(columns).flat_map(|row| row.chunks(BLOCK));
                let mut values = Vec::with_capacity(view.data().len());
                for (block, scale) in blocks.zip(scales) {
                    values.extend(block.iter().map(|&byte| f32::from(byte.cast_signed()) * scale));
                }
                Some(values)
            }
            _ => None,
        }
    }

    /// The scales of a matrix, if it has one for each block.
    fn scales(&self, name: &str, view: &TensorView<'_>) -> Option<Vec<f32>> {
        let [rows, columns] = *view.shape() else { return None };
        let scales = self.0.tensor(&format!("{name}{SCALES}")).ok()?;
        let fits =
            scales.dtype() == Dtype::F16 && scales.shape() == [rows, columns.div_ceil(BLOCK)];
        let chunks = scales.data().as_chunks::<2>().0.iter();
        fits.then(|| chunks.map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Stored<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>);

    fn parsed(tensors: &[Stored<'_>]) -> Result<QuantizedTensors, ModelError> {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("bytes of that shape"))
        });
        let bytes = safetensors::serialize(views, None).expect("distinct names");
        QuantizedTensors::parse(bytes.leak(), Path::new("a.safetensors"))
    }

    fn scales(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|&value| half::f16::from_f32(value).to_le_bytes()).collect()
    }

    #[test]
    fn each_block_of_a_row_has_its_scale() -> Result<(), ModelError> {
        let integers: Vec<i8> = (0..2 * 70).map(|i| i as i8).collect();
        let bytes: Vec<u8> = integers.iter().map(|i| i.cast_unsigned()).collect();
        let tensors = parsed(&[
            ("a", Dtype::I8, vec![2, 70], bytes.clone()),
            ("a.scales", Dtype::F16, vec![2, 2], scales(&[1.0, 0.5, 0.25, 2.0])),
            ("b", Dtype::F32, vec![2], [1.5f32, -2.0].map(f32::to_le_bytes).concat()),
        ])?;
        let values = tensors.read("a").unwrap_or_default();
        let expected = integers.iter().enumerate().map(|(at, &integer)| {
            let scale = [[1.0, 0.5], [0.25, 2.0]][at / 70][usize::from(at % 70 >= 64)];
            f32::from(integer) * scale
        });
        assert_eq!(values, expected.collect::<Vec<f32>>());
        assert_eq!(tensors.read("b"), Some(vec![1.5, -2.0]));
        assert_eq!(tensors.read("c"), None);
        let mut shapes: Vec<_> = tensors.shapes().collect();
        shapes.sort_unstable();
        assert_eq!(shapes, [("a".to_owned(), vec![2, 70]), ("b".to_owned(), vec![2])]);

        let few = scales(&[1.0, 0.5]);
        let message = parsed(&[
            ("a", Dtype::I8, vec![2, 70], bytes),
            ("a.scales", Dtype::F16, vec![2, 1], few),
        ]);
        let message = message.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("a.safetensors: a has no scales"), "{message}");
        Ok(())
    }
}

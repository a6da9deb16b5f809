//! Decides whether attention is computed on tensor cores: by comparison with the plain kernels on the
//! device itself.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::attention_tensor::HEAD_WIDTHS;
use super::device::CudaBackend;
use super::driver::{Driver, Precision, arguments};
use super::memory::{Act, DeviceBuffer};
use super::shapes;
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    AttentionBackward, AttentionConfig, AttentionForward, AttentionOps, Device, MatrixColumns,
    PackedBatch,
};
use candle_core::{Error, Result};

/// The largest difference, relative to the largest value, of results that agree: the precision of
/// bf16 is 2⁻⁸, and probabilities are rounded to it once more on tensor cores.
const TOLERANCE: f32 = 0.02;

/// Self-attention on sequences of tokens, with inputs and a gradient without a pattern.
struct Problem {
    lengths: &'static [u32],
    heads: usize,
    width: usize,
    dropout: Dropout,
}

impl Problem {
    /// Sequences of less than one tile of 16, of parts of a tile of 64, and of two of those.
    fn of_width(width: usize) -> Self {
        let dropout = Dropout::new(0.1, 0x1234_5678_9abc_def0);
        Self { lengths: &[1, 17, 64, 100], heads: 2, width, dropout }
    }

    fn batch(&self) -> PackedBatch {
        let mut starts = vec![0];
        let mut rows = 0;
        for length in self.lengths {
            rows += length;
            starts.push(rows);
        }
        PackedBatch { ids: vec![0; rows as usize], starts, ..PackedBatch::default() }
    }

    fn config(&self) -> AttentionConfig {
        let hidden = self.heads * self.width;
        let columns = |start| MatrixColumns { stride: 3 * hidden, start };
        AttentionConfig {
            heads: self.heads,
            head_width: self.width,
            scale: 1.0 / (self.width as f32).sqrt(),
            dropout: self.dropout,
            first_only: false,
            queries: columns(0),
            keys: columns(hidden),
            values: columns(2 * hidden),
        }
    }

    /// The matrix of queries, keys and values, and the gradient of the result: from -1.5 to 1.5.
    fn inputs(&self) -> [Vec<f32>; 2] {
        let value = |i: usize| ((i * 7919 % 10_007) * 31 % 1009) as f32 / 336.0 - 1.5;
        let len = self.batch().rows() * self.heads * self.width;
        [(0..3 * len).map(value).collect(), (1..=len).map(value).collect()]
    }
}

impl<D: Driver> CudaBackend<D> {
    /// Computes attention on tensor cores from now on, in bf16 and where there are kernels for it, if
    /// they agree with the plain kernels on a small problem. Otherwise the plain kernels stay, and the
    /// text says why.
    ///
    /// # Errors
    /// If the device fails, so that nothing more can be computed.
    pub fn check_tensor_cores(&mut self) -> Result<Option<String>> {
        if self.driver().precision() != Precision::Half {
            return Ok(None);
        }
        for width in HEAD_WIDTHS {
            let problem = Problem::of_width(width);
            let plain = self.solve(&problem)?;
            self.has_tensor_attention = true;
            let found = self.solve(&problem);
            self.has_tensor_attention = false;
            match found {
                Ok(found) if agree(&found, &plain) => (),
                Ok(_) => {
                    return Ok(Some(
                        "attention on tensor cores gives other results than the plain kernels on \
                         this GPU, so the plain kernels are used; please report this"
                            .to_owned(),
                    ));
                }
                Err(error) => {
                    self.driver().synchronize().map_err(|_| {
                        Error::msg(format!(
                            "attention on tensor cores fails on this GPU ({error}): use --tf32 \
                             instead of --bf16, and please report this"
                        ))
                    })?;
                    return Ok(Some(format!(
                        "attention on tensor cores does not run on this GPU ({error}), so the plain \
                         kernels are used; please report this"
                    )));
                }
            }
        }
        self.has_tensor_attention = true;
        Ok(None)
    }

    /// The result, the statistics and the gradient of attention, whichever kernels compute it.
    fn solve(&self, problem: &Problem) -> Result<[Vec<f32>; 3]> {
        let config = &problem.config();
        let mut batch = <Self as Device>::Batch::default();
        self.send(&problem.batch(), &mut batch)?;
        let [matrix, grad] = problem.inputs();
        let (matrix, grad) = (&self.to_activations(&matrix)?, &self.to_activations(&grad)?);
        let (mut out, mut statistics) = (DeviceBuffer::default(), DeviceBuffer::default());
        self.attention(AttentionForward {
            config,
            batch: &batch,
            queries: matrix,
            keys_values: matrix,
            relative: None,
            out: &mut out,
            statistics: &mut statistics,
        })?;
        let mut gradient = DeviceBuffer::default();
        self.attention_backward(AttentionBackward {
            config,
            batch: &batch,
            queries: matrix,
            keys_values: matrix,
            relative: None,
            statistics: &statistics,
            grad,
            dqueries: None,
            dkeys_values: &mut gradient,
            drelative: None,
        })?;
        let statistics = self.read(&statistics)?;
        Ok([self.to_floats(&out)?, statistics, self.to_floats(&gradient)?])
    }

    /// Activations with these values.
    pub(super) fn to_activations(&self, floats: &[f32]) -> Result<DeviceBuffer<D, Act>> {
        let len = floats.len();
        let floats = DeviceBuffer::from_host(&self.context, floats)?;
        let mut to = DeviceBuffer::default();
        let arguments = arguments![floats.all(), to.resize(&self.context, len)?, len as u64];
        // SAFETY: both have `len` elements.
        unsafe { self.context.launch("to_activations", shapes::elements(len), arguments)? };
        Ok(to)
    }

    /// The values of activations.
    pub(super) fn to_floats(&self, from: &DeviceBuffer<D, Act>) -> Result<Vec<f32>> {
        let len = from.len();
        let mut floats = DeviceBuffer::zeroed(&self.context, len)?;
        let arguments = arguments![from.all(), len as u64, floats.all_mut()];
        // SAFETY: both have `len` elements.
        unsafe { self.context.launch("add_to_floats", shapes::elements(len), arguments)? };
        floats.to_host()
    }
}

/// Whether all values are finite and near the expected ones.
pub(super) fn agree(found: &[Vec<f32>; 3], expected: &[Vec<f32>; 3]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| {
        let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let mut pairs = found.iter().zip(expected);
        found.len() == expected.len()
            && pairs.all(|(found, expected)| (found - expected).abs() <= TOLERANCE * largest)
    })
}

#[cfg(test)]
#[cfg(unix)]
#[path = "tensor_check_tests.rs"]
mod tests;

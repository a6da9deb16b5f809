//! The heads and losses of pretraining.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{Act, DeviceBuffer, Gemm, GemmOutput, LaunchShape, Operand};
use super::parameters::CudaParameters;
use super::pretraining_buffers::PretrainingBuffers;
use super::shapes::{self, RowChunks};
use crate::core::ops::backend::{
    NormBackward, NormForward, PretrainingOps, ReplacedCrossEntropy, ReplacedLosses,
    TiedBackwardWeight, TokenCrossEntropy, TokenLosses,
};
use candle_core::{Result, bail};
use std::sync::{MutexGuard, PoisonError};

/// One block of 256 threads for each row.
fn row_blocks(rows: usize) -> LaunchShape {
    LaunchShape { grid: [rows, 1, 1], block: [256, 1, 1], shared: 0 }
}

/// Rejects rows that a matrix of `total` rows does not have: a device does not check them.
fn check_rows(rows: &[u32], total: usize) -> Result<()> {
    match rows.iter().find(|&&row| row as usize >= total) {
        Some(row) => bail!("row {row} of a matrix of {total}"),
        None => Ok(()),
    }
}

impl<D: Driver> CudaBackend<D> {
    fn pretraining_buffers(&self) -> MutexGuard<'_, PretrainingBuffers<D>> {
        self.pretraining.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Driver> PretrainingOps for CudaBackend<D> {
    fn copy_parameters(
        &self,
        parameters: &CudaParameters<D>,
        start: usize,
        end: usize,
    ) -> Result<DeviceBuffer<D, f32>> {
        DeviceBuffer::copy_of(&self.context, parameters.floats(start, end - start)?)
    }

    fn scale_change(
        &self,
        parameters: &mut CudaParameters<D>,
        start: usize,
        before: &DeviceBuffer<D, f32>,
        factor: f32,
    ) -> Result<()> {
        parameters.scale_change(&self.context, start, before.all(), factor)
    }

    fn clear(&self, gradients: &mut CudaGradients<D>) -> Result<()> {
        gradients.dense.clear()?;
        gradients.token_rows.clear()?;
        gradients.dense.accumulate = true;
        Ok(())
    }

    fn prepare_token_table(&self, parameters: &mut CudaParameters<D>) -> Result<()> {
        parameters.prepare_token_table(&self.context)
    }

    fn gather_rows(
        &self,
        rows: &[u32],
        width: usize,
        x: &DeviceBuffer<D, Act>,
        out: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let context = &self.context;
        check_rows(rows, x.len().checked_div(width).unwrap_or(0))?;
        let mut buffers = self.pretraining_buffers();
        let out = out.resize_rows(context, rows.len(), width)?;
        let shape = shapes::columns(rows.len(), width, 128);
        let arguments = arguments![buffers.send(context, rows)?, width, x.all(), out];
        // SAFETY: `out` has one row of `width` for each of the rows, which `x` has.
        unsafe { context.launch("gather_first", shape, arguments) }
    }

    fn scatter_rows(
        &self,
        rows: &[u32],
        total: usize,
        width: usize,
        grad: &DeviceBuffer<D, Act>,
        dx: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let context = &self.context;
        check_rows(rows, total)?;
        dx.resize_rows(context, total, width)?;
        dx.clear()?;
        let mut buffers = self.pretraining_buffers();
        let grad = grad.slice(0..rows.len() * width)?;
        let shape = shapes::columns(rows.len(), width, 128);
        let arguments = arguments![buffers.send(context, rows)?, width, grad, dx.all_mut()];
        // SAFETY: `grad` has one row of `width` for each of the rows, which are distinct and which
        // `dx` has.
        unsafe { context.launch("scatter_add_first", shape, arguments) }
    }

    fn norm(&self, arguments: NormForward<'_, Self>) -> Result<()> {
        let NormForward { parameters, norm, rows, x, statistics, out } = arguments;
        let (context, width) = (&self.context, norm.width);
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            parameters.floats(norm.bias, width)?,
            norm.epsilon,
            width,
            x.slice(0..rows * width)?,
            statistics.resize(context, rows * 2)?,
            out.resize_rows(context, rows, width)?,
        ];
        let shape = shapes::whole_rows(rows, width)?;
        // SAFETY: scale and shift are `[width]`; `x` and `out` are `[rows, width]`, and the
        // statistics `[rows, 2]`.
        unsafe { context.launch("layer_norm", shape, arguments) }
    }

    fn norm_backward(&self, arguments: NormBackward<'_, Self>) -> Result<()> {
        let NormBackward { parameters, norm, x, statistics, grad, gradients } = arguments;
        let (context, width) = (&self.context, norm.width);
        let rows = statistics.len() / 2;
        let chunks = RowChunks::new(rows);
        let mut partials = gradients.partials.resize(context, chunks.count * 2 * width)?;
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            rows,
            width,
            chunks.rows,
            x.slice(0..rows * width)?,
            statistics.all(),
            grad.slice_mut(0..rows * width)?,
            partials.reborrow(),
        ];
        let shape = shapes::whole_rows(chunks.count, width)?;
        // SAFETY: the scale is `[width]`; `x` and `grad` are `[rows, width]`, the statistics
        // `[rows, 2]`, and the partial sums `[chunks, 2, width]`.
        unsafe { context.launch("layer_norm_backward", shape, arguments)? };
        let targets = [norm.weight, norm.bias];
        let (partials, size) = (partials.as_slice(), (chunks.count, width));
        gradients.dense.add_partials(context, partials, size, &targets)
    }

    fn tied_backward_weight(&self, arguments: TiedBackwardWeight<'_, Self>) -> Result<()> {
        let TiedBackwardWeight { layer, rows, x, grad, gradients } = arguments;
        let (context, inputs, outputs) = (&self.context, layer.inputs, layer.outputs);
        if !gradients.dense.accumulate || gradients.token_rows.len() != layer.weight_len() {
            bail!("the step does not use every row of the token table");
        }
        let grad = grad.slice(0..rows * outputs)?;
        context.multiply(Gemm {
            rows: outputs,
            columns: inputs,
            inner: rows,
            a: Operand::Transposed(grad),
            b: Operand::Stored(x.slice(0..rows * inputs)?),
            out: GemmOutput::Floats(gradients.token_rows.all_mut()),
            accumulate: true,
        })?;
        self.bias_gradient(layer, rows, grad, gradients)
    }

    fn token_cross_entropy(
        &self,
        arguments: TokenCrossEntropy<'_, Self>,
    ) -> Result<Option<TokenLosses>> {
        let TokenCrossEntropy { vocabulary, scale, labels, logits, gradients } = arguments;
        if let Some(label) = labels.iter().find(|&&label| label as usize >= vocabulary) {
            bail!("token id {label} is outside the vocabulary of {vocabulary}");
        }
        let (context, rows) = (&self.context, labels.len());
        let mut buffers = self.pretraining_buffers();
        buffers.losses.resize(context, rows * 2)?;
        buffers.send(context, labels)?;
        let PretrainingBuffers { words, losses, .. } = &mut *buffers;
        let trains = gradients.is_some();
        let logits = logits.slice_mut(0..rows * vocabulary)?;
        let arguments =
            arguments![vocabulary, scale, trains, words.all(), logits, losses.all_mut()];
        // SAFETY: there are `rows` labels below `vocabulary`, the logits are `[rows, vocabulary]`,
        // and the losses `[rows, 2]`.
        unsafe { context.launch("token_cross_entropy", row_blocks(rows), arguments)? };
        if let Some(gradients) = gradients {
            buffers.add_to(context, (scale, scale), 1, gradients)?;
            return Ok(None);
        }
        let (sum, correct) = buffers.read()?;
        let correct = correct.into_iter().filter(|correct| *correct).count() as u64;
        Ok(Some(TokenLosses { sum, count: rows as u64, correct }))
    }

    fn sample_tokens(
        &self,
        vocabulary: usize,
        logits: &DeviceBuffer<D, Act>,
        uniform: &(dyn Fn(usize) -> f64 + Sync),
    ) -> Result<Vec<u32>> {
        let context = &self.context;
        let rows = logits.len().checked_div(vocabulary).unwrap_or(0);
        let mut buffers = self.pretraining_buffers();
        let PretrainingBuffers { words, uniforms, .. } = &mut *buffers;
        let values: Vec<f64> = (0..rows).map(uniform).collect();
        uniforms.resize(context, rows)?;
        uniforms.upload(&values)?;
        let tokens = words.resize(context, rows)?;
        let arguments = arguments![vocabulary, logits.all(), uniforms.all(), tokens];
        // SAFETY: the logits are `[rows, vocabulary]`, and there are as many uniforms and tokens as
        // rows.
        unsafe { context.launch("sample_tokens", row_blocks(rows), arguments)? };
        words.to_host()
    }

    fn replaced_cross_entropy(
        &self,
        arguments: ReplacedCrossEntropy<'_, Self>,
    ) -> Result<Option<ReplacedLosses>> {
        let ReplacedCrossEntropy { scale, part_scale, replaced, logits, grad, gradients } =
            arguments;
        let (context, rows) = (&self.context, replaced.len());
        let mut buffers = self.pretraining_buffers();
        let targets: Vec<u32> = replaced.iter().map(|&replaced| replaced.into()).collect();
        buffers.losses.resize(context, rows * 2)?;
        buffers.send(context, &targets)?;
        let PretrainingBuffers { words, losses, .. } = &mut *buffers;
        let arguments = arguments![
            rows,
            scale,
            words.all(),
            logits.slice(0..rows)?,
            grad.resize(context, rows)?,
            losses.all_mut(),
        ];
        // SAFETY: there are `rows` targets, logits and slopes, and the losses are `[rows, 2]`.
        unsafe { context.launch("replaced_cross_entropy", shapes::elements(rows), arguments)? };
        if let Some(gradients) = gradients {
            buffers.add_to(context, (scale, part_scale), 2, gradients)?;
            return Ok(None);
        }
        let (sum, positive) = buffers.read()?;
        let mut losses = ReplacedLosses { sum, ..ReplacedLosses::default() };
        for (&replaced, positive) in replaced.iter().zip(positive) {
            losses.counts[usize::from(replaced)][usize::from(positive)] += 1;
        }
        Ok(Some(losses))
    }
}

//! The first tokens, the last layer and the loss.

use super::batch::Batch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::Numbers;
use super::shapes;
use super::state::{Gradients, Parameters};
use crate::core::ops::backend::Dense;
use candle_core::Result;

impl<D: Driver> CudaBackend<D> {
    pub(super) fn first_rows(
        &self,
        batch: &Batch<D>,
        width: usize,
        x: &Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        let sequences = batch.sequences();
        let x = x.at_least(batch.rows() * width)?;
        let out = self.fit(out, sequences * width)?;
        let (grid, block) = shapes::columns(sequences, width, 128);
        self.card.run("take_first", grid, block, 0, arguments![batch.starts(), width, x, out])
    }

    pub(super) fn add_to_first_rows(
        &self,
        batch: &Batch<D>,
        width: usize,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
    ) -> Result<()> {
        let sequences = batch.sequences();
        let grad = grad.at_least(sequences * width)?;
        let dx = dx.at_least(batch.rows() * width)?;
        let (grid, block) = shapes::columns(sequences, width, 128);
        self.card.run("add_first", grid, block, 0, arguments![batch.starts(), width, grad, dx])
    }

    pub(super) fn to_logits(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        rows: usize,
        x: &Numbers<D>,
        logits: &mut Numbers<D>,
    ) -> Result<()> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        self.card.run(
            "classify",
            [rows, outputs.div_ceil(4), 1],
            [32, 4, 1],
            0,
            arguments![
                parameters.floats(dense.weight, outputs * inputs)?,
                parameters.floats(dense.bias, outputs)?,
                inputs,
                outputs,
                x.at_least(rows * inputs)?,
                self.fit_floats(logits, rows * outputs)?,
            ],
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn to_logits_backward(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        rows: usize,
        x: &Numbers<D>,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let grad = grad.at_least(rows * outputs)?;
        self.card.run(
            "classify_backward_input",
            [rows, inputs.div_ceil(128), 1],
            [128, 1, 1],
            0,
            arguments![
                parameters.floats(dense.weight, outputs * inputs)?,
                inputs,
                outputs,
                grad,
                self.fit(dx, rows * inputs)?,
            ],
        )?;
        self.card.run(
            "classify_backward_weight",
            [outputs, inputs.div_ceil(32), 1],
            [32, 8, 1],
            0,
            arguments![
                rows,
                inputs,
                outputs,
                x.at_least(rows * inputs)?,
                grad,
                gradients.at(dense.weight, outputs * inputs)?,
                gradients.accumulate,
            ],
        )?;
        self.add_partials(grad, rows, outputs, &[dense.bias], gradients)
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn loss(
        &self,
        classes: usize,
        smoothing: f32,
        scale: f32,
        batch: &Batch<D>,
        logits: &Numbers<D>,
        grad: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let (rows, before) = (batch.sequences(), gradients.predictions);
        let after = before + rows;
        let class = size_of::<u32>();
        let predicted = gradients.predicted.grow(&self.card, after * class, before * class)?;
        self.card.run(
            "cross_entropy",
            [1, 1, 1],
            [256, 1, 1],
            0,
            arguments![
                rows,
                classes,
                smoothing,
                scale,
                batch.labels()?,
                logits.at_least(rows * classes)?,
                self.fit_floats(grad, rows * classes)?,
                predicted.offset(before * class),
                gradients.loss.start(),
            ],
        )?;
        gradients.predictions = after;
        Ok(())
    }
}

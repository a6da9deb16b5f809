//! Fully connected layers, normalisations and activations.

use super::batch::Batch;
use super::device::CudaBackend;
use super::driver::{Driver, Element, Factor, Pointer, Product, arguments};
use super::memory::Numbers;
use super::shapes::{self, Chunks, groups};
use super::state::{FLOAT, Gradients, Parameters};
use crate::core::ops::backend::{Activation, Dense, Norm};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// A matrix without gaps.
fn factor(start: Pointer, width: usize) -> Factor {
    Factor { start, stride: width, transposed: false }
}

/// Its transpose.
fn transposed(start: Pointer, width: usize) -> Factor {
    Factor { start, stride: width, transposed: true }
}

/// The number by which the kernels know an activation.
fn number(activation: Activation) -> i32 {
    match activation {
        Activation::Identity => 0,
        Activation::Gelu => 1,
        Activation::GeluTanh => 2,
        Activation::Relu => 3,
        Activation::Tanh => 4,
    }
}

impl<D: Driver> CudaBackend<D> {
    /// Clears so many `f32`.
    pub(super) fn fill(&self, to: Pointer, n: usize) -> Result<()> {
        let grid = [n.div_ceil(256).min(4096), 1, 1];
        self.card.run("fill", grid, [256, 1, 1], 0, arguments![to, n as u64, 0f32])
    }

    /// Adds up `count` rows of partial sums, of one piece `width` wide for each target, into the
    /// gradients of the parameters that start at the targets, three at most.
    pub(super) fn add_partials(
        &self,
        partials: Pointer,
        count: usize,
        width: usize,
        targets: &[usize],
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let mut places = [Pointer::NULL; 3];
        for (place, &start) in places.iter_mut().zip(targets) {
            *place = gradients.at(start, width)?;
        }
        let [first, second, third] = places;
        let accumulate = gradients.accumulate;
        self.card.run(
            "add_partials",
            [width.div_ceil(32), targets.len(), 1],
            [32, 8, 1],
            0,
            arguments![partials, count, width, first, second, third, accumulate],
        )
    }

    pub(super) fn dense(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let weight = parameters.factors(dense.weight, outputs * inputs)?;
        let out = self.fit(out, rows * outputs)?;
        self.card.multiply(&Product {
            rows,
            columns: outputs,
            inner: inputs,
            a: factor(x.at_least(rows * inputs)?, inputs),
            b: transposed(weight, inputs),
            out,
            element: Element::Activation,
            add: false,
        })?;
        if !biased {
            return Ok(());
        }
        let (grid, block) = shapes::columns(rows, outputs, 128);
        let bias = parameters.floats(dense.bias, outputs)?;
        self.card.run("add_bias", grid, block, 0, arguments![out, bias, outputs])
    }

    pub(super) fn dense_backward_input(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        add: bool,
        rows: usize,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
    ) -> Result<()> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let weight = parameters.factors(dense.weight, outputs * inputs)?;
        let len = rows * inputs;
        self.card.multiply(&Product {
            rows,
            columns: inputs,
            inner: outputs,
            a: factor(grad.at_least(rows * outputs)?, outputs),
            b: factor(weight, inputs),
            out: if add { dx.at_least(len)? } else { self.fit(dx, len)? },
            element: Element::Activation,
            add,
        })
    }

    pub(super) fn dense_backward_weight(
        &self,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Numbers<D>,
        grad: &Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let grad = grad.at_least(rows * outputs)?;
        self.card.multiply(&Product {
            rows: outputs,
            columns: inputs,
            inner: rows,
            a: transposed(grad, outputs),
            b: factor(x.at_least(rows * inputs)?, inputs),
            out: gradients.at(dense.weight, outputs * inputs)?,
            element: Element::Float,
            add: gradients.accumulate,
        })?;
        if !biased {
            return Ok(());
        }
        let chunks = Chunks::new(rows);
        let partials = gradients.partials.fit(&self.card, chunks.count * outputs * FLOAT)?;
        let grid = [chunks.count, groups(outputs).div_ceil(64), 1];
        let sums = arguments![grad, rows, outputs, chunks.rows, partials];
        self.card.run("column_sums", grid, [64, 1, 1], 0, sums)?;
        self.add_partials(partials, chunks.count, outputs, &[dense.bias], gradients)
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn add_and_norm(
        &self,
        parameters: &Parameters<D>,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        first_only: bool,
        x: &mut Numbers<D>,
        residual: &Numbers<D>,
        statistics: &mut Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        let (width, (rows, numbers)) = (norm.width, batch.numbered(first_only));
        let (low, high) = dropout.key_halves();
        self.card.run(
            "add_norm",
            [rows, 1, 1],
            shapes::row(width)?,
            0,
            arguments![
                parameters.floats(bias, width)?,
                parameters.floats(norm.weight, width)?,
                parameters.floats(norm.bias, width)?,
                norm.epsilon,
                width,
                numbers,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                x.at_least(rows * width)?,
                residual.at_least(rows * width)?,
                self.fit_floats(statistics, rows * 2)?,
                self.fit(out, rows * width)?,
            ],
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn add_and_norm_backward(
        &self,
        parameters: &Parameters<D>,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        first_only: bool,
        x: &Numbers<D>,
        statistics: &Numbers<D>,
        grad: &mut Numbers<D>,
        dx: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let (width, (rows, numbers)) = (norm.width, batch.numbered(first_only));
        let chunks = Chunks::new(rows);
        let partials = gradients.partials.fit(&self.card, chunks.count * 3 * width * FLOAT)?;
        let (low, high) = dropout.key_halves();
        self.card.run(
            "add_norm_backward",
            [chunks.count, 1, 1],
            shapes::row(width)?,
            0,
            arguments![
                parameters.floats(norm.weight, width)?,
                rows,
                width,
                chunks.rows,
                numbers,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                x.at_least(rows * width)?,
                statistics.at_least(rows * 2)?,
                grad.at_least(rows * width)?,
                self.fit(dx, rows * width)?,
                partials,
            ],
        )?;
        let targets = [norm.weight, norm.bias, bias];
        self.add_partials(partials, chunks.count, width, &targets, gradients)
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn apply_activation(
        &self,
        parameters: &Parameters<D>,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        rows: usize,
        width: usize,
        x: &mut Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        let bias = bias.map_or(Ok(Pointer::NULL), |bias| parameters.floats(bias, width))?;
        let (low, high) = dropout.key_halves();
        let (grid, block) = shapes::columns(rows, width, 128);
        self.card.run(
            "activate",
            grid,
            block,
            0,
            arguments![
                bias,
                number(activation),
                width,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                x.at_least(rows * width)?,
                self.fit(out, rows * width)?,
            ],
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn apply_activation_backward(
        &self,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        rows: usize,
        width: usize,
        x: &Numbers<D>,
        grad: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let chunks = Chunks::new(rows);
        let partials = match bias {
            Some(_) => gradients.partials.fit(&self.card, chunks.count * width * FLOAT)?,
            None => Pointer::NULL,
        };
        let (low, high) = dropout.key_halves();
        self.card.run(
            "activate_backward",
            [chunks.count, groups(width).div_ceil(64), 1],
            [64, 1, 1],
            0,
            arguments![
                number(activation),
                rows,
                width,
                chunks.rows,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                x.at_least(rows * width)?,
                grad.at_least(rows * width)?,
                partials,
            ],
        )?;
        match bias {
            Some(bias) => self.add_partials(partials, chunks.count, width, &[bias], gradients),
            None => Ok(()),
        }
    }
}

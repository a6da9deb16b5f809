//! The fused operations on the CPU.

use super::add_norm::{self, Numbers, Scale};
use super::device::Cpu;
use super::matmul::{Matrix, matmul};
use super::memory::{Gradients, Parameters, by_sequence, fit};
use super::{activation, attention, embedding, head};
use crate::core::ops::backend::{Activation, Attention, Backend, Dense, Norm, PackedBatch, Tables};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

fn scale<'a>(parameters: &'a [f32], norm: &Norm) -> Scale<'a> {
    Scale {
        weight: &parameters[norm.weight..][..norm.width],
        bias: &parameters[norm.bias..][..norm.width],
        epsilon: norm.epsilon,
    }
}

/// How many rows there are, and which they are.
fn rows(batch: &PackedBatch, first_only: bool) -> (usize, Numbers<'_>) {
    if first_only {
        (batch.batch(), Numbers::Listed(&batch.starts))
    } else {
        (batch.rows(), Numbers::Own)
    }
}

fn weight(parameters: &[f32], dense: &Dense) -> std::ops::Range<usize> {
    let end = dense.weight + dense.outputs * dense.inputs;
    debug_assert!(end <= parameters.len());
    dense.weight..end
}

impl Backend for Cpu {
    fn embed(
        &self,
        parameters: &Parameters,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &PackedBatch,
        sum: &mut Vec<f32>,
        statistics: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        embedding::check(tables, batch)?;
        let (rows, width) = (batch.rows(), tables.width);
        let (sum, out) = (fit(sum, rows * width), fit(out, rows * width));
        let statistics = fit(statistics, rows * 2);
        parameters.read(|p| {
            let norm = scale(p, norm);
            embedding::forward(p, tables, norm, dropout, batch, sum, statistics, out);
            Ok(())
        })
    }

    fn embed_backward(
        &self,
        parameters: &Parameters,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &PackedBatch,
        sum: &Vec<f32>,
        statistics: &Vec<f32>,
        grad: &mut Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        if batch.occurrence_starts.len() != gradients.words.len() + 1 {
            candle_core::bail!("the batch was not prepared for this step's words");
        }
        parameters.read(|p| {
            embedding::backward(p, tables, norm, dropout, batch, sum, statistics, grad, gradients);
            Ok(())
        })
    }

    fn linear(
        &self,
        parameters: &Parameters,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = fit(out, rows * dense.outputs);
        if parameters.quantized.multiply(dense, &x[..rows * dense.inputs], out)? {
            if biased {
                parameters.read(|p| {
                    let bias = &p[dense.bias..][..dense.outputs];
                    for row in out.chunks_exact_mut(dense.outputs) {
                        activation::add(row, bias);
                    }
                    Ok(())
                })?;
            }
            return Ok(());
        }
        parameters.read(|p| {
            if biased {
                let bias = &p[dense.bias..][..dense.outputs];
                for row in out.chunks_exact_mut(dense.outputs) {
                    row.copy_from_slice(bias);
                }
            }
            let weight = Matrix::new(&p[weight(p, dense)], dense.outputs, dense.inputs);
            matmul(Matrix::new(x, rows, dense.inputs), weight.transposed(), out, biased);
            Ok(())
        })
    }

    fn linear_backward_input(
        &self,
        parameters: &Parameters,
        dense: &Dense,
        add: bool,
        rows: usize,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) -> Result<()> {
        let dx = if add { dx } else { fit(dx, rows * dense.inputs) };
        parameters.read(|p| {
            let weight = Matrix::new(&p[weight(p, dense)], dense.outputs, dense.inputs);
            matmul(Matrix::new(grad, rows, dense.outputs), weight, dx, add);
            Ok(())
        })
    }

    fn linear_backward_weight(
        &self,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Vec<f32>,
        grad: &Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let add = gradients.accumulate;
        let dweight = gradients.at(dense.weight, dense.outputs * dense.inputs);
        let grad_matrix = Matrix::new(grad, rows, dense.outputs);
        matmul(grad_matrix.transposed(), Matrix::new(x, rows, dense.inputs), dweight, add);
        if biased {
            activation::column_sums(dense.outputs, grad, &mut gradients.partials);
            gradients.add_up(dense.outputs, 0, dense.bias, dense.outputs);
        }
        Ok(())
    }

    fn attention(
        &self,
        attention: &Attention,
        batch: &PackedBatch,
        q: &Vec<f32>,
        kv: &Vec<f32>,
        out: &mut Vec<f32>,
        statistics: &mut Vec<f32>,
    ) -> Result<()> {
        let (rows, _) = rows(batch, attention.first_only);
        let hidden = attention.heads * attention.width;
        let out = by_sequence(fit(out, rows * hidden), hidden, batch, attention.first_only);
        let statistics = fit(statistics, rows * attention.heads);
        let statistics = by_sequence(statistics, attention.heads, batch, attention.first_only);
        attention::forward(attention, batch, q, kv, out, statistics);
        Ok(())
    }

    fn attention_backward(
        &self,
        attention: &Attention,
        batch: &PackedBatch,
        q: &Vec<f32>,
        kv: &Vec<f32>,
        _: &Vec<f32>,
        _: &Vec<f32>,
        grad: &Vec<f32>,
        dq: Option<&mut Vec<f32>>,
        dkv: &mut Vec<f32>,
    ) -> Result<()> {
        let (query_rows, _) = rows(batch, attention.first_only);
        let (queries, keys) = (attention.queries.stride, attention.keys.stride);
        let dq = dq.map(|dq| {
            by_sequence(fit(dq, query_rows * queries), queries, batch, attention.first_only)
        });
        let dkv = by_sequence(fit(dkv, batch.rows() * keys), keys, batch, false);
        attention::backward(attention, batch, q, kv, grad, dq, dkv);
        Ok(())
    }

    fn add_norm(
        &self,
        parameters: &Parameters,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &PackedBatch,
        first_only: bool,
        x: &mut Vec<f32>,
        residual: &Vec<f32>,
        statistics: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let (rows, numbers) = rows(batch, first_only);
        let (out, statistics) = (fit(out, rows * norm.width), fit(statistics, rows * 2));
        parameters.read(|p| {
            let (bias, norm) = (&p[bias..][..norm.width], scale(p, norm));
            add_norm::forward(bias, norm, dropout, numbers, x, residual, statistics, out);
            Ok(())
        })
    }

    fn add_norm_backward(
        &self,
        parameters: &Parameters,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &PackedBatch,
        first_only: bool,
        x: &Vec<f32>,
        statistics: &Vec<f32>,
        grad: &mut Vec<f32>,
        dx: &mut Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let (_, numbers) = rows(batch, first_only);
        let (dx, width) = (fit(dx, grad.len()), norm.width);
        let partials = &mut gradients.partials;
        parameters.read(|p| {
            let weight = &p[norm.weight..][..width];
            add_norm::backward(weight, dropout, numbers, x, statistics, grad, dx, partials);
            Ok(())
        })?;
        for (column, start) in [norm.weight, norm.bias, bias].into_iter().enumerate() {
            gradients.add_up(3 * width, column * width, start, width);
        }
        Ok(())
    }

    fn activate(
        &self,
        parameters: &Parameters,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        rows: usize,
        width: usize,
        x: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = fit(out, rows * width);
        parameters.read(|p| {
            let bias = bias.map(|bias| &p[bias..][..width]);
            activation::forward(bias, activation, dropout, width, x, out);
            Ok(())
        })
    }

    fn activate_backward(
        &self,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        _: usize,
        width: usize,
        x: &Vec<f32>,
        grad: &mut Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        activation::backward(activation, dropout, width, x, grad, &mut gradients.partials);
        if let Some(bias) = bias {
            gradients.add_up(width, 0, bias, width);
        }
        Ok(())
    }

    fn take_first(
        &self,
        batch: &PackedBatch,
        width: usize,
        x: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = fit(out, batch.batch() * width);
        for (out, &row) in out.chunks_exact_mut(width).zip(&batch.starts) {
            out.copy_from_slice(&x[row as usize * width..][..width]);
        }
        Ok(())
    }

    fn add_first(
        &self,
        batch: &PackedBatch,
        width: usize,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) -> Result<()> {
        for (grad, &row) in grad.chunks_exact(width).zip(&batch.starts) {
            activation::add(&mut dx[row as usize * width..][..width], grad);
        }
        Ok(())
    }

    fn classify(
        &self,
        parameters: &Parameters,
        dense: &Dense,
        rows: usize,
        x: &Vec<f32>,
        logits: &mut Vec<f32>,
    ) -> Result<()> {
        let logits = fit(logits, rows * dense.outputs);
        parameters.read(|p| {
            head::classify(p, dense, x, logits);
            Ok(())
        })
    }

    fn classify_backward(
        &self,
        parameters: &Parameters,
        dense: &Dense,
        rows: usize,
        x: &Vec<f32>,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let dx = fit(dx, rows * dense.inputs);
        parameters.read(|p| {
            head::classify_backward(p, dense, x, grad, dx, gradients);
            Ok(())
        })
    }

    fn cross_entropy(
        &self,
        classes: usize,
        smoothing: f32,
        scale: f32,
        batch: &PackedBatch,
        logits: &Vec<f32>,
        grad: &mut Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let grad = fit(grad, logits.len());
        head::cross_entropy(classes, smoothing, scale, batch, logits, grad, gradients);
        Ok(())
    }
}

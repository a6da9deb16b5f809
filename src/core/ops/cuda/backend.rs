//! The operations of the fused path; they are in the files of what they belong to.

use super::batch::Batch;
use super::device::CudaBackend;
use super::driver::Driver;
use super::memory::Numbers;
use super::state::{Gradients, Parameters};
use crate::core::ops::backend::{Activation, Attention, Backend, Dense, Norm, Tables};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

impl<D: Driver> Backend for CudaBackend<D> {
    fn embed(
        &self,
        parameters: &Parameters<D>,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        sum: &mut Numbers<D>,
        statistics: &mut Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        self.embed_rows(parameters, tables, norm, dropout, batch, sum, statistics, out)
    }

    fn embed_backward(
        &self,
        parameters: &Parameters<D>,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Batch<D>,
        sum: &Numbers<D>,
        statistics: &Numbers<D>,
        grad: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        self.embed_rows_backward(
            parameters, tables, norm, dropout, batch, sum, statistics, grad, gradients,
        )
    }

    fn linear(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        self.dense(parameters, dense, biased, rows, x, out)
    }

    fn linear_backward_input(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        add: bool,
        rows: usize,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
    ) -> Result<()> {
        self.dense_backward_input(parameters, dense, add, rows, grad, dx)
    }

    fn linear_backward_weight(
        &self,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Numbers<D>,
        grad: &Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        self.dense_backward_weight(dense, biased, rows, x, grad, gradients)
    }

    fn attention(
        &self,
        attention: &Attention,
        batch: &Batch<D>,
        q: &Numbers<D>,
        kv: &Numbers<D>,
        out: &mut Numbers<D>,
        statistics: &mut Numbers<D>,
    ) -> Result<()> {
        self.attend(attention, batch, q, kv, out, statistics)
    }

    fn attention_backward(
        &self,
        attention: &Attention,
        batch: &Batch<D>,
        q: &Numbers<D>,
        kv: &Numbers<D>,
        _: &Numbers<D>,
        statistics: &Numbers<D>,
        grad: &Numbers<D>,
        dq: Option<&mut Numbers<D>>,
        dkv: &mut Numbers<D>,
    ) -> Result<()> {
        self.attend_backward(attention, batch, q, kv, statistics, grad, dq, dkv)
    }

    fn add_norm(
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
        self.add_and_norm(
            parameters, bias, norm, dropout, batch, first_only, x, residual, statistics, out,
        )
    }

    fn add_norm_backward(
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
        self.add_and_norm_backward(
            parameters, bias, norm, dropout, batch, first_only, x, statistics, grad, dx, gradients,
        )
    }

    fn activate(
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
        self.apply_activation(parameters, bias, activation, dropout, rows, width, x, out)
    }

    fn activate_backward(
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
        self.apply_activation_backward(bias, activation, dropout, rows, width, x, grad, gradients)
    }

    fn take_first(
        &self,
        batch: &Batch<D>,
        width: usize,
        x: &Numbers<D>,
        out: &mut Numbers<D>,
    ) -> Result<()> {
        self.first_rows(batch, width, x, out)
    }

    fn add_first(
        &self,
        batch: &Batch<D>,
        width: usize,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
    ) -> Result<()> {
        self.add_to_first_rows(batch, width, grad, dx)
    }

    fn classify(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        rows: usize,
        x: &Numbers<D>,
        logits: &mut Numbers<D>,
    ) -> Result<()> {
        self.to_logits(parameters, dense, rows, x, logits)
    }

    fn classify_backward(
        &self,
        parameters: &Parameters<D>,
        dense: &Dense,
        rows: usize,
        x: &Numbers<D>,
        grad: &Numbers<D>,
        dx: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        self.to_logits_backward(parameters, dense, rows, x, grad, dx, gradients)
    }

    fn cross_entropy(
        &self,
        classes: usize,
        smoothing: f32,
        scale: f32,
        batch: &Batch<D>,
        logits: &Numbers<D>,
        grad: &mut Numbers<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        self.loss(classes, smoothing, scale, batch, logits, grad, gradients)
    }
}

//! A fully connected layer: `x Wᵀ + b`.

use super::cpu::{ROWS_A_TASK, add_in_order, slice, with_slice};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// `x Wᵀ + b`, with the weight as PyTorch keeps it.
///
/// `x` is `[…, in]`, `weight` is `[out, in]`, `bias` is `[out]`; the result is `[…, out]`. The
/// backward multiplies transposed views, so that no transpose is ever written out.
///
/// # Errors
/// If the shapes do not fit or they are not CPU tensors of `f32`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let mut shape = x.dims().to_vec();
    let rows = x.elem_count() / inputs.max(1);
    let y = x.reshape((rows, inputs))?.contiguous()?.apply_op3(weight, bias, Linear)?;
    if let Some(last) = shape.last_mut() {
        *last = outputs;
    }
    y.reshape(shape)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let transposed = weight_layout.transpose(0, 1)?;
        let product = x.matmul(weight, (1, rows, outputs, inputs), x_layout, &transposed)?;
        let CpuStorage::F32(mut y) = product else {
            candle_core::bail!("linear: only f32 is supported")
        };
        let bias = slice(bias, bias_layout)?;
        y.par_chunks_mut(ROWS_A_TASK * outputs).for_each(|rows| {
            for row in rows.chunks_exact_mut(outputs) {
                for (y, bias) in row.iter_mut().zip(bias) {
                    *y += bias;
                }
            }
        });
        Ok((CpuStorage::F32(y), Shape::from((rows, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dbias = with_slice(&grad, |grad| Ok(column_sums(grad, bias.elem_count())))?;
        Ok((
            Some(grad.matmul(weight)?),
            Some(grad.t()?.matmul(x)?),
            Some(Tensor::from_vec(dbias, bias.shape(), bias.device())?),
        ))
    }
}

/// The sum of each column of a row-major matrix, added up in `f64`.
fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    let partials: Vec<Vec<f64>> = matrix
        .par_chunks(ROWS_A_TASK * columns)
        .map(|rows| {
            let mut sums = vec![0f64; columns];
            for row in rows.chunks_exact(columns) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*value);
                }
            }
            sums
        })
        .collect();
    let sums = add_in_order(partials, columns);
    sums.into_iter().map(|sum| sum as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};

    #[test]
    fn it_agrees_with_plain_operations() -> Result<()> {
        let x = var(&[3, 50, 20], 1.0, 1)?;
        let (weight, bias) = (var(&[11, 20], 0.3, 2)?, var(&[11], 1.0, 3)?);
        assert_agree(
            &[&x, &weight, &bias],
            2e-5,
            || linear(&x, &weight, &bias),
            || x.broadcast_matmul(&weight.t()?)?.broadcast_add(&bias),
        )
    }

    #[test]
    fn a_strided_input_is_read_rightly() -> Result<()> {
        let x = var(&[4, 6, 5], 1.0, 1)?;
        let (weight, bias) = (var(&[3, 5], 1.0, 2)?, var(&[3], 1.0, 3)?);
        let first = || x.narrow(1, 0, 1)?.squeeze(1);
        assert_agree(
            &[&weight, &bias],
            1e-5,
            || linear(&first()?, &weight, &bias),
            || first()?.contiguous()?.matmul(&weight.t()?)?.broadcast_add(&bias),
        )
    }
}

//! Parameters on a device.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::driver::{Driver, arguments};
use super::memory::{Act, DeviceBuffer, DeviceSlice, DeviceSliceMut, GpuContext};
use super::shapes;
use crate::core::ops::backend::ParameterLayout;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use std::sync::Arc;

/// All parameters as `f32`; in half precision also as `bf16`, except the token table.
pub struct CudaParameters<D: Driver> {
    floats: DeviceBuffer<D, f32>,
    /// The operands of matrix products, from the end of the token table on; `None` if the
    /// parameters themselves are the operands.
    shadow: Option<DeviceBuffer<D, Act>>,
    /// The token table as an operand, in half precision, once it was prepared.
    table_operand: DeviceBuffer<D, Act>,
    /// Whether it is a copy of the present table.
    table_is_prepared: bool,
    token_table_len: usize,
}

/// The parameters after the token table, to be updated.
pub(super) struct DenseParameters<'a> {
    pub floats: DeviceSliceMut<'a, f32>,
    /// The same parameters as operands of matrix products, if those are stored separately.
    pub shadow: Option<DeviceSliceMut<'a, Act>>,
}

/// The error for a tensor that is not a contiguous CPU tensor of `f32`.
fn not_a_host_tensor<T>() -> Result<T> {
    bail!("the parameters are not a contiguous CPU tensor of f32")
}

/// Writes parameters into a CPU tensor.
struct DownloadInto<'a, D: Driver>(&'a CudaParameters<D>);

impl<D: Driver> InplaceOp1 for DownloadInto<'_, D> {
    fn name(&self) -> &'static str {
        "download"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) if end - start == self.0.len() => {
                self.0.floats.download(&mut values[start..end])
            }
            _ => not_a_host_tensor(),
        }
    }
}

impl<D: Driver> CudaParameters<D> {
    /// Copies a contiguous tensor of `f32`.
    pub(super) fn new(
        context: &Arc<GpuContext<D>>,
        layout: &ParameterLayout,
        flat: &Tensor,
    ) -> Result<Self> {
        let (len, token_table_len) = (layout.len, layout.token_table_len());
        if flat.elem_count() != len {
            bail!("{} parameters for a model of {len}", flat.elem_count());
        }
        let (storage, tensor_layout) = flat.storage_and_layout();
        let floats = match (&*storage, tensor_layout.contiguous_offsets()) {
            (Storage::Cpu(cpu), Some((start, end))) => {
                DeviceBuffer::from_host(context, &cpu.as_slice::<f32>()?[start..end])?
            }
            _ => return not_a_host_tensor(),
        };
        let has_shadow = context.precision().activation_bytes() != size_of::<f32>();
        let shadow = if has_shadow {
            Some(DeviceBuffer::zeroed(context, len - token_table_len)?)
        } else {
            None
        };
        let mut parameters = Self {
            floats,
            shadow,
            table_operand: DeviceBuffer::default(),
            table_is_prepared: false,
            token_table_len,
        };
        parameters.refresh_operands(context)?;
        Ok(parameters)
    }

    /// Writes all parameters into a contiguous tensor of `f32`.
    pub(super) fn store(&self, flat: &Tensor) -> Result<()> {
        flat.inplace_op1(&DownloadInto(self))
    }

    /// Makes the operands of matrix products those of the present parameters.
    pub(super) fn refresh_operands(&mut self, context: &GpuContext<D>) -> Result<()> {
        let Some(shadow) = &mut self.shadow else { return Ok(()) };
        let n = shadow.len();
        let from = self.floats.slice(self.token_table_len..self.token_table_len + n)?;
        let arguments = arguments![from, shadow.all_mut(), n as u64];
        // SAFETY: both slices have `n` elements.
        unsafe { context.launch("to_activations", shapes::elements(n), arguments) }
    }

    /// Makes the token table an operand of matrix products, with its present values.
    pub(super) fn prepare_token_table(&mut self, context: &Arc<GpuContext<D>>) -> Result<()> {
        if self.shadow.is_none() || self.table_is_prepared {
            return Ok(());
        }
        let n = self.token_table_len;
        let to = self.table_operand.resize(context, n)?;
        let arguments = arguments![self.floats.slice(0..n)?, to, n as u64];
        // SAFETY: both slices have `n` elements.
        unsafe { context.launch("to_activations", shapes::elements(n), arguments)? };
        self.table_is_prepared = true;
        Ok(())
    }

    /// Multiplies by `factor` the change of parameters since they were copied; `before` is the copy
    /// of those from `start` on.
    pub(super) fn scale_change(
        &mut self,
        context: &GpuContext<D>,
        start: usize,
        before: DeviceSlice<'_, f32>,
        factor: f32,
    ) -> Result<()> {
        let n = before.len();
        let end = start + n;
        let arguments = arguments![n as u64, before, factor, self.floats.slice_mut(start..end)?];
        // SAFETY: both slices have `n` elements.
        unsafe { context.launch("scale_change", shapes::elements(n), arguments)? };
        let first = start.max(self.token_table_len);
        self.table_is_prepared &= start >= self.token_table_len;
        let Some(shadow) = self.shadow.as_mut().filter(|_| first < end) else { return Ok(()) };
        let (from, n) = (self.floats.slice(first..end)?, end - first);
        let first = first - self.token_table_len;
        let arguments = arguments![from, shadow.slice_mut(first..first + n)?, n as u64];
        // SAFETY: both slices have `n` elements.
        unsafe { context.launch("to_activations", shapes::elements(n), arguments) }
    }

    /// The number of parameters.
    pub(super) fn len(&self) -> usize {
        self.floats.len()
    }

    /// The `len` parameters from `start` on, as `f32`.
    pub(super) fn floats(&self, start: usize, len: usize) -> Result<DeviceSlice<'_, f32>> {
        self.floats.slice(start..start + len)
    }

    /// The `len` parameters from `start` on as operands of matrix products: those after the token
    /// table or, once it is prepared, parts of the token table.
    pub(super) fn operands(
        &self,
        context: &GpuContext<D>,
        start: usize,
        len: usize,
    ) -> Result<DeviceSlice<'_, Act>> {
        match &self.shadow {
            None => self.floats(start, len)?.as_activations(context.precision()),
            Some(_) if start + len <= self.token_table_len => {
                if !self.table_is_prepared {
                    bail!("the token table was not prepared for products");
                }
                self.table_operand.slice(start..start + len)
            }
            Some(shadow) => {
                let start = after_token_table(start, self.token_table_len)?;
                shadow.slice(start..start + len)
            }
        }
    }

    /// The token table, to be updated.
    pub(super) fn token_table_mut(&mut self) -> Result<DeviceSliceMut<'_, f32>> {
        self.table_is_prepared = false;
        self.floats.slice_mut(0..self.token_table_len)
    }

    /// All parameters after the token table, to be updated.
    pub(super) fn dense_mut(&mut self) -> Result<DenseParameters<'_>> {
        let range = self.token_table_len..self.floats.len();
        let shadow = self.shadow.as_mut().map(DeviceBuffer::all_mut);
        Ok(DenseParameters { floats: self.floats.slice_mut(range)?, shadow })
    }
}

/// The index of a parameter, counted from the end of the token table.
pub(super) fn after_token_table(start: usize, token_table_len: usize) -> Result<usize> {
    match start.checked_sub(token_table_len) {
        Some(start) => Ok(start),
        None => bail!("parameter {start} belongs to the token table"),
    }
}

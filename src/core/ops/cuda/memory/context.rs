//! A driver with the memory that it has allocated, kernel launches and matrix products.

#![expect(unsafe_code, reason = "the driver takes addresses; bounds are checked here")]

use super::super::driver::{
    DevicePointer, Driver, ElementType, GemmCall, GemmEpilogue, GemmOperand, KernelArgument,
    Launch, Precision,
};
use super::slice::{Act, DeviceElement, DeviceSlice, DeviceSliceMut};
use candle_core::{Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A driver that is shared by all buffers in its memory.
pub(in super::super) struct GpuContext<D: Driver> {
    driver: D,
    /// The bytes that are allocated.
    allocated: AtomicUsize,
    /// The most bytes that were allocated at once.
    peak: AtomicUsize,
}

/// The grid, the threads of a block, and the dynamic shared memory of a block in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct LaunchShape {
    pub grid: [usize; 3],
    pub block: [usize; 3],
    pub shared: usize,
}

/// An operand of a matrix product, as it is stored or transposed.
#[derive(Clone, Copy)]
pub(in super::super) enum Operand<'a> {
    Stored(DeviceSlice<'a, Act>),
    Transposed(DeviceSlice<'a, Act>),
}

/// The result of a matrix product.
pub(in super::super) enum GemmOutput<'a> {
    Activations(DeviceSliceMut<'a, Act>),
    Floats(DeviceSliceMut<'a, f32>),
}

/// `out = a b`, or `out += a b` with `accumulate`: `a` is `[rows, inner]` and `b` is
/// `[inner, columns]` after their transposes; `out` is `[rows, columns]`.
pub(in super::super) struct Gemm<'a> {
    pub rows: usize,
    pub columns: usize,
    pub inner: usize,
    pub a: Operand<'a>,
    pub b: Operand<'a>,
    pub out: GemmOutput<'a>,
    pub accumulate: bool,
}

/// What is computed along with a matrix product.
pub(in super::super) enum Epilogue<'a> {
    /// Adds a bias, `[columns]`, to each row of `out`, which are activations.
    AddBias(DeviceSlice<'a, Act>),
    /// Writes the sum of each row of `a`, `[rows]`; `out` are floats, too.
    SumRows(DeviceSliceMut<'a, f32>),
}

impl Operand<'_> {
    /// The operand for the driver, checked to be `rows × columns` after the transpose.
    fn checked(self, rows: usize, columns: usize) -> Result<GemmOperand> {
        let (slice, stride, transposed) = match self {
            Self::Stored(slice) => (slice, columns, false),
            Self::Transposed(slice) => (slice, rows, true),
        };
        if slice.len != rows * columns {
            bail!("a matrix of {rows} × {columns} in {} elements on the GPU", slice.len);
        }
        Ok(GemmOperand { start: slice.start, stride, transposed })
    }
}

impl<D: Driver> GpuContext<D> {
    pub(in super::super) fn new(driver: D) -> Self {
        Self { driver, allocated: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    pub(in super::super) fn driver(&self) -> &D {
        &self.driver
    }

    pub(in super::super) fn precision(&self) -> Precision {
        self.driver.precision()
    }

    /// The most bytes that were allocated at once.
    pub(in super::super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    pub(super) fn allocate(self: &Arc<Self>, bytes: usize) -> Result<Allocation<D>> {
        let bytes = bytes.max(1);
        let start = self.driver.allocate(bytes)?;
        let allocated = self.allocated.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(allocated, Ordering::Relaxed);
        Ok(Allocation { context: Arc::clone(self), start, bytes })
    }

    /// Launches a kernel, unless its grid is empty.
    ///
    /// # Safety
    /// The arguments have the number and types of the kernel's prototype in
    /// `kernels/prototypes.h`, and the slices are as long as its documentation says.
    pub(in super::super) unsafe fn launch(
        &self,
        kernel: &'static str,
        shape: LaunchShape,
        arguments: &[KernelArgument<'_>],
    ) -> Result<()> {
        let LaunchShape { grid, block, shared } = shape;
        if grid.contains(&0) {
            return Ok(());
        }
        let [grid, block] = [grid, block].map(|sizes| sizes.map(|size| size as u32));
        // SAFETY: the caller guarantees the arguments; the slices among them borrow their buffers,
        // and memory is freed in the order of the queue.
        unsafe { self.driver.launch(Launch { kernel, grid, block, shared, arguments }) }
    }

    /// A matrix product, unless it is empty.
    pub(in super::super) fn multiply(&self, gemm: Gemm<'_>) -> Result<()> {
        let Some(call) = Self::checked(gemm)? else { return Ok(()) };
        // SAFETY: the sizes were just checked, and `out` is borrowed mutably, so that it overlaps
        // neither operand.
        unsafe { self.driver.multiply(&call) }
    }

    /// A matrix product with an epilogue; `false` if the driver cannot compute it, or it is empty, and
    /// nothing was computed.
    pub(in super::super) fn multiply_with(
        &self,
        gemm: Gemm<'_>,
        epilogue: Epilogue<'_>,
    ) -> Result<bool> {
        let Some(call) = Self::checked(gemm)? else { return Ok(false) };
        let (epilogue, fits) = match epilogue {
            Epilogue::AddBias(bias) => {
                let fits = bias.len == call.columns && call.out_type == ElementType::Activation;
                (GemmEpilogue::AddBias(bias.start), fits)
            }
            Epilogue::SumRows(sums) => {
                let fits = sums.len == call.rows && call.out_type == ElementType::Float;
                (GemmEpilogue::SumRows(sums.start), fits)
            }
        };
        if !fits {
            bail!("the epilogue of a product of {} × {} does not fit", call.rows, call.columns);
        }
        // SAFETY: all sizes were just checked; `out` and the sums are borrowed mutably, so that they
        // overlap nothing else.
        unsafe { self.driver.multiply_with(&call, epilogue) }
    }

    /// The call for the driver, checked; `None` if there is nothing to compute.
    fn checked(gemm: Gemm<'_>) -> Result<Option<GemmCall>> {
        let Gemm { rows, columns, inner, a, b, out, accumulate } = gemm;
        let (start, len, out_type) = match &out {
            GemmOutput::Activations(out) => (out.start, out.len, ElementType::Activation),
            GemmOutput::Floats(out) => (out.start, out.len, ElementType::Float),
        };
        if len != rows * columns {
            bail!("a product of {rows} × {columns} into {len} elements on the GPU");
        }
        let (a, b) = (a.checked(rows, inner)?, b.checked(inner, columns)?);
        if rows == 0 || columns == 0 || (inner == 0 && accumulate) {
            return Ok(None);
        }
        Ok(Some(GemmCall { rows, columns, inner, a, b, out: start, out_type, accumulate }))
    }

    /// Queues copies of both slices, one after the other, into page-locked memory.
    pub(in super::super) fn start_readback<T: DeviceElement, U: DeviceElement>(
        &self,
        first: DeviceSlice<'_, T>,
        second: DeviceSlice<'_, U>,
        to: &mut D::Readback,
    ) -> Result<()> {
        let precision = self.precision();
        let from = [
            (first.start, first.len * T::bytes(precision)),
            (second.start, second.len * U::bytes(precision)),
        ];
        // SAFETY: a slice has as many bytes as its elements.
        unsafe { self.driver.start_readback(&from, to) }
    }
}

/// One allocation, which is freed in the order of the queue.
pub(super) struct Allocation<D: Driver> {
    pub(super) context: Arc<GpuContext<D>>,
    pub(super) start: DevicePointer,
    pub(super) bytes: usize,
}

impl<D: Driver> Drop for Allocation<D> {
    fn drop(&mut self) {
        self.context.allocated.fetch_sub(self.bytes, Ordering::Relaxed);
        // SAFETY: it comes from this driver, and every slice of it borrows its owner, so that no
        // later call can use it.
        unsafe { self.context.driver.free(self.start) };
    }
}

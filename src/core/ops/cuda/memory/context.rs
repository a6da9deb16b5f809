//! A driver with the memory that it has allocated, kernel launches and matrix products.

#![expect(unsafe_code, reason = "the driver takes addresses; bounds are checked here")]

use super::super::commands::{Commands, FixedCall};
use super::super::driver::{
    DevicePointer, Driver, ElementType, GemmCall, GemmEpilogue, GemmOperand, KernelArgument,
    Launch, Precision,
};
use super::super::graphs::{Graphs, padded_rows};
use super::slice::{Act, DeviceElement, DeviceSlice, DeviceSliceMut};
use candle_core::{Result, bail};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A driver that is shared by all buffers in its memory.
pub(in super::super) struct GpuContext<D: Driver> {
    // Dropped before the driver that captured them.
    graphs: Mutex<Graphs<D>>,
    driver: D,
    /// Whether products compute the rows of [`padded_rows`].
    pads_rows: AtomicBool,
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
        Self {
            graphs: Mutex::default(),
            driver,
            pads_rows: AtomicBool::new(false),
            allocated: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// The driver, for what does not depend on the queue: collected commands are not in it yet.
    pub(in super::super) fn driver(&self) -> &D {
        &self.driver
    }

    /// The driver, with all commands in its queue.
    pub(in super::super) fn submitted(&self) -> Result<&D> {
        self.graphs().submit(&self.driver)?;
        Ok(&self.driver)
    }

    fn graphs(&self) -> MutexGuard<'_, Graphs<D>> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the commands that are collected; `false` if none are.
    fn collect(&self, add: impl FnOnce(&mut Commands)) -> bool {
        self.graphs().list().map(add).is_some()
    }

    /// Begins to collect commands for graphs, if there are to be graphs, or ends it.
    pub(in super::super) fn collect_commands(&self, collects: bool) -> Result<()> {
        self.graphs().collect(collects, &self.driver)
    }

    /// Uses graphs from now on, or no longer.
    pub(in super::super) fn enable_graphs(&self, is_enabled: bool) {
        self.graphs().enable(is_enabled);
    }

    /// The number of graphs that were launched.
    pub(in super::super) fn graph_launches(&self) -> u64 {
        self.graphs().launches()
    }

    /// Why graphs are no longer used, the first time that it is asked.
    pub(in super::super) fn take_warning(&self) -> Option<String> {
        self.graphs().take_warning()
    }

    /// Makes room in later activations for the rows of [`padded_rows`], or no longer.
    pub(in super::super) fn pad_rows(&self, pads: bool) {
        self.pads_rows.store(pads, Ordering::Relaxed);
    }

    /// The rows that products compute for this many.
    pub(in super::super) fn padded_rows(&self, rows: usize) -> usize {
        let pads = self.pads_rows.load(Ordering::Relaxed);
        if pads { padded_rows(rows) } else { rows }
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
        let launch = Launch { kernel, grid, block, shared, arguments };
        if self.collect(|commands| commands.launch(launch)) {
            return Ok(());
        }
        // SAFETY: the caller guarantees the arguments; the slices among them borrow their buffers,
        // and memory is freed in the order of the queue, after what was collected.
        unsafe { self.driver.launch(launch) }
    }

    /// Copies within the device.
    ///
    /// # Safety
    /// As [`Driver::copy`].
    pub(super) unsafe fn copy(
        &self,
        from: DevicePointer,
        to: DevicePointer,
        bytes: usize,
    ) -> Result<()> {
        if self.collect(|commands| commands.call(FixedCall::Copy { from, to, bytes })) {
            return Ok(());
        }
        // SAFETY: the caller guarantees both ranges.
        unsafe { self.driver.copy(from, to, bytes) }
    }

    /// Sets bytes to zero.
    ///
    /// # Safety
    /// As [`Driver::clear`].
    pub(super) unsafe fn clear(&self, start: DevicePointer, bytes: usize) -> Result<()> {
        if self.collect(|commands| commands.call(FixedCall::Clear { start, bytes })) {
            return Ok(());
        }
        // SAFETY: the caller guarantees the range.
        unsafe { self.driver.clear(start, bytes) }
    }

    /// A matrix product, unless it is empty.
    pub(in super::super) fn multiply(&self, gemm: Gemm<'_>) -> Result<()> {
        let Some(call) = Self::checked(gemm)? else { return Ok(()) };
        if self.collect(|commands| commands.call(FixedCall::Multiply(call, None))) {
            return Ok(());
        }
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
        if self.graphs().list().is_some() {
            let has_epilogue = self.driver.has_epilogue(&call, epilogue)?;
            let fixed = FixedCall::Multiply(call, Some(epilogue));
            return Ok(has_epilogue && self.collect(|commands| commands.call(fixed)));
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
        let driver = self.submitted()?;
        // SAFETY: a slice has as many bytes as its elements.
        unsafe { driver.start_readback(&from, to) }
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
        self.context.graphs().submit_and_keep_error(&self.context.driver);
        // SAFETY: it comes from this driver, and every slice of it borrows its owner, so that no
        // later call can use it; nor do collected commands, which were just submitted.
        unsafe { self.context.driver.free(self.start) };
    }
}

//! A real card, through NVIDIA's driver, NVRTC and cuBLAS.
//!
//! The libraries are looked for at run time: a build with this needs none of them to start.

#![expect(unsafe_code, reason = "the libraries are C libraries")]

use super::compile;
use super::driver::{Driver, Element, Factor, Launch, Pointer, Precision, Product};
use super::presence::{self, failed};
use candle_core::{Error, Result, bail};
use cudarc::cublas::{result as cublas, sys as cublas_sys};
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::{CudaContext, sys};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

pub use super::presence::Report;

/// Shared memory that a block may have without being asked for first, in bytes.
const ORDINARY_SHARED: usize = 48 << 10;

/// No kernel takes more arguments.
const MOST_ARGUMENTS: usize = 32;

/// A card with a queue of its own.
pub struct Nvidia {
    // Dropped in this order: kernels and cuBLAS need the queue, and that needs the context.
    blas: Mutex<Blas>,
    kernels: Kernels,
    queue: Queue,
    context: Arc<CudaContext>,
    precision: Precision,
    report: Report,
}

// SAFETY: the driver's functions may be called from any thread, as each call here makes the
// context current first; cuBLAS's handle and the table of functions are behind locks.
unsafe impl Send for Nvidia {}
// SAFETY: as above.
unsafe impl Sync for Nvidia {}

/// A queue of work, a CUDA stream.
struct Queue(sys::CUstream);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue was made and is destroyed once. There is nobody to tell of errors.
        let _ = unsafe { cuda::stream::synchronize(self.0) };
        // SAFETY: as above.
        let _ = unsafe { cuda::stream::destroy(self.0) };
    }
}

/// cuBLAS's handle.
struct Blas(cublas_sys::cublasHandle_t);

impl Blas {
    fn new(queue: &Queue, precision: Precision) -> Result<Self> {
        let starting = |error| {
            let hint = "it may be made for a newer CUDA than the driver is";
            Error::msg(format!("cuBLAS does not start, {error}: {hint}"))
        };
        let blas = Self(cublas::create_handle().map_err(starting)?);
        // SAFETY: both are there.
        unsafe { cublas::set_stream(blas.0, queue.0.cast()) }.map_err(starting)?;
        let mode = match precision {
            Precision::Full => cublas_sys::cublasMath_t::CUBLAS_DEFAULT_MATH,
            Precision::Tf32 => cublas_sys::cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
            // Sums that are split are added in f32, too.
            Precision::Half => {
                cublas_sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION
            }
        };
        // SAFETY: the handle is there.
        unsafe { cublas_sys::cublasSetMathMode(blas.0, mode) }.result().map_err(starting)?;
        Ok(blas)
    }
}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: the handle was made and is destroyed once.
        let _ = unsafe { cublas::destroy_handle(self.0) };
    }
}

/// The compiled kernels, and those that were asked for by name.
struct Kernels {
    module: sys::CUmodule,
    functions: Mutex<HashMap<&'static str, Function>>,
}

#[derive(Clone, Copy)]
struct Function {
    handle: sys::CUfunction,
    /// The dynamic shared memory that it may use, in bytes.
    shared: usize,
}

impl Kernels {
    /// The kernels, compiled now or earlier.
    fn load(report: &Report, precision: Precision) -> Result<Self> {
        let load = |image: &compile::Image| {
            // SAFETY: the image is a whole cubin, or PTX that ends in a zero.
            unsafe { cuda::module::load_data(image.bytes.as_ptr().cast()) }
        };
        let mut image = compile::kernels(report.capability, precision, false)?;
        let mut module = load(&image);
        if module.is_err() && image.kept {
            image = compile::kernels(report.capability, precision, true)?;
            module = load(&image);
        }
        let module = module.map_err(|error| {
            let (compiler, (major, minor)) = (&image.compiler, report.driver);
            let refused = format!(
                "the driver, made for CUDA {major}.{minor}, refuses what {compiler} compiled; a \
                 newer driver or an older NVRTC may help"
            );
            failed(&refused, error)
        })?;
        Ok(Self { module, functions: Mutex::default() })
    }

    /// The kernel of this name, allowed so much dynamic shared memory.
    fn function(&self, name: &'static str, shared: usize) -> Result<sys::CUfunction> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let function = match functions.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let symbol = CString::new(name).map_err(Error::wrap)?;
                // SAFETY: the module is loaded as long as this is there.
                let handle = unsafe { cuda::module::get_function(self.module, symbol) };
                let handle = handle.map_err(|error| failed(&format!("no kernel {name}"), error))?;
                unknown.insert(Function { handle, shared: ORDINARY_SHARED })
            }
        };
        if shared > function.shared {
            let attribute =
                sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let bytes = small(shared)?;
            // SAFETY: the function is there as long as the module.
            unsafe { cuda::function::set_function_attribute(function.handle, attribute, bytes) }
                .map_err(|error| {
                    failed(&format!("{shared} bytes of shared memory for {name}"), error)
                })?;
            function.shared = shared;
        }
        Ok(function.handle)
    }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        // SAFETY: the module was loaded and is unloaded once.
        let _ = unsafe { cuda::module::unload(self.module) };
    }
}

impl Nvidia {
    /// How many cards there are.
    ///
    /// # Errors
    /// If there is no driver, or it fails.
    pub fn count() -> Result<usize> {
        presence::count()
    }

    /// Opens the card of this number, counted from 0, and gets its kernels ready; the first time
    /// they are compiled.
    ///
    /// # Errors
    /// If there is no such card, it is too old for this or for the precision, or the driver, NVRTC
    /// or cuBLAS is missing or fails. Says what to do where something can be done.
    pub fn new(number: usize, precision: Precision) -> Result<Self> {
        presence::require(number)?;
        let opening = |error| failed("the GPU cannot be opened", error);
        let context = CudaContext::new(number).map_err(opening)?;
        let report = presence::report(&context)?;
        presence::check(&report, precision)?;

        let stream = cuda::stream::create(cuda::stream::StreamKind::NonBlocking);
        let queue = Queue(stream.map_err(opening)?);
        let blas = Mutex::new(Blas::new(&queue, precision)?);
        let kernels = Kernels::load(&report, precision)?;
        Ok(Self { blas, kernels, queue, context, precision, report })
    }

    /// What the card said of itself when it was opened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Every call may come from another thread: makes this card that thread's.
    fn enter(&self) -> Result<()> {
        self.context.bind_to_thread().map_err(|error| failed("the GPU failed", error))
    }
}

/// A size as C's `int`.
fn small(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(|_| Error::msg(format!("{size} is too much for a GPU at once")))
}

impl Drop for Nvidia {
    fn drop(&mut self) {
        // What is dropped after this wants its context; without it there is nothing left to free.
        let _ = self.enter();
    }
}

impl Driver for Nvidia {
    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocate(&self, bytes: usize) -> Result<Pointer> {
        self.enter()?;
        // SAFETY: the context is current.
        match unsafe { cuda::malloc_sync(bytes) } {
            Ok(start) => Ok(Pointer(start)),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let mib = |bytes: usize| bytes.div_ceil(1 << 20);
                let (free, memory) = cuda::mem_get_info().unwrap_or((0, self.report.memory));
                bail!(
                    "the GPU has no room for {} MiB more: {} of {} MiB are free; smaller batches \
                     need less, and so does --gradient_checkpointing",
                    mib(bytes),
                    mib(free),
                    mib(memory)
                )
            }
            Err(error) => Err(failed("the GPU gives no memory", error)),
        }
    }

    unsafe fn free(&self, start: Pointer) {
        if self.enter().is_ok() {
            // SAFETY: the queue is there, and the caller vouches for the address.
            unsafe {
                let _ = cuda::stream::synchronize(self.queue.0);
                let _ = cuda::free_sync(start.0);
            }
        }
    }

    unsafe fn upload(&self, from: &[u8], to: Pointer) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller vouches for the room. The driver copies memory that is not locked to
        // a place of its own before it returns.
        unsafe { cuda::memcpy_htod_async(to.0, from, self.queue.0) }
            .map_err(|error| failed("a copy to the GPU failed", error))
    }

    unsafe fn download(&self, from: Pointer, to: &mut [u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller vouches for what is read, and `to` stays until the copy is made.
        unsafe { cuda::memcpy_dtoh_async(to, from.0, self.queue.0) }
            .map_err(|error| failed("a copy from the GPU failed", error))?;
        self.synchronize()
    }

    unsafe fn copy(&self, from: Pointer, to: Pointer, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller vouches for both places.
        unsafe { cuda::memcpy_dtod_async(to.0, from.0, bytes, self.queue.0) }
            .map_err(|error| failed("a copy on the GPU failed", error))
    }

    unsafe fn clear(&self, start: Pointer, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller vouches for the room.
        unsafe { cuda::memset_d8_async(start.0, 0, bytes, self.queue.0) }
            .map_err(|error| failed("memory of the GPU cannot be cleared", error))
    }

    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()> {
        self.enter()?;
        let function = self.kernels.function(launch.kernel, launch.shared)?;
        let mut slots = [0u64; MOST_ARGUMENTS];
        let mut places = [std::ptr::null_mut::<c_void>(); MOST_ARGUMENTS];
        let n = launch.arguments.len();
        if n > MOST_ARGUMENTS {
            bail!("{} is given {n} arguments", launch.kernel);
        }
        for ((slot, place), argument) in slots.iter_mut().zip(&mut places).zip(launch.arguments) {
            *slot = argument.slot();
            *place = (&raw mut *slot).cast();
        }
        let dimensions = |[x, y, z]: [u32; 3]| (x, y, z);
        // SAFETY: the driver copies the arguments before it returns; the caller vouches for them.
        unsafe {
            cuda::launch_kernel(
                function,
                dimensions(launch.grid),
                dimensions(launch.block),
                launch.shared as u32,
                self.queue.0,
                &mut places[..n],
            )
        }
        .map_err(|error| failed(&format!("the GPU does not run {}", launch.kernel), error))
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        use cublas_sys::cublasComputeType_t as Compute;
        use cublas_sys::cublasDataType_t as Kind;
        use cublas_sys::cublasOperation_t as Operation;

        self.enter()?;
        let half = self.precision == Precision::Half;
        let input = if half { Kind::CUDA_R_16BF } else { Kind::CUDA_R_32F };
        let output = match product.element {
            Element::Activation => input,
            Element::Float => Kind::CUDA_R_32F,
        };
        let compute = match self.precision {
            Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
            Precision::Full | Precision::Half => Compute::CUBLAS_COMPUTE_32F,
        };
        let operation = |factor: &Factor| {
            if factor.transposed { Operation::CUBLAS_OP_T } else { Operation::CUBLAS_OP_N }
        };
        let (one, kept) = (1f32, f32::from(u8::from(product.add)));
        let (a, b) = (&product.a, &product.b);
        let (rows, columns) = (small(product.rows)?, small(product.columns)?);
        let inner = small(product.inner)?;
        let (a_stride, b_stride) = (small(a.stride)?, small(b.stride)?);
        let blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        // cuBLAS is column-major, which makes every matrix here its transpose: so it is asked for
        // `bᵀ aᵀ`, the transpose of what is wanted.
        //
        // SAFETY: both numbers outlive the call; the caller vouches for the matrices.
        unsafe {
            cublas::gemm_ex(
                blas.0,
                operation(b),
                operation(a),
                columns,
                rows,
                inner,
                (&raw const one).cast(),
                b.start.0 as *const c_void,
                input,
                b_stride,
                a.start.0 as *const c_void,
                input,
                a_stride,
                (&raw const kept).cast(),
                product.out.0 as *mut c_void,
                output,
                columns,
                compute,
                cublas_sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|error| Error::msg(format!("a matrix product failed: {error}")))
    }

    fn synchronize(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the queue is there.
        unsafe { cuda::stream::synchronize(self.queue.0) }
            .map_err(|error| failed("the GPU failed", error))
    }
}

//! Matrix products by cuBLAS.

#![expect(unsafe_code, reason = "cuBLAS is a C library")]

use super::driver::{ElementType, GemmCall, GemmOperand, Precision};
use super::properties::driver_error;
use candle_core::{Error, Result};
use cudarc::cublas::{result as cublas, sys};
use cudarc::driver::result as cuda;
use cudarc::driver::sys::CUstream;
use std::ffi::c_void;

/// The memory that products may use for themselves, in bytes: as much as NVIDIA recommends for its newest
/// GPUs. Without memory of its own, cuBLAS would allocate within the capture of a graph.
const WORKSPACE: usize = 32 << 20;

/// cuBLAS's handle, and its memory.
pub(super) struct Blas {
    handle: sys::cublasHandle_t,
    /// Null until it is allocated.
    workspace: u64,
}

impl Blas {
    /// Starts the library for a queue of the context that is current.
    pub(super) fn new(queue: CUstream, precision: Precision) -> Result<Self> {
        let starting = |error| {
            let hint = "it may need a newer driver";
            Error::msg(format!("cuBLAS does not start ({error}): {hint}"))
        };
        let handle = cublas::create_handle().map_err(starting)?;
        let mut blas = Self { handle, workspace: 0 };
        // SAFETY: both exist.
        unsafe { cublas::set_stream(blas.handle, queue.cast()) }.map_err(starting)?;
        let mode = match precision {
            Precision::Full => sys::cublasMath_t::CUBLAS_DEFAULT_MATH,
            Precision::Tf32 => sys::cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
            // The partial sums of split products are also added in f32.
            Precision::Half => sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION,
        };
        // SAFETY: the handle exists.
        unsafe { sys::cublasSetMathMode(blas.handle, mode) }.result().map_err(starting)?;
        // SAFETY: a context is current.
        blas.workspace = unsafe { cuda::malloc_sync(WORKSPACE) }
            .map_err(|error| driver_error("the GPU has no memory for cuBLAS", error))?;
        let workspace = blas.workspace as *mut c_void;
        // SAFETY: the memory has this size and is freed after the handle; choosing a queue would undo it.
        unsafe { sys::cublasSetWorkspace_v2(blas.handle, workspace, WORKSPACE) }
            .result()
            .map_err(starting)?;
        Ok(blas)
    }

    /// Computes a product.
    ///
    /// # Errors
    /// If a size does not fit an `i32`, or the device fails.
    ///
    /// # Safety
    /// The matrices have the given sizes, `out` overlaps neither operand, and the context is current.
    pub(super) unsafe fn multiply(&self, gemm: &GemmCall, precision: Precision) -> Result<()> {
        use sys::cublasComputeType_t as Compute;
        use sys::cublasDataType_t as Kind;
        use sys::cublasOperation_t as Operation;

        let half = precision == Precision::Half;
        let input = if half { Kind::CUDA_R_16BF } else { Kind::CUDA_R_32F };
        let output = match gemm.out_type {
            ElementType::Activation => input,
            _ => Kind::CUDA_R_32F,
        };
        let compute = match precision {
            Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
            Precision::Full | Precision::Half => Compute::CUBLAS_COMPUTE_32F,
        };
        let operation = |operand: &GemmOperand| {
            if operand.transposed { Operation::CUBLAS_OP_T } else { Operation::CUBLAS_OP_N }
        };
        let (one, kept) = (1f32, f32::from(u8::from(gemm.accumulate)));
        let (a, b) = (&gemm.a, &gemm.b);
        let (rows, columns) = (to_int(gemm.rows)?, to_int(gemm.columns)?);
        let inner = to_int(gemm.inner)?;
        let (a_stride, b_stride) = (to_int(a.stride)?, to_int(b.stride)?);
        // cuBLAS is column-major, so that every matrix here is its transpose to it: it computes
        // `bᵀ aᵀ`, the transpose of the result.
        //
        // SAFETY: both factors outlive the call; the caller guarantees the matrices.
        unsafe {
            cublas::gemm_ex(
                self.handle,
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
                gemm.out.0 as *mut c_void,
                output,
                columns,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|error| Error::msg(format!("a matrix product failed: {error}")))
    }
}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: both were created and are destroyed once; freeing the memory waits for its use.
        unsafe {
            let _ = cublas::destroy_handle(self.handle);
            if self.workspace != 0 {
                let _ = cuda::free_sync(self.workspace);
            }
        }
    }
}

/// A size as C's `int`.
fn to_int(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(|_| Error::msg(format!("a size of {size} is too large for a GPU")))
}

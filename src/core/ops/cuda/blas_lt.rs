//! Matrix products with an epilogue, by cuBLASLt.
//!
//! GELU is not one of the epilogues: cuBLASLt's is the approximation by tanh, and BERT's, by erf, differs
//! from it by up to 4e-4. In bf16 it would be a second pass over the result anyway, which was slower than
//! a kernel of one's own (pull request 338 of karpathy/llm.c).

#![expect(unsafe_code, reason = "cuBLASLt is a C library")]

use super::driver::{DevicePointer, ElementType, GemmCall, GemmEpilogue};
use candle_core::{Error, Result};
use cudarc::cublaslt::{result as lt, sys};
use cudarc::driver::result as cuda;
use cudarc::driver::sys::CUstream;
use std::collections::HashMap;
use std::ffi::c_void;
use sys::cublasLtMatmulDescAttributes_t as Attribute;
use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
use sys::cudaDataType_t as Kind;

/// The memory that a product may use for itself, in bytes.
const WORKSPACE: usize = 32 << 20;

/// The most shapes whose algorithms are kept: batches differ in their numbers of rows.
const MAX_PLANS: usize = 512;

/// The largest alignment that algorithms ask for, in bytes.
const MAX_ALIGNMENT: u64 = 256;

/// cuBLASLt's handle, its workspace, and the algorithm of each shape.
pub(super) struct BlasLt {
    handle: sys::cublasLtHandle_t,
    /// The address of [`WORKSPACE`] bytes.
    workspace: u64,
    /// `None` where there is no algorithm.
    plans: HashMap<Shape, Option<Plan>>,
}

/// All that the choice of an algorithm depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    /// Rows, columns, and products in each sum.
    sizes: [usize; 3],
    transposed: [bool; 2],
    /// The alignments of both operands and of the result, in bytes.
    alignments: [u32; 3],
    has_float_output: bool,
    accumulates: bool,
    adds_bias: bool,
}

/// The largest power of two, at most [`MAX_ALIGNMENT`], that an address is a multiple of.
fn alignment(address: DevicePointer) -> u32 {
    1 << (address.0 | MAX_ALIGNMENT).trailing_zeros()
}

impl Shape {
    fn new(gemm: &GemmCall, epilogue: GemmEpilogue) -> Self {
        Self {
            sizes: [gemm.rows, gemm.columns, gemm.inner],
            transposed: [gemm.a.transposed, gemm.b.transposed],
            alignments: [gemm.a.start, gemm.b.start, gemm.out].map(alignment),
            has_float_output: gemm.out_type == ElementType::Float,
            accumulates: gemm.accumulate,
            adds_bias: matches!(epilogue, GemmEpilogue::AddBias(_)),
        }
    }
}

/// The description of a product in bf16, and the algorithm for it. cuBLASLt is column-major, so that
/// every matrix here is its transpose to it: it computes `bᵀ aᵀ`, the transpose of the result. To it the
/// right operand `b` is the left one.
#[derive(Default)]
struct Plan {
    product: Option<sys::cublasLtMatmulDesc_t>,
    left: Option<sys::cublasLtMatrixLayout_t>,
    right: Option<sys::cublasLtMatrixLayout_t>,
    out: Option<sys::cublasLtMatrixLayout_t>,
    algorithm: Option<sys::cublasLtMatmulAlgo_t>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: each was created and is destroyed once. An error cannot be handled here.
        unsafe {
            if let Some(product) = self.product {
                let _ = lt::destroy_matmul_desc(product);
            }
            for layout in [self.left, self.right, self.out].into_iter().flatten() {
                let _ = lt::destroy_matrix_layout(layout);
            }
        }
    }
}

/// The search for an algorithm.
struct Search(sys::cublasLtMatmulPreference_t);

impl Drop for Search {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once.
        let _ = unsafe { lt::destroy_matmul_pref(self.0) };
    }
}

/// Sets an attribute of a product.
fn describe<T>(
    product: sys::cublasLtMatmulDesc_t,
    attribute: Attribute,
    value: &T,
) -> std::result::Result<(), lt::CublasError> {
    let bytes = std::ptr::from_ref(value).cast::<c_void>();
    // SAFETY: the product exists, and the library reads the bytes of `value`.
    unsafe { lt::set_matmul_desc_attribute(product, attribute, bytes, size_of::<T>()) }
}

impl Plan {
    /// Finds an algorithm.
    ///
    /// # Errors
    /// If there is none.
    fn new(
        handle: sys::cublasLtHandle_t,
        shape: &Shape,
    ) -> std::result::Result<Self, lt::CublasError> {
        let [rows, columns, inner] = shape.sizes.map(|size| size as u64);
        let output = if shape.has_float_output { Kind::CUDA_R_32F } else { Kind::CUDA_R_16BF };
        let epilogue = if shape.adds_bias {
            sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS
        } else {
            sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BGRADB
        };
        let compute = sys::cublasComputeType_t::CUBLAS_COMPUTE_32F;
        let [a_transposed, b_transposed] = shape.transposed;
        let mut plan = Self::default();
        let product = *plan.product.insert(lt::create_matmul_desc(compute, Kind::CUDA_R_32F)?);
        describe(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &i32::from(b_transposed))?;
        describe(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSB, &i32::from(a_transposed))?;
        describe(product, Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
        // As they are stored: the rows of a column-major matrix are its columns here.
        let layout = |kind, [stored_rows, stored_columns]: [u64; 2]| {
            lt::create_matrix_layout(kind, stored_columns, stored_rows, stored_columns as i64)
        };
        let stored = |transposed, sizes: [u64; 2]| {
            if transposed { [sizes[1], sizes[0]] } else { sizes }
        };
        let left = stored(b_transposed, [inner, columns]);
        let left = *plan.left.insert(layout(Kind::CUDA_R_16BF, left)?);
        let right = stored(a_transposed, [rows, inner]);
        let right = *plan.right.insert(layout(Kind::CUDA_R_16BF, right)?);
        let out = *plan.out.insert(layout(output, [rows, columns])?);
        let search = Search(lt::create_matmul_pref()?);
        let [a, b, result] = shape.alignments;
        let workspace = WORKSPACE.to_ne_bytes();
        // Partial sums of split products are added in f32.
        let reduction =
            sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
        let preferences: [(Preference, &[u8]); 6] = [
            (Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace),
            (Preference::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction.to_ne_bytes()),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &b.to_ne_bytes()),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &a.to_ne_bytes()),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &result.to_ne_bytes()),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &result.to_ne_bytes()),
        ];
        for (attribute, value) in preferences {
            // SAFETY: the search exists, and each value has the attribute's size.
            unsafe {
                let bytes = value.as_ptr().cast();
                lt::set_matmul_pref_attribute(search.0, attribute, bytes, value.len())?;
            }
        }
        // SAFETY: everything was just created.
        let found = unsafe {
            lt::get_matmul_algo_heuristic(handle, product, left, right, out, out, search.0)?
        };
        plan.algorithm = Some(found.algo);
        Ok(plan)
    }
}

impl BlasLt {
    /// Opens the library, if it is installed, for the context that is current. `None` if it is missing or
    /// does not start: then products have no epilogues.
    pub(super) fn open() -> Option<Self> {
        // SAFETY: loads a library of NVIDIA's, whose initialization is sound.
        if !unsafe { sys::is_culib_present() } {
            return None;
        }
        let handle = lt::create_handle().ok()?;
        let mut opened = Self { handle, workspace: 0, plans: HashMap::new() };
        // SAFETY: a context is current.
        opened.workspace = unsafe { cuda::malloc_sync(WORKSPACE) }.ok()?;
        Some(opened)
    }

    /// The plan of a product in bf16; `None` if there is no algorithm for it.
    fn plan(&mut self, gemm: &GemmCall, epilogue: GemmEpilogue) -> Option<&Plan> {
        let shape = Shape::new(gemm, epilogue);
        if self.plans.len() >= MAX_PLANS && !self.plans.contains_key(&shape) {
            self.plans.clear();
        }
        let handle = self.handle;
        self.plans.entry(shape).or_insert_with(|| Plan::new(handle, &shape).ok()).as_ref()
    }

    /// Whether there is an algorithm for a product with its epilogue in bf16. The context is current.
    pub(super) fn has_plan(&mut self, gemm: &GemmCall, epilogue: GemmEpilogue) -> bool {
        self.plan(gemm, epilogue).is_some_and(|plan| plan.algorithm.is_some())
    }

    /// Computes a product with its epilogue in bf16; `false` if there is no algorithm for it, and nothing
    /// was computed.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// The matrices have the given sizes and no gaps between rows, `out` and the result of the epilogue
    /// overlap nothing else, and `queue` is a stream of the context that is current.
    pub(super) unsafe fn multiply(
        &mut self,
        gemm: &GemmCall,
        epilogue: GemmEpilogue,
        queue: CUstream,
    ) -> Result<bool> {
        let (handle, workspace) = (self.handle, self.workspace);
        let Some(Plan {
            product: Some(product),
            left: Some(left),
            right: Some(right),
            out: Some(out),
            algorithm: Some(algorithm),
        }) = self.plan(gemm, epilogue)
        else {
            return Ok(false);
        };
        let failed = |error| Error::msg(format!("a matrix product failed: {error}"));
        let (GemmEpilogue::AddBias(vector) | GemmEpilogue::SumRows(vector)) = epilogue;
        let attribute = Attribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
        describe(*product, attribute, &vector.0).map_err(failed)?;
        let (one, kept) = (1f32, f32::from(u8::from(gemm.accumulate)));
        // SAFETY: both factors outlive the call, and the plan is of these sizes; the caller guarantees
        // the matrices and the queue.
        unsafe {
            lt::matmul(
                handle,
                *product,
                (&raw const one).cast(),
                (&raw const kept).cast(),
                gemm.b.start.0 as *const c_void,
                *left,
                gemm.a.start.0 as *const c_void,
                *right,
                gemm.out.0 as *const c_void,
                *out,
                gemm.out.0 as *mut c_void,
                *out,
                algorithm,
                workspace as *mut c_void,
                WORKSPACE,
                queue.cast(),
            )
        }
        .map_err(failed)?;
        Ok(true)
    }
}

impl Drop for BlasLt {
    fn drop(&mut self) {
        self.plans.clear();
        // SAFETY: both were created and are destroyed once; freeing the workspace waits for its use.
        unsafe {
            let _ = cuda::free_sync(self.workspace);
            let _ = lt::destroy_handle(self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignments_are_powers_of_two_up_to_256() {
        let of = |address| alignment(DevicePointer(address));
        assert_eq!(of(0x1000), 256);
        assert_eq!(of(0x1010), 16);
        assert_eq!(of(0x1002), 2);
        assert_eq!(of(0x1080), 128);
    }
}

//! The emulated GPU's matrix products.

#![expect(unsafe_code, reason = "memory is known by its address")]

use super::Emulated;
use crate::core::ops::cuda::driver::{
    DevicePointer, ElementType, GemmCall, GemmEpilogue, GemmOperand, Precision,
};
use candle_core::Result;
use half::bf16;

impl Emulated {
    /// Reads an element of a matrix.
    ///
    /// # Safety
    /// The matrix has an element at this index.
    unsafe fn element(&self, start: DevicePointer, index: usize, element: ElementType) -> f32 {
        // SAFETY: the caller guarantees the element, and elements are aligned.
        unsafe {
            match element {
                ElementType::Activation if self.precision == Precision::Half => {
                    (*(start.0 as *const bf16).add(index)).to_f32()
                }
                _ => *(start.0 as *const f32).add(index),
            }
        }
    }

    /// Writes an element of a matrix.
    ///
    /// # Safety
    /// As [`Self::element`].
    unsafe fn set_element(
        &self,
        start: DevicePointer,
        index: usize,
        element: ElementType,
        value: f32,
    ) {
        // SAFETY: the caller guarantees the element, and elements are aligned.
        unsafe {
            match element {
                ElementType::Activation if self.precision == Precision::Half => {
                    *(start.0 as *mut bf16).add(index) = bf16::from_f32(value);
                }
                _ => *(start.0 as *mut f32).add(index) = value,
            }
        }
    }

    /// An element of an operand after its transpose.
    ///
    /// # Safety
    /// The operand has one.
    unsafe fn operand(&self, operand: &GemmOperand, row: usize, column: usize) -> f32 {
        let (row, column) = if operand.transposed { (column, row) } else { (row, column) };
        let index = row * operand.stride + column;
        // SAFETY: the caller guarantees the element.
        unsafe { self.element(operand.start, index, ElementType::Activation) }
    }

    /// A product, with a bias for each column if there is one.
    ///
    /// # Safety
    /// The matrices and the bias have their sizes.
    pub(super) unsafe fn product(
        &self,
        gemm: &GemmCall,
        bias: Option<DevicePointer>,
    ) -> Result<()> {
        let GemmCall { rows, columns, inner, a, b, out, out_type, accumulate } = *gemm;
        // SAFETY: the caller guarantees the operands.
        let at = |operand: &GemmOperand, row, column| unsafe { self.operand(operand, row, column) };
        let right: Vec<f32> =
            (0..inner * columns).map(|index| at(&b, index / columns, index % columns)).collect();
        for row in 0..rows {
            let mut sums = vec![0f64; columns];
            for (k, right) in right.chunks_exact(columns).enumerate() {
                let left = f64::from(at(&a, row, k));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum += left * f64::from(*right);
                }
            }
            for (column, sum) in sums.into_iter().enumerate() {
                let index = row * columns + column;
                // SAFETY: the caller guarantees `out`, and its values if they are added to, and the
                // bias.
                unsafe {
                    let before = if accumulate { self.element(out, index, out_type) } else { 0.0 };
                    let bias = bias.map_or(0.0, |bias| self.element(bias, column, out_type));
                    self.set_element(out, index, out_type, before + sum as f32 + bias);
                }
            }
        }
        self.check_guards("a product")
    }

    /// A product with its epilogue.
    ///
    /// # Safety
    /// The matrices and the vector of the epilogue have their sizes.
    pub(super) unsafe fn product_with(
        &self,
        gemm: &GemmCall,
        epilogue: GemmEpilogue,
    ) -> Result<()> {
        match epilogue {
            GemmEpilogue::AddBias(bias) => {
                let is_wrong = self.note_launch("a product with a bias")?;
                // SAFETY: the caller guarantees the matrices and the bias.
                unsafe { self.product(gemm, (!is_wrong).then_some(bias)) }
            }
            GemmEpilogue::SumRows(sums) => {
                let is_wrong = self.note_launch("a product with sums")?;
                // SAFETY: the caller guarantees the matrices.
                unsafe { self.product(gemm, None)? };
                for row in 0..gemm.rows {
                    // SAFETY: the caller guarantees the left operand and the sums.
                    unsafe {
                        let values = (0..gemm.inner).map(|k| self.operand(&gemm.a, row, k));
                        let sum: f64 = values.map(f64::from).sum();
                        let sum = if is_wrong { 2.0 * sum } else { sum };
                        self.set_element(sums, row, gemm.out_type, sum as f32);
                    }
                }
                self.check_guards("the sums of a product")
            }
        }
    }
}

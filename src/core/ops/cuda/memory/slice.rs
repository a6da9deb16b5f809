//! Slices of device memory that borrow their buffer.

#![expect(unsafe_code, reason = "launches rely on the sizes that element types state")]

use super::super::driver::{DevicePointer, ElementType, KernelArgument, Precision};
use candle_core::{Result, bail};
use std::marker::PhantomData;

/// The type of an element of device memory.
///
/// # Safety
/// `bytes` is the size that a value takes in device memory, in every precision: for a type that the
/// host copies, its `size_of`. [`Self::TYPE`] is the type that kernels read at that address.
pub unsafe trait DeviceElement {
    /// The type.
    const TYPE: ElementType;

    /// Its size in bytes.
    fn bytes(precision: Precision) -> usize;
}

/// The element type of activations: `f32`, or `bf16` in half precision. The host does not read it.
pub enum Act {}

// SAFETY: The size follows the precision, as kernels are compiled; the host copies no `Act`.
unsafe impl DeviceElement for Act {
    const TYPE: ElementType = ElementType::Activation;

    fn bytes(precision: Precision) -> usize {
        precision.activation_bytes()
    }
}

macro_rules! device_elements {
    ($($element:ty => $kind:ident),*) => {
        $(// SAFETY: The size is the host's, and `$kind` names the same type in kernels.
        unsafe impl DeviceElement for $element {
            const TYPE: ElementType = ElementType::$kind;

            fn bytes(_: Precision) -> usize {
                size_of::<$element>()
            }
        })*
    };
}

device_elements![f32 => Float, f64 => Double, u32 => Word, u64 => Long];

/// Elements in device memory, borrowed from their buffer.
pub(in super::super) struct DeviceSlice<'a, T> {
    pub(super) start: DevicePointer,
    pub(super) len: usize,
    pub(super) borrow: PhantomData<&'a T>,
}

impl<T> Clone for DeviceSlice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceSlice<'_, T> {}

impl<T> DeviceSlice<'_, T> {
    /// The number of elements.
    pub(in super::super) fn len(self) -> usize {
        self.len
    }
}

impl<T: DeviceElement> DeviceSlice<'_, T> {
    /// The elements from `start` on.
    ///
    /// # Errors
    /// If there are fewer.
    pub(in super::super) fn from(self, start: usize, precision: Precision) -> Result<Self> {
        if start > self.len {
            bail!("element {start} of a GPU slice of {}", self.len);
        }
        let len = self.len - start;
        Ok(Self { start: self.start.offset(start * T::bytes(precision)), len, ..self })
    }
}

impl<'a> DeviceSlice<'a, f32> {
    /// The same elements as activations.
    ///
    /// # Errors
    /// If activations are not `f32` in this precision.
    pub(in super::super) fn as_activations(
        self,
        precision: Precision,
    ) -> Result<DeviceSlice<'a, Act>> {
        if Act::bytes(precision) != size_of::<f32>() {
            bail!("activations in {precision:?} precision are not f32");
        }
        Ok(DeviceSlice { start: self.start, len: self.len, borrow: PhantomData })
    }
}

impl<'a, T: DeviceElement> From<DeviceSlice<'a, T>> for KernelArgument<'a> {
    fn from(slice: DeviceSlice<'a, T>) -> Self {
        let (start, element) = (slice.start, T::TYPE);
        Self::Pointer { start, element, mutable: false, borrow: PhantomData }
    }
}

/// `None` is the null pointer.
impl<'a, T: DeviceElement> From<Option<DeviceSlice<'a, T>>> for KernelArgument<'a> {
    fn from(slice: Option<DeviceSlice<'a, T>>) -> Self {
        let start = slice.map_or(DevicePointer::NULL, |slice| slice.start);
        Self::Pointer { start, element: T::TYPE, mutable: false, borrow: PhantomData }
    }
}

/// Elements in device memory, borrowed mutably from their buffer.
pub(in super::super) struct DeviceSliceMut<'a, T> {
    pub(super) start: DevicePointer,
    pub(super) len: usize,
    pub(super) borrow: PhantomData<&'a mut T>,
}

impl<T> DeviceSliceMut<'_, T> {
    /// A shorter mutable borrow.
    pub(in super::super) fn reborrow(&mut self) -> DeviceSliceMut<'_, T> {
        DeviceSliceMut { start: self.start, len: self.len, borrow: PhantomData }
    }

    /// The address, and the number of elements.
    pub(in super::super) fn address(&self) -> (u64, usize) {
        (self.start.0, self.len)
    }

    /// A shared borrow.
    pub(in super::super) fn as_slice(&self) -> DeviceSlice<'_, T> {
        DeviceSlice { start: self.start, len: self.len, borrow: PhantomData }
    }
}

impl<'a, T: DeviceElement> From<DeviceSliceMut<'a, T>> for KernelArgument<'a> {
    fn from(slice: DeviceSliceMut<'a, T>) -> Self {
        let (start, element) = (slice.start, T::TYPE);
        Self::Pointer { start, element, mutable: true, borrow: PhantomData }
    }
}

/// `None` is the null pointer.
impl<'a, T: DeviceElement> From<Option<DeviceSliceMut<'a, T>>> for KernelArgument<'a> {
    fn from(slice: Option<DeviceSliceMut<'a, T>>) -> Self {
        let start = slice.map_or(DevicePointer::NULL, |slice| slice.start);
        Self::Pointer { start, element: T::TYPE, mutable: true, borrow: PhantomData }
    }
}

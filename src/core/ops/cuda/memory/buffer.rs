//! Buffers in device memory.

#![expect(unsafe_code, reason = "the driver takes addresses; bounds are checked here")]

use super::super::driver::{DevicePointer, Driver};
use super::context::{Allocation, GpuContext};
use super::slice::{Act, DeviceElement, DeviceSlice, DeviceSliceMut};
use bytemuck::Pod;
use candle_core::{Result, bail};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Elements in device memory; nothing is allocated for an empty one.
pub struct DeviceBuffer<D: Driver, T> {
    allocation: Option<Allocation<D>>,
    len: usize,
    element: PhantomData<fn() -> T>,
}

impl<D: Driver, T> Default for DeviceBuffer<D, T> {
    fn default() -> Self {
        Self { allocation: None, len: 0, element: PhantomData }
    }
}

impl<D: Driver, T: DeviceElement> DeviceBuffer<D, T> {
    fn new(context: &Arc<GpuContext<D>>, len: usize) -> Result<Self> {
        let allocation = context.allocate(len * T::bytes(context.precision()))?;
        Ok(Self { allocation: Some(allocation), len, element: PhantomData })
    }

    /// `len` elements, all of them 0.
    pub(in super::super) fn zeroed(context: &Arc<GpuContext<D>>, len: usize) -> Result<Self> {
        let mut buffer = Self::new(context, len)?;
        buffer.clear()?;
        Ok(buffer)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Changes the number of elements; the previous contents are lost.
    pub(in super::super) fn resize(
        &mut self,
        context: &Arc<GpuContext<D>>,
        len: usize,
    ) -> Result<DeviceSliceMut<'_, T>> {
        self.resize_with(context, len, len)
    }

    /// Changes the number of elements, with memory for `reserved`; the previous contents are lost.
    fn resize_with(
        &mut self,
        context: &Arc<GpuContext<D>>,
        len: usize,
        reserved: usize,
    ) -> Result<DeviceSliceMut<'_, T>> {
        let bytes = reserved * T::bytes(context.precision());
        if self.allocation.as_ref().is_none_or(|allocation| allocation.bytes < bytes) {
            // The old memory is freed first: there may not be enough for both.
            *self = Self::default();
            self.allocation = Some(context.allocate(context.driver().allocation_size(bytes))?);
        }
        self.len = len;
        Ok(self.all_mut())
    }

    /// Changes the number of elements and keeps the first `kept`.
    pub(in super::super) fn grow(
        &mut self,
        context: &Arc<GpuContext<D>>,
        len: usize,
        kept: usize,
    ) -> Result<()> {
        let size = T::bytes(context.precision());
        if self.allocation.as_ref().is_none_or(|allocation| allocation.bytes < len * size) {
            let larger = context.allocate((len * size).next_power_of_two())?;
            let old = self.slice(0..kept)?;
            if kept > 0 {
                // SAFETY: both allocations hold at least `kept` elements, and they are different.
                unsafe { context.copy(old.start, larger.start, kept * size)? };
            }
            self.allocation = Some(larger);
        }
        self.len = len;
        Ok(())
    }

    /// All elements.
    pub(in super::super) fn all(&self) -> DeviceSlice<'_, T> {
        let start = self.allocation.as_ref().map_or(DevicePointer::NULL, |memory| memory.start);
        DeviceSlice { start, len: self.len, borrow: PhantomData }
    }

    /// All elements, to be written.
    pub(in super::super) fn all_mut(&mut self) -> DeviceSliceMut<'_, T> {
        let DeviceSlice { start, len, .. } = self.all();
        DeviceSliceMut { start, len, borrow: PhantomData }
    }

    /// The address and number of elements of a range.
    fn range(&self, range: &Range<usize>) -> Result<(DevicePointer, usize)> {
        let Range { start, end } = *range;
        if start > end || end > self.len {
            bail!("elements {start} to {end} of a GPU buffer of {}", self.len);
        }
        let precision = self.allocation.as_ref().map(|memory| memory.context.precision());
        let size = precision.map_or(0, T::bytes);
        Ok((self.all().start.offset(start * size), end - start))
    }

    /// A range of the elements.
    ///
    /// # Errors
    /// If the range is out of bounds.
    pub(in super::super) fn slice(&self, range: Range<usize>) -> Result<DeviceSlice<'_, T>> {
        let (start, len) = self.range(&range)?;
        Ok(DeviceSlice { start, len, borrow: PhantomData })
    }

    /// A range of the elements, to be written.
    ///
    /// # Errors
    /// If the range is out of bounds.
    pub(in super::super) fn slice_mut(
        &mut self,
        range: Range<usize>,
    ) -> Result<DeviceSliceMut<'_, T>> {
        let (start, len) = self.range(&range)?;
        Ok(DeviceSliceMut { start, len, borrow: PhantomData })
    }

    /// Several ranges of elements, to be written.
    ///
    /// # Errors
    /// If a range is out of bounds, or ranges overlap.
    pub(in super::super) fn disjoint_mut<const N: usize>(
        &mut self,
        ranges: &[Option<Range<usize>>; N],
    ) -> Result<[Option<DeviceSliceMut<'_, T>>; N]> {
        let mut slices = [const { None }; N];
        for (index, (slice, range)) in slices.iter_mut().zip(ranges).enumerate() {
            let Some(range) = range else { continue };
            let mut others = ranges[..index].iter().flatten();
            if others.any(|other| range.start < other.end && other.start < range.end) {
                bail!("overlapping elements {} to {} of a GPU buffer", range.start, range.end);
            }
            let (start, len) = self.range(range)?;
            *slice = Some(DeviceSliceMut { start, len, borrow: PhantomData });
        }
        Ok(slices)
    }

    /// Sets all elements to 0.
    pub(in super::super) fn clear(&mut self) -> Result<()> {
        match &self.allocation {
            // SAFETY: the range is exactly this allocation.
            Some(memory) => unsafe { memory.context.clear(memory.start, memory.bytes) },
            None => Ok(()),
        }
    }
}

impl<D: Driver, T: DeviceElement> DeviceBuffer<D, T> {
    /// A copy of elements in device memory.
    pub(in super::super) fn copy_of(
        context: &Arc<GpuContext<D>>,
        from: DeviceSlice<'_, T>,
    ) -> Result<Self> {
        let copy = Self::new(context, from.len)?;
        let bytes = from.len * T::bytes(context.precision());
        if bytes > 0 {
            // SAFETY: both have `len` elements, and the new allocation overlaps no other.
            unsafe { context.copy(from.start, copy.all().start, bytes)? };
        }
        Ok(copy)
    }
}

impl<D: Driver> DeviceBuffer<D, Act> {
    /// Changes the elements to `rows` rows of `width`; the previous contents are lost. There is memory for
    /// the rows that products compute instead.
    pub(in super::super) fn resize_rows(
        &mut self,
        context: &Arc<GpuContext<D>>,
        rows: usize,
        width: usize,
    ) -> Result<DeviceSliceMut<'_, Act>> {
        self.resize_with(context, rows * width, context.padded_rows(rows) * width)
    }

    /// Whether the elements are `rows` rows of `width`, with memory for `padded` of them.
    pub(in super::super) fn is_padded(&self, (rows, padded): (usize, usize), width: usize) -> bool {
        self.len == rows * width
            && self.allocation.as_ref().is_some_and(|memory| {
                padded * width * Act::bytes(memory.context.precision()) <= memory.bytes
            })
    }

    /// The first `rows` rows of `width`; of `padded` rows, if these are more, also what is in memory after
    /// the last element: unspecified values, or what products left there.
    ///
    /// # Errors
    /// If there are fewer elements, or there is less memory.
    pub(in super::super) fn product_rows(
        &self,
        (rows, padded): (usize, usize),
        width: usize,
    ) -> Result<DeviceSlice<'_, Act>> {
        if padded > rows { self.padded(padded * width) } else { self.slice(0..rows * width) }
    }

    /// As [`Self::product_rows`], to be written.
    ///
    /// # Errors
    /// As [`Self::product_rows`].
    pub(in super::super) fn product_rows_mut(
        &mut self,
        rows: (usize, usize),
        width: usize,
    ) -> Result<DeviceSliceMut<'_, Act>> {
        let DeviceSlice { start, len, .. } = self.product_rows(rows, width)?;
        Ok(DeviceSliceMut { start, len, borrow: PhantomData })
    }

    /// The first elements, up to `len`, and what is in memory after the last one.
    fn padded(&self, len: usize) -> Result<DeviceSlice<'_, Act>> {
        if !self.is_padded((self.len, len), 1) && len > self.len {
            bail!("{len} elements in the memory of a GPU buffer of {}", self.len);
        }
        Ok(DeviceSlice { len, ..self.all() })
    }

    /// What is in memory after the last element, up to `len` elements in all, to be written: it is no
    /// element of this buffer, and only products read it, which are queued one after another.
    ///
    /// # Errors
    /// If there is less memory.
    pub(in super::super) fn padding(&self, len: usize) -> Result<DeviceSliceMut<'_, Act>> {
        let (before, after) = (self.len, self.padded(len)?.len.saturating_sub(self.len));
        let size =
            self.allocation.as_ref().map_or(0, |memory| Act::bytes(memory.context.precision()));
        let start = self.all().start.offset(before * size);
        Ok(DeviceSliceMut { start, len: after, borrow: PhantomData })
    }
}

impl<D: Driver, T: DeviceElement + Pod> DeviceBuffer<D, T> {
    /// A copy of the host's values.
    pub(in super::super) fn from_host(context: &Arc<GpuContext<D>>, values: &[T]) -> Result<Self> {
        let mut buffer = Self::new(context, values.len())?;
        buffer.upload(values)?;
        Ok(buffer)
    }

    /// Replaces all elements.
    ///
    /// # Errors
    /// If the number of values differs from the number of elements, or the device fails.
    pub(in super::super) fn upload(&mut self, values: &[T]) -> Result<()> {
        if values.len() != self.len {
            bail!("{} values for a GPU buffer of {}", values.len(), self.len);
        }
        self.upload_at(0, values)
    }

    /// Replaces the elements from `first` on.
    ///
    /// # Errors
    /// If there are fewer elements than `values` from there on, or the device fails.
    pub(in super::super) fn upload_at(&mut self, first: usize, values: &[T]) -> Result<()> {
        let (start, _) = self.range(&(first..first + values.len()))?;
        match &self.allocation {
            // SAFETY: the allocation holds these elements of type `T`, as was just checked.
            Some(memory) if !values.is_empty() => unsafe {
                memory.context.submitted()?.upload(bytemuck::cast_slice(values), start)
            },
            _ => Ok(()),
        }
    }

    /// Waits for all work and copies the first elements to the host.
    ///
    /// # Errors
    /// If there are fewer elements than `values`, or the device fails.
    pub(in super::super) fn download(&self, values: &mut [T]) -> Result<()> {
        self.download_at(0, values)
    }

    /// As [`Self::download`], from the element `first` on.
    ///
    /// # Errors
    /// If there are fewer elements than `values` from there on, or the device fails.
    pub(in super::super) fn download_at(&self, first: usize, values: &mut [T]) -> Result<()> {
        let (start, _) = self.range(&(first..first + values.len()))?;
        match &self.allocation {
            // SAFETY: the allocation holds these elements, as was just checked.
            Some(memory) if !values.is_empty() => unsafe {
                memory.context.submitted()?.download(start, bytemuck::cast_slice_mut(values))
            },
            _ => Ok(()),
        }
    }

    /// Waits for all work and copies all elements to the host.
    pub(in super::super) fn to_host(&self) -> Result<Vec<T>> {
        let mut values = vec![T::zeroed(); self.len];
        self.download(&mut values)?;
        Ok(values)
    }
}

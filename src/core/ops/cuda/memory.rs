//! Memory on a card: who holds it, how much of it is held, and what goes to and fro.

#![expect(unsafe_code, reason = "the driver takes addresses; the bounds are checked here")]

use super::driver::{Argument, Driver, Launch, Pointer, Product};
use candle_core::{Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A card that is shared by all that lies in its memory.
pub(super) struct Card<D: Driver> {
    driver: D,
    /// Bytes held now.
    held: AtomicUsize,
    /// The most bytes that were held at once.
    peak: AtomicUsize,
}

impl<D: Driver> Card<D> {
    pub(super) fn new(driver: D) -> Self {
        Self { driver, held: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    pub(super) fn driver(&self) -> &D {
        &self.driver
    }

    /// The most bytes that were held at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn allocate(self: &Arc<Self>, bytes: usize) -> Result<Block<D>> {
        let start = self.driver.allocate(bytes)?;
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
        Ok(Block { card: Arc::clone(self), start, bytes })
    }

    /// Runs a kernel, unless its grid is empty.
    pub(super) fn run(
        &self,
        kernel: &'static str,
        grid: [usize; 3],
        block: [usize; 3],
        shared: usize,
        arguments: &[Argument],
    ) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        let [grid, block] = [grid, block].map(|sizes| sizes.map(|size| size as u32));
        // SAFETY: the operations in this folder pass what `kernels/prototypes.h` asks for, which
        // the tests hold them to, and addresses in memory that was found to be large enough.
        unsafe { self.driver.launch(Launch { kernel, grid, block, shared, arguments }) }
    }

    /// A matrix product, unless it is empty.
    pub(super) fn multiply(&self, product: &Product) -> Result<()> {
        if product.rows == 0 || product.columns == 0 {
            return Ok(());
        }
        // SAFETY: as above; what is written to is borrowed mutably where this is called, so it is
        // no factor.
        unsafe { self.driver.multiply(product) }
    }
}

/// An allocation.
struct Block<D: Driver> {
    card: Arc<Card<D>>,
    start: Pointer,
    bytes: usize,
}

impl<D: Driver> Drop for Block<D> {
    fn drop(&mut self) {
        self.card.held.fetch_sub(self.bytes, Ordering::Relaxed);
        // SAFETY: it comes from this driver, and nobody else has it.
        unsafe { self.card.driver.free(self.start) };
    }
}

/// Numbers whose bytes may be sent as they are.
pub(super) trait Plain: Copy + Default {}

impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u32 {}
impl Plain for u64 {}

fn bytes_of<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: these numbers have no gaps, and any byte is a `u8`.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

fn bytes_of_mut<T: Plain>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes make such a number.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// Bytes on a card; none until they are asked for.
pub(super) struct Memory<D: Driver>(Option<Block<D>>);

impl<D: Driver> Default for Memory<D> {
    fn default() -> Self {
        Self(None)
    }
}

/// What is taken where so many bytes are needed now, so that a little more next time finds room:
/// at most an eighth more, or 511 bytes.
fn with_reserve(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() >> 4).max(512))
}

impl<D: Driver> Memory<D> {
    /// Just so many bytes, all of them 0.
    pub(super) fn zeroed(card: &Arc<Card<D>>, bytes: usize) -> Result<Self> {
        let mut memory = Self(Some(card.allocate(bytes.max(1))?));
        memory.clear()?;
        Ok(memory)
    }

    /// Memory that holds these numbers.
    pub(super) fn holding<T: Plain>(card: &Arc<Card<D>>, numbers: &[T]) -> Result<Self> {
        let bytes = bytes_of(numbers);
        let mut memory = Self(Some(card.allocate(bytes.len().max(1))?));
        memory.upload(0, numbers)?;
        Ok(memory)
    }

    /// Makes room for so many bytes; what is there may be lost.
    pub(super) fn fit(&mut self, card: &Arc<Card<D>>, bytes: usize) -> Result<Pointer> {
        if self.bytes() < bytes || self.0.is_none() {
            // What is there goes first: both may not have room.
            self.0 = None;
            // Tests take no more than is needed, so that what is written too far is noticed.
            let bytes = if cfg!(test) { bytes } else { with_reserve(bytes) };
            self.0 = Some(card.allocate(bytes.max(1))?);
        }
        Ok(self.start())
    }

    /// Makes room for so many bytes, the first `kept` of which stay as they are.
    pub(super) fn grow(
        &mut self,
        card: &Arc<Card<D>>,
        bytes: usize,
        kept: usize,
    ) -> Result<Pointer> {
        if self.bytes() < bytes {
            let block = card.allocate(bytes.next_power_of_two())?;
            if kept > 0 {
                self.within(0, kept)?;
                // SAFETY: the old memory holds so much, and the new one is larger and another.
                unsafe { card.driver.copy(self.start(), block.start, kept)? };
            }
            self.0 = Some(block);
        }
        Ok(self.start())
    }

    /// Where it starts.
    pub(super) fn start(&self) -> Pointer {
        self.0.as_ref().map_or(Pointer::NULL, |block| block.start)
    }

    fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |block| block.bytes)
    }

    fn within(&self, offset: usize, bytes: usize) -> Result<()> {
        if offset + bytes > self.bytes() {
            bail!("{bytes} bytes at {offset} of {} on the GPU", self.bytes());
        }
        Ok(())
    }

    /// Sends numbers to the place so many bytes from the start.
    pub(super) fn upload<T: Plain>(&mut self, offset: usize, numbers: &[T]) -> Result<()> {
        let bytes = bytes_of(numbers);
        self.within(offset, bytes.len())?;
        match &self.0 {
            // SAFETY: the place is within this memory.
            Some(block) if !bytes.is_empty() => unsafe {
                block.card.driver.upload(bytes, block.start.offset(offset))
            },
            _ => Ok(()),
        }
    }

    /// Waits for all work and takes numbers from the place so many bytes from the start.
    pub(super) fn download<T: Plain>(&self, offset: usize, numbers: &mut [T]) -> Result<()> {
        let bytes = bytes_of_mut(numbers);
        self.within(offset, bytes.len())?;
        match &self.0 {
            // SAFETY: the place is within this memory.
            Some(block) if !bytes.is_empty() => unsafe {
                block.card.driver.download(block.start.offset(offset), bytes)
            },
            _ => Ok(()),
        }
    }

    /// Sets all bytes to 0.
    pub(super) fn clear(&mut self) -> Result<()> {
        match &self.0 {
            // SAFETY: all of this memory and no more.
            Some(block) => unsafe { block.card.driver.clear(block.start, block.bytes) },
            None => Ok(()),
        }
    }
}

/// A row of numbers on a card: activations or `f32`, as the operations that use it know.
pub struct Numbers<D: Driver> {
    memory: Memory<D>,
    len: usize,
}

impl<D: Driver> Default for Numbers<D> {
    fn default() -> Self {
        Self { memory: Memory::default(), len: 0 }
    }
}

impl<D: Driver> Numbers<D> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes them so many, each of so many bytes; what they were is lost.
    pub(super) fn fit(&mut self, card: &Arc<Card<D>>, len: usize, bytes: usize) -> Result<Pointer> {
        let start = self.memory.fit(card, len * bytes)?;
        self.len = len;
        Ok(start)
    }

    /// Where they start; at least so many are asked for.
    pub(super) fn at_least(&self, len: usize) -> Result<Pointer> {
        if self.len < len {
            bail!("a buffer of {} numbers where {len} are needed", self.len);
        }
        Ok(self.memory.start())
    }

    /// All of them, as `f32`, which is what they must be.
    pub(super) fn read(&self) -> Result<Vec<f32>> {
        let mut numbers = vec![0f32; self.len];
        self.memory.download(0, &mut numbers)?;
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_small() {
        for bytes in [1, 512, 513, 10_000, 1 << 20, (1 << 20) + 1, 123_456_789] {
            let taken = with_reserve(bytes);
            assert!(taken >= bytes && taken - bytes <= (bytes / 8).max(511), "{bytes}: {taken}");
        }
    }
}

//! Page-locked host memory: a GPU copies to and from it while the host continues.

#![expect(unsafe_code, reason = "the driver is a C library")]

use super::properties::driver_error;
use candle_core::Result;
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::{CudaContext, sys};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// The number of uploads that may be in the queue before the host waits for the first of them.
const UPLOADS: usize = 16;

/// Larger uploads are copied without page-locked memory: they occur only outside of steps.
const LARGEST_STAGED_UPLOAD: usize = 4 << 20;

/// Page-locked memory and an event after the last copy to or from it.
pub struct PinnedBuffer {
    context: Arc<CudaContext>,
    event: sys::CUevent,
    /// `capacity` bytes, `len` of which are initialized.
    memory: Option<NonNull<c_void>>,
    capacity: usize,
    len: usize,
    /// Whether a copy is queued that was not waited for.
    queued: bool,
}

// SAFETY: memory and event may be used from any thread in which their context is current, and every
// method makes it current.
unsafe impl Send for PinnedBuffer {}
// SAFETY: shared references give access to no data.
unsafe impl Sync for PinnedBuffer {}

fn failed(error: DriverError) -> candle_core::Error {
    driver_error("page-locked memory failed", error)
}

impl PinnedBuffer {
    /// An empty buffer.
    pub(super) fn new(context: &Arc<CudaContext>) -> Result<Self> {
        context.bind_to_thread().map_err(failed)?;
        let event = cuda::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING);
        Ok(Self {
            context: Arc::clone(context),
            event: event.map_err(failed)?,
            memory: None,
            capacity: 0,
            len: 0,
            queued: false,
        })
    }

    /// Waits for the last copy.
    pub(super) fn wait(&mut self) -> Result<()> {
        if self.queued {
            self.context.bind_to_thread().map_err(failed)?;
            // SAFETY: the event exists as long as `self`.
            unsafe { cuda::event::synchronize(self.event) }.map_err(failed)?;
            self.queued = false;
        }
        Ok(())
    }

    /// Waits for the last copy; then its bytes.
    pub(super) fn bytes(&mut self) -> Result<&mut [u8]> {
        self.wait()?;
        match self.memory {
            // SAFETY: `len` bytes are initialized, no copy is queued, and the borrow of `self`
            // keeps the memory.
            Some(memory) => Ok(unsafe {
                std::slice::from_raw_parts_mut(memory.as_ptr().cast::<u8>(), self.len)
            }),
            None => Ok(&mut []),
        }
    }

    /// Waits for the last copy and makes the buffer `len` bytes long; their values are unspecified.
    pub(super) fn resize(&mut self, len: usize) -> Result<&mut [u8]> {
        self.wait()?;
        if self.capacity < len {
            self.release();
            self.context.bind_to_thread().map_err(failed)?;
            let capacity = len.next_power_of_two().max(4096);
            // SAFETY: the context is current; the memory is initialized before it is read.
            let memory = unsafe { cuda::malloc_host(capacity, 0) }.map_err(failed)?;
            // SAFETY: the driver returned `capacity` bytes.
            unsafe { memory.cast::<u8>().write_bytes(0, capacity) };
            self.memory = NonNull::new(memory);
            self.capacity = capacity;
        }
        self.len = len;
        self.bytes()
    }

    /// Marks that copies to or from this buffer are queued: until they are done, nothing reads,
    /// changes or frees the memory.
    ///
    /// # Safety
    /// `queue` is a stream of this buffer's context, and has all copies that use the buffer.
    pub(super) unsafe fn mark_queued(&mut self, queue: sys::CUstream) -> Result<()> {
        // SAFETY: the event exists as long as `self`; the caller guarantees the stream.
        if let Err(error) = unsafe { cuda::event::record(self.event, queue) } {
            // Without an event the copy is waited for here.
            // SAFETY: the caller guarantees the stream.
            let _ = unsafe { cuda::stream::synchronize(queue) };
            return Err(failed(error));
        }
        self.queued = true;
        Ok(())
    }

    /// Frees the memory, which no queued copy uses.
    fn release(&mut self) {
        if let Some(memory) = self.memory.take() {
            // SAFETY: it comes from `malloc_host` and is freed once. An error cannot be handled
            // here.
            let _ = unsafe { cuda::free_host(memory.as_ptr()) };
        }
        (self.capacity, self.len) = (0, 0);
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        // If waiting fails, the device has failed, and no copy accesses the memory any more.
        let _ = self.context.bind_to_thread();
        let _ = self.wait();
        self.release();
        // SAFETY: the event was created with this buffer and is destroyed once.
        let _ = unsafe { cuda::event::destroy(self.event) };
    }
}

/// Page-locked buffers for uploads, used in turn.
pub(super) struct UploadStaging {
    buffers: Vec<PinnedBuffer>,
    next: usize,
}

impl UploadStaging {
    pub(super) fn new(context: &Arc<CudaContext>) -> Result<Self> {
        let buffers = (0..UPLOADS).map(|_| PinnedBuffer::new(context)).collect::<Result<_>>()?;
        Ok(Self { buffers, next: 0 })
    }

    /// Queues a copy to the device; `from` may be changed as soon as this returns.
    ///
    /// # Safety
    /// `to` has at least `from.len()` bytes, and `queue` is a stream of this context, which is
    /// current.
    pub(super) unsafe fn upload(
        &mut self,
        from: &[u8],
        to: sys::CUdeviceptr,
        queue: sys::CUstream,
    ) -> Result<()> {
        let failed = |error| driver_error("a copy to the GPU failed", error);
        if from.len() > LARGEST_STAGED_UPLOAD {
            // SAFETY: the caller guarantees the target; the driver copies pageable memory to its
            // own buffer before it returns.
            return unsafe { cuda::memcpy_htod_async(to, from, queue) }.map_err(failed);
        }
        let buffer = &mut self.buffers[self.next];
        self.next = (self.next + 1) % UPLOADS;
        let staged = buffer.resize(from.len())?;
        staged.copy_from_slice(from);
        // SAFETY: the caller guarantees the target and the stream; the buffer is kept unchanged
        // until the copy is done.
        unsafe {
            cuda::memcpy_htod_async(to, staged, queue).map_err(failed)?;
            buffer.mark_queued(queue)
        }
    }
}

//! A second queue of a GPU.

#![expect(unsafe_code, reason = "the driver is a C library")]

use super::properties::driver_error;
use candle_core::Result;
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::{CudaContext, sys};
use std::ffi::c_void;
use std::sync::Arc;

/// A stream, and an event of the queue that its work waits for.
pub struct SideQueue {
    context: Arc<CudaContext>,
    stream: sys::CUstream,
    event: sys::CUevent,
}

// SAFETY: stream and event may be used from any thread in which their context is current.
unsafe impl Send for SideQueue {}
// SAFETY: as above.
unsafe impl Sync for SideQueue {}

fn failed(error: DriverError) -> candle_core::Error {
    driver_error("a second queue of the GPU failed", error)
}

impl SideQueue {
    /// An empty queue.
    pub(super) fn new(context: &Arc<CudaContext>) -> Result<Self> {
        context.bind_to_thread().map_err(failed)?;
        let stream = cuda::stream::create(cuda::stream::StreamKind::NonBlocking).map_err(failed)?;
        match cuda::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING) {
            Ok(event) => Ok(Self { context: Arc::clone(context), stream, event }),
            Err(error) => {
                // SAFETY: the stream was created above, and is destroyed once.
                let _ = unsafe { cuda::stream::destroy(stream) };
                Err(failed(error))
            }
        }
    }

    /// Lets later work wait for the work that is in `queue` now.
    ///
    /// # Safety
    /// `queue` is a stream of this queue's context, which is current.
    pub(super) unsafe fn follow(&self, queue: sys::CUstream) -> Result<()> {
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: stream and event exist; the caller guarantees the queue. A stream that waits for an
        // event does not wait for what is recorded in it later.
        unsafe {
            cuda::event::record(self.event, queue).map_err(failed)?;
            cuda::stream::wait_event(self.stream, self.event, flags).map_err(failed)
        }
    }

    /// Whether all work is done. The context is current.
    pub(super) fn is_done(&self) -> Result<bool> {
        // SAFETY: the stream exists.
        match unsafe { sys::cuStreamQuery(self.stream) }.result() {
            Ok(()) => Ok(true),
            Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_READY)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The stream.
    pub(super) fn stream(&self) -> *mut c_void {
        self.stream.cast()
    }
}

impl Drop for SideQueue {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: both were created, and are destroyed once. An error cannot be handled here.
            unsafe {
                let _ = cuda::event::destroy(self.event);
                let _ = cuda::stream::destroy(self.stream);
            }
        }
    }
}

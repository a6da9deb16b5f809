//! A driver that only counts the memory that a model needs; it requires no GPU.

#![expect(unsafe_code, reason = "a driver's methods are unsafe; nothing here accesses memory")]

use super::driver::{DevicePointer, Driver, GemmCall, Launch, Precision};
use super::nccl::Library;
use candle_core::Result;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Returns addresses and ignores work.
pub(crate) struct AllocationCounter {
    precision: Precision,
    next: AtomicU64,
}

impl AllocationCounter {
    pub(crate) fn new(precision: Precision) -> Self {
        Self { precision, next: AtomicU64::new(256) }
    }
}

impl Driver for AllocationCounter {
    type Readback = Vec<u8>;
    type SideQueue = ();
    type Graph = ();

    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocation_size(&self, bytes: usize) -> usize {
        bytes
    }

    fn allocate(&self, bytes: usize) -> Result<DevicePointer> {
        let bytes = bytes.next_multiple_of(256) as u64;
        Ok(DevicePointer(self.next.fetch_add(bytes, Ordering::Relaxed)))
    }

    unsafe fn free(&self, _: DevicePointer) {}

    unsafe fn upload(&self, _: &[u8], _: DevicePointer) -> Result<()> {
        Ok(())
    }

    unsafe fn download(&self, _: DevicePointer, to: &mut [u8]) -> Result<()> {
        to.fill(0);
        Ok(())
    }

    fn create_readback(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    unsafe fn start_readback(
        &self,
        from: &[(DevicePointer, usize)],
        to: &mut Vec<u8>,
    ) -> Result<()> {
        *to = vec![0; from.iter().map(|(_, bytes)| bytes).sum()];
        Ok(())
    }

    fn finish_readback<'a>(&self, readback: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        Ok(readback)
    }

    unsafe fn copy(&self, _: DevicePointer, _: DevicePointer, _: usize) -> Result<()> {
        Ok(())
    }

    unsafe fn clear(&self, _: DevicePointer, _: usize) -> Result<()> {
        Ok(())
    }

    unsafe fn launch(&self, _: Launch<'_>) -> Result<()> {
        Ok(())
    }

    unsafe fn multiply(&self, _: &GemmCall) -> Result<()> {
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }

    fn nccl(&self) -> std::result::Result<Arc<Library>, String> {
        Err("nothing is computed".to_owned())
    }

    fn make_current(&self) -> Result<()> {
        Ok(())
    }

    fn create_side(&self) -> Result<()> {
        Ok(())
    }

    fn side_follows(&self, (): &()) -> Result<()> {
        Ok(())
    }

    fn is_side_done(&self, (): &()) -> Result<bool> {
        Ok(true)
    }

    fn side_stream(&self, (): &()) -> *mut c_void {
        std::ptr::null_mut()
    }
}

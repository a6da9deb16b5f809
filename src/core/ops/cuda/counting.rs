//! A card that computes nothing: what a model would need can be counted without one.

#![expect(unsafe_code, reason = "a driver's methods are named so; nothing here touches memory")]

use super::driver::{Driver, Launch, Pointer, Precision, Product};
use candle_core::Result;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands out addresses and forgets what is asked of it.
pub(crate) struct Counting {
    precision: Precision,
    next: AtomicU64,
}

impl Counting {
    pub(crate) fn new(precision: Precision) -> Self {
        Self { precision, next: AtomicU64::new(256) }
    }
}

impl Driver for Counting {
    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocate(&self, bytes: usize) -> Result<Pointer> {
        let bytes = bytes.next_multiple_of(256) as u64;
        Ok(Pointer(self.next.fetch_add(bytes, Ordering::Relaxed)))
    }

    unsafe fn free(&self, _: Pointer) {}

    unsafe fn upload(&self, _: &[u8], _: Pointer) -> Result<()> {
        Ok(())
    }

    unsafe fn download(&self, _: Pointer, to: &mut [u8]) -> Result<()> {
        to.fill(0);
        Ok(())
    }

    unsafe fn copy(&self, _: Pointer, _: Pointer, _: usize) -> Result<()> {
        Ok(())
    }

    unsafe fn clear(&self, _: Pointer, _: usize) -> Result<()> {
        Ok(())
    }

    unsafe fn launch(&self, _: Launch<'_>) -> Result<()> {
        Ok(())
    }

    unsafe fn multiply(&self, _: &Product) -> Result<()> {
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

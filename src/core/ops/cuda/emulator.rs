//! An emulated GPU for tests: the kernels compiled as C, run in the host's memory.
//!
//! It is stricter than a GPU. Arguments must have the number and types that `kernels/prototypes.h`
//! lists, with pointers to the right elements; memory is full of NaN until it is written, and has
//! guard bytes on both sides that are checked after every launch. It also counts how often the host
//! waits for all queued work.

#![expect(unsafe_code, reason = "the kernels are C, and memory is known by its address")]

use super::commands::{Commands, FixedCall};
use super::driver::{
    DevicePointer, Driver, GemmCall, GemmEpilogue, KernelArgument, Launch, Precision,
};
use super::emulator_library::{EmulateLaunch, library};
use super::nccl::{Library as Nccl, stand_in};
use super::prototypes::{ArgumentType, PROTOTYPES};
use crate::core::ops::OUT_OF_MEMORY;
use candle_core::{Error, Result, bail};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The guard bytes before and after each allocation, all of them [`UNWRITTEN`].
const GUARD: usize = 256;

/// The value of each byte that was not written: NaN, as `f32` and as `bf16`.
const UNWRITTEN: u8 = 0xff;

/// An emulated GPU.
pub(crate) struct Emulated {
    precision: Precision,
    library: &'static libloading::Library,
    /// The start of each allocation, and its bytes.
    memory: Mutex<BTreeMap<u64, usize>>,
    /// The bytes that there are.
    limit: usize,
    /// Whether there is a stand-in for NCCL.
    has_nccl: bool,
    /// The number of copies, kernels and products so far.
    queued: AtomicU64,
    /// How often the host waited for all queued work.
    synchronizations: AtomicU64,
    /// How often each kernel was launched.
    launches: Mutex<BTreeMap<&'static str, usize>>,
    /// Whether products can have epilogues.
    has_epilogues: bool,
    /// A kernel with a fault.
    fault: Option<FaultyCall>,
    /// The graph that is being captured.
    capture: Mutex<Option<Commands>>,
}

/// The target of an asynchronous copy.
#[derive(Default)]
pub(crate) struct EmulatedReadback {
    bytes: Vec<u8>,
    /// The number of copies, kernels and products when the copy was queued.
    queued: u64,
}

impl Emulated {
    /// Runs blocks and threads in order.
    pub(crate) fn new(precision: Precision) -> Self {
        Self::with(precision, false)
    }

    /// Runs blocks and threads from the last to the first.
    pub(crate) fn backwards(precision: Precision) -> Self {
        Self::with(precision, true)
    }

    fn with(precision: Precision, backwards: bool) -> Self {
        Self {
            precision,
            library: library(precision == Precision::Half, backwards),
            memory: Mutex::default(),
            limit: usize::MAX,
            has_nccl: false,
            queued: AtomicU64::new(0),
            synchronizations: AtomicU64::new(0),
            launches: Mutex::default(),
            has_epilogues: false,
            fault: None,
            capture: Mutex::default(),
        }
    }

    /// With this many bytes of memory.
    pub(crate) fn with_memory(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// With a stand-in for NCCL.
    pub(crate) fn with_nccl(self) -> Self {
        Self { has_nccl: true, ..self }
    }

    /// With epilogues of products, as cuBLASLt has them.
    pub(crate) fn with_epilogues(self) -> Self {
        Self { has_epilogues: true, ..self }
    }

    /// How often kernels whose names begin with this were launched.
    pub(crate) fn launches(&self, name: &str) -> usize {
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        launches.iter().filter(|(kernel, _)| kernel.starts_with(name)).map(|(_, n)| n).sum()
    }

    /// How often the host waited for all queued work.
    pub(crate) fn synchronizations(&self) -> u64 {
        self.synchronizations.load(Ordering::Relaxed)
    }

    fn note_queued(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    fn note_synchronization(&self) {
        self.synchronizations.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of allocations.
    pub(crate) fn allocations(&self) -> usize {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Fails if anything was written outside of an allocation.
    fn check_guards(&self, what: &str) -> Result<()> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for (&start, &bytes) in memory.iter() {
            for guard in [start - GUARD as u64, start + bytes as u64] {
                // SAFETY: the guard bytes are part of the allocation.
                let guard = unsafe { std::slice::from_raw_parts(guard as *const u8, GUARD) };
                if guard.iter().any(|&byte| byte != UNWRITTEN) {
                    bail!("{what} wrote outside of one of {} allocations", memory.len());
                }
            }
        }
        Ok(())
    }
}

fn layout(bytes: usize) -> Result<Layout> {
    Layout::from_size_align(bytes + 2 * GUARD, GUARD).map_err(Error::wrap)
}

impl Driver for Emulated {
    type Readback = EmulatedReadback;
    type SideQueue = ();
    type Graph = Commands;

    /// Exactly `bytes`, so that writes past the end reach the guard bytes.
    fn allocation_size(&self, bytes: usize) -> usize {
        bytes
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocate(&self, bytes: usize) -> Result<DevicePointer> {
        self.forbid_in_capture("an allocation")?;
        let used: usize = self.memory.lock().unwrap_or_else(PoisonError::into_inner).values().sum();
        if used.saturating_add(bytes) > self.limit {
            bail!("{OUT_OF_MEMORY}: {bytes} bytes more are needed");
        }
        let layout = layout(bytes)?;
        // SAFETY: the guard bytes make the size positive.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            bail!("{bytes} bytes cannot be allocated");
        }
        // SAFETY: within the allocation.
        let start = unsafe {
            start.write_bytes(UNWRITTEN, layout.size());
            start.add(GUARD) as u64
        };
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(start, bytes);
        Ok(DevicePointer(start))
    }

    unsafe fn free(&self, start: DevicePointer) {
        self.forbid_in_capture("freeing memory").expect("no capture");
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = memory.remove(&start.0).expect("an allocation");
        let layout = layout(bytes).expect("the layout of the allocation");
        // SAFETY: it was allocated with this layout, and is no longer listed.
        unsafe { dealloc((start.0 as *mut u8).sub(GUARD), layout) };
    }

    unsafe fn upload(&self, from: &[u8], to: DevicePointer) -> Result<()> {
        self.forbid_in_capture("an upload")?;
        self.note_queued();
        // SAFETY: the caller guarantees the range.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.0 as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn download(&self, from: DevicePointer, to: &mut [u8]) -> Result<()> {
        self.forbid_in_capture("a download")?;
        self.note_synchronization();
        // SAFETY: the caller guarantees the range.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    fn create_readback(&self) -> Result<EmulatedReadback> {
        Ok(EmulatedReadback::default())
    }

    unsafe fn start_readback(
        &self,
        from: &[(DevicePointer, usize)],
        to: &mut EmulatedReadback,
    ) -> Result<()> {
        self.forbid_in_capture("a copy to the host")?;
        self.note_queued();
        to.queued = self.queued.load(Ordering::Relaxed);
        to.bytes.clear();
        for &(start, bytes) in from.iter().filter(|(_, bytes)| *bytes > 0) {
            // SAFETY: the caller guarantees the source.
            let part = unsafe { std::slice::from_raw_parts(start.0 as *const u8, bytes) };
            to.bytes.extend_from_slice(part);
        }
        Ok(())
    }

    fn finish_readback<'a>(&self, readback: &'a mut EmulatedReadback) -> Result<&'a [u8]> {
        self.forbid_in_capture("waiting")?;
        // If nothing was queued after the copy, waiting for it waits for all queued work.
        if readback.queued == self.queued.load(Ordering::Relaxed) {
            self.note_synchronization();
        }
        Ok(&readback.bytes)
    }

    unsafe fn copy(&self, from: DevicePointer, to: DevicePointer, bytes: usize) -> Result<()> {
        if self.captures(|graph| graph.call(FixedCall::Copy { from, to, bytes })) {
            return Ok(());
        }
        self.note_queued();
        // SAFETY: the caller guarantees both ranges.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, to.0 as *mut u8, bytes) };
        Ok(())
    }

    unsafe fn clear(&self, start: DevicePointer, bytes: usize) -> Result<()> {
        if self.captures(|graph| graph.call(FixedCall::Clear { start, bytes })) {
            return Ok(());
        }
        self.note_queued();
        // SAFETY: the caller guarantees the range.
        unsafe { (start.0 as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()> {
        let Launch { kernel, grid, block, shared, arguments } = launch;
        if self.captures(|graph| graph.launch(launch)) {
            return Ok(());
        }
        self.note_queued();
        let is_wrong = self.note_launch(kernel)?;
        let given: Vec<ArgumentType> = arguments.iter().map(ArgumentType::of).collect();
        if PROTOTYPES.get(kernel) != Some(&given) {
            bail!("{kernel} takes {:?}, not {given:?}", PROTOTYPES.get(kernel));
        }
        let name = CString::new(kernel).map_err(Error::wrap)?;
        let mut slots: Vec<u64> = arguments.iter().map(|given| given.slot()).collect();
        if is_wrong {
            let is_float = |given: &KernelArgument<'_>| matches!(given, KernelArgument::Float(_));
            let place = arguments.iter().position(is_float);
            if let Some((place, KernelArgument::Float(value))) = place.map(|i| (i, arguments[i])) {
                slots[place] = KernelArgument::Float(2.0 * value).slot();
            }
        }
        let mut pointers: Vec<*mut c_void> =
            slots.iter_mut().map(|slot| (&raw mut *slot).cast()).collect();
        // SAFETY: the function has this type; the caller guarantees the arguments, whose types were
        // just checked.
        let outcome = unsafe {
            let emulate = self.library.get::<EmulateLaunch>(b"emulate_launch");
            emulate.map_err(Error::wrap)?(
                name.as_ptr(),
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                shared,
                pointers.as_mut_ptr(),
            )
        };
        if outcome != 0 {
            bail!("{kernel} fails with {outcome}");
        }
        self.check_guards(kernel)
    }

    unsafe fn multiply(&self, gemm: &GemmCall) -> Result<()> {
        if self.captures(|graph| graph.call(FixedCall::Multiply(*gemm, None))) {
            return Ok(());
        }
        self.note_queued();
        // SAFETY: the caller guarantees the matrices.
        unsafe { self.product(gemm, None) }
    }

    unsafe fn multiply_with(&self, gemm: &GemmCall, epilogue: GemmEpilogue) -> Result<bool> {
        if !self.has_epilogues {
            return Ok(false);
        }
        if self.captures(|graph| graph.call(FixedCall::Multiply(*gemm, Some(epilogue)))) {
            return Ok(true);
        }
        self.note_queued();
        // SAFETY: the caller guarantees the matrices and the vector.
        unsafe { self.product_with(gemm, epilogue)? };
        Ok(true)
    }

    fn has_epilogue(&self, _: &GemmCall, _: GemmEpilogue) -> Result<bool> {
        Ok(self.has_epilogues)
    }

    fn begin_capture(&self) -> Result<()> {
        self.start_capture()
    }

    fn end_capture(&self) -> Result<Commands> {
        self.finish_capture()
    }

    unsafe fn update_graph(
        &self,
        graph: &mut Commands,
        kernel: usize,
        new: Launch<'_>,
    ) -> Result<()> {
        self.update(graph, kernel, new)
    }

    unsafe fn launch_graph(&self, graph: &Commands) -> Result<()> {
        self.note_launch(LAUNCH_GRAPH)?;
        // SAFETY: the caller guarantees the work.
        unsafe { graph.submit(self) }
    }

    fn synchronize(&self) -> Result<()> {
        self.forbid_in_capture("waiting")?;
        self.note_synchronization();
        self.check_loss()
    }

    fn nccl(&self) -> std::result::Result<Arc<Nccl>, String> {
        if !self.has_nccl {
            return Err("the emulation has no NCCL".to_owned());
        }
        stand_in()
    }

    fn make_current(&self) -> Result<()> {
        Ok(())
    }

    fn create_side(&self) -> Result<()> {
        Ok(())
    }

    /// Work is done when it is queued.
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

#[path = "emulator_faults.rs"]
mod faults;
#[path = "emulator_graphs.rs"]
mod graphs;
#[path = "emulator_products.rs"]
mod products;

pub(crate) use faults::Fault;
use faults::FaultyCall;
pub(crate) use graphs::{BEGIN_CAPTURE, END_CAPTURE, LAUNCH_GRAPH, UPDATE_GRAPH};

#[cfg(test)]
#[path = "emulator_tests.rs"]
mod tests;

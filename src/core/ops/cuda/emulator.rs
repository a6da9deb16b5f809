//! What stands in for a card in tests: the kernels compiled as C, run on the host's memory.
//!
//! It is stricter than a card. Arguments must be of the number and kinds that
//! `kernels/prototypes.h` lists; memory is full of NaN until it is written, and stands between
//! fences that are looked at after every launch.

#![expect(unsafe_code, reason = "the kernels are C, and memory is known by its address")]

use super::driver::{Argument, Driver, Element, Factor, Launch, Pointer, Precision, Product};
use candle_core::{Error, Result, bail};
use half::bf16;
use libloading::Library;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

/// Bytes before and after each piece of memory, all of them [`NOTHING`].
const FENCE: usize = 256;

/// What memory is full of before it is written: NaN, as `f32` and as `bf16`.
const NOTHING: u8 = 0xff;

/// The one function of `kernels/emulator.c`.
type EmulateLaunch = unsafe extern "C" fn(
    *const c_char,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    usize,
    *mut *mut c_void,
) -> c_int;

/// The kernels, compiled once for each combination of what can be defined.
static LIBRARIES: [[OnceLock<Library>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];

/// The kinds of every kernel's arguments, as `kernels/prototypes.h` has them.
static PROTOTYPES: LazyLock<HashMap<&'static str, Vec<Kind>>> =
    LazyLock::new(|| prototypes(include_str!("kernels/prototypes.h")));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pointer,
    Int,
    Word,
    Float,
    Long,
}

impl Kind {
    fn of(argument: &Argument) -> Self {
        match argument {
            Argument::Pointer(_) => Self::Pointer,
            Argument::Int(_) => Self::Int,
            Argument::Word(_) => Self::Word,
            Argument::Float(_) => Self::Float,
            Argument::Long(_) => Self::Long,
        }
    }
}

/// Reads `KERNEL name(type argument, …);`.
fn prototypes(header: &'static str) -> HashMap<&'static str, Vec<Kind>> {
    let kind = |argument: &str| match argument.split_whitespace().next() {
        _ if argument.contains('*') => Kind::Pointer,
        Some("int") => Kind::Int,
        Some("u32") => Kind::Word,
        Some("float") => Kind::Float,
        Some("u64") => Kind::Long,
        other => panic!("an argument of type {other:?}"),
    };
    let kernels = header.split("\nKERNEL ").skip(1);
    let prototype = |text: &'static str| {
        let (name, rest) = text.split_once('(').expect("an argument list");
        let (arguments, _) = rest.split_once(");").expect("the end of one");
        (name, arguments.split(',').map(kind).collect())
    };
    kernels.map(prototype).collect()
}

/// Compiles the kernels and loads them.
fn compile(half: bool, backwards: bool) -> Library {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("libemulated.so");
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/ops/cuda/kernels");
    let mut command = Command::new("cc");
    command.args(["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o"]).arg(&library);
    command.args(half.then_some("-DACTIVATION_BF16"));
    command.args(backwards.then_some("-DEMULATED_BACKWARDS"));
    let done = command.arg(kernels.join("emulator.c")).arg("-lm").output();
    let done = done.expect("tests of the CUDA path need a C compiler, cc");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // SAFETY: the library was just made, and does nothing when it is loaded.
    unsafe { Library::new(&library) }.expect("the library that was just made")
}

/// A card without a card.
pub(crate) struct Emulated {
    precision: Precision,
    library: &'static Library,
    /// Where each piece of memory starts, and its bytes.
    memory: Mutex<BTreeMap<u64, usize>>,
}

impl Emulated {
    /// Blocks and threads take their turns in order.
    pub(crate) fn new(precision: Precision) -> Self {
        Self::with(precision, false)
    }

    /// Blocks and threads take their turns from the last to the first.
    pub(crate) fn backwards(precision: Precision) -> Self {
        Self::with(precision, true)
    }

    fn with(precision: Precision, backwards: bool) -> Self {
        let half = precision == Precision::Half;
        let library = &LIBRARIES[usize::from(half)][usize::from(backwards)];
        let library = library.get_or_init(|| compile(half, backwards));
        Self { precision, library, memory: Mutex::default() }
    }

    /// How many pieces of memory are held.
    pub(crate) fn pieces(&self) -> usize {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// An error if anything was written beside a piece of memory.
    fn check_fences(&self, what: &str) -> Result<()> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for (&start, &bytes) in memory.iter() {
            for fence in [start - FENCE as u64, start + bytes as u64] {
                // SAFETY: the fences are part of what was allocated.
                let fence = unsafe { std::slice::from_raw_parts(fence as *const u8, FENCE) };
                if fence.iter().any(|&byte| byte != NOTHING) {
                    bail!("{what} wrote beside one of {} pieces of memory", memory.len());
                }
            }
        }
        Ok(())
    }

    /// The number at a place of a matrix.
    ///
    /// # Safety
    /// It is there.
    unsafe fn number(&self, start: Pointer, index: usize, element: Element) -> f32 {
        // SAFETY: the caller vouches for the place, and no number lies across its alignment.
        unsafe {
            match element {
                Element::Activation if self.precision == Precision::Half => {
                    (*(start.0 as *const bf16).add(index)).to_f32()
                }
                _ => *(start.0 as *const f32).add(index),
            }
        }
    }
}

fn layout(bytes: usize) -> Result<Layout> {
    Layout::from_size_align(bytes + 2 * FENCE, FENCE).map_err(Error::wrap)
}

impl Driver for Emulated {
    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocate(&self, bytes: usize) -> Result<Pointer> {
        let layout = layout(bytes)?;
        // SAFETY: the fences alone make it longer than nothing.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            bail!("no room for {bytes} bytes");
        }
        // SAFETY: just so much was allocated.
        let start = unsafe {
            start.write_bytes(NOTHING, layout.size());
            start.add(FENCE) as u64
        };
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(start, bytes);
        Ok(Pointer(start))
    }

    unsafe fn free(&self, start: Pointer) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = memory.remove(&start.0).expect("memory that was allocated");
        let layout = layout(bytes).expect("as when it was allocated");
        // SAFETY: it was allocated so, and is no longer listed.
        unsafe { dealloc((start.0 as *mut u8).sub(FENCE), layout) };
    }

    unsafe fn upload(&self, from: &[u8], to: Pointer) -> Result<()> {
        // SAFETY: the caller vouches for the room.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.0 as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn download(&self, from: Pointer, to: &mut [u8]) -> Result<()> {
        // SAFETY: the caller vouches for what is read.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn copy(&self, from: Pointer, to: Pointer, bytes: usize) -> Result<()> {
        // SAFETY: the caller vouches for both places.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, to.0 as *mut u8, bytes) };
        Ok(())
    }

    unsafe fn clear(&self, start: Pointer, bytes: usize) -> Result<()> {
        // SAFETY: the caller vouches for the room.
        unsafe { (start.0 as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()> {
        let Launch { kernel, grid, block, shared, arguments } = launch;
        let given: Vec<Kind> = arguments.iter().map(Kind::of).collect();
        if PROTOTYPES.get(kernel) != Some(&given) {
            bail!("{kernel} is given {given:?}; it takes {:?}", PROTOTYPES.get(kernel));
        }
        let name = CString::new(kernel).map_err(Error::wrap)?;
        let mut slots: Vec<u64> = arguments.iter().map(|given| given.slot()).collect();
        let mut places: Vec<*mut c_void> =
            slots.iter_mut().map(|slot| (&raw mut *slot).cast()).collect();
        // SAFETY: the function is as declared; the caller vouches for the arguments, whose kinds
        // have just been checked.
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
                places.as_mut_ptr(),
            )
        };
        if outcome != 0 {
            bail!("{kernel} fails with {outcome}");
        }
        self.check_fences(kernel)
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        let Product { rows, columns, inner, a, b, out, element, add } = *product;
        let at = |factor: &Factor, row: usize, column: usize| {
            let (row, column) = if factor.transposed { (column, row) } else { (row, column) };
            // SAFETY: the caller vouches for the factors.
            unsafe { self.number(factor.start, row * factor.stride + column, Element::Activation) }
        };
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
                // SAFETY: the caller vouches for the room, and for what is there if it is added to.
                unsafe {
                    let before = if add { self.number(out, index, element) } else { 0.0 };
                    let sum = before + sum as f32;
                    if element == Element::Activation && self.precision == Precision::Half {
                        *(out.0 as *mut bf16).add(index) = bf16::from_f32(sum);
                    } else {
                        *(out.0 as *mut f32).add(index) = sum;
                    }
                }
            }
        }
        self.check_fences("a product")
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn prototypes_are_read() {
    assert!(PROTOTYPES.len() > 20);
    assert_eq!(PROTOTYPES["fill"], [Kind::Pointer, Kind::Long, Kind::Float]);
}

#[test]
fn mistakes_are_noticed() -> Result<()> {
    let driver = Emulated::new(Precision::Full);
    let start = driver.allocate(4 * 10)?;
    let fill = |arguments: &[Argument]| {
        let (grid, block) = ([1, 1, 1], [256, 1, 1]);
        // SAFETY: what is written too far falls on the fence.
        unsafe { driver.launch(Launch { kernel: "fill", grid, block, shared: 0, arguments }) }
    };
    fill(super::driver::arguments![start, 10u64, 1f32])?;
    assert!(fill(super::driver::arguments![start, 10u32, 1f32]).is_err(), "another kind");
    assert!(fill(super::driver::arguments![start, 10u64]).is_err(), "too few");
    assert!(fill(super::driver::arguments![start, 11u64, 1f32]).is_err(), "too far");
    // SAFETY: it was allocated above.
    unsafe { driver.free(start) };
    Ok(())
}

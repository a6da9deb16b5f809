//! The kernels compiled as C, for the emulated GPU.

#![expect(unsafe_code, reason = "a compiled library is loaded")]

use libloading::Library;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The type of `emulate_launch` in `kernels/emulator.c`.
pub(super) type EmulateLaunch = unsafe extern "C" fn(
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

/// The kernels, compiled once for each precision and order of threads.
static LIBRARIES: [[OnceLock<Library>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];

/// The kernels for activations in bf16 or in `f32`, for threads in order or from the last to the first.
pub(super) fn library(half: bool, backwards: bool) -> &'static Library {
    let library = &LIBRARIES[usize::from(half)][usize::from(backwards)];
    library.get_or_init(|| compile(half, backwards))
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
    let done = done.expect("tests of the CUDA backend need a C compiler, cc");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // SAFETY: the library was just compiled, and runs nothing when it is loaded.
    unsafe { Library::new(&library) }.expect("the library that was just compiled")
}

//! The stand-in for NCCL of tests.

use super::Library;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// The library, compiled and loaded once, as the real one is loaded.
static STAND_IN: OnceLock<Result<Arc<Library>, String>> = OnceLock::new();

/// The stand-in, whose ranks are threads of this process.
///
/// # Errors
/// If it is refused.
pub(crate) fn stand_in() -> Result<Arc<Library>, String> {
    STAND_IN.get_or_init(compile).clone()
}

fn compile() -> Result<Arc<Library>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("libnccl.so.2");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/ops/cuda/nccl/stand_in.c");
    let mut command = Command::new("cc");
    command.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]).arg(&library);
    let done = command.arg(source).output().expect("a C compiler, cc");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Library::open(&library)
}

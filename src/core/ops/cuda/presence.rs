//! Whether there is a card, with all that it takes, and what it says of itself.

#![expect(unsafe_code, reason = "libraries are looked for by loading them")]

use super::driver::Precision;
use candle_core::{Error, Result, bail};
use cudarc::cublas::sys as cublas;
use cudarc::driver::result::DriverError;
use cudarc::driver::{CudaContext, sys};
use cudarc::nvrtc::sys as nvrtc;

/// What a card says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name: `NVIDIA H200`.
    pub name: String,
    /// Its compute capability: `(9, 0)`.
    pub capability: (u32, u32),
    /// The newest CUDA that its driver speaks: `(12, 4)`.
    pub driver: (u32, u32),
    /// Its memory, in bytes.
    pub memory: usize,
    /// What was free of it when it was opened, in bytes.
    pub free: usize,
}

/// An error of the driver, in words.
pub(super) fn failed(what: &str, error: DriverError) -> Error {
    let text = match error.error_string() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => "unknown error".to_owned(),
    };
    Error::msg(format!("{what}: {text} ({:?})", error.0))
}

/// How many cards there are.
///
/// # Errors
/// If there is no driver, or it fails.
pub(super) fn count() -> Result<usize> {
    // SAFETY: what loading the driver's library runs is the driver's own.
    if !unsafe { sys::is_culib_present() } {
        let file = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
        bail!("NVIDIA's driver ({file}) is not found: install it, or compute with --device cpu");
    }
    match CudaContext::device_count() {
        Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Ok(0),
        Err(error) => Err(failed("NVIDIA's driver does not start", error)),
    }
}

/// Refuses to go on without the card of this number, or without a library.
///
/// # Errors
/// Says what is missing and what to do.
pub(super) fn require(number: usize) -> Result<()> {
    let count = count()?;
    if number >= count {
        match count {
            0 => bail!("there is no NVIDIA GPU: compute with --device cpu"),
            1 => bail!("there is one GPU, cuda:0, and no cuda:{number}"),
            _ => bail!("there are {count} GPUs, cuda:0 to cuda:{}; no cuda:{number}", count - 1),
        }
    }
    // SAFETY: what loading a library of NVIDIA's runs is NVIDIA's own.
    require_library(unsafe { nvrtc::is_culib_present() }, "NVRTC", "nvrtc", "cuda-nvrtc")?;
    // SAFETY: as above.
    require_library(unsafe { cublas::is_culib_present() }, "cuBLAS", "cublas", "cublas")
}

/// cudarc panics where a library is missing: so they are looked for first.
fn require_library(present: bool, name: &str, file: &str, package: &str) -> Result<()> {
    if present {
        return Ok(());
    }
    let (file, path) = if cfg!(windows) {
        (format!("{file}64_*.dll"), "PATH")
    } else {
        (format!("lib{file}.so"), "LD_LIBRARY_PATH")
    };
    bail!(
        "{name} ({file}) is not found: install the CUDA toolkit or pip's nvidia-{package}-cu12 and \
         put the folder with the library on {path}, or compute with --device cpu"
    );
}

/// Asks a card.
pub(super) fn report(context: &CudaContext) -> Result<Report> {
    let ask = || {
        let (major, minor) = context.compute_capability()?;
        let (free, memory) = context.mem_get_info()?;
        let mut version = 0;
        // SAFETY: the number is written to and no more.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
        Ok(Report {
            name: context.name()?,
            capability: (major.unsigned_abs(), minor.unsigned_abs()),
            driver: (version.unsigned_abs() / 1000, version.unsigned_abs() % 1000 / 10),
            memory,
            free,
        })
    };
    ask().map_err(|error| failed("the GPU does not say what it is", error))
}

/// Refuses cards that are too old.
pub(super) fn check(report: &Report, precision: Precision) -> Result<()> {
    let Report { name, capability: (major, minor), .. } = report;
    let (needed, what) = match precision {
        Precision::Full => (7, "this program"),
        Precision::Tf32 => (8, "--tf32"),
        Precision::Half => (8, "--bf16"),
    };
    if *major < needed {
        bail!("{name} has compute capability {major}.{minor}; {what} needs {needed}.0 at least");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_cards_are_refused() {
        let of = |major, precision| {
            let capability = (major, 5);
            let (name, driver) = ("A card".to_owned(), (12, 0));
            check(&Report { name, capability, driver, memory: 0, free: 0 }, precision)
        };
        assert!(of(6, Precision::Full).is_err());
        assert!(of(7, Precision::Full).is_ok());
        assert!(of(7, Precision::Tf32).is_err());
        let refused = of(7, Precision::Half).err().map(|error| error.to_string());
        let text = "A card has compute capability 7.5; --bf16 needs 8.0 at least";
        assert!(refused.is_some_and(|refused| refused.starts_with(text)));
        assert!(of(8, Precision::Half).is_ok());
    }
}

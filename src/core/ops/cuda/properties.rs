//! The GPUs of this computer: whether drivers and libraries are installed, and the properties of a
//! device.

#![expect(unsafe_code, reason = "libraries are looked for by loading them")]

use super::driver::Precision;
use candle_core::{Error, Result, bail};
use cudarc::cublas::sys as cublas;
use cudarc::driver::result::DriverError;
use cudarc::driver::{CudaContext, sys};
use cudarc::nvrtc::sys as nvrtc;

/// The properties of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceProperties {
    /// Its name: `NVIDIA H200`.
    pub name: String,
    /// Its compute capability: `(9, 0)`.
    pub capability: (u32, u32),
    /// The newest CUDA version that its driver supports: `(12, 4)`.
    pub driver: (u32, u32),
    /// Its memory, in bytes.
    pub memory: usize,
    /// The memory that was free when it was opened, in bytes.
    pub free: usize,
}

/// An error of the driver with its description.
pub(super) fn driver_error(what: &str, error: DriverError) -> Error {
    let text = match error.error_string() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => "unknown error".to_owned(),
    };
    Error::msg(format!("{what}: {text} ({:?})", error.0))
}

/// The number of devices.
///
/// # Errors
/// If there is no driver, or it fails.
pub(super) fn count() -> Result<usize> {
    // SAFETY: loads NVIDIA's driver library, whose initialization is sound.
    if !unsafe { sys::is_culib_present() } {
        let file = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
        bail!("NVIDIA's driver ({file}) is not installed: install it, or use --device cpu");
    }
    match CudaContext::device_count() {
        Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Ok(0),
        Err(error) => Err(driver_error("NVIDIA's driver does not start", error)),
    }
}

/// Checks that there is a device of this number, and that all libraries are installed.
///
/// # Errors
/// If anything is missing; the message says what, and what to do.
pub(super) fn require(number: usize) -> Result<()> {
    let count = count()?;
    if number >= count {
        match count {
            0 => bail!("there is no NVIDIA GPU: use --device cpu"),
            1 => bail!("there is no GPU cuda:{number}; the only GPU is cuda:0"),
            _ => bail!("there is no GPU cuda:{number}; the GPUs are cuda:0 to cuda:{}", count - 1),
        }
    }
    // SAFETY: loads a library of NVIDIA's, whose initialization is sound.
    require_library(unsafe { nvrtc::is_culib_present() }, "NVRTC", "nvrtc", "cuda-nvrtc")?;
    // SAFETY: as above.
    require_library(unsafe { cublas::is_culib_present() }, "cuBLAS", "cublas", "cublas")
}

/// Checks for a library, because cudarc panics where one is missing.
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
        "{name} ({file}) is not installed: install the CUDA toolkit or pip's \
         nvidia-{package}-cu12 and add the folder of the library to {path}, or use --device cpu"
    );
}

/// Reads the properties of a device.
pub(super) fn read(context: &CudaContext) -> Result<DeviceProperties> {
    let read = || {
        let (major, minor) = context.compute_capability()?;
        let (free, memory) = context.mem_get_info()?;
        let mut version = 0;
        // SAFETY: writes one `i32`.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
        Ok(DeviceProperties {
            name: context.name()?,
            capability: (major.unsigned_abs(), minor.unsigned_abs()),
            driver: (version.unsigned_abs() / 1000, version.unsigned_abs() % 1000 / 10),
            memory,
            free,
        })
    };
    read().map_err(|error| driver_error("the properties of the GPU cannot be read", error))
}

/// Rejects devices that are too old.
pub(super) fn check(properties: &DeviceProperties, precision: Precision) -> Result<()> {
    let DeviceProperties { name, capability: (major, minor), .. } = properties;
    let (needed, what) = match precision {
        Precision::Full => (7, "this program"),
        Precision::Tf32 => (8, "--tf32"),
        Precision::Half => (8, "--bf16"),
    };
    if *major < needed {
        bail!("{name} has compute capability {major}.{minor}; {what} needs at least {needed}.0");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_devices_are_rejected() {
        let of = |major, precision| {
            let capability = (major, 5);
            let (name, driver) = ("A GPU".to_owned(), (12, 0));
            check(&DeviceProperties { name, capability, driver, memory: 0, free: 0 }, precision)
        };
        assert!(of(6, Precision::Full).is_err());
        assert!(of(7, Precision::Full).is_ok());
        assert!(of(7, Precision::Tf32).is_err());
        let rejected = of(7, Precision::Half).err().map(|error| error.to_string());
        let text = "A GPU has compute capability 7.5; --bf16 needs at least 8.0";
        assert!(rejected.is_some_and(|rejected| rejected.starts_with(text)));
        assert!(of(8, Precision::Half).is_ok());
    }
}

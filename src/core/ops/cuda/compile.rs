//! Compiles the kernels for a device, by NVRTC.

#![expect(unsafe_code, reason = "NVRTC is a C library")]

use super::driver::Precision;
use super::{SOURCES, cache, definitions};
use candle_core::{Error, Result, bail};
use cudarc::nvrtc::{result as nvrtc, sys};
use std::ffi::{CStr, CString, c_char};
use std::path::PathBuf;

/// Compiled kernels.
pub(super) struct CompiledKernels {
    /// A cubin, or PTX; both end with a zero, which PTX needs.
    pub bytes: Vec<u8>,
    /// Whether they come from the cache: if a device rejects them, they are compiled again.
    pub cached: bool,
    /// The compiler, for error messages: `NVRTC 12.4`.
    pub compiler: String,
}

/// The architecture that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The architecture of the device: 90 for 9.0.
    Native(u32),
    /// An older architecture, as PTX that the driver compiles for the device.
    Ptx(u32),
}

impl Target {
    /// The target for a device of architecture `own` and a compiler that supports the `known` ones.
    fn new(known: &[u32], own: u32) -> Option<Self> {
        if known.contains(&own) {
            return Some(Self::Native(own));
        }
        known.iter().copied().filter(|&other| other < own).max().map(Self::Ptx)
    }

    fn option(self) -> String {
        match self {
            Self::Native(number) => format!("--gpu-architecture=sm_{number}"),
            Self::Ptx(number) => format!("--gpu-architecture=compute_{number}"),
        }
    }
}

/// The kernels for a device of this compute capability: from the cache, unless it does not contain
/// them or `ignore_cache` is set.
///
/// # Errors
/// If the compiler fails, or supports no architecture that the device can run.
pub(super) fn kernels(
    capability: (u32, u32),
    precision: Precision,
    ignore_cache: bool,
) -> Result<CompiledKernels> {
    let (major, minor) = version()?;
    let compiler = format!("NVRTC {major}.{minor}");
    let own = capability.0 * 10 + capability.1;
    let Some(target) = Target::new(&architectures()?, own) else {
        let (major, minor) = capability;
        bail!(
            "{compiler} does not support the compute capability {major}.{minor} of this GPU: \
             install an older version, or use --device cpu"
        );
    };
    let source = SOURCES.concat();
    let mut options = vec![target.option(), "--std=c++17".to_owned()];
    options.extend(definitions(precision).iter().map(|name| format!("-D{name}")));

    let file = cache::folder().map(|folder| {
        let mut inputs = vec![compiler.as_str(), source.as_str()];
        inputs.extend(options.iter().map(String::as_str));
        cache::file(&folder, &inputs)
    });
    let found = if ignore_cache { None } else { file.as_ref().and_then(|file| cache::read(file)) };
    let cached = found.is_some();
    let bytes = match found {
        Some(bytes) => bytes,
        None => compile_and_cache(&source, &options, target, file)?,
    };
    Ok(CompiledKernels { bytes, cached, compiler })
}

fn compile_and_cache(
    source: &str,
    options: &[String],
    target: Target,
    file: Option<PathBuf>,
) -> Result<Vec<u8>> {
    let mut bytes = compile(source, options, target)?;
    bytes.push(0);
    if let Some(file) = file {
        cache::write(&file, &bytes);
    }
    Ok(bytes)
}

/// The compiler's version.
fn version() -> Result<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two `i32`s.
    unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().map_err(failed)?;
    Ok((major, minor))
}

/// The architectures that the compiler supports, as 90 for 9.0.
fn architectures() -> Result<Vec<u32>> {
    let mut count = 0;
    // SAFETY: writes one `i32`.
    unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }.result().map_err(failed)?;
    let mut known = vec![0i32; usize::try_from(count).unwrap_or(0)];
    // SAFETY: `known` has as many elements as the compiler announced.
    unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) }.result().map_err(failed)?;
    Ok(known.into_iter().filter_map(|number| u32::try_from(number).ok()).collect())
}

fn failed(error: nvrtc::NvrtcError) -> Error {
    Error::msg(format!("NVRTC, the compiler of GPU kernels, failed: {error}"))
}

/// An NVRTC program.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once. An error cannot be handled here.
        let _ = unsafe { nvrtc::destroy_program(self.0) };
    }
}

fn compile(source: &str, options: &[String], target: Target) -> Result<Vec<u8>> {
    let source = CString::new(source).map_err(Error::wrap)?;
    let name = c"nsmc-tui.cu";
    let program = Program(nvrtc::create_program(&source, Some(name)).map_err(failed)?);
    // SAFETY: the program exists, and no option contains a zero.
    if let Err(error) = unsafe { nvrtc::compile_program(program.0, options) } {
        // SAFETY: the program exists.
        let log = unsafe { nvrtc::get_program_log(program.0) }.unwrap_or_default();
        bail!("the kernels do not compile ({error}):\n{}", text(&log));
    }
    match target {
        // SAFETY: the program is compiled.
        Target::Ptx(_) => Ok(bytes(&unsafe { nvrtc::get_ptx(program.0) }.map_err(failed)?)),
        Target::Native(_) => cubin(&program),
    }
}

fn cubin(program: &Program) -> Result<Vec<u8>> {
    let mut size = 0;
    // SAFETY: the program is compiled; writes one size.
    unsafe { sys::nvrtcGetCUBINSize(program.0, &raw mut size) }.result().map_err(failed)?;
    let mut image: Vec<c_char> = vec![0; size];
    // SAFETY: `image` has as many bytes as the compiler announced.
    unsafe { sys::nvrtcGetCUBIN(program.0, image.as_mut_ptr()) }.result().map_err(failed)?;
    Ok(bytes(&image))
}

fn bytes(chars: &[c_char]) -> Vec<u8> {
    chars.iter().map(|&char| char.cast_unsigned()).collect()
}

/// The text of a C string, or of bytes without a zero.
fn text(log: &[c_char]) -> String {
    let log = bytes(log);
    let text = CStr::from_bytes_until_nul(&log).map_or(&log[..], CStr::to_bytes);
    String::from_utf8_lossy(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_gets_its_own_architecture_or_the_next_older_one() {
        let known = [75, 80, 86, 90];
        assert_eq!(Target::new(&known, 86), Some(Target::Native(86)));
        assert_eq!(Target::new(&known, 120), Some(Target::Ptx(90)));
        assert_eq!(Target::new(&known, 87), Some(Target::Ptx(86)));
        assert_eq!(Target::new(&known, 70), None);
        assert_eq!(Target::Native(86).option(), "--gpu-architecture=sm_86");
        assert_eq!(Target::Ptx(90).option(), "--gpu-architecture=compute_90");
    }

    /// NVRTC needs no GPU: this compiles every kernel where it is installed.
    #[test]
    fn the_kernels_compile_for_old_and_new_devices() -> Result<()> {
        // SAFETY: loads the library by its name.
        if !unsafe { sys::is_culib_present() } {
            eprintln!("skipped: NVRTC is not installed");
            return Ok(());
        }
        let known = architectures()?;
        let ends = [known.iter().min(), known.iter().max()];
        for &number in ends.into_iter().flatten() {
            for precision in [Precision::Full, Precision::Half] {
                let definitions = definitions(precision).iter();
                let mut options: Vec<String> =
                    definitions.map(|name| format!("-D{name}")).collect();
                let target = Target::Native(number);
                options.extend([target.option(), "--std=c++17".to_owned()]);
                assert!(!compile(&SOURCES.concat(), &options, target)?.is_empty());
            }
        }
        Ok(())
    }
}

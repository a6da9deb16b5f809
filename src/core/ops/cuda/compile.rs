//! From the kernels' sources to what a card runs, by NVRTC.

#![expect(unsafe_code, reason = "NVRTC is a C library")]

use super::driver::Precision;
use super::{SOURCES, cache, definitions};
use candle_core::{Error, Result, bail};
use cudarc::nvrtc::{result as nvrtc, sys};
use std::ffi::{CStr, CString, c_char};
use std::path::PathBuf;

/// Compiled kernels.
pub(super) struct Image {
    /// A cubin, or PTX; a zero follows, as PTX needs one.
    pub bytes: Vec<u8>,
    /// Whether this was found on disk: if a card does not take it, it has to be made anew.
    pub kept: bool,
    /// The compiler, for error messages: `NVRTC 12.4`.
    pub compiler: String,
}

/// What is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// This very architecture: 90 for 9.0.
    Own(u32),
    /// An older one, in PTX that the driver translates.
    Older(u32),
}

impl Target {
    /// What a compiler that knows these architectures has for a card.
    fn new(known: &[u32], own: u32) -> Option<Self> {
        if known.contains(&own) {
            return Some(Self::Own(own));
        }
        known.iter().copied().filter(|&other| other < own).max().map(Self::Older)
    }

    fn option(self) -> String {
        match self {
            Self::Own(number) => format!("--gpu-architecture=sm_{number}"),
            Self::Older(number) => format!("--gpu-architecture=compute_{number}"),
        }
    }
}

/// The kernels for a card of this compute capability: from the disk, unless they are not there or
/// `anew` is asked for.
///
/// # Errors
/// If the compiler refuses, or knows no architecture that the card understands.
pub(super) fn kernels(capability: (u32, u32), precision: Precision, anew: bool) -> Result<Image> {
    let (major, minor) = version()?;
    let compiler = format!("NVRTC {major}.{minor}");
    let own = capability.0 * 10 + capability.1;
    let Some(target) = Target::new(&architectures()?, own) else {
        let (major, minor) = capability;
        bail!(
            "{compiler} knows no architecture as old as this card's, {major}.{minor}: install an \
             older one, or compute with --device cpu"
        );
    };
    let source = SOURCES.concat();
    let mut options = vec![target.option(), "--std=c++17".to_owned()];
    options.extend(definitions(precision).iter().map(|name| format!("-D{name}")));

    let file = cache::folder().map(|folder| {
        let mut made_from = vec![compiler.as_str(), source.as_str()];
        made_from.extend(options.iter().map(String::as_str));
        cache::file(&folder, &made_from)
    });
    let found = if anew { None } else { file.as_ref().and_then(|file| cache::find(file)) };
    let kept = found.is_some();
    let bytes = match found {
        Some(bytes) => bytes,
        None => compile_and_keep(&source, &options, target, file)?,
    };
    Ok(Image { bytes, kept, compiler })
}

fn compile_and_keep(
    source: &str,
    options: &[String],
    target: Target,
    file: Option<PathBuf>,
) -> Result<Vec<u8>> {
    let mut bytes = compile(source, options, target)?;
    bytes.push(0);
    if let Some(file) = file {
        cache::keep(&file, &bytes);
    }
    Ok(bytes)
}

/// The compiler's version.
fn version() -> Result<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both are written to and no more.
    unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().map_err(failed)?;
    Ok((major, minor))
}

/// The architectures that the compiler knows, as 90 for 9.0.
fn architectures() -> Result<Vec<u32>> {
    let mut count = 0;
    // SAFETY: the number is written to and no more.
    unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }.result().map_err(failed)?;
    let mut known = vec![0i32; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many numbers as were announced.
    unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) }.result().map_err(failed)?;
    Ok(known.into_iter().filter_map(|number| u32::try_from(number).ok()).collect())
}

fn failed(error: nvrtc::NvrtcError) -> Error {
    Error::msg(format!("the compiler of kernels, NVRTC, failed: {error}"))
}

/// A program of NVRTC's, which is destroyed with this.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once. There is nobody to tell of an error.
        let _ = unsafe { nvrtc::destroy_program(self.0) };
    }
}

fn compile(source: &str, options: &[String], target: Target) -> Result<Vec<u8>> {
    let source = CString::new(source).map_err(Error::wrap)?;
    let name = c"nsmc-tui.cu";
    let program = Program(nvrtc::create_program(&source, Some(name)).map_err(failed)?);
    // SAFETY: the program is there, and no option holds a zero.
    if let Err(error) = unsafe { nvrtc::compile_program(program.0, options) } {
        // SAFETY: the program is there.
        let log = unsafe { nvrtc::get_program_log(program.0) }.unwrap_or_default();
        bail!("the kernels do not compile ({error}):\n{}", text(&log));
    }
    match target {
        // SAFETY: the program is compiled.
        Target::Older(_) => Ok(bytes(&unsafe { nvrtc::get_ptx(program.0) }.map_err(failed)?)),
        Target::Own(_) => cubin(&program),
    }
}

fn cubin(program: &Program) -> Result<Vec<u8>> {
    let mut size = 0;
    // SAFETY: the program is compiled, and the size is written to and no more.
    unsafe { sys::nvrtcGetCUBINSize(program.0, &raw mut size) }.result().map_err(failed)?;
    let mut image: Vec<c_char> = vec![0; size];
    // SAFETY: there is room for as many bytes as were announced.
    unsafe { sys::nvrtcGetCUBIN(program.0, image.as_mut_ptr()) }.result().map_err(failed)?;
    Ok(bytes(&image))
}

fn bytes(chars: &[c_char]) -> Vec<u8> {
    chars.iter().map(|&char| char.cast_unsigned()).collect()
}

/// A C string, or what there is of it.
fn text(log: &[c_char]) -> String {
    let log = bytes(log);
    let text = CStr::from_bytes_until_nul(&log).map_or(&log[..], CStr::to_bytes);
    String::from_utf8_lossy(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_gets_its_own_architecture_or_the_next_older_one() {
        let known = [75, 80, 86, 90];
        assert_eq!(Target::new(&known, 86), Some(Target::Own(86)));
        assert_eq!(Target::new(&known, 120), Some(Target::Older(90)));
        assert_eq!(Target::new(&known, 87), Some(Target::Older(86)));
        assert_eq!(Target::new(&known, 70), None);
        assert_eq!(Target::Own(86).option(), "--gpu-architecture=sm_86");
        assert_eq!(Target::Older(90).option(), "--gpu-architecture=compute_90");
    }

    /// NVRTC needs no card: wherever it is installed, every kernel is compiled.
    #[test]
    fn the_kernels_compile_for_old_and_new_cards() -> Result<()> {
        // SAFETY: looks for the library by its name.
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
                let target = Target::Own(number);
                options.extend([target.option(), "--std=c++17".to_owned()]);
                assert!(!compile(&SOURCES.concat(), &options, target)?.is_empty());
            }
        }
        Ok(())
    }
}

//! Builds the engine selected by the options.

use super::device::{DeviceChoice, cpu_name};
use super::fused::FusedEngine;
use super::fused::pretraining::{PretrainingEngine, PretrainingSettings};
use super::reference::ReferenceEngine;
use super::{Bf16, Engine, EngineError, EngineOptions, EngineResult, Ops};
use crate::core::model::SequenceClassifier;
use crate::core::ops::backend::PretrainingOps;
use crate::core::ops::{Backend, Cpu};

/// Builds an engine for `model`.
///
/// # Errors
/// If options contradict each other, or the requested device is missing, out of memory, or does
/// not support an option.
pub fn build(model: &SequenceClassifier, options: &EngineOptions) -> EngineResult<Box<dyn Engine>> {
    if options.bf16 == Bf16::True && options.tf32 {
        return Err(EngineError("--bf16 and --tf32 exclude each other".to_owned()));
    }
    let needs_gpu = matches!(options.device, DeviceChoice::Cuda(_)) || options.tf32;
    if options.int8 && (options.ops == Ops::Reference || needs_gpu || options.bf16 == Bf16::True) {
        let why = "--int8 is for the CPU's fused operations, without --bf16";
        return Err(EngineError(why.to_owned()));
    }
    if options.ops == Ops::Reference {
        if matches!(options.device, DeviceChoice::Cuda(_)) {
            let why = "--ops reference computes on the CPU; leave out --device cuda";
            return Err(EngineError(why.to_owned()));
        }
        if options.bf16 == Bf16::True || options.tf32 {
            let why = "--ops reference computes in float32; leave out --bf16 and --tf32";
            return Err(EngineError(why.to_owned()));
        }
        return Ok(Box::new(ReferenceEngine::new(model, options.threads)?));
    }
    fused(model, options, None)
}

/// Builds an engine that pretrains `model`, whose task is a pretraining objective.
///
/// # Errors
/// As [`build`], and if the options ask for anything but the fused operations.
pub fn build_pretraining(
    model: &SequenceClassifier,
    options: &EngineOptions,
    settings: PretrainingSettings,
) -> EngineResult<Box<dyn Engine>> {
    if options.ops == Ops::Reference || options.int8 {
        let flag = if options.int8 { "--int8" } else { "--ops reference" };
        let why = format!("pretraining is computed by the fused operations; leave out {flag}");
        return Err(EngineError(why));
    }
    if options.bf16 == Bf16::True && options.tf32 {
        return Err(EngineError("--bf16 and --tf32 exclude each other".to_owned()));
    }
    fused(model, options, Some(settings))
}

/// Builds the fused engine on the device that the options choose; with settings, for pretraining.
fn fused(
    model: &SequenceClassifier,
    options: &EngineOptions,
    pretraining: Option<PretrainingSettings>,
) -> EngineResult<Box<dyn Engine>> {
    match options.device {
        DeviceChoice::Cuda(number) => gpu(model, options, number, pretraining),
        DeviceChoice::Cpu if options.tf32 => {
            Err(EngineError("--tf32 is for a GPU; leave it out with --device cpu".to_owned()))
        }
        DeviceChoice::Cpu => cpu(model, options, None, pretraining),
        DeviceChoice::Auto if options.int8 => cpu(model, options, None, pretraining),
        DeviceChoice::Auto => match gpu(model, options, options.auto_gpu, pretraining.clone()) {
            Ok(engine) => Ok(engine),
            // The note is only for users who expect a GPU: those of a build with CUDA or with a GPU
            // option.
            Err(error) => {
                let expected_gpu = cfg!(feature = "cuda") || options.tf32;
                let note = expected_gpu.then(|| format!("computing on the CPU: {}", error.0));
                cpu(model, options, note, pretraining)
            }
        },
    }
}

/// The engine itself or, with settings, one that pretrains the model with it.
fn boxed<B: Backend + PretrainingOps + 'static>(
    engine: FusedEngine<B>,
    model: &SequenceClassifier,
    pretraining: Option<PretrainingSettings>,
) -> EngineResult<Box<dyn Engine>> {
    Ok(match pretraining {
        None => Box::new(engine),
        Some(settings) => Box::new(PretrainingEngine::new(engine, model, settings)?),
    })
}

fn cpu(
    model: &SequenceClassifier,
    options: &EngineOptions,
    note: Option<String>,
    pretraining: Option<PretrainingSettings>,
) -> EngineResult<Box<dyn Engine>> {
    let mut cpu = Cpu::new(options.threads)?;
    let (mut name, mut note) = (cpu_name(cpu.threads()), note);
    if options.bf16 != Bf16::False && !options.int8 && Cpu::has_bf16() {
        cpu = cpu.with_bf16();
        name += ", bf16";
    } else if options.bf16 == Bf16::True {
        let lack = "this processor has no instructions for bfloat16 (AVX512-BF16), so it computes \
                    in float32";
        note = Some(note.map_or_else(|| lack.to_owned(), |note| format!("{note}; {lack}")));
    }
    let mut engine = FusedEngine::new(cpu, model, options.gradient_checkpointing, name)?;
    if options.int8 {
        engine.quantize()?;
    } else if options.keep_weights {
        engine.keep_weights();
    }
    boxed(engine.with_note(note), model, pretraining)
}

#[cfg(feature = "cuda")]
fn gpu(
    model: &SequenceClassifier,
    options: &EngineOptions,
    number: usize,
    pretraining: Option<PretrainingSettings>,
) -> EngineResult<Box<dyn Engine>> {
    use crate::core::ops::cuda::nvidia::Nvidia;
    use crate::core::ops::cuda::{CudaBackend, Precision};
    let precision = match (options.bf16 == Bf16::True, options.tf32) {
        (true, _) => Precision::Half,
        (_, true) => Precision::Tf32,
        _ => Precision::Full,
    };
    let gpu = Nvidia::new(number, precision)?;
    let precision_name = match precision {
        Precision::Half => "bf16",
        Precision::Tf32 => "tf32",
        Precision::Full => "float32",
    };
    let name = format!("cuda:{number}, {}, {precision_name}", gpu.properties().name);
    let mut backend = CudaBackend::new(gpu);
    let mut notes = vec![backend.check_tensor_cores()?, backend.check_fused_products()?];
    // Where launches are to be waited for one by one, to find an error, they are not captured.
    if std::env::var_os("CUDA_LAUNCH_BLOCKING").is_none_or(|value| value == "0") {
        notes.push(backend.check_graphs()?);
    }
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    let engine = FusedEngine::new(backend, model, options.gradient_checkpointing, name)?;
    boxed(engine.with_note(note), model, pretraining)
}

#[cfg(not(feature = "cuda"))]
fn gpu(
    _: &SequenceClassifier,
    _: &EngineOptions,
    _: usize,
    _: Option<PretrainingSettings>,
) -> EngineResult<Box<dyn Engine>> {
    let why = "this build has no GPUs; build it with --features cuda";
    Err(EngineError(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ModelConfig, Weights};

    #[test]
    fn contradictory_options_are_rejected_with_a_remedy() -> anyhow::Result<()> {
        let config = ModelConfig::small()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 1)?;
        let message = |options: EngineOptions| match build(&model, &options) {
            Ok(engine) => engine.device(),
            Err(error) => error.0,
        };
        let cpu = EngineOptions { device: DeviceChoice::Cpu, threads: 1, ..Default::default() };
        assert_eq!(message(cpu), "cpu, 1 thread");
        assert_eq!(message(EngineOptions { threads: 3, ..cpu }), "cpu, 3 threads");
        let reference = EngineOptions { ops: Ops::Reference, ..cpu };
        assert_eq!(message(reference), "cpu, 1 thread, reference operations");
        assert!(message(EngineOptions { tf32: true, ..cpu }).contains("for a GPU"));
        assert!(
            message(EngineOptions { bf16: Bf16::True, int8: true, ..cpu })
                .contains("without --bf16")
        );
        assert!(message(EngineOptions { bf16: Bf16::True, tf32: true, ..cpu }).contains("exclude"));
        assert!(message(EngineOptions { bf16: Bf16::True, ..reference }).contains("float32"));
        assert!(message(EngineOptions { int8: true, ..reference }).contains("fused"));
        let on_gpu = EngineOptions { device: DeviceChoice::Cuda(0), ..reference };
        assert!(message(on_gpu).contains("leave out --device"));
        // A GPU index that no computer has.
        let missing = EngineOptions { device: DeviceChoice::Cuda(99), ..cpu };
        assert!(build(&model, &missing).is_err());
        Ok(())
    }

    #[test]
    fn without_a_gpu_the_cpu_is_used_and_a_note_gives_the_reason() -> anyhow::Result<()> {
        if cfg!(feature = "cuda") {
            return Ok(());
        }
        let config = ModelConfig::small()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 1)?;
        let default = build(&model, &EngineOptions::default())?;
        assert_eq!(default.note(), None);
        let with_tf32 = build(&model, &EngineOptions { tf32: true, ..EngineOptions::default() })?;
        assert!(with_tf32.note().is_some_and(|note| note.contains("--features cuda")));
        let options = EngineOptions { bf16: Bf16::True, threads: 1, ..EngineOptions::default() };
        let with_bf16 = build(&model, &options)?;
        match with_bf16.note() {
            None => assert_eq!(with_bf16.device(), "cpu, 1 thread, bf16"),
            Some(note) => assert!(note.contains("AVX512-BF16"), "{note}"),
        }
        Ok(())
    }
}

//! Pretraining against transformers: losses and gradients for given masks and replaced tokens, and
//! steps that do not depend on the number of threads.

use super::device::DeviceChoice;
use super::fused::FusedEngine;
use super::pytorch_fixtures::{PretrainingFixture, pretraining_fixtures};
use super::*;
use crate::core::data::batching::Example;
use crate::core::data::masking::{MaskShares, Masker};
use crate::core::model::fixtures::small_config;
use crate::core::model::{GeneratorShape, ModelConfig, SequenceClassifier, Task, Weights};
use crate::core::ops::backend::PretrainingOps;
use crate::core::ops::{Backend, Cpu};
use crate::core::tokenizer::TokenKinds;

const ADAMW: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };

fn masker(vocabulary: usize) -> Masker {
    let kinds = TokenKinds {
        mask_token: 4,
        is_special: (0..vocabulary).map(|id| id < 5).collect(),
        continues_word: (0..vocabulary).map(|id| id % 3 == 0).collect(),
    };
    Masker::new(kinds, 0.3, MaskShares::BERT)
}

fn settings(vocabulary: usize) -> PretrainingSettings {
    PretrainingSettings {
        masker: masker(vocabulary),
        evaluation_seed: 1,
        discriminator_weight: 50.0,
        head_lr_factor: 1.0,
        frozen_steps: 0,
    }
}

fn engine(
    model: &SequenceClassifier,
    threads: usize,
    gradient_checkpointing: bool,
) -> anyhow::Result<PretrainingEngine<Cpu>> {
    engine_on(Cpu::new(threads)?, model, gradient_checkpointing)
}

fn engine_on<B: Backend + PretrainingOps>(
    backend: B,
    model: &SequenceClassifier,
    gradient_checkpointing: bool,
) -> anyhow::Result<PretrainingEngine<B>> {
    let inner = FusedEngine::new(backend, model, gradient_checkpointing, "a device".to_owned())?;
    let settings = settings(model.config().encoder.vocab_size);
    let mut engine = PretrainingEngine::new(inner, model, settings)?;
    engine.begin_training(ADAMW, false)?;
    Ok(engine)
}

fn step(number: u64, learning_rate: f64) -> StepOptions {
    let update = Update { learning_rate, max_grad_norm: 1.0 };
    StepOptions { seed: 5, number, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update }
}

/// The model without dropout, which the fixtures do not have.
fn without_dropout(fixture: &PretrainingFixture) -> anyhow::Result<SequenceClassifier> {
    let mut config = fixture.model.config().clone();
    config.encoder.hidden_dropout_prob = 0.0;
    config.attention_probs_dropout_prob = 0.0;
    let (model, _) = SequenceClassifier::new(config, Weights::none(), 1)?;
    let values = fixture.model.parameters().flat().to_vec1::<f32>()?;
    crate::core::ops::cpu::overwrite(model.parameters().flat(), &values)?;
    Ok(model)
}

/// The largest differences from transformers: of losses, and of gradients relative to the largest of
/// a parameter, or to `floor` if that is larger.
#[derive(Clone, Copy)]
struct Tolerance {
    loss: f64,
    gradient: f32,
    floor: f32,
}

const EXACT: Tolerance = Tolerance { loss: 1e-5, gradient: 1e-4, floor: 1e-2 };
/// Of activations or products in bfloat16, which has eight bits of mantissa.
const BF16: Tolerance = Tolerance { loss: 1e-2, gradient: 0.1, floor: 0.05 };

/// Compares losses and gradients of a fixture, whose model has no dropout.
fn check_fixture<B: Backend + PretrainingOps>(
    what: &str,
    fixture: &PretrainingFixture,
    (model, mut engine): (&SequenceClassifier, PretrainingEngine<B>),
    tolerance: Tolerance,
) -> anyhow::Result<()> {
    let number = |key: &str| fixture.losses[key].as_f64().unwrap_or(f64::NAN);
    let losses = engine.losses_on(&fixture.batch)?;
    let masked = losses.masked.sum / losses.masked.count as f64;
    engine.step_on(std::slice::from_ref(&fixture.batch), &step(1, 0.0))?;
    let loss = engine.step_metrics()?.loss;
    let near = |ours: f64, expected: f64| {
        let difference = (ours - expected).abs();
        assert!(difference < tolerance.loss * expected.max(1.0), "{what} {ours} {expected}");
    };
    if let Some(replaced) = losses.replaced {
        let tokens = fixture.batch.original.rows() as f64;
        let (generator, discriminator) = (number("generator"), number("discriminator"));
        near(masked, generator);
        near(replaced.sum / tokens, discriminator);
        near(loss, generator + 50.0 * discriminator);
        let parts = engine.loss_parts().unwrap_or_default();
        near(parts.generator, generator);
        near(parts.discriminator, discriminator);
    } else {
        near(masked, number("loss"));
        near(loss, number("loss"));
    }
    let ours = engine.gradients()?;
    for parameter in &model.layout().parameters {
        let range = parameter.start..parameter.start + parameter.len();
        let expected = &fixture.gradients[&format!("grad.{}", parameter.name)];
        let expected = expected.flatten_all()?.to_vec1::<f32>()?;
        let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
        let difference = ours[range].iter().zip(&expected);
        let difference = difference.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(
            difference < tolerance.gradient * largest.max(tolerance.floor),
            "{what} {}: {difference} of {largest}",
            parameter.name
        );
    }
    Ok(())
}

#[test]
fn losses_and_gradients_equal_those_of_transformers() -> anyhow::Result<()> {
    for fixture in pretraining_fixtures()? {
        let (name, model) = (fixture.name, without_dropout(&fixture)?);
        for checkpointing in [false, true] {
            let engine = engine(&model, 2, checkpointing)?;
            check_fixture(name, &fixture, (&model, engine), EXACT)?;
        }
        let engine = engine_on(Cpu::new(2)?.with_bf16(), &model, false)?;
        check_fixture(&format!("{name}, bf16"), &fixture, (&model, engine), BF16)?;
    }
    Ok(())
}

fn small(task: impl Fn(&ModelConfig) -> Task) -> anyhow::Result<SequenceClassifier> {
    let mut config = small_config([
        ("vocab_size", 60),
        ("hidden_size", 24),
        ("num_attention_heads", 4),
        ("intermediate_size", 32),
        ("num_hidden_layers", 2),
    ])?;
    config.set_task(task(&config));
    Ok(SequenceClassifier::new(config, Weights::none(), 3)?.0)
}

fn replaced_tokens(config: &ModelConfig) -> Task {
    let shape = GeneratorShape::new(config, 1, 12);
    shape.map_or(Task::MaskedLm, Task::ReplacedTokens)
}

/// The input of a step: two micro-batches.
fn input(number: u64) -> StepInput {
    let text = |row: u64| {
        let inner = (0..9 + row % 4).map(|i| 5 + ((row * 7 + i * 3 + number) % 55) as u32);
        Example::new(std::iter::once(2).chain(inner).chain([3]).collect(), 0)
    };
    let batch = |first: u64| PackedBatch::new(&(first..first + 6).map(text).collect::<Vec<_>>(), 0);
    StepInput::new(vec![batch(0), batch(6)])
}

/// The loss of a step, and its parts.
type StepLosses = (f64, Option<LossParts>);

/// The weights after six steps, and the loss and its parts in each. With `restarts`, another engine
/// continues after the third.
fn trained<B: Backend + PretrainingOps>(
    task: fn(&ModelConfig) -> Task,
    backend: impl Fn() -> anyhow::Result<B>,
    restarts: bool,
) -> anyhow::Result<(Vec<f32>, Vec<StepLosses>)> {
    let model = small(task)?;
    let mut engine = engine_on(backend()?, &model, false)?;
    let mut losses = Vec::new();
    for number in 1..=6 {
        engine.step(&input(number), &step(number, 1e-3))?;
        losses.push((engine.step_metrics()?.loss, engine.loss_parts()));
        if restarts && number == 3 {
            engine.store()?;
            let moments = engine.moments()?;
            engine = engine_on(backend()?, &model, false)?;
            engine.restore(moments)?;
        }
    }
    engine.store()?;
    Ok((model.parameters().flat().to_vec1()?, losses))
}

const TASKS: [fn(&ModelConfig) -> Task; 2] = [|_| Task::MaskedLm, replaced_tokens];

#[test]
fn steps_are_the_same_for_any_number_of_threads_and_continue_after_a_restart() -> anyhow::Result<()>
{
    for task in TASKS {
        for bf16 in [false, true] {
            let cpu = |threads: usize| {
                move || {
                    let cpu = Cpu::new(threads)?;
                    Ok(if bf16 { cpu.with_bf16() } else { cpu })
                }
            };
            let expected = trained(task, cpu(1), false)?;
            let is_plausible = |loss: &f64| loss.is_finite() && *loss > 0.0;
            assert!(expected.1.iter().all(|(loss, _)| is_plausible(loss)), "{:?}", expected.1);
            assert_eq!(trained(task, cpu(3), false)?, expected);
            assert_eq!(trained(task, cpu(2), true)?, expected);
        }
    }
    Ok(())
}

#[test]
fn evaluations_mask_the_same_tokens_and_change_nothing() -> anyhow::Result<()> {
    let model = small(replaced_tokens)?;
    let mut engine = engine(&model, 1, false)?;
    let batch = input(1).batches.swap_remove(0);
    let mut losses_of = |number| {
        let losses = engine.pretraining_losses(&batch, number)?;
        losses.ok_or_else(|| anyhow::anyhow!("no losses"))
    };
    let (losses, again, other) = (losses_of(0)?, losses_of(0)?, losses_of(1)?);
    // Products of few rows are rounded in another way when they are repeated.
    assert!((losses.masked.sum - again.masked.sum).abs() < 1e-5 * losses.masked.sum);
    let counts = |losses: &PretrainingLosses| losses.replaced.map(|replaced| replaced.counts);
    assert_eq!(counts(&losses), counts(&again));
    assert!((losses.masked.sum - other.masked.sum).abs() > 1e-3);
    let counts = losses.replaced.ok_or_else(|| anyhow::anyhow!("no generator"))?.counts;
    assert_eq!(counts.iter().flatten().sum::<u64>(), batch.rows() as u64);
    assert!(counts[1].iter().sum::<u64>() <= losses.masked.count);
    assert!(engine.logits(&batch).is_err());
    Ok(())
}

#[test]
fn options_that_pretraining_lacks_are_refused() -> anyhow::Result<()> {
    let model = small(|_| Task::MaskedLm)?;
    let built = |options: EngineOptions| {
        build_pretraining(&model, &options, settings(60)).map(|engine| engine.device())
    };
    let refusal = |options| built(options).err().map(|error| error.0).unwrap_or_default();
    let cpu = EngineOptions { device: DeviceChoice::Cpu, threads: 1, ..Default::default() };
    let reference = EngineOptions { ops: Ops::Reference, ..cpu };
    assert!(refusal(reference).ends_with("leave out --ops reference"));
    assert!(refusal(EngineOptions { int8: true, ..cpu }).ends_with("leave out --int8"));
    assert!(refusal(EngineOptions { bf16: Bf16::True, tf32: true, ..cpu }).contains("exclude"));
    assert!(refusal(EngineOptions { tf32: true, ..cpu }).contains("for a GPU"));
    // A GPU index that no computer has.
    let missing = EngineOptions { device: DeviceChoice::Cuda(99), ..cpu };
    assert!(!refusal(missing).is_empty());
    assert_eq!(built(cpu)?, "cpu, 1 thread");
    let bf16 = built(EngineOptions { bf16: Bf16::True, ..cpu })?;
    assert_eq!(bf16, if Cpu::has_bf16() { "cpu, 1 thread, bf16" } else { "cpu, 1 thread" });
    Ok(())
}

#[test]
fn the_head_has_a_rate_of_its_own_and_the_encoder_may_be_frozen() -> anyhow::Result<()> {
    check_rates(|| Ok(Cpu::new(1)?))
}

fn check_rates<B: Backend + PretrainingOps>(
    backend: impl Fn() -> anyhow::Result<B>,
) -> anyhow::Result<()> {
    let weights = |rate: f64, change: fn(&mut PretrainingSettings)| -> anyhow::Result<Vec<f32>> {
        let model = small(replaced_tokens)?;
        let mut settings = settings(60);
        change(&mut settings);
        let inner = FusedEngine::new(backend()?, &model, false, "a device".to_owned())?;
        let mut engine = PretrainingEngine::new(inner, &model, settings)?;
        engine.begin_training(ADAMW, false)?;
        engine.step(&input(1), &step(1, rate))?;
        engine.store()?;
        Ok(model.parameters().flat().to_vec1()?)
    };
    let model = small(replaced_tokens)?;
    let before = model.parameters().flat().to_vec1::<f32>()?;
    let head = model.layout().head.weight;
    let slow = weights(1e-3, |_| {})?;
    let fast = weights(5e-3, |_| {})?;
    let scaled = weights(1e-3, |settings| settings.head_lr_factor = 5.0)?;
    assert_eq!(scaled[..head], slow[..head]);
    for (ours, expected) in scaled[head..].iter().zip(&fast[head..]) {
        assert!((ours - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{ours} {expected}");
    }
    let frozen = weights(1e-3, |settings| settings.frozen_steps = 1)?;
    assert_eq!(frozen[..head], before[..head]);
    assert_eq!(frozen[head..], slow[head..]);
    assert_ne!(slow[..head], before[..head]);
    Ok(())
}

/// On an emulated GPU.
#[cfg(unix)]
mod emulated {
    use super::*;
    use crate::core::ops::cuda::emulator::Emulated;
    use crate::core::ops::cuda::{CudaBackend, Precision};

    fn gpu(precision: Precision) -> CudaBackend<Emulated> {
        CudaBackend::new(Emulated::new(precision))
    }

    /// One whose steps are launched as graphs.
    fn with_graphs(driver: Emulated) -> anyhow::Result<CudaBackend<Emulated>> {
        let mut backend = CudaBackend::new(driver);
        assert_eq!(backend.check_graphs()?, None);
        Ok(backend)
    }

    #[test]
    fn losses_and_gradients_equal_those_of_transformers() -> anyhow::Result<()> {
        for fixture in pretraining_fixtures()? {
            let model = without_dropout(&fixture)?;
            for (precision, tolerance) in [(Precision::Full, EXACT), (Precision::Half, BF16)] {
                let what = format!("{}, {precision:?}", fixture.name);
                let engine = engine_on(gpu(precision), &model, false)?;
                check_fixture(&what, &fixture, (&model, engine), tolerance)?;
            }
        }
        Ok(())
    }

    #[test]
    fn steps_are_those_of_the_cpu_repeat_exactly_and_continue_after_a_restart() -> anyhow::Result<()>
    {
        for task in TASKS {
            let (_, expected) = trained(task, || Ok(Cpu::new(1)?), false)?;
            for (precision, tolerance) in [(Precision::Full, 1e-5), (Precision::Half, 2e-2)] {
                let first = trained(task, || Ok(gpu(precision)), false)?;
                for ((loss, parts), (expected, _)) in first.1.iter().zip(&expected) {
                    let difference = (loss - expected).abs();
                    assert!(difference < tolerance * expected, "{precision:?} {loss} {expected}");
                    let Some(LossParts { generator, discriminator }) = parts else { continue };
                    let sum = generator + 50.0 * discriminator;
                    assert!((loss - sum).abs() < 1e-5 * loss, "{loss} {sum}");
                }
                let backwards = || with_graphs(Emulated::backwards(precision));
                assert_eq!(trained(task, backwards, false)?, first, "{precision:?}");
                assert_eq!(trained(task, || Ok(gpu(precision)), true)?, first, "{precision:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn rates_of_parts_are_those_of_the_cpu() -> anyhow::Result<()> {
        check_rates(|| Ok(gpu(Precision::Full)))?;
        check_rates(|| Ok(gpu(Precision::Half)))
    }

    #[test]
    fn the_host_waits_for_drawn_tokens_alone() -> anyhow::Result<()> {
        for (task, waits_per_step) in TASKS.into_iter().zip([0, 2]) {
            let model = small(task)?;
            let backend = with_graphs(Emulated::new(Precision::Half))?;
            let mut engine = engine_on(backend, &model, false)?;
            let mut losses = Vec::new();
            for number in 1..=4 {
                let before = engine.backend().driver().synchronizations();
                engine.step(&input(number), &step(number, 1e-3))?;
                let waits = engine.backend().driver().synchronizations() - before;
                assert_eq!(waits, waits_per_step, "step {number}");
                if let Some(metrics) = engine.ready_metrics()? {
                    losses.push((metrics.loss, engine.loss_parts()));
                }
                assert_eq!(losses.len() as u64, number - 1, "metrics must arrive one step late");
            }
            losses.push((engine.step_metrics()?.loss, engine.loss_parts()));
            let expected = trained(task, || Ok(gpu(Precision::Half)), false)?.1;
            assert_eq!(losses, expected[..4]);
        }
        Ok(())
    }
}

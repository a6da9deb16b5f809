//! Measures the time of a training step and of its parts.

use super::{DurationStats, process_peak_memory};
use crate::core::data::batching::{Example, PackedBatch};
use crate::core::data::sampling::Generator;
use crate::core::engine::{EngineOptions, StepInput, StepOptions, build};
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::Update;
use serde::Serialize;
use std::time::Instant;

/// The training steps to measure.
#[derive(Clone, Debug)]
pub struct StepWorkload {
    /// The number of tokens of each sample of the batch.
    pub lengths: Vec<usize>,
    /// The number of measured steps.
    pub steps: usize,
    /// The number of warm-up steps before them, which are not measured.
    pub warmup: usize,
    /// The engine to measure.
    pub engine: EngineOptions,
}

/// Median milliseconds of the parts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepParts {
    /// Building the batch. Training does it in advance on another thread, so it is not part of the
    /// step.
    pub data: f64,
    /// The forward pass, from token ids to the loss.
    pub forward: f64,
    /// The backward pass, from the loss to the gradients.
    pub backward: f64,
    /// The gradient norm, clipping and the parameter update.
    pub optimizer: f64,
    /// The rest, such as pending updates of the token embeddings and reading the metrics.
    pub other: f64,
}

/// The speed of a training step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepCost {
    /// The compute device.
    pub device: String,
    /// A note about a requested feature that is not available, if any.
    pub note: Option<String>,
    /// The requested number of CPU threads, or one per core.
    pub threads: usize,
    /// The model's shape.
    pub model: String,
    /// Samples per step.
    pub batch_size: usize,
    /// The number of tokens of each sample.
    pub lengths: Vec<usize>,
    /// Tokens per step.
    pub tokens: usize,
    /// The duration of a step.
    pub step_ms: DurationStats,
    /// The durations of its parts, if the engine measures them.
    pub parts_ms: Option<StepParts>,
    /// Tokens per second.
    pub tokens_per_second: f64,
    /// Floating-point operations of a step's matrix products that affect the loss, in 10⁹.
    pub step_gflop: f64,
    /// The speed of a matrix product alone on this device, in 10⁹ operations per second.
    pub matmul_gflops: Option<f64>,
    /// The speed of the whole step as a share of `matmul_gflops`.
    pub achieved_share: Option<f64>,
    /// Peak memory of the device, or of this process.
    pub peak_memory_bytes: Option<usize>,
}

/// Trains a model from random weights on random token ids.
///
/// # Errors
/// If the requested device is not available, or the model does not fit into its memory.
pub fn measure(config: ModelConfig, workload: &StepWorkload) -> anyhow::Result<StepCost> {
    let (model, _) = SequenceClassifier::new(config, Weights::none(), 42)?;
    let mut engine = build(&model, &workload.engine)?;
    let config = model.config();
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    engine.begin_training(settings, false)?;
    engine.measure_parts(true);

    let (mut whole, mut data) = (Vec::new(), Vec::new());
    let mut parts: [Vec<f64>; 4] = Default::default();
    let mut generator = Generator::new(1);
    for number in 1..=workload.warmup + workload.steps {
        let began = Instant::now();
        let input = input(config, &workload.lengths, &mut generator);
        let prepared = began.elapsed().as_secs_f64();
        let options = StepOptions {
            seed: 42,
            number: number as u64,
            label_smoothing_factor: 0.0,
            rdrop_alpha: 0.0,
            update: Update { learning_rate: 1e-5, max_grad_norm: 1.0 },
        };
        let began = Instant::now();
        engine.step(&input, &options)?;
        let metrics = engine.step_metrics()?;
        let seconds = began.elapsed().as_secs_f64();
        anyhow::ensure!(metrics.loss.is_finite(), "the loss is {}", metrics.loss);
        if number <= workload.warmup {
            continue;
        }
        whole.push(seconds);
        data.push(prepared);
        if let Some(timings) = engine.timings() {
            let [forward, backward, optimizer] =
                [timings.forward, timings.backward, timings.optimizer];
            let other = seconds - forward - backward - optimizer;
            let all = [forward, backward, optimizer, other];
            parts.iter_mut().zip(all).for_each(|(part, value)| part.push(value));
        }
    }
    let step_ms = DurationStats::from_seconds(whole);
    let seconds = step_ms.median / 1e3;
    let tokens = workload.lengths.iter().sum::<usize>();
    let operations = operations(config, &workload.lengths);
    let peak_memory_bytes = engine.peak_memory().or_else(process_peak_memory);
    let peak = engine.matmul_rate()?;
    let has_parts = !parts[0].is_empty();
    let [forward, backward, optimizer, other] =
        parts.map(|seconds| DurationStats::from_seconds(seconds).median);
    let data = DurationStats::from_seconds(data).median;
    Ok(StepCost {
        device: engine.device(),
        note: engine.note().map(str::to_owned),
        threads: threads(&workload.engine),
        model: shape(config),
        batch_size: workload.lengths.len(),
        lengths: workload.lengths.clone(),
        tokens,
        step_ms,
        parts_ms: has_parts.then_some(StepParts { data, forward, backward, optimizer, other }),
        tokens_per_second: tokens as f64 / seconds,
        step_gflop: operations / 1e9,
        matmul_gflops: peak.map(|peak| peak / 1e9),
        achieved_share: peak.map(|peak| operations / seconds / peak),
        peak_memory_bytes,
    })
}

fn threads(options: &EngineOptions) -> usize {
    // The same as in the engine: RAYON_NUM_THREADS, or one per core.
    if options.threads == 0 { rayon::current_num_threads() } else { options.threads }
}

fn shape(config: &ModelConfig) -> String {
    let encoder = &config.encoder;
    format!(
        "{} {} layers × {}, {} heads, {} wide, {} pieces",
        config.architecture.title(),
        encoder.num_hidden_layers,
        encoder.hidden_size,
        encoder.num_attention_heads,
        encoder.intermediate_size,
        encoder.vocab_size
    )
}

/// The input of a step, with random token ids.
fn input(config: &ModelConfig, lengths: &[usize], generator: &mut Generator) -> StepInput {
    let vocabulary = config.encoder.vocab_size as u32;
    let examples: Vec<Example> = lengths
        .iter()
        .enumerate()
        .map(|(row, &length)| {
            let ids = (0..length).map(|_| generator.next_u32() % vocabulary).collect();
            Example::new(ids, (row % config.labels.len().max(1)) as u32)
        })
        .collect();
    StepInput::new(vec![PackedBatch::new(&examples, 0)])
}

/// Floating-point operations of the matrix products of one forward and backward pass that affect
/// the loss; in the last layer, these are the products for the first tokens only. A backward pass
/// has twice as many operations as a forward pass.
fn operations(config: &ModelConfig, lengths: &[usize]) -> f64 {
    let encoder = &config.encoder;
    let (hidden, wide) = (encoder.hidden_size as f64, encoder.intermediate_size as f64);
    let tokens: f64 = lengths.iter().map(|&length| length as f64).sum();
    let pairs: f64 = lengths.iter().map(|&length| (length * length) as f64).sum();
    let sequences = lengths.len() as f64;
    let layer = tokens * (4.0 * hidden * hidden + 2.0 * hidden * wide) + 2.0 * pairs * hidden;
    let last = tokens * (2.0 * hidden * hidden + 2.0 * hidden)
        + sequences * (2.0 * hidden * hidden + 2.0 * hidden * wide);
    let head = sequences * hidden * hidden;
    let layers = encoder.num_hidden_layers.saturating_sub(1) as f64;
    2.0 * 3.0 * (layers * layer + last + head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_step_add_up() -> anyhow::Result<()> {
        let workload = StepWorkload {
            lengths: vec![3, 7],
            steps: 3,
            warmup: 1,
            engine: EngineOptions { threads: 1, ..EngineOptions::default() },
        };
        let cost = measure(ModelConfig::small()?, &workload)?;
        assert_eq!((cost.tokens, cost.batch_size, cost.threads), (10, 2, 1));
        let parts = cost.parts_ms.ok_or_else(|| anyhow::anyhow!("no parts"))?;
        let sum = parts.forward + parts.backward + parts.optimizer;
        assert!(sum > 0.0 && sum <= cost.step_ms.max, "{parts:?} {:?}", cost.step_ms);
        assert!(cost.achieved_share.is_some_and(|share| share > 0.0 && share < 1.5));
        Ok(())
    }
}

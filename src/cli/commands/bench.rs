//! `nsmc-tui bench`.

use super::saved;
use crate::cli::flags::BenchFlags;
use crate::cli::output::print_to_stderr;
use crate::core::engine::EngineOptions;
use crate::core::model::ModelConfig;
use crate::core::model::embedded::{self, EMBEDDED_MODEL, SMALL_MODEL};
use crate::run::bench::step::{StepCost, StepWorkload};
use crate::run::bench::{dashboard, predict, step};
use crate::run::options::ComputeOptions;
use serde_json::{Value, json};
use std::io::Write;

pub fn run(flags: &BenchFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let lengths = if flags.lengths.is_empty() {
        vec![flags.length; flags.per_device_train_batch_size]
    } else {
        flags.lengths.clone()
    };
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let engine = EngineOptions {
        gradient_checkpointing: flags.gradient_checkpointing,
        ..ComputeOptions::from(flags.compute.clone()).engine_options()
    };
    let workload = StepWorkload { lengths, steps: flags.steps, warmup: flags.warmup, engine };
    let config = config(flags, longest)?;
    let cost = step::measure(config, &workload)?;
    if let Some(note) = &cost.note {
        print_to_stderr(note);
    }
    let predictions = flags.predict.map(|count| predict::measure(count, &engine)).transpose()?;
    let screen = flags
        .screen
        .map(|rounds| dashboard::measure(rounds, 100, cost.threads, |what| print_to_stderr(what)))
        .transpose()?;
    if flags.json {
        let mut all = serde_json::to_value(&cost)?;
        all["predict"] = json!(predictions);
        all["screen"] = json!(screen);
        writeln!(out, "{all}")?;
        return Ok(());
    }
    write_step(&cost, out)?;
    if let Some(predictions) = predictions {
        let one = predictions.one_ms;
        writeln!(out, "\npredictions, {}", predictions.device)?;
        writeln!(out, "  one text            {:9.2} ms on one thread", one.median)?;
        writeln!(out, "  32 at a time        {:9.0} texts/s", predictions.texts_per_second)?;
    }
    if let Some(screen) = screen {
        let ((columns, rows), rounds) = (screen.size, screen.rounds.len());
        writeln!(out, "\nthe dashboard, {columns}x{rows}, {rounds} rounds")?;
        writeln!(out, "  a step without it   {:9.2} ms", screen.without_ms_per_step)?;
        writeln!(out, "  a step with it      {:9.2} ms", screen.with_ms_per_step)?;
        writeln!(out, "  it costs            {:9.1} %", 100.0 * screen.cost)?;
        writeln!(out, "  it sends            {:9.1} kB/s", screen.bytes_per_second / 1e3)?;
    }
    Ok(())
}

/// The configuration of the requested model shape, with enough position embeddings for `longest`
/// tokens.
fn config(flags: &BenchFlags, longest: usize) -> anyhow::Result<ModelConfig> {
    let mut overrides: Vec<(String, Value)> = Vec::new();
    for (name, value) in [
        ("num_hidden_layers", flags.layers),
        ("hidden_size", flags.hidden_size),
        ("num_attention_heads", flags.heads),
        ("intermediate_size", flags.intermediate_size),
        ("vocab_size", flags.vocab_size),
    ] {
        overrides.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    match flags.model_name_or_path.as_deref() {
        None | Some(SMALL_MODEL) => {
            let positions = longest.max(512);
            overrides.push(("max_position_embeddings".to_owned(), json!(positions)));
            Ok(ModelConfig::small_with(&overrides)?)
        }
        Some(EMBEDDED_MODEL) => Ok(embedded::config(&overrides)?),
        Some(name) => {
            let folder = saved::locate(name, &flags.revision)?;
            Ok(ModelConfig::read(&folder.join("config.json"), &overrides)?)
        }
    }
}

fn write_step(cost: &StepCost, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", cost.model)?;
    writeln!(out, "{} texts, {} tokens a step, {}", cost.batch_size, cost.tokens, cost.device)?;
    let mut line = |name: &str, value: f64, unit: &str| -> std::io::Result<()> {
        writeln!(out, "  {name:<19} {value:9.2} {unit}")
    };
    line("step", cost.step_ms.median, "ms")?;
    if let Some(parts) = cost.parts_ms {
        line("  forward", parts.forward, "ms")?;
        line("  backward", parts.backward, "ms")?;
        line("  optimizer", parts.optimizer, "ms")?;
        line("  other", parts.other, "ms")?;
        line("data, in parallel", parts.data, "ms")?;
    }
    line("tokens", cost.tokens_per_second, "a second")?;
    if let (Some(peak), Some(share)) = (cost.matmul_gflops, cost.achieved_share) {
        line("matrix product", peak, "GFLOP/s alone")?;
        line("reached of that", 100.0 * share, "%")?;
    }
    if let Some(bytes) = cost.peak_memory_bytes {
        line("peak memory", bytes as f64 / f64::from(1 << 20), "MiB")?;
    }
    Ok(())
}

//! The speed of predictions, one by one and in batches.

use super::DurationStats;
use crate::core::data::{Split, nsmc};
use crate::core::engine::{EngineOptions, build};
use crate::core::model::embedded;
use crate::core::model::folder::LoadOptions;
use crate::core::predict::classify;
use crate::core::tokenizer::Tokenizer;
use serde::Serialize;
use std::time::Instant;

/// Samples per batch.
const BATCH_SIZE: usize = 32;

/// The speed of predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictionCost {
    /// The compute device.
    pub device: String,
    /// The time of one prediction, from text to probabilities, on one thread.
    pub one_ms: DurationStats,
    /// Samples per second, in batches of 32, on all requested threads.
    pub texts_per_second: f64,
}

/// Classifies the first `count` samples of NSMC's test split with the embedded model.
///
/// # Errors
/// If the requested device is not available.
pub fn measure(count: usize, options: &EngineOptions) -> anyhow::Result<PredictionCost> {
    let (model, _) = embedded::load(embedded::config(&[])?, LoadOptions::default(), 42)?;
    let tokenizer = Tokenizer::embedded()?;
    let rows = nsmc::load(Split::Test)?.rows;
    let texts: Vec<&str> = rows.iter().take(count).map(|row| row.text.as_str()).collect();
    let (labels, longest) = (&model.config().labels, model.config().max_tokens());

    let options = &EngineOptions { keep_weights: true, ..*options };
    let mut engine = build(&model, &EngineOptions { threads: 1, ..*options })?;
    let mut single = Vec::new();
    for text in &texts {
        let began = Instant::now();
        classify(engine.as_mut(), labels, &tokenizer, &[text], longest)?;
        single.push(began.elapsed().as_secs_f64());
    }
    let mut engine = build(&model, options)?;
    let began = Instant::now();
    for texts in texts.chunks(BATCH_SIZE) {
        classify(engine.as_mut(), labels, &tokenizer, texts, longest)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(PredictionCost {
        device: engine.device(),
        one_ms: DurationStats::from_seconds(single),
        texts_per_second: texts.len() as f64 / seconds,
    })
}

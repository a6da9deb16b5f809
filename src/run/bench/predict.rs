//! Answers, one by one and many at a time.

use super::Spread;
use crate::core::data::{Split, nsmc};
use crate::core::engine::{EngineOptions, build};
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::predict::classify;
use crate::core::tokenizer::Tokenizer;
use serde::Serialize;
use std::time::Instant;

/// Reviews that are asked about together.
const TOGETHER: usize = 32;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerCost {
    /// What computed.
    pub device: String,
    /// One review, from text to probabilities, on one thread.
    pub one_ms: Spread,
    /// Reviews a second, 32 at a time, on all threads that were asked for.
    pub reviews_per_second: f64,
}

/// Asks a model of the embedded shape about the first `count` reviews of NSMC's test split.
///
/// # Errors
/// If the machine that is asked for is not there.
pub fn measure(count: usize, options: &EngineOptions) -> anyhow::Result<AnswerCost> {
    let (model, _) = SequenceClassifier::new(ModelConfig::embedded()?, Weights::none(), 42)?;
    let tokenizer = Tokenizer::embedded()?;
    let rows = nsmc::load(Split::Test)?.rows;
    let texts: Vec<&str> = rows.iter().take(count).map(|row| row.text.as_str()).collect();
    let (labels, longest) = (&model.config().labels, model.config().max_tokens());

    let mut engine = build(&model, &EngineOptions { threads: 1, ..*options })?;
    let mut alone = Vec::new();
    for text in &texts {
        let began = Instant::now();
        classify(engine.as_mut(), labels, &tokenizer, &[text], longest)?;
        alone.push(began.elapsed().as_secs_f64());
    }
    let mut engine = build(&model, options)?;
    let began = Instant::now();
    for texts in texts.chunks(TOGETHER) {
        classify(engine.as_mut(), labels, &tokenizer, texts, longest)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(AnswerCost {
        device: engine.device(),
        one_ms: Spread::of_seconds(alone),
        reviews_per_second: texts.len() as f64 / seconds,
    })
}

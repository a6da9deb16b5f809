//! Tests against Python's attributions, and of the words of texts.

use super::integrated_gradients::Integral;
use super::*;
use crate::core::data::batching::PackedBatch;
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{EngineOptions, Ops, build, pytorch_fixtures};
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::predict::classify_inputs;
use anyhow::Context;
use serde::Deserialize;

/// Attributions of tokens, by `tests/python/attribution_fixtures.py`.
#[derive(Deserialize)]
struct Case {
    model: String,
    input_ids: Vec<u32>,
    token_type_ids: Vec<u32>,
    special: Vec<bool>,
    replacement: u32,
    class: u32,
    probability: f64,
    occlusion: Vec<f64>,
    integrated_gradients: Vec<f64>,
    change: f64,
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let file = "tests/reference/attributions.json";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    Ok(serde_json::from_str::<Cases>(&std::fs::read_to_string(file)?)?.cases)
}

impl Case {
    fn text(&self) -> Occludable {
        let mut example = Example::new(self.input_ids.clone(), 0);
        if self.token_type_ids.contains(&1) {
            example.type_ids.clone_from(&self.token_type_ids);
        }
        Occludable {
            example,
            replacement: ReplacementToken { id: self.replacement, token: "[MASK]".to_owned() },
            is_content: self.special.iter().map(|special| !special).collect(),
        }
    }
}

fn engines(model: &SequenceClassifier) -> anyhow::Result<Vec<Box<dyn Engine>>> {
    let of = |ops, threads| {
        let device = DeviceChoice::Cpu;
        build(model, &EngineOptions { ops, device, threads, ..EngineOptions::default() })
    };
    let mut engines = vec![of(Ops::Fused, 2)?, of(Ops::Reference, 1)?];
    #[cfg(unix)]
    engines.push(crate::core::engine::tests::emulated_gpu(model)?);
    Ok(engines)
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}: token {index} has {found}, Python {expected}"
        );
    }
}

#[test]
fn all_engines_agree_with_python() -> anyhow::Result<()> {
    let cases = cases()?;
    assert!(cases.iter().any(|case| case.token_type_ids.contains(&1)), "no pair of texts");
    for case in cases {
        let model = pytorch_fixtures::model(&case.model, |_| {})?;
        for engine in &mut engines(&model)? {
            let engine = engine.as_mut();
            let what = format!("{}, {}", case.model, engine.device());
            let text = case.text();
            let logits = &mut |batch: &_| engine.logits(batch);
            let all = occlusion::probabilities(logits, &text, &[], 64, &mut || true)?;
            let all = all.expect("nothing interrupts it");
            assert!((all[0][case.class as usize] - case.probability).abs() < 1e-5, "{what}");
            let found = occlusion::of_tokens(engine, &text, case.class)?;
            assert_close(&found, &case.occlusion, 1e-5, &what);
            let class = case.class;
            let found = integrated_gradients::of_tokens(engine, &text, class, 512, &mut || true)?;
            let Integral { values: found, gap, .. } = found.context("nothing interrupts it")?;
            let tolerance = 1e-3 * case.change.abs();
            assert!(gap.abs() <= tolerance.max(1e-5), "{what}: a gap of {gap}");
            assert_close(&found, &case.integrated_gradients, tolerance.max(1e-5), &what);
            for (found, special) in found.iter().zip(&case.special) {
                assert!(!special || *found == 0.0, "{what}");
            }
        }
    }
    Ok(())
}

struct Small {
    model: SequenceClassifier,
    engine: Box<dyn Engine>,
    tokenizer: Tokenizer,
}

/// The small model with larger random weights, so that words matter.
fn small() -> anyhow::Result<Small> {
    let mut config = ModelConfig::small()?;
    config.encoder.initializer_range = 0.2;
    let (model, _) = SequenceClassifier::new(config, Weights::none(), 7)?;
    let engine = build(&model, &EngineOptions { threads: 1, ..EngineOptions::default() })?;
    Ok(Small { model, engine, tokenizer: Tokenizer::small()? })
}

#[test]
fn attributions_are_in_the_order_of_the_tokens() -> anyhow::Result<()> {
    let Small { model, mut engine, tokenizer } = small()?;
    let engine = engine.as_mut();
    for line in ["정말 재미있는 영화였다", "정말 재미 ||| 지루한 영화"] {
        let input = TextInput::pair(line).unwrap_or(TextInput::single(line));
        let labels = &model.config().labels;
        let prediction = classify_inputs(engine, labels, &tokenizer, &[input], 64)?.remove(0);
        let class = labels.iter().position(|label| *label == prediction.label).unwrap_or(0) as u32;
        for method in [ExplainMethod::Occlusion, ExplainMethod::IntegratedGradients] {
            let found = attribute(engine, &tokenizer, &input, 64, class, method)?;
            assert_eq!(found.values.len(), prediction.tokens.len());
            assert_eq!(found.baseline, "[MASK]");
            for (token, value) in prediction.tokens.iter().zip(&found.values) {
                assert_eq!(token.starts_with('['), *value == 0.0, "{token}: {value}");
            }
            let is_integrated = method == ExplainMethod::IntegratedGradients;
            assert_eq!(found.attribution_gap.is_some(), is_integrated);
        }
    }
    Ok(())
}

/// Explains a text without an interruption.
fn explained(
    engine: &mut dyn Engine,
    tokenizer: &Tokenizer,
    input: &TextInput<'_>,
    max_length: usize,
) -> anyhow::Result<WordAttributions> {
    let logits = &mut |batch: &_| engine.logits(batch);
    let words = explain_words(logits, tokenizer, input, max_length, &mut || true)?;
    words.context("nothing interrupts it")
}

#[test]
fn an_explanation_that_is_no_longer_wanted_ends_early() -> anyhow::Result<()> {
    let Small { mut engine, tokenizer, .. } = small()?;
    let text = "정말 재미있는 영화였다 ".repeat(30);
    let (mut computed, mut asked) = (0, 0);
    let logits = &mut |batch: &PackedBatch| {
        computed += 1;
        engine.logits(batch)
    };
    let continues = &mut || {
        asked += 1;
        asked < 3
    };
    let found = explain_words(logits, &tokenizer, &TextInput::single(&text), 128, continues)?;
    assert_eq!((found, computed), (None, 2));
    Ok(())
}

#[test]
fn the_words_of_a_text_make_up_the_text() -> anyhow::Result<()> {
    let Small { mut engine, tokenizer, .. } = small()?;
    let engine = engine.as_mut();
    let joined = |words: &WordAttributions| -> String {
        words.parts.iter().map(|part| part.text.as_str()).collect()
    };
    let line = " 정말  재미있는 영화였다!! ☃";
    let found = explained(engine, &tokenizer, &TextInput::single(line), 64)?;
    assert_eq!(joined(&found), line);
    let words: Vec<&str> = found
        .parts
        .iter()
        .filter(|part| part.contribution.is_some())
        .map(|p| p.text.as_str())
        .collect();
    assert_eq!(words, ["정말", "재미있는", "영화였다", "!", "!", "☃"]);
    // A word without its only token is the text with that token replaced.
    let class = found.class as u32;
    let tokens = attribute(
        engine,
        &tokenizer,
        &TextInput::single(line),
        64,
        class,
        ExplainMethod::Occlusion,
    )?;
    let last = tokens.values[tokens.values.len() - 2];
    let word = found.parts.last().and_then(|part| part.contribution);
    assert!(word.is_some_and(|word| (word - last).abs() < 1e-6), "{word:?}, {last}");
    // Of a truncated text, the end has no value.
    let found = explained(engine, &tokenizer, &TextInput::single(line), 4)?;
    assert_eq!(joined(&found), line);
    assert!(found.parts.last().is_some_and(|part| part.contribution.is_none()));
    let pair = TextInput::pair("정말 재미 ||| 지루한 영화")?;
    let found = explained(engine, &tokenizer, &pair, 64)?;
    assert_eq!(joined(&found), "정말 재미 ||| 지루한 영화");
    assert_eq!(found.parts.iter().filter(|part| part.contribution.is_some()).count(), 4);
    for text in ["", " "] {
        let found = explained(engine, &tokenizer, &TextInput::single(text), 64)?;
        assert!(found.parts.iter().all(|part| part.contribution.is_none()));
    }
    Ok(())
}

#[test]
fn words_of_a_long_text_are_replaced_together() -> anyhow::Result<()> {
    let Small { mut engine, tokenizer, .. } = small()?;
    let text = "정말 재미있는 영화였다 ".repeat(30);
    let input = TextInput::single(&text);
    let found = explained(engine.as_mut(), &tokenizer, &input, 128)?;
    let count = found.parts.iter().filter(|part| part.contribution.is_some()).count();
    assert!((8..=64).contains(&count), "{count}");
    // A sentence without spaces has no words; its tokens count.
    let text = "정말재미있는영화였다고생각하는사람이많다";
    let input = TextInput::single(text);
    let found = explained(engine.as_mut(), &tokenizer, &input, 128)?;
    assert!(found.parts.len() > 4, "{:?}", found.parts);
    Ok(())
}

#[test]
fn the_words_by_integrated_gradients_sum_to_the_change_of_the_probability() -> anyhow::Result<()> {
    let Small { mut engine, tokenizer, .. } = small()?;
    let engine = engine.as_mut();
    let method = ExplainMethod::IntegratedGradients;
    for line in ["정말 재미있는 영화였다!", "정말 재미 ||| 지루한 영화"] {
        let input = TextInput::pair(line).unwrap_or(TextInput::single(line));
        let mut explained = |limit: usize| {
            let mut asked = 0;
            let continues = &mut || {
                asked += 1;
                asked <= limit
            };
            explain_words_by(method, engine, &tokenizer, &input, 64, continues)
        };
        let found = explained(usize::MAX)?.context("nothing interrupts it")?;
        assert_eq!(explained(1)?, None, "it is no longer wanted");
        let check = found.integrals.as_ref().context("it is checked")?;
        let change = found.score - check.baseline_score;
        assert!(check.gap.abs() <= (1e-3 * change.abs()).max(1e-5), "{check:?}");
        let sum: f64 = found.parts.iter().filter_map(|part| part.contribution).sum();
        // Of a pair, the token between the texts is not part of a word, and contributes nothing.
        assert!((sum - change - check.gap).abs() < 1e-9, "{sum} of {change}");
        let class = found.class as u32;
        let tokens = attribute(engine, &tokenizer, &input, 64, class, method)?;
        assert_close(&check.tokens, &tokens.values, 1e-3 * change.abs() + 1e-5, line);
        // The same words as by occlusion.
        let occluded = self::explained(engine, &tokenizer, &input, 64)?;
        let texts = |words: &WordAttributions| -> Vec<String> {
            words.parts.iter().map(|part| part.text.clone()).collect()
        };
        assert_eq!(texts(&found), texts(&occluded));
        assert_eq!((found.class, occluded.integrals), (occluded.class, None));
    }
    Ok(())
}

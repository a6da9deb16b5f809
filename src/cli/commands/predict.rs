//! `nsmc-tui predict`.

use super::{each_text, explain, saved};
use crate::cli::flags::PredictFlags;
use crate::cli::output::print_to_stderr;
use crate::core::attribution::attribute;
use crate::core::engine::logits::class_of;
use crate::core::predict::{PAIR_SEPARATOR, TextInput, classify_inputs};
use crate::core::text::{sanitize_for_terminal, to_json, truncate_width};
use crate::run::worker::check_pairs;
use anyhow::Context;
use std::io::Write;

pub fn run(flags: &PredictFlags, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(method) = flags.explain {
        explain::check(method, flags.int8)?;
    }
    let saved = saved::load(&flags.model)?;
    let mut engine = saved::engine(&saved.model, &flags.compute, flags.int8)?;
    let labels = &saved.model.config().labels;
    let trained_on_pairs = saved.model.config().text_pair_columns().is_some();
    let reads_pairs = flags.text_pair.unwrap_or(trained_on_pairs);
    if reads_pairs {
        check_pairs(&saved.model, &saved.tokenizer)?;
    }
    each_text(&flags.texts, |texts| {
        // The texts before one that is not a pair are still classified.
        let (mut inputs, mut problem) = (Vec::new(), Ok(()));
        for line in texts {
            let input =
                if reads_pairs { TextInput::pair(line) } else { Ok(TextInput::single(line)) };
            match input.with_context(|| format!("\"{}\"", truncate_width(line, 60))) {
                Ok(input) => inputs.push(input),
                Err(error) => {
                    problem = Err(error);
                    break;
                }
            }
        }
        let (tokenizer, max_length) = (&saved.tokenizer, saved.max_seq_length);
        let predictions = classify_inputs(engine.as_mut(), labels, tokenizer, &inputs, max_length)?;
        for (prediction, input) in predictions.into_iter().zip(&inputs) {
            let (text, counts) = (&prediction.text, prediction.unknown_tokens());
            let what = format!("\"{}\"", truncate_width(text, 40));
            if let Some(note) = saved.tokenizer.note_on_texts(&what, counts, [text.as_str()]) {
                print_to_stderr(format_args!("warning: {note}"));
            }
            let class = class_of(&prediction.logits);
            let attribution = flags.explain.map(|method| {
                attribute(engine.as_mut(), tokenizer, input, max_length, class, method)
            });
            let attribution = attribution.transpose().with_context(|| what.clone())?;
            if flags.json {
                let json = match &attribution {
                    Some(attribution) => {
                        to_json(&explain::Explained { prediction: &prediction, attribution })?
                    }
                    None => to_json(&prediction)?,
                };
                writeln!(out, "{json}")?;
            } else {
                let text = match &prediction.text_pair {
                    Some(second) => &format!("{} {PAIR_SEPARATOR} {second}", prediction.text),
                    None => &prediction.text,
                };
                let text = sanitize_for_terminal(text);
                writeln!(out, "{}\t{:.4}\t{text}", prediction.label, prediction.score)?;
                if let Some(attribution) = &attribution {
                    explain::write(out, &prediction, attribution)?;
                }
            }
        }
        out.flush()?;
        problem
    })
}

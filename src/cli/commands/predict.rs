//! `nsmc-tui predict`.

use super::{each_text, saved};
use crate::cli::flags::PredictFlags;
use crate::core::predict::classify;
use crate::core::text::{sanitize_for_terminal, to_json, truncate_width};
use std::io::Write;

pub fn run(flags: &PredictFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let saved = saved::load(&flags.model)?;
    let mut engine = saved::engine(&saved.model, &flags.compute, flags.int8)?;
    let labels = &saved.model.config().labels;
    each_text(&flags.texts, |texts| {
        let predictions =
            classify(engine.as_mut(), labels, &saved.tokenizer, texts, saved.max_seq_length)?;
        for prediction in predictions {
            let (text, counts) = (&prediction.text, prediction.unknown_tokens());
            let what = format!("\"{}\"", truncate_width(text, 40));
            if let Some(note) = saved.tokenizer.unknown_note(&what, counts, [text.as_str()]) {
                eprintln!("warning: {note}");
            }
            if flags.json {
                writeln!(out, "{}", to_json(&prediction)?)?;
            } else {
                let text = sanitize_for_terminal(&prediction.text);
                writeln!(out, "{}\t{:.4}\t{text}", prediction.label, prediction.score)?;
            }
        }
        Ok(out.flush()?)
    })
}

//! `nsmc-tui predict`.

mod file;
mod models;
mod page;
mod table;

use super::{dashboard, each_text};
use crate::cli::flags::PredictFlags;
use crate::cli::output::print_to_stderr;
use crate::core::predict::{PAIR_SEPARATOR, Prediction};
use crate::core::text::{sanitize_for_terminal, to_json, truncate_width};
use crate::run::worker::asked_model::AskedModels;
use anyhow::Context;
use std::io::Write;
use std::process::ExitCode;
use table::PredictionFile;

pub fn run(flags: &PredictFlags, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    // An unknown extension is refused before a model is loaded.
    let output = flags.output_file.as_deref().map(table::format_of).transpose()?;
    let is_asked = flags.texts.is_empty() && flags.input_file.is_none() && output.is_none();
    let has_page = is_asked && !flags.json && !flags.plain && dashboard::is_possible();
    let mut models = models::load(flags)?;
    if has_page {
        return page::show(models, flags, out);
    }
    let mut output = match (&flags.output_file, output) {
        (Some(file), Some(format)) => {
            Some(PredictionFile::create(file, format, flags.input_file.is_some())?)
        }
        _ => None,
    };
    let mut write =
        |models: &AskedModels, prediction: &Prediction, id: Option<&str>| match &mut output {
            Some(output) => output.write(models, prediction, id),
            None if flags.json => Ok(writeln!(out, "{}", to_json(prediction)?)?),
            None => write_line(prediction, out),
        };
    match &flags.input_file {
        Some(file) => file::classify(file, flags, &mut models, &mut write)?,
        None => each_text(&flags.texts, |texts| classify(texts, &mut models, &mut write))?,
    }
    out.flush()?;
    if let Some(output) = output {
        output.publish()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a prediction, of the row with this id if it is one of a file.
type WriteOne<'a> = dyn FnMut(&AskedModels, &Prediction, Option<&str>) -> anyhow::Result<()> + 'a;

/// Classifies the texts on lines. Those before one that is not a pair are still classified.
fn classify(
    texts: &[&str],
    models: &mut AskedModels,
    write: &mut WriteOne<'_>,
) -> anyhow::Result<()> {
    let (mut inputs, mut problem) = (Vec::new(), Ok(()));
    for line in texts {
        match models.input(line).with_context(|| format!("\"{}\"", truncate_width(line, 60))) {
            Ok(input) => inputs.push(input),
            Err(error) => {
                problem = Err(error);
                break;
            }
        }
    }
    for prediction in models.classify(&inputs)? {
        let (text, counts) = (&prediction.text, prediction.unknown_tokens());
        let what = format!("\"{}\"", truncate_width(text, 40));
        let tokenizer = &models.first.tokenizer;
        if let Some(note) = tokenizer.note_on_texts(&what, counts, [text.as_str()]) {
            print_to_stderr(format_args!("warning: {note}"));
        }
        write(models, &prediction, None)?;
    }
    problem
}

/// Writes the label, its probability and the text; with another model, its label and probability
/// before the text.
fn write_line(prediction: &Prediction, out: &mut impl Write) -> anyhow::Result<()> {
    let text = match &prediction.text_pair {
        Some(second) => &format!("{} {PAIR_SEPARATOR} {second}", prediction.text),
        None => &prediction.text,
    };
    write!(out, "{}\t{:.4}\t", prediction.label, prediction.score)?;
    if let Some(other) = &prediction.compared {
        write!(out, "{}\t{:.4}\t", other.prediction.label, other.prediction.score)?;
    }
    writeln!(out, "{}", sanitize_for_terminal(text))?;
    Ok(())
}

//! `nsmc-tui predict`.

mod file;
mod models;
mod page;
mod table;

use super::{dashboard, each_text, explain};
use crate::cli::flags::PredictFlags;
use crate::cli::output::print_to_stderr;
use crate::core::attribution::{Attribution, ExplainMethod};
use crate::core::data::kept_columns::KeptColumns;
use crate::core::data::table::DataRow;
use crate::core::predict::{PAIR_SEPARATOR, Prediction, TextInput};
use crate::core::text::{display_path, sanitize_for_terminal, to_json, truncate_width};
use crate::run::check_not_read;
use crate::run::worker::asked_model::AskedModels;
use anyhow::Context;
use file::Classified;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use table::{Format, PredictionFile};

pub fn run(flags: &PredictFlags, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if let Some(method) = flags.explain {
        explain::check(method, flags.int8)?;
    }
    // An unknown extension is refused before a model is loaded.
    if let (Some(output), Some(input)) = (&flags.output_file, &flags.input_file) {
        check_not_read(output, [input.as_path()])?;
    }
    let output = flags.output_file.as_deref().map(table::format_of).transpose()?;
    anyhow::ensure!(
        flags.explain.is_none() || matches!(output, None | Some(Format::JsonLines)),
        "--explain has a number a token, for which a table has no columns: write a .jsonl file"
    );
    let is_asked = flags.texts.is_empty() && flags.input_file.is_none() && output.is_none();
    let is_plain = flags.json || flags.plain || flags.explain.is_some();
    let has_page = is_asked && !is_plain && dashboard::is_possible();
    let mut models = models::load(flags)?;
    if has_page {
        return page::show(models, flags, out);
    }
    let lang = flags.display.lang();
    let signalled = Arc::new(AtomicUsize::new(0));
    if flags.input_file.is_some() && output.is_some() {
        note_signals(&signalled)?;
    }
    let mut output = match (&flags.output_file, output) {
        (Some(file), Some(format)) => Some(PredictionFile::create(file, format, lang)?),
        _ => None,
    };
    let mut write = |models: &AskedModels, answered: &Answered<'_>| match &mut output {
        Some(output) => output.write(models, answered),
        None if flags.json => Ok(writeln!(out, "{}", answered.to_json()?)?),
        None => answered.write_lines(out),
    };
    let mut count = 0;
    match &flags.input_file {
        Some(file) => {
            let Classified { done, of } =
                file::classify(file, flags, &mut models, &mut write, &signalled)?;
            let signal = signalled.load(Ordering::Relaxed);
            if let Some(output) = output.take_if(|_| done < of) {
                let (path, part) = (display_path(output.path()), output.publish_part()?);
                let text =
                    "{0} is not written; {1} has the predictions of the first {2} of {3} texts";
                let values: [&dyn Display; 4] = [&path, &display_path(&part), &done, &of];
                print_to_stderr(lang.tr_with(text, &values));
                return Ok(ExitCode::from((128 + signal) as u8));
            }
            count = done;
        }
        None => each_text(&flags.texts, lang, |texts| {
            count += texts.len();
            classify(texts, flags, &mut models, &mut write)
        })?,
    }
    out.flush()?;
    if let Some(output) = output {
        let path = display_path(output.path());
        output.publish()?;
        let text = match count {
            1 => "{0}: the prediction of one text is written",
            _ => "{0}: the predictions of {1} texts are written",
        };
        print_to_stderr(lang.tr_with(text, &[&path, &count]));
    }
    Ok(ExitCode::SUCCESS)
}

/// Notes a signal to end from now on, so that what is done by then is not lost. A second one ends the
/// program at once.
fn note_signals(noted: &Arc<AtomicUsize>) -> std::io::Result<()> {
    let is_noted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_noted))?;
        flag::register(signal, Arc::clone(&is_noted))?;
        flag::register_usize(signal, Arc::clone(noted), signal as usize)?;
    }
    Ok(())
}

/// A classified text.
struct Answered<'a> {
    prediction: &'a Prediction,
    /// What its tokens contribute, if that was asked.
    attribution: Option<Attribution>,
    /// Its row, if it is one of a file.
    row: Option<FileRow<'a>>,
}

/// A row of a file of texts.
#[derive(Clone, Copy)]
struct FileRow<'a> {
    row: &'a DataRow,
    /// Its number, counted from 0.
    index: usize,
    /// The columns of the file, if they are kept.
    kept: Option<&'a KeptColumns>,
}

impl FileRow<'_> {
    /// Whether the file has columns that are kept.
    fn has_columns(&self) -> bool {
        !self.names().is_empty()
    }

    /// The names of the columns that are kept.
    fn names(&self) -> &[String] {
        self.kept.map_or(&[], KeptColumns::names)
    }

    /// The value in each of these columns, if the row has one.
    fn values(&self) -> Vec<Option<Value>> {
        let Self { row, index, kept } = self;
        let pair = row.text_pair.as_deref();
        kept.map_or_else(Vec::new, |kept| kept.values(*index, &row.text, pair))
    }
}

impl Answered<'_> {
    fn to_json(&self) -> serde_json::Result<String> {
        let prediction = self.prediction;
        match &self.attribution {
            Some(attribution) => to_json(&explain::Explained { prediction, attribution }),
            None => to_json(prediction),
        }
    }

    fn write_lines(&self, out: &mut impl Write) -> anyhow::Result<()> {
        write_line(self.prediction, out)?;
        if let Some(attribution) = &self.attribution {
            explain::write(out, self.prediction, attribution)?;
        }
        Ok(())
    }
}

/// Writes a classified text.
type WriteOne<'a> = dyn FnMut(&AskedModels, &Answered<'_>) -> anyhow::Result<()> + 'a;

/// Classifies the texts on lines. Those before one that is not a pair are still classified.
fn classify(
    texts: &[&str],
    flags: &PredictFlags,
    models: &mut AskedModels,
    write: &mut WriteOne<'_>,
) -> anyhow::Result<()> {
    let (method, lang) = (flags.explain, flags.display.lang());
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
    for (prediction, input) in models.classify(&inputs)?.iter().zip(&inputs) {
        let texts: Vec<&str> = [Some(input.text), input.text_pair].into_iter().flatten().collect();
        let tokenizer = &models.first.tokenizer;
        if let Some(note) = tokenizer.note_on_input(prediction.unknown_tokens(), &texts) {
            print_to_stderr(format_args!("warning: {note}"));
        }
        let what = || format!("\"{}\"", truncate_width(input.text, 40));
        if prediction.truncated {
            let read =
                lang.tr_with("only the first {0} tokens are read", &[&prediction.tokens.len()]);
            let text = format!("{}: {read}", what());
            print_to_stderr(lang.tr_with("warning: {0}", &[&text]));
        }
        let attribution = attribution(method, prediction, input, models).with_context(what)?;
        write(models, &Answered { prediction, attribution, row: None })?;
    }
    problem
}

/// What the tokens of a classified text contribute, if that is asked.
fn attribution(
    method: Option<ExplainMethod>,
    prediction: &Prediction,
    input: &TextInput<'_>,
    models: &mut AskedModels,
) -> anyhow::Result<Option<Attribution>> {
    let attribution = method.map(|method| models.first.attribute(input, prediction, method));
    Ok(attribution.transpose()?)
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

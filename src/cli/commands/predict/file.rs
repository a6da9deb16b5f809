//! Classifies the texts of a file.

use super::{Answered, FileRow, WriteOne, attribution};
use crate::cli::commands::progress::ProgressLine;
use crate::cli::flags::PredictFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::files::read_unlabelled;
use crate::core::data::table::{ColumnNames, DataRow};
use crate::core::predict::TextInput;
use crate::core::text::display_path;
use crate::core::tokenizer::UnknownTokens;
use crate::run::worker::asked_model::AskedModels;
use anyhow::Context;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The texts that are classified at a time.
const BATCH: usize = 32;

/// How many texts are classified, of how many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Classified {
    pub done: usize,
    pub of: usize,
}

/// Classifies the texts of a file in their order, and shows the progress, until a signal is noted.
/// Returns how many are classified.
///
/// # Errors
/// If the file cannot be read, a row is not what the model reads, or a prediction cannot be written.
pub(super) fn classify(
    file: &Path,
    flags: &PredictFlags,
    models: &mut AskedModels,
    write: &mut WriteOne<'_>,
    signalled: &AtomicUsize,
) -> anyhow::Result<Classified> {
    let columns = ColumnNames {
        text: flags.text_column_name.clone(),
        text_pair: flags.text_pair_column_name.clone(),
        label: None,
        unlabelled: true,
        slices: None,
        keeps_all: flags.output_file.is_some(),
    };
    let quoting = flags.quoting.unwrap_or_default();
    let table = read_unlabelled(file, &columns, quoting, flags.skip_bad_rows)?;
    let shown = display_path(file);
    let lang = flags.display.lang();
    for note in &table.notes {
        print_to_stderr(lang.tr_with("note: {0}", &[&lang.tr_filled(note)]));
    }
    if table.skipped > 0 {
        let text = lang.tr_with("{0}: {1} bad rows were skipped", &[&shown, &table.skipped]);
        print_to_stderr(lang.tr_with("note: {0}", &[&text]));
    }
    anyhow::ensure!(
        models.reads_pairs || !table.has_pairs(),
        "{shown}: its rows are pairs of texts ({}), but the model reads single texts. Pass \
         --text-column-name with the column to read, or --text-pair for pairs",
        table.text_columns.join(" and ")
    );
    let mut unknown = UnknownTokens { unknown: 0, tokens: 0 };
    let mut progress = ProgressLine::new(table.rows.len(), lang);
    let (mut done, mut truncated) = (0, 0usize);
    for rows in table.rows.chunks(BATCH) {
        let inputs = rows.iter().map(|row| input(row, models, &shown));
        let inputs = inputs.collect::<anyhow::Result<Vec<_>>>()?;
        let predictions = models.classify(&inputs).with_context(|| shown.clone())?;
        for ((prediction, row), input) in predictions.iter().zip(rows).zip(&inputs) {
            let counts = prediction.unknown_tokens();
            unknown.unknown += counts.unknown;
            unknown.tokens += counts.tokens;
            truncated += usize::from(prediction.truncated);
            let attribution = attribution(flags.explain, prediction, input, models)?;
            let row = FileRow { row, index: done, kept: table.kept.as_ref() };
            write(models, &Answered { prediction, attribution, row: Some(row) })?;
            done += 1;
        }
        progress.show(done);
        if signalled.load(Ordering::Relaxed) != 0 {
            break;
        }
    }
    drop(progress);
    if truncated > 0 {
        let text = "{0}: {1} of {2} texts are longer than {3} tokens; their ends were not read";
        let text = lang.tr_with(text, &[&shown, &truncated, &done, &models.first.max_length]);
        print_to_stderr(lang.tr_with("warning: {0}", &[&text]));
    }
    let texts = table.rows.iter().map(|row| row.text.as_str());
    if let Some(note) = models.first.tokenizer.note_on_texts(&shown, unknown, texts) {
        print_to_stderr(lang.tr_with("warning: {0}", &[&lang.tr_filled(&note)]));
    }
    Ok(Classified { done, of: table.rows.len() })
}

/// The text or the pair of texts in a row.
fn input<'a>(row: &'a DataRow, models: &AskedModels, file: &str) -> anyhow::Result<TextInput<'a>> {
    match &row.text_pair {
        Some(second) => Ok(TextInput { text: &row.text, text_pair: Some(second) }),
        None => models.input(&row.text).with_context(|| match &row.location {
            Some((_, position)) => format!("{file}{position}"),
            None => file.to_owned(),
        }),
    }
}

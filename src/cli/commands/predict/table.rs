//! A file of predictions: tab-separated, comma-separated or JSON lines.

use super::{Answered, FileRow};
use crate::cli::output::print_to_stderr;
use crate::core::atomic_write::AtomicFile;
use crate::core::data::kept_columns::text_of;
use crate::core::predict::Prediction;
use crate::core::text::{display_path, to_json, truncate_width};
use crate::core::write_advice::advice;
use crate::run::worker::asked_model::AskedModels;
use crate::screen::lang::Lang;
use anyhow::Context;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The format of a file of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Fields separated by this character; those with a separator, a quotation mark or a line end are
    /// quoted (RFC 4180), as pandas reads them.
    Delimited(char),
    /// One JSON object a line, as `--json` prints them.
    JsonLines,
}

/// The format of a file by its extension.
///
/// # Errors
/// If the extension is unknown.
pub(super) fn format_of(file: &Path) -> anyhow::Result<Format> {
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("tsv") => Ok(Format::Delimited('\t')),
        Some("csv") => Ok(Format::Delimited(',')),
        Some("jsonl") => Ok(Format::JsonLines),
        _ => anyhow::bail!(
            "{}: unknown file extension. Predictions are written as .tsv, .csv or .jsonl",
            display_path(file)
        ),
    }
}

/// A file of predictions, which appears when it is complete.
pub(super) struct PredictionFile {
    file: AtomicFile,
    path: PathBuf,
    format: Format,
    /// The language of notes.
    lang: Lang,
    /// The names of the columns before those of the prediction, once there is a row.
    input_names: Option<Vec<String>>,
}

impl PredictionFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path, format: Format, lang: Lang) -> anyhow::Result<Self> {
        let file = AtomicFile::create(path).map_err(|error| failed(path, &error))?;
        Ok(Self { file, path: path.to_path_buf(), format, lang, input_names: None })
    }

    /// Adds a prediction, after the columns of its row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, models: &AskedModels, answered: &Answered<'_>) -> anyhow::Result<()> {
        let written = match self.format {
            Format::JsonLines => {
                let json = self.object(answered).with_context(|| display_path(&self.path))?;
                writeln!(self.file, "{json}")
            }
            Format::Delimited(separator) => {
                let lines = self.lines(separator, models, answered);
                self.file.write_all(lines.as_bytes())
            }
        };
        written.map_err(|error| failed(&self.path, &error))
    }

    /// The line of a prediction in JSON. What the row of a file has replaces the texts.
    fn object(&mut self, answered: &Answered<'_>) -> serde_json::Result<String> {
        let json = answered.to_json()?;
        let Some(row) = answered.row.filter(FileRow::has_columns) else { return Ok(json) };
        let mut prediction: Map<String, Value> = serde_json::from_str(&json)?;
        for text in ["text", "text_pair"] {
            prediction.shift_remove(text);
        }
        let names = self.input_names.get_or_insert_with(|| {
            // It is left out of a prediction whose logits are not finite.
            let keys = prediction.keys().cloned().chain(["calibrated_probabilities".to_owned()]);
            beside(row.names(), &keys.collect::<Vec<String>>(), self.lang)
        });
        let values = names.iter().cloned().zip(row.values());
        let mut object: Map<String, Value> =
            values.filter_map(|(name, value)| Some((name, value?))).collect();
        object.extend(prediction);
        to_json(&object)
    }

    /// The lines of a prediction in a table: before the first one, the header.
    fn lines(&mut self, separator: char, models: &AskedModels, answered: &Answered<'_>) -> String {
        let Answered { prediction, row, .. } = answered;
        let mut lines = String::new();
        if self.input_names.is_none() {
            let names = header(models, prediction);
            let mut all = match row {
                Some(row) if row.has_columns() => beside(row.names(), &names, self.lang),
                Some(_) => ["id", "text"].map(str::to_owned).to_vec(),
                None => {
                    let pair = prediction.text_pair.as_ref().map(|_| "text_pair".to_owned());
                    std::iter::once("text".to_owned()).chain(pair).collect()
                }
            };
            self.input_names = Some(all.clone());
            all.extend(names);
            lines += &line(separator, &all);
        }
        let mut all: Vec<String> = match row {
            Some(row) if row.has_columns() => {
                let text = |value: &Value| text_of(value).into_owned();
                row.values()
                    .iter()
                    .map(|value| value.as_ref().map_or_else(String::new, text))
                    .collect()
            }
            row => {
                let id = row.map(|row| row.row.id.clone());
                let texts = [Some(prediction.text.clone()), prediction.text_pair.clone()];
                id.into_iter().chain(texts.into_iter().flatten()).collect()
            }
        };
        all.extend(fields(models, prediction));
        lines + &line(separator, &all)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the complete file to its place.
    ///
    /// # Errors
    /// If it cannot be written; an existing file is then unchanged.
    pub fn publish(self) -> anyhow::Result<()> {
        let Self { file, path, .. } = self;
        file.publish().map_err(|error| failed(&path, &error))
    }

    /// Moves the file, to which no more is added, to a place beside its own: `answers.partial.tsv` for
    /// `answers.tsv`. Returns that path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn publish_part(self) -> anyhow::Result<PathBuf> {
        let Self { file, path, .. } = self;
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let part = path.with_extension(format!("partial.{extension}"));
        file.publish_as(&part).map_err(|error| failed(&part, &error))?;
        Ok(part)
    }
}

fn failed(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}. {}", display_path(path), advice(error))
}

/// The names of the columns of an input beside those of the predictions: one that is taken is renamed,
/// and a note says so.
fn beside(input: &[String], prediction: &[String], lang: Lang) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(input.len());
    for name in input {
        let is_taken = |name: &String| prediction.contains(name) || names.contains(name);
        if !is_taken(name) {
            names.push(name.clone());
            continue;
        }
        let is_free = |new: &String| !is_taken(new) && !input.contains(new);
        let numbered = (2..=input.len() + 2).map(|number| format!("input_{name}_{number}"));
        let mut candidates = std::iter::once(format!("input_{name}")).chain(numbered);
        // There are more candidates than names of the input; those of predictions do not begin so.
        let new = candidates.find(is_free).unwrap_or_else(|| format!("input_{name}"));
        let [old, shown] = [name, &new].map(|name| truncate_width(name, 60));
        let note = if prediction.contains(name) {
            "the input's column {0} is named {1} in the output, because {0} is a column of the \
             predictions"
        } else {
            "the input's column {0} is named {1} in the output, because two columns are named {0}"
        };
        print_to_stderr(lang.tr_with("note: {0}", &[&lang.tr_with(note, &[&old, &shown])]));
        names.push(new);
    }
    names
}

/// The names of the columns of a prediction.
fn header(models: &AskedModels, prediction: &Prediction) -> Vec<String> {
    let labels = models.first.labels();
    let mut names = ["label", "score"].map(str::to_owned).to_vec();
    names.extend(labels.iter().map(|label| format!("probability_{label}")));
    if models.first.temperature.is_some() {
        names.extend(labels.iter().map(|label| format!("calibrated_{label}")));
    }
    if prediction.compared.is_some() {
        names.extend(["compared_label", "compared_score"].map(str::to_owned));
    }
    names
}

/// The fields of a prediction, in the order of the columns.
fn fields(models: &AskedModels, prediction: &Prediction) -> Vec<String> {
    let mut fields = vec![prediction.label.clone(), prediction.score.to_string()];
    fields.extend(prediction.probabilities.iter().map(f64::to_string));
    if models.first.temperature.is_some() {
        // There are none if a logit is not finite.
        let missing = || vec![f64::NAN; prediction.probabilities.len()];
        let calibrated = prediction.calibrated_probabilities.clone().unwrap_or_else(missing);
        fields.extend(calibrated.iter().map(f64::to_string));
    }
    if let Some(other) = &prediction.compared {
        fields.push(other.prediction.label.clone());
        fields.push(other.prediction.score.to_string());
    }
    fields
}

/// A line of fields, with its end.
fn line(separator: char, fields: &[String]) -> String {
    let quoted = |field: &String| {
        if field.contains([separator, '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.clone()
        }
    };
    let fields: Vec<String> = fields.iter().map(quoted).collect();
    fields.join(&separator.to_string()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_chooses_the_format() {
        let format = |name: &str| format_of(Path::new(name)).ok();
        assert_eq!(format("a.tsv"), Some(Format::Delimited('\t')));
        assert_eq!(format("a.b.CSV"), Some(Format::Delimited(',')));
        assert_eq!(format("out/a.jsonl"), Some(Format::JsonLines));
        for other in ["a", "a.json", "a.tsv.gz", ".tsv", "tsv"] {
            assert_eq!(format(other), None, "{other}");
        }
    }

    #[test]
    fn columns_of_the_input_that_are_taken_get_another_name() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let input = names(&["id", "label", "input_label", "id", "text"]);
        assert_eq!(
            beside(&input, &names(&["label", "score"]), Lang::English),
            ["id", "input_label_2", "input_label", "input_id", "text"]
        );
    }

    #[test]
    fn fields_are_quoted_as_readers_expect() {
        let fields = ["plain", "a\tb", "say \"no\"", "two\nlines", "", "a,b"].map(str::to_owned);
        assert_eq!(
            line('\t', &fields),
            "plain\t\"a\tb\"\t\"say \"\"no\"\"\"\t\"two\nlines\"\t\ta,b\n"
        );
        let csv = line(',', &fields);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let record = reader.records().next().expect("a record").expect("CSV");
        assert_eq!(record.iter().collect::<Vec<_>>(), fields);
    }
}

//! A file of predictions: tab-separated, comma-separated or JSON lines.

use super::Answered;
use crate::core::atomic_write::AtomicFile;
use crate::core::predict::Prediction;
use crate::core::text::display_path;
use crate::core::write_advice::advice;
use crate::run::worker::asked_model::AskedModels;
use anyhow::Context;
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
    has_ids: bool,
    is_empty: bool,
}

impl PredictionFile {
    /// Begins a file; `has_ids` if the texts have ids.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path, format: Format, has_ids: bool) -> anyhow::Result<Self> {
        let file = AtomicFile::create(path).map_err(|error| failed(path, &error))?;
        Ok(Self { file, path: path.to_path_buf(), format, has_ids, is_empty: true })
    }

    /// Adds a prediction.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, models: &AskedModels, answered: &Answered<'_>) -> anyhow::Result<()> {
        let Answered { prediction, id, .. } = answered;
        let written = match self.format {
            Format::JsonLines => {
                let json = answered.to_json().with_context(|| display_path(&self.path))?;
                writeln!(self.file, "{json}")
            }
            Format::Delimited(separator) => {
                let mut lines = String::new();
                if std::mem::replace(&mut self.is_empty, false) {
                    lines += &line(separator, &header(models, prediction, self.has_ids));
                }
                lines += &line(separator, &fields(models, prediction, *id));
                self.file.write_all(lines.as_bytes())
            }
        };
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Moves the complete file to its place.
    ///
    /// # Errors
    /// If it cannot be written; an existing file is then unchanged.
    pub fn publish(self) -> anyhow::Result<()> {
        let Self { file, path, .. } = self;
        file.publish().map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}. {}", display_path(path), advice(error))
}

/// The names of the columns.
fn header(models: &AskedModels, prediction: &Prediction, has_ids: bool) -> Vec<String> {
    let labels = models.first.labels();
    let mut names: Vec<String> = Vec::new();
    names.extend(has_ids.then(|| "id".to_owned()));
    names.push("text".to_owned());
    names.extend(prediction.text_pair.as_ref().map(|_| "text_pair".to_owned()));
    names.extend(["label", "score"].map(str::to_owned));
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
fn fields(models: &AskedModels, prediction: &Prediction, id: Option<&str>) -> Vec<String> {
    let mut fields: Vec<String> = id.map(str::to_owned).into_iter().collect();
    fields.push(prediction.text.clone());
    fields.extend(prediction.text_pair.clone());
    fields.push(prediction.label.clone());
    fields.push(prediction.score.to_string());
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

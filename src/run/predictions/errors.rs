//! A file of the texts that a model misclassified, worst first.

use super::tsv::field;
use crate::core::atomic_write::write_atomically;
use crate::core::number;
use crate::core::write_advice::advice;
use anyhow::Context;
use serde::Serialize;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A text that was misclassified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Misclassified {
    /// The value of the column `id`, or else the row's number.
    pub id: String,
    /// The text, or the first of a pair.
    pub text: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The name of the class in the data.
    pub label: String,
    /// The name of the predicted class.
    pub prediction: String,
    /// The probability of each class, indexed by class id.
    #[serde(with = "number::list")]
    pub probabilities: Vec<f64>,
    /// The loss.
    #[serde(with = "number")]
    pub loss: f64,
}

/// The format of a file of misclassified texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    JsonLines,
    Tsv,
}

/// Where misclassified texts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFile {
    path: PathBuf,
    format: Format,
}

impl ErrorFile {
    /// The file at a path, whose ending names the format.
    ///
    /// # Errors
    /// If the path does not end in `.jsonl` or `.tsv`.
    pub fn new(path: PathBuf) -> Result<Self, String> {
        let extension = path.extension().map(OsStr::to_ascii_lowercase);
        let format = match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("jsonl") => Format::JsonLines,
            Some("tsv") => Format::Tsv,
            _ => return Err("the file has to end in .jsonl or .tsv".to_owned()),
        };
        Ok(Self { path, format })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file at once, the text with the highest loss first. A loss of NaN counts as higher
    /// than any other; texts with equal losses stay in their order.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is then unchanged.
    pub fn write(&self, mut texts: Vec<Misclassified>) -> anyhow::Result<()> {
        let rank = |loss: f64| if loss.is_nan() { f64::INFINITY } else { loss };
        texts.sort_by(|one, other| {
            let by_loss = rank(other.loss).total_cmp(&rank(one.loss));
            by_loss.then(other.loss.is_nan().cmp(&one.loss.is_nan()))
        });
        let written = match self.format {
            Format::JsonLines => json_lines(&texts)?,
            Format::Tsv => tab_separated(&texts)?,
        };
        write_atomically(&self.path, written.as_bytes())
            .map_err(|error| {
                let advice = advice(&error);
                anyhow::Error::new(error).context(advice)
            })
            .with_context(|| self.path.display().to_string())
    }
}

fn json_lines(texts: &[Misclassified]) -> anyhow::Result<String> {
    let mut lines = String::new();
    for text in texts {
        lines += &serde_json::to_string(text)?;
        lines.push('\n');
    }
    Ok(lines)
}

fn tab_separated(texts: &[Misclassified]) -> anyhow::Result<String> {
    let has_pairs = texts.iter().any(|text| text.text_pair.is_some());
    let second = if has_pairs { "\ttext_pair" } else { "" };
    let mut lines = format!("id\ttext{second}\tlabel\tprediction\tprobabilities\tloss\n");
    for text in texts {
        let Misclassified { id, text: first, text_pair, label, prediction, probabilities, loss } =
            text;
        write!(lines, "{}\t{}\t", field(id), field(first))?;
        if has_pairs {
            write!(lines, "{}\t", field(text_pair.as_deref().unwrap_or_default()))?;
        }
        let probabilities: Vec<String> = probabilities.iter().map(f64::to_string).collect();
        let probabilities = probabilities.join(",");
        let (label, prediction) = (field(label), field(prediction));
        writeln!(lines, "{label}\t{prediction}\t[{probabilities}]\t{loss}")?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str, text: &str, loss: f64) -> Misclassified {
        Misclassified {
            id: id.to_owned(),
            text: text.to_owned(),
            text_pair: None,
            label: "negative".to_owned(),
            prediction: "positive".to_owned(),
            probabilities: vec![0.25, 0.75],
            loss,
        }
    }

    #[test]
    fn the_worst_text_comes_first_in_both_formats() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let texts =
            vec![text("7", "a", 0.5), text("8", "두\n\"줄\"\t끝", 2.0), text("9", "b", 0.5)];
        let lines = folder.path().join("errors.jsonl");
        ErrorFile::new(lines.clone()).map_err(anyhow::Error::msg)?.write(texts.clone())?;
        let written = std::fs::read_to_string(lines)?;
        assert_eq!(
            written.lines().next(),
            Some(
                r#"{"id":"8","text":"두\n\"줄\"\t끝","label":"negative","prediction":"positive","probabilities":[0.25,0.75],"loss":2.0}"#
            )
        );
        let ids = |id: &str| written.find(&format!("\"id\":\"{id}\""));
        assert!(ids("8") < ids("7") && ids("7") < ids("9"));
        let table = folder.path().join("errors.TSV");
        let mut pair = text("1", "x", f64::NAN);
        pair.text_pair = Some("y".to_owned());
        let texts = [texts, vec![pair]].concat();
        ErrorFile::new(table.clone()).map_err(anyhow::Error::msg)?.write(texts)?;
        let written = std::fs::read_to_string(table)?;
        assert_eq!(
            written,
            "id\ttext\ttext_pair\tlabel\tprediction\tprobabilities\tloss\n\
             1\tx\ty\tnegative\tpositive\t[0.25,0.75]\tNaN\n\
             8\t\"두\n\"\"줄\"\"\t끝\"\t\tnegative\tpositive\t[0.25,0.75]\t2\n\
             7\ta\t\tnegative\tpositive\t[0.25,0.75]\t0.5\n\
             9\tb\t\tnegative\tpositive\t[0.25,0.75]\t0.5\n"
        );
        Ok(())
    }

    #[test]
    fn another_ending_or_folder_is_refused() {
        for name in ["errors", "errors.csv", "errors.tsv.gz", ".jsonl"] {
            assert!(ErrorFile::new(name.into()).is_err(), "{name}");
        }
        let file = ErrorFile::new("no/such/folder/errors.tsv".into());
        let written = file.map_err(anyhow::Error::msg).and_then(|file| file.write(Vec::new()));
        assert!(written.is_err_and(|error| format!("{error:#}").contains("no/such/folder")));
    }
}

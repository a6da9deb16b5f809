//! The `README.md` of a trained model: the card that the Hugging Face hub shows, with the figures
//! that it reads from the card's front matter.
//!
//! The layout is that of transformers' `Trainer.create_model_card` (`TrainingSummary` in
//! `modelcard.py`). The tag `generated_from_trainer` is left out: it would not be true.

#[cfg(test)]
mod tests;

use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;
use std::fmt::Write;

/// What a model card is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct CardFacts {
    /// What the model is called.
    pub model_name: String,
    /// What it was fine-tuned from; none if it was trained from random weights.
    pub base_model: Option<Origin>,
    /// What it was trained and judged on.
    pub dataset: Origin,
    /// The part of the dataset it was judged on, such as `test`.
    pub split: Option<String>,
    /// The language's code, such as `ko`.
    pub language: Option<String>,
    /// The names of the classes, by number.
    pub labels: Vec<String>,
    /// How many examples it was trained on.
    pub train_samples: usize,
    /// How many examples it was judged on.
    pub eval_samples: usize,
    /// The scores of the model as it was saved, if it was judged.
    pub results: Option<Scores>,
    /// Names and values, in the order in which they are listed; see [`hyperparameters`].
    pub hyperparameters: Vec<(String, String)>,
    /// The evaluations, in the order in which they happened.
    pub evaluations: Vec<Evaluation>,
    /// Files of pictures beside the card.
    pub pictures: Vec<String>,
    /// This program's version.
    pub version: String,
}

/// Where a model or a dataset comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What people call it.
    pub name: String,
    /// Its name on the hub, if it comes from there.
    pub hub_name: Option<String>,
}

/// The figures that tell models apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// The mean loss.
    pub loss: f64,
    /// The share of right predictions.
    pub accuracy: f64,
    /// F1 of class 1.
    pub f1: f64,
}

/// One line of the table of results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The latest training loss that was logged, if one was.
    pub training_loss: Option<f64>,
    /// Epochs done.
    pub epoch: f64,
    /// Steps done.
    pub step: u64,
    /// What the evaluation found.
    pub scores: Scores,
}

/// Settings, how a card calls them, and the value that is not worth a line.
const LISTED: [(&str, &str, &str); 16] = [
    ("learning_rate", "learning_rate", ""),
    ("per_device_train_batch_size", "train_batch_size", ""),
    ("per_device_eval_batch_size", "eval_batch_size", ""),
    ("seed", "seed", ""),
    ("gradient_accumulation_steps", "gradient_accumulation_steps", "1"),
    ("adam_beta1", "optimizer", ""),
    ("lr_scheduler_type", "lr_scheduler_type", ""),
    ("warmup_steps", "lr_scheduler_warmup_steps", "0"),
    ("max_steps", "training_steps", ""),
    ("num_train_epochs", "num_epochs", ""),
    ("label_smoothing_factor", "label_smoothing_factor", "0"),
    // Transformers leaves the rest out, but without it the run cannot be repeated.
    ("weight_decay", "weight_decay", "0"),
    ("max_grad_norm", "max_grad_norm", "0"),
    ("train_sampling_strategy", "train_sampling_strategy", ""),
    ("max_seq_length", "max_seq_length", ""),
    ("data_seed", "data_seed", ""),
];

/// The hyper-parameters of a card, under the names and in the order of
/// `extract_hyperparameters_from_trainer`, from a run's settings.
pub fn hyperparameters(settings: &[Setting]) -> Vec<(String, String)> {
    let value_of = |name: &str| settings.iter().find(|s| s.name == name).map(|s| s.value.as_str());
    let listed = LISTED.iter().filter_map(|(setting, name, unworthy)| {
        let value = value_of(setting).filter(|value| value != unworthy)?;
        let value = match *name {
            "optimizer" => format!(
                "Use AdamW with betas=({value},{}) and epsilon={}",
                value_of("adam_beta2")?,
                value_of("adam_epsilon")?
            ),
            _ => value.to_owned(),
        };
        Some(((*name).to_owned(), value))
    });
    listed.collect()
}

/// The text of the card.
pub fn model_card(facts: &CardFacts) -> String {
    let mut card = front_matter(facts);
    // Writing to a string cannot fail.
    let _ = write_text(&mut card, facts);
    card
}

fn front_matter(facts: &CardFacts) -> String {
    let mut lines = vec!["---".to_owned(), "library_name: transformers".to_owned()];
    if let Some(language) = &facts.language {
        lines.extend(["language:".to_owned(), format!("- {}", quoted(language))]);
    }
    if let Some(name) = facts.base_model.as_ref().and_then(Origin::on_the_hub) {
        lines.push(format!("base_model: {}", quoted(name)));
    }
    lines.extend(["pipeline_tag: text-classification", "tags:", "- nsmc-tui"].map(str::to_owned));
    let dataset = facts.dataset.on_the_hub();
    if let Some(name) = dataset {
        lines.extend(["datasets:".to_owned(), format!("- {}", quoted(name))]);
    }
    lines.extend(["metrics:", "- accuracy", "- f1"].map(str::to_owned));
    let metrics = metrics(facts.results);
    if !metrics.is_empty() {
        lines.extend([
            "model-index:".to_owned(),
            format!("- name: {}", quoted(&facts.model_name)),
            "  results:".to_owned(),
            "  - task:".to_owned(),
            "      name: Text Classification".to_owned(),
            "      type: text-classification".to_owned(),
            "    dataset:".to_owned(),
            format!("      name: {}", quoted(&facts.dataset.name)),
            format!("      type: {}", quoted(dataset.unwrap_or(&facts.dataset.name))),
        ]);
        lines.extend(facts.split.iter().map(|split| format!("      split: {}", quoted(split))));
        lines.push("    metrics:".to_owned());
        lines.extend(metrics);
    }
    lines.push("---\n".to_owned());
    lines.join("\n")
}

/// The hub takes numbers only, so what is not finite is left out.
fn metrics(results: Option<Scores>) -> Vec<String> {
    let scores = results.map(|scores| {
        [("Accuracy", "accuracy", scores.accuracy), ("F1", "f1", scores.f1)]
            .into_iter()
            .filter(|(.., value)| value.is_finite())
    });
    let lines = scores.into_iter().flatten().map(|(name, metric, value)| {
        format!("    - name: {name}\n      type: {metric}\n      value: {}", number(value))
    });
    lines.collect()
}

fn write_text(card: &mut String, facts: &CardFacts) -> std::fmt::Result {
    let dataset = facts.dataset.linked("datasets/");
    writeln!(
        card,
        "\n<!-- nsmc-tui wrote this model card from the figures of the run. Read it over and \
         complete it, then remove this comment. -->\n\n# {}\n",
        escaped(&facts.model_name)
    )?;
    match &facts.base_model {
        Some(base) => write!(card, "This model is a fine-tuned version of {}", base.linked(""))?,
        None => write!(card, "This model was trained from random weights")?,
    }
    writeln!(card, " on the {dataset} dataset.")?;
    if let Some(scores) = facts.results {
        writeln!(card, "It achieves the following results on the evaluation set:")?;
        for (name, value) in
            [("Loss", scores.loss), ("Accuracy", scores.accuracy), ("F1", scores.f1)]
        {
            writeln!(card, "- {name}: {}", rounded(value))?;
        }
    }
    let is_korean = facts.language.as_deref() == Some("ko");
    let example = if is_korean { "정말 재미있는 영화였다" } else { "What a film!" };
    writeln!(
        card,
        "\n## How to use\n\nIn the folder of this model:\n\n```python\n\
         from transformers import pipeline\n\n\
         classify = pipeline(\"text-classification\", model=\".\")\n\
         print(classify(\"{example}\"))\n```\n"
    )?;
    let labels: Vec<String> = facts.labels.iter().map(|label| escaped(label)).collect();
    if !labels.is_empty() {
        writeln!(card, "The labels, by number from 0: {}.", labels.join(", "))?;
    }
    match &labels[..] {
        [_, positive] => writeln!(card, "F1 is that of label 1, {positive}.")?,
        [_, _, _, ..] => writeln!(card, "F1 is the mean of the labels' own (macro).")?,
        _ => {}
    }
    writeln!(
        card,
        "\n## Training and evaluation data\n\n\
         The {dataset} dataset: {} examples to learn from and {} to be judged by.\n\n\
         ## Training procedure\n\n### Training hyperparameters\n\n\
         The following hyperparameters were used during training:",
        facts.train_samples, facts.eval_samples
    )?;
    for (name, value) in &facts.hyperparameters {
        writeln!(card, "- {}: {}", escaped(name), escaped(value))?;
    }
    if !facts.evaluations.is_empty() {
        writeln!(card, "\n### Training results\n")?;
        write_table(card, &facts.evaluations)?;
    }
    for picture in &facts.pictures {
        let name = picture.split('.').next().unwrap_or_default().replace('_', " ");
        writeln!(card, "\n![{name}]({picture})")?;
    }
    writeln!(card, "\n### Framework versions\n\n- nsmc-tui {}", escaped(&facts.version))
}

/// `make_markdown_table`: columns as wide as their widest cell.
fn write_table(card: &mut String, evaluations: &[Evaluation]) -> std::fmt::Result {
    let head =
        ["Training Loss", "Epoch", "Step", "Validation Loss", "Accuracy", "F1"].map(str::to_owned);
    let rows = evaluations.iter().map(|evaluation| {
        [
            evaluation.training_loss.map_or_else(|| "No log".to_owned(), rounded),
            rounded(evaluation.epoch),
            evaluation.step.to_string(),
            rounded(evaluation.scores.loss),
            rounded(evaluation.scores.accuracy),
            rounded(evaluation.scores.f1),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    for (i, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            write!(card, "| {cell:0$} ", width(column))?;
        }
        writeln!(card, "|")?;
        if i == 0 {
            for column in 0..line.len() {
                write!(card, "|:{}:", "-".repeat(width(column)))?;
            }
            writeln!(card, "|")?;
        }
    }
    Ok(())
}

impl Origin {
    /// The name on the hub, if there can be such a one (`validate_repo_id` of `huggingface_hub`).
    fn on_the_hub(&self) -> Option<&str> {
        let name = self.hub_name.as_deref()?;
        let is_outer = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_part = |part: &str| {
            part.starts_with(is_outer)
                && part.ends_with(is_outer)
                && part.chars().all(|c| is_outer(c) || matches!(c, '-' | '.'))
        };
        let is_name = name.len() <= 96
            && name.split('/').count() <= 2
            && name.split('/').all(is_part)
            && !name.contains("--")
            && !name.contains("..");
        is_name.then_some(name)
    }

    /// The name in Markdown, as a link if the hub has it.
    fn linked(&self, folder: &str) -> String {
        let name = escaped(&self.name);
        match self.on_the_hub() {
            Some(hub) => format!("[{name}](https://huggingface.co/{folder}{hub})"),
            None => name,
        }
    }
}

/// A string of YAML that is one line and nothing but a string, whatever is in it. All but letters
/// and digits, of any script, and the rest of ASCII is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            ' '..='~' => write!(quoted, "{c}"),
            c if c.is_alphanumeric() => write!(quoted, "{c}"),
            c if u32::from(c) <= 0xffff => write!(quoted, "\\u{:04x}", u32::from(c)),
            c => write!(quoted, "\\U{:08x}", u32::from(c)),
        };
    }
    quoted.push('"');
    quoted
}

/// Markdown for the text and nothing but the text, on one line. An underscore inside a word means
/// nothing and stays bare.
fn escaped(text: &str) -> String {
    let text = sanitize_for_terminal(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let is_inside =
            before.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        if r"\`*[]<>|#~&$!".contains(c) || (c == '_' && !is_inside) {
            escaped.push('\\');
        }
        escaped.push(c);
        before = c;
    }
    escaped
}

/// The number with a point and without an exponent, which is a number in every YAML.
fn number(value: f64) -> String {
    let shown = value.to_string();
    if value.is_finite() && !shown.contains('.') { shown + ".0" } else { shown }
}

/// At most four decimals (`_maybe_round`).
fn rounded(value: f64) -> String {
    let shown = number(value);
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals > 4 { format!("{value:.4}") } else { shown }
}

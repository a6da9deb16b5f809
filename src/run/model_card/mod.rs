//! The `README.md` of a trained model: the model card that the Hugging Face hub shows, with the
//! metrics that it reads from the card's front matter.
//!
//! The layout is that of transformers' `Trainer.create_model_card` (`TrainingSummary` in
//! `modelcard.py`). The tag `generated_from_trainer` is left out, because the model does not come
//! from the Trainer.

mod pretraining;
#[cfg(test)]
mod tests;
mod usage;

pub use pretraining::pretraining_card;

use crate::core::model::MeanPoolingHook;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;
use std::fmt::Write;

/// The contents of a model card.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// The module that Python gives the mean of all tokens, if the head reads it.
    pub mean_pooling_hook: Option<MeanPoolingHook>,
    /// Whether decomposed Hangul is unknown to the tokenizer in Python.
    pub needs_nfc: bool,
    /// The model's name.
    pub model_name: String,
    /// The model it was fine-tuned from; `None` if it was trained from random weights.
    pub base_model: Option<HubReference>,
    /// The license of the weights that it was fine-tuned from, as the hub names it, if it is known.
    pub license: Option<&'static str>,
    /// The dataset it was trained and evaluated on.
    pub dataset: HubReference,
    /// The split it was evaluated on, such as `test`.
    pub split: Option<String>,
    /// The language's code, such as `ko`.
    pub language: Option<String>,
    /// The two columns of the texts, if the model reads pairs.
    pub text_pair_columns: Option<[String; 2]>,
    /// The names of the classes, by index.
    pub labels: Vec<String>,
    /// The number of training examples.
    pub train_samples: usize,
    /// The number of evaluation examples.
    pub eval_samples: usize,
    /// The metrics of the saved model, if it was evaluated.
    pub results: Option<CardMetrics>,
    /// Names and values, in the order in which they are listed; see [`hyperparameters`].
    pub hyperparameters: Vec<(String, String)>,
    /// The evaluations, in order.
    pub evaluations: Vec<TrainingResult>,
    /// The file names of figures in the folder of the card.
    pub figures: Vec<String>,
    /// This program's version.
    pub version: String,
}

/// A model or a dataset, which may be on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubReference {
    /// The name to show.
    pub name: String,
    /// Its name on the hub, if it comes from the hub.
    pub hub_name: Option<String>,
}

/// The evaluation metrics that the card reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CardMetrics {
    /// The mean loss.
    pub loss: f64,
    /// The share of correct predictions.
    pub accuracy: f64,
    /// F1 of class 1, or macro F1 (the mean over all classes) if there are more than two.
    pub f1: f64,
}

/// A row of the table of training results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingResult {
    /// The latest logged training loss, if there is one.
    pub training_loss: Option<f64>,
    /// Epochs done.
    pub epoch: f64,
    /// Steps done.
    pub step: u64,
    /// The metrics of the evaluation.
    pub metrics: CardMetrics,
}

/// Settings, their names on the card, and the value for which each is left out.
const LISTED: [(&str, &str, &str); 34] = [
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
    // Not listed by transformers, but needed to repeat the run.
    ("class_weights", "class_weights", "none"),
    ("rdrop_alpha", "rdrop_alpha", "0"),
    ("unlabelled_batch_size", "unlabelled_batch_size", ""),
    ("pseudo_label_warmup", "pseudo_label_warmup", ""),
    ("pseudo_label_threshold", "pseudo_label_threshold", ""),
    ("pseudo_label_weight", "pseudo_label_weight", ""),
    ("weight_decay", "weight_decay", "0"),
    ("max_grad_norm", "max_grad_norm", "0"),
    ("train_sampling_strategy", "train_sampling_strategy", ""),
    ("max_seq_length", "max_seq_length", ""),
    ("data_seed", "data_seed", ""),
    ("reinit_top_layers", "reinit_top_layers", ""),
    ("layerwise_lr_decay", "layerwise_lr_decay", "1"),
    ("ema_decay", "ema_decay", "0"),
    ("early_stopping_patience", "early_stopping_patience", "0"),
    ("early_stopping_threshold", "early_stopping_threshold", "0"),
    ("objective", "objective", ""),
    ("mlm_probability", "mlm_probability", ""),
    ("discriminator_weight", "discriminator_weight", ""),
    ("generator_layers", "generator_layers", ""),
    ("generator_size", "generator_size", ""),
    ("new_parameters_lr_factor", "new_parameters_lr_factor", ""),
    ("freeze_encoder_steps", "freeze_encoder_steps", "0"),
];

/// The hyperparameters among a run's settings, with the names and in the order of transformers'
/// `extract_hyperparameters_from_trainer`.
pub fn hyperparameters(settings: &[Setting]) -> Vec<(String, String)> {
    let value_of = |name: &str| settings.iter().find(|s| s.name == name).map(|s| s.value.as_str());
    let listed = LISTED.iter().filter_map(|(setting, name, default)| {
        let value = value_of(setting).filter(|value| value != default)?;
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

impl ModelCard {
    /// The card as Markdown with a YAML front matter.
    pub fn to_markdown(&self) -> String {
        let mut text = front_matter(self);
        // Writing to a string cannot fail.
        let _ = write_text(&mut text, self);
        text
    }
}

fn front_matter(card: &ModelCard) -> String {
    let mut lines = vec!["---".to_owned(), "library_name: transformers".to_owned()];
    if let Some(language) = &card.language {
        lines.extend(["language:".to_owned(), format!("- {}", quoted(language))]);
    }
    lines.extend(card.license.map(|license| format!("license: {license}")));
    if let Some(name) = card.base_model.as_ref().and_then(HubReference::hub_id) {
        lines.push(format!("base_model: {}", quoted(name)));
    }
    lines.extend(["pipeline_tag: text-classification", "tags:", "- nsmc-tui"].map(str::to_owned));
    let dataset = card.dataset.hub_id();
    if let Some(name) = dataset {
        lines.extend(["datasets:".to_owned(), format!("- {}", quoted(name))]);
    }
    lines.extend(["metrics:", "- accuracy", "- f1"].map(str::to_owned));
    let metrics = metrics(card.results);
    if !metrics.is_empty() {
        lines.extend([
            "model-index:".to_owned(),
            format!("- name: {}", quoted(&card.model_name)),
            "  results:".to_owned(),
            "  - task:".to_owned(),
            "      name: Text Classification".to_owned(),
            "      type: text-classification".to_owned(),
            "    dataset:".to_owned(),
            format!("      name: {}", quoted(&card.dataset.name)),
            format!("      type: {}", quoted(dataset.unwrap_or(&card.dataset.name))),
        ]);
        lines.extend(card.split.iter().map(|split| format!("      split: {}", quoted(split))));
        lines.push("    metrics:".to_owned());
        lines.extend(metrics);
    }
    lines.push("---\n".to_owned());
    lines.join("\n")
}

/// The metrics in the front matter. The hub accepts only finite numbers, so other values are left
/// out.
fn metrics(results: Option<CardMetrics>) -> Vec<String> {
    let finite = results.map(|results| {
        [("Accuracy", "accuracy", results.accuracy), ("F1", "f1", results.f1)]
            .into_iter()
            .filter(|(.., value)| value.is_finite())
    });
    let lines = finite.into_iter().flatten().map(|(name, metric, value)| {
        format!("    - name: {name}\n      type: {metric}\n      value: {}", number(value))
    });
    lines.collect()
}

fn write_text(text: &mut String, card: &ModelCard) -> std::fmt::Result {
    let dataset = card.dataset.linked("datasets/");
    writeln!(
        text,
        "\n<!-- nsmc-tui wrote this model card from the metrics of the run. Proofread and \
         complete it, then remove this comment. -->\n\n# {}\n",
        escaped(&card.model_name)
    )?;
    match &card.base_model {
        Some(base) => write!(text, "This model is a fine-tuned version of {}", base.linked(""))?,
        None => write!(text, "This model was trained from random weights")?,
    }
    writeln!(text, " on the {dataset} dataset.")?;
    if let Some(results) = card.results {
        writeln!(text, "It achieves the following results on the evaluation set:")?;
        for (name, value) in
            [("Loss", results.loss), ("Accuracy", results.accuracy), ("F1", results.f1)]
        {
            writeln!(text, "- {name}: {}", rounded(value))?;
        }
    }
    usage::write(text, card)?;
    if let Some([first, second]) = &card.text_pair_columns {
        let (first, second) = (escaped(first), escaped(second));
        writeln!(
            text,
            "The model reads pairs of texts: `text` is {first}, `text_pair` is {second}."
        )?;
    }
    if card.needs_nfc {
        writeln!(
            text,
            "Texts must be in Unicode's NFC: decomposed Hangul (NFD) is unknown to the tokenizer in \
             Python."
        )?;
    }
    let labels: Vec<String> = card.labels.iter().map(|label| escaped(label)).collect();
    if !labels.is_empty() {
        writeln!(text, "The labels, by number from 0: {}.", labels.join(", "))?;
    }
    match &labels[..] {
        [_, positive] => writeln!(text, "F1 is that of label 1, {positive}.")?,
        [_, _, _, ..] => writeln!(text, "F1 is the mean of the F1 of all labels (macro).")?,
        _ => {}
    }
    writeln!(
        text,
        "\n## Training and evaluation data\n\n\
         The {dataset} dataset: {} training examples and {} evaluation examples.\n\n\
         ## Training procedure\n\n### Training hyperparameters\n\n\
         The following hyperparameters were used during training:",
        card.train_samples, card.eval_samples
    )?;
    for (name, value) in &card.hyperparameters {
        writeln!(text, "- {}: {}", escaped(name), escaped(value))?;
    }
    if !card.evaluations.is_empty() {
        writeln!(text, "\n### Training results\n")?;
        write_table(text, &card.evaluations)?;
    }
    for figure in &card.figures {
        let name = figure.split('.').next().unwrap_or_default().replace('_', " ");
        writeln!(text, "\n![{name}]({figure})")?;
    }
    writeln!(text, "\n### Framework versions\n\n- nsmc-tui {}", escaped(&card.version))
}

/// The table of training results, as in `make_markdown_table` of transformers: each column is as
/// wide as its widest cell.
fn write_table(text: &mut String, evaluations: &[TrainingResult]) -> std::fmt::Result {
    let head =
        ["Training Loss", "Epoch", "Step", "Validation Loss", "Accuracy", "F1"].map(str::to_owned);
    let rows = evaluations.iter().map(|evaluation| {
        [
            evaluation.training_loss.map_or_else(|| "No log".to_owned(), rounded),
            rounded(evaluation.epoch),
            evaluation.step.to_string(),
            rounded(evaluation.metrics.loss),
            rounded(evaluation.metrics.accuracy),
            rounded(evaluation.metrics.f1),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    for (i, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            write!(text, "| {cell:0$} ", width(column))?;
        }
        writeln!(text, "|")?;
        if i == 0 {
            for column in 0..line.len() {
                write!(text, "|:{}:", "-".repeat(width(column)))?;
            }
            writeln!(text, "|")?;
        }
    }
    Ok(())
}

impl HubReference {
    /// The name on the hub, if it is a valid repository name (`validate_repo_id` of
    /// `huggingface_hub`).
    fn hub_id(&self) -> Option<&str> {
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

    /// The name in Markdown, as a link if it is on the hub.
    fn linked(&self, folder: &str) -> String {
        let name = escaped(&self.name);
        match self.hub_id() {
            Some(hub) => format!("[{name}](https://huggingface.co/{folder}{hub})"),
            None => name,
        }
    }
}

/// A YAML string on one line. Letters and digits of any script and printable ASCII stay unchanged;
/// all other characters are escaped.
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

/// The text in Markdown, on one line, with all markup escaped. An underscore inside a word is not
/// markup.
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

/// The number with a decimal point and without an exponent, which every YAML parser reads as a
/// number.
fn number(value: f64) -> String {
    let shown = value.to_string();
    if value.is_finite() && !shown.contains('.') { shown + ".0" } else { shown }
}

/// Rounds to at most four decimals (`_maybe_round` of transformers).
fn rounded(value: f64) -> String {
    let shown = number(value);
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals > 4 { format!("{value:.4}") } else { shown }
}

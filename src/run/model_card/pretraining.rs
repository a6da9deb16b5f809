//! The card of a pretrained model, which has no classes.

use super::ModelCard;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainerState;
use serde_json::Value;
use std::fmt::Write;

/// The card of a model of this class in transformers after its training. Of `card` it takes what does
/// not concern classes.
pub fn pretraining_card(card: &ModelCard, class: &str, state: &TrainerState) -> String {
    let shown = |text: &str| sanitize_for_terminal(text).replace(['`', '\n'], " ");
    let name = shown(&card.model_name);
    let mut text = "---\nlibrary_name: transformers\n".to_owned();
    let hub_name = |reference: &super::HubReference| reference.hub_name.clone();
    if let Some(base) = card.base_model.as_ref().and_then(hub_name) {
        let _ = writeln!(text, "base_model: {}", Value::String(base));
    }
    if let Some(license) = card.license {
        let _ = writeln!(text, "license: {license}");
    }
    if let Some(language) = &card.language {
        let _ = writeln!(text, "language: {language}");
    }
    text += "---\n\n";
    let base = card.base_model.as_ref().map(|base| shown(&base.name));
    let start = base.map_or("random weights".to_owned(), |base| format!("`{base}`"));
    let _ = write!(
        text,
        "# {name}\n\nA `{class}`, trained from {start} on {} texts of `{}` without labels by \
         nsmc-tui {}. To fine-tune it as a classifier:\n\n```sh\nnsmc-tui train \
         --model-name-or-path {name}\n```\n\nor load its encoder in Python with \
         `transformers.AutoModel.from_pretrained`.\n",
        card.train_samples,
        shown(&card.dataset.name),
        card.version
    );
    let rows: Vec<String> = state.log_history.iter().filter_map(row).collect();
    if !rows.is_empty() {
        let _ = write!(
            text,
            "\n## Training results\n\n| Epoch | Step | Evaluation loss | Accuracy | Perplexity \
             |\n|---|---|---|---|---|\n{}\n\nOn {} held-out texts. The perplexity is that of masked \
             tokens.\n",
            rows.join("\n"),
            card.eval_samples
        );
    }
    text += "\n## Hyperparameters\n\n";
    for (name, value) in &card.hyperparameters {
        let _ = writeln!(text, "- {name}: {}", shown(value));
    }
    for figure in &card.figures {
        let _ = writeln!(text, "\n![{figure}]({figure})");
    }
    text
}

/// The row of an evaluation.
fn row(entry: &crate::core::train::event::LogEntry) -> Option<String> {
    let number = |name: &str| entry.get(name).and_then(Value::as_f64);
    Some(format!(
        "| {:.2} | {} | {:.4} | {:.4} | {:.2} |",
        number("epoch")?,
        entry.get("step")?.as_u64()?,
        number("eval_loss")?,
        number("eval_accuracy")?,
        number("eval_perplexity")?
    ))
}

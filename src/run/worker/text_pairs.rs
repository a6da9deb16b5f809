//! Pairs of texts: whether a model and its tokenizer can read them, and what a run says of them.

use crate::core::model::{ModelConfig, SequenceClassifier};
use crate::core::predict::{PredictError, TextInput};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::event::{PAIR_SETTING, Setting};
use crate::run::dataset::Dataset;
use crate::run::options::{Given, TrainOptions};

/// Checks that the model has an embedding for each token type that its tokenizer gives to pairs of
/// texts.
///
/// # Errors
/// If a type is missing, or the tokenizer cannot encode pairs.
pub fn check_pairs(model: &SequenceClassifier, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let (highest, rows) = (tokenizer.highest_type()?, model.config().encoder.type_vocab_size);
    anyhow::ensure!(
        highest == 0 || (highest as usize) < rows,
        "the tokenizer gives the second text of a pair the token type {highest}, but the model's \
         config.json has a type_vocab_size of {rows}; transformers fails on such pairs, too. If the \
         model was trained without token types, add \"model_input_names\": [\"input_ids\", \
         \"attention_mask\"] to its tokenizer_config.json"
    );
    Ok(())
}

/// The text or, for a model of pairs, the pair of texts on a line.
///
/// # Errors
/// If the model reads pairs, and the line is not one.
pub fn input_of<'a>(config: &ModelConfig, line: &'a str) -> Result<TextInput<'a>, PredictError> {
    match config.text_pair_columns() {
        Some(_) => TextInput::pair(line),
        None => Ok(TextInput::single(line)),
    }
}

/// Notes on the columns that were read, and on a model that was trained on other texts.
pub(super) fn notes(dataset: &Dataset, trained_on: Option<[String; 2]>) -> Vec<String> {
    let mut notes: Vec<String> = dataset.columns_note.clone().into_iter().collect();
    if let (Some([first, second]), false) = (trained_on, dataset.text_columns.len() > 1) {
        notes.push(format!(
            "the model was trained on pairs of texts ({first} and {second}), but these are single \
             texts"
        ));
    }
    notes
}

/// The settings of the columns of pairs, so that the run's `run.toml` and the dashboard know them.
pub(super) fn settings(options: &TrainOptions, dataset: &Dataset) -> Vec<Setting> {
    let [first, second] = &dataset.text_columns[..] else {
        return Vec::new();
    };
    let data = &options.data;
    let columns = [
        ("text_column_name", first, &data.text_column_name),
        (PAIR_SETTING, second, &data.text_pair_column_name),
    ];
    let setting = |(name, found, given): (&str, &String, &Option<Given<String>>)| {
        let (value, reason) = match given {
            Some(given) => (given.text.as_str(), given.source.to_string()),
            None => (found.as_str(), "found".to_owned()),
        };
        let value = sanitize_for_terminal(value).into_owned();
        Setting { name: name.to_owned(), value, reason }
    };
    columns.into_iter().map(setting).collect()
}

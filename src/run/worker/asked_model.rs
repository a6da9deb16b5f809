//! Saved models that answer questions without a run, and the thread in which they do it.

use super::Worker;
use crate::core::attribution::{
    Attribution, AttributionError, ExplainMethod, WordAttributions, attribute, explain_words_by,
};
use crate::core::engine::Engine;
use crate::core::engine::logits::class_of;
use crate::core::model::SequenceClassifier;
use crate::core::predict::{
    ComparedPrediction, PredictError, Prediction, TextInput, classify_inputs,
};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::event::{Setting, Started};
use crate::run::protocol::{Activity, Answer, Command, Explanation, RunChannels, RunReport};
use crossbeam_channel::unbounded;

/// A saved model with all that it needs to answer.
pub struct AskedModel {
    /// Its name or folder, as the user has written it.
    pub name: String,
    /// The model.
    pub model: SequenceClassifier,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What computes it.
    pub engine: Box<dyn Engine>,
    /// The most tokens of a text.
    pub max_length: usize,
    /// Whether some of its tensors were not in its file, so that its answers mean nothing.
    pub is_untrained: bool,
    /// What calibrates its probabilities, if it was evaluated.
    pub temperature: Option<f64>,
}

impl AskedModel {
    /// The names of its classes.
    pub fn labels(&self) -> &[String] {
        &self.model.config().labels
    }

    /// How much each token contributes to the class that the model has predicted.
    ///
    /// # Errors
    /// If the computation fails.
    pub fn attribute(
        &mut self,
        input: &TextInput<'_>,
        prediction: &Prediction,
        method: ExplainMethod,
    ) -> Result<Attribution, AttributionError> {
        let Self { tokenizer, engine, max_length, .. } = self;
        let class = class_of(&prediction.logits);
        attribute(engine.as_mut(), tokenizer, input, *max_length, class, method)
    }

    /// The words of a text that lead to its class; `None` if `continues` says no before they are known.
    fn explain(
        &mut self,
        input: &TextInput<'_>,
        method: ExplainMethod,
        continues: &mut dyn FnMut() -> bool,
    ) -> Result<Option<WordAttributions>, AttributionError> {
        let Self { tokenizer, engine, max_length, .. } = self;
        explain_words_by(method, engine.as_mut(), tokenizer, input, *max_length, continues)
    }

    /// Classifies texts, with calibrated probabilities where there is a temperature.
    ///
    /// # Errors
    /// If a text cannot be tokenized, or if the computation fails.
    pub fn classify(&mut self, inputs: &[TextInput<'_>]) -> Result<Vec<Prediction>, PredictError> {
        let Self { model, tokenizer, engine, max_length, temperature, .. } = self;
        let labels = &model.config().labels;
        let predictions = classify_inputs(engine.as_mut(), labels, tokenizer, inputs, *max_length)?;
        Ok(predictions.into_iter().map(|prediction| prediction.calibrated(*temperature)).collect())
    }
}

/// A saved model, and another one that it is compared with.
pub struct AskedModels {
    /// The model.
    pub first: AskedModel,
    /// The other one.
    pub compared: Option<AskedModel>,
    /// Whether each text is a pair.
    pub reads_pairs: bool,
}

impl AskedModels {
    /// The text or the pair of texts on a line.
    ///
    /// # Errors
    /// If pairs are read, and the line is not one.
    pub fn input<'a>(&self, line: &'a str) -> Result<TextInput<'a>, PredictError> {
        if self.reads_pairs { TextInput::pair(line) } else { Ok(TextInput::single(line)) }
    }

    /// Classifies texts, with the predictions of the compared model beside those of the first.
    ///
    /// # Errors
    /// If a text cannot be tokenized, or if the computation fails.
    pub fn classify(&mut self, inputs: &[TextInput<'_>]) -> Result<Vec<Prediction>, PredictError> {
        let mut predictions = self.first.classify(inputs)?;
        if let Some(other) = &mut self.compared {
            for (prediction, compared) in predictions.iter_mut().zip(other.classify(inputs)?) {
                prediction.compared = Some(Box::new(ComparedPrediction {
                    model: other.name.clone(),
                    labels: other.labels().to_vec(),
                    prediction: compared,
                }));
            }
        }
        Ok(predictions)
    }

    /// The model as the start of a run without samples and steps, for the dashboard.
    pub fn describe(&self) -> Started {
        let clean = |text: &str| clean(&text);
        let setting = |name: &str, value: &str, reason: &str| Setting {
            name: name.to_owned(),
            value: clean(value),
            reason: reason.to_owned(),
        };
        let first = &self.first;
        let mut settings = vec![
            setting("model_name_or_path", &first.name, "saved model"),
            setting("labels", &first.labels().join(", "), "saved model"),
            setting("max_seq_length", &first.max_length.to_string(), "saved model"),
            setting("device", &first.engine.device(), "default"),
        ];
        if let Some(temperature) = first.temperature {
            let value = format!("{temperature:.4}");
            settings.push(setting("temperature", &value, "last evaluation"));
        }
        if let Some(columns) = first.model.config().text_pair_columns() {
            settings.push(setting("text_columns", &columns.join(", "), "saved model"));
        }
        if let Some(other) = &self.compared {
            settings.push(setting("compare", &other.name, "flag"));
        }
        Started {
            model: clean(&first.name),
            architecture: first.model.config().description(),
            parameters: first.model.parameters().count(),
            labels: first.labels().iter().map(|label| clean(label)).collect(),
            train_samples: 0,
            eval_samples: 0,
            steps_per_epoch: 0,
            max_steps: 0,
            num_train_epochs: 0.0,
            eval_steps: 0,
            save_steps: 0,
            logging_steps: 0,
            output_dir: clean(&first.name),
            replaces_model: false,
            settings,
            resumed_at: 0,
            resumed_elapsed: 0.0,
            notes: Vec::new(),
        }
    }

    fn answer(&mut self, text: String) -> Answer {
        let outcome = match self.input(&text) {
            Ok(input) => self.classify(&[input]),
            Err(error) => Err(error),
        };
        let outcome = outcome.map_err(|error| clean(&error)).and_then(|mut predictions| {
            predictions.pop().ok_or_else(|| "there is no prediction".to_owned())
        });
        Answer { text, outcome, step: None }
    }

    /// The words of a text that lead to the class that each model predicts, unless `continues` says no
    /// before they are known.
    fn explain(
        &mut self,
        text: &str,
        method: ExplainMethod,
        continues: &mut dyn FnMut() -> bool,
    ) -> Explanation {
        let respond = |outcome| Explanation::new(text.to_owned(), outcome);
        let input = match self.input(text) {
            Ok(input) => input,
            Err(error) => return respond(Err(clean(&error))),
        };
        let outcome = self.first.explain(&input, method, continues);
        let outcome = outcome.map_err(|error| clean(&error));
        let is_known = matches!(outcome, Ok(Some(_)));
        let other = self.compared.as_mut().filter(|_| is_known);
        // Why the other model explains nothing is not said: the first one does.
        let compared = match other.map(|other| other.explain(&input, method, continues)) {
            Some(Ok(None)) => return respond(Ok(None)),
            Some(Ok(words)) => words.map(Box::new),
            Some(Err(_)) | None => None,
        };
        Explanation { compared, ..respond(outcome) }
    }
}

/// An error as text for a terminal.
fn clean(error: &impl std::fmt::Display) -> String {
    sanitize_for_terminal(&error.to_string()).into_owned()
}

/// Starts a thread that answers questions until the front end disconnects.
///
/// # Errors
/// If the thread cannot be started.
pub fn start(mut models: AskedModels) -> std::io::Result<Worker> {
    let (report_sender, reports) = unbounded();
    let (commands, command_receiver) = unbounded();
    let thread = std::thread::Builder::new()
        .name("answers".to_owned())
        // candle traverses its graph recursively, which needs a large stack.
        .stack_size(64 << 20)
        .spawn(move || {
            let send = |report| report_sender.send(report).is_ok();
            if !send(RunReport::Activity(Activity::Idle)) {
                return;
            }
            for command in &command_receiver {
                let report = match command {
                    Command::Predict { text } => RunReport::Answer(models.answer(text)),
                    Command::Explain { text, method } => {
                        let continues = &mut || command_receiver.is_empty();
                        RunReport::Explained(models.explain(&text, method, continues))
                    }
                    // The other commands need a run.
                    _ => continue,
                };
                if !send(report) {
                    return;
                }
            }
        })?;
    Ok(Worker { channels: RunChannels { reports, commands }, thread, hub: None })
}

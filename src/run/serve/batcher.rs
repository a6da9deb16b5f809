//! The thread that computes: it answers all requests that wait in one batch.

use super::types::{Failure, Input};
use crate::core::engine::Engine;
use crate::core::predict::{PredictError, Prediction, TextInput, classify_inputs};
use crate::core::tokenizer::Tokenizer;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most texts of a batch, except where one request has more.
const BATCH_SIZE: usize = 32;

/// A model that answers questions.
pub struct Classifier {
    /// Computes logits.
    pub engine: Box<dyn Engine>,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The names of the classes.
    pub labels: Vec<String>,
    /// The most tokens of a text.
    pub max_length: usize,
}

impl Classifier {
    fn classify(&mut self, inputs: &[TextInput<'_>]) -> Result<Vec<Prediction>, PredictError> {
        let (engine, tokenizer) = (self.engine.as_mut(), &self.tokenizer);
        classify_inputs(engine, &self.labels, tokenizer, inputs, self.max_length)
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answered {
    pub predictions: Vec<Prediction>,
    /// The time from the request's arrival to the beginning of its batch.
    pub queued: Duration,
    /// The time that the batch took.
    pub inference: Duration,
    /// The number of texts in the batch.
    pub batch_size: usize,
}

/// A request that waits for its answer.
pub(super) struct Job {
    pub inputs: Vec<Input>,
    pub arrived: Instant,
    pub answer: oneshot::Sender<Result<Answered, Failure>>,
}

/// Starts the thread; it ends when the sender is dropped.
///
/// # Errors
/// If there can be no thread.
pub(super) fn start(classifier: Classifier, waiting: usize) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = bounded(waiting);
    let work = move || run(classifier, &jobs);
    std::thread::Builder::new().name("classifier".to_owned()).spawn(work)?;
    Ok(sender)
}

fn run(mut classifier: Classifier, jobs: &Receiver<Job>) {
    let mut next: Option<Job> = None;
    loop {
        let Some(first) = next.take().or_else(|| jobs.recv().ok()) else { return };
        let mut count = first.inputs.len();
        let mut batch = vec![first];
        while let Ok(job) = jobs.try_recv() {
            if count + job.inputs.len() > BATCH_SIZE {
                next = Some(job);
                break;
            }
            count += job.inputs.len();
            batch.push(job);
        }
        // Nobody waits any more for some of them.
        batch.retain(|job| !job.answer.is_closed());
        answer(&mut classifier, batch);
    }
}

/// Answers requests in one batch; each alone if that fails, so that one text cannot fail the others.
fn answer(classifier: &mut Classifier, mut batch: Vec<Job>) {
    let began = Instant::now();
    let inputs: Vec<TextInput> = texts(&batch).collect();
    let batch_size = inputs.len();
    match classifier.classify(&inputs) {
        Ok(predictions) => {
            let inference = began.elapsed();
            let mut predictions = predictions.into_iter();
            for job in batch {
                let predictions = predictions.by_ref().take(job.inputs.len()).collect();
                let queued = began.saturating_duration_since(job.arrived);
                // The client may have left.
                let _ =
                    job.answer.send(Ok(Answered { predictions, queued, inference, batch_size }));
            }
        }
        Err(error) => match batch.pop() {
            Some(only) if batch.is_empty() => {
                let _ = only.answer.send(Err(failure(&error)));
            }
            Some(last) => {
                batch.push(last);
                for job in batch {
                    answer(classifier, vec![job]);
                }
            }
            None => {}
        },
    }
}

fn texts(batch: &[Job]) -> impl Iterator<Item = TextInput<'_>> {
    batch.iter().flat_map(|job| job.inputs.iter().map(Input::borrowed))
}

fn failure(error: &PredictError) -> Failure {
    match error {
        PredictError::Tokenizer(_) => Failure::new(422, "tokenizer", error.to_string()),
        PredictError::NotAPair => Failure::validation(422, error.to_string()),
        PredictError::Engine(_) => Failure::new(424, "backend", error.to_string()),
    }
}

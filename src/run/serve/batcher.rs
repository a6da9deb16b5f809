//! The thread that computes: it answers all requests that wait in one batch.

use super::types::{ErrorType, Failure, Input};
use crate::core::predict::{PredictError, Prediction, TextInput};
use crate::run::worker::asked_model::AskedModel;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most texts of a batch, except where one request has more.
const BATCH_SIZE: usize = 32;

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answered {
    pub predictions: Vec<Prediction>,
    /// The time from the request's arrival to the beginning of its batch.
    pub queued: Duration,
    /// The time that the batch took.
    pub inference: Duration,
    /// The number of texts in the batch, for its first request.
    pub batch_size: Option<usize>,
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
pub(super) fn start(model: AskedModel, waiting: usize) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = bounded(waiting);
    let work = move || run(model, &jobs);
    std::thread::Builder::new().name("classifier".to_owned()).spawn(work)?;
    Ok(sender)
}

fn run(mut model: AskedModel, jobs: &Receiver<Job>) {
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
        answer(&mut model, batch);
    }
}

/// Answers requests in one batch; each alone if that fails, so that one text cannot fail the others.
fn answer(model: &mut AskedModel, mut batch: Vec<Job>) {
    let began = Instant::now();
    let inputs: Vec<TextInput> = texts(&batch).collect();
    let batch_size = inputs.len();
    match model.classify(&inputs) {
        Ok(predictions) => {
            let inference = began.elapsed();
            let mut predictions = predictions.into_iter();
            for (number, job) in batch.into_iter().enumerate() {
                let predictions = predictions.by_ref().take(job.inputs.len()).collect();
                let queued = began.saturating_duration_since(job.arrived);
                // The client may have left.
                let batch_size = (number == 0).then_some(batch_size);
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
                    answer(model, vec![job]);
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
        PredictError::Tokenizer(_) => Failure::new(422, ErrorType::Tokenizer, error.to_string()),
        PredictError::NotAPair => Failure::validation(422, error.to_string()),
        PredictError::Engine(_) => Failure::new(424, ErrorType::Backend, error.to_string()),
    }
}

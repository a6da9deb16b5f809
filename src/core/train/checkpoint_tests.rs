//! Tests of interrupted and resumed runs and of the checkpoints that they write and delete.

use super::*;
use crate::core::data::batching::Example;
use crate::core::engine::{Engine, EngineOptions, build};
use crate::core::model::config::SMALL;
use crate::core::model::{Architecture, ModelConfig, Weights};
use crate::core::train::arguments::StartingWeights;
use crate::core::train::arguments::{
    EvalStrategy, Recipe, SaveStrategy, StepInterval, TrainingArguments,
};
use crate::core::train::command::Command;
use crate::core::train::event::{LogEntry, TrainEvent};
use crate::core::train::observer::Observer;
use crate::core::train::{Trainer, TrainerState};
use serde_json::json;
use std::collections::VecDeque;
use tempfile::TempDir;

fn config() -> Result<ModelConfig, ModelError> {
    let overrides: Vec<_> = [
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("intermediate_size", json!(48)),
        ("num_hidden_layers", json!(1)),
        ("initializer_range", json!(0.1)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    ModelConfig::parse(SMALL, Path::new("config.json"), &overrides)
}

fn examples(count: u32) -> Vec<Example> {
    (0..count)
        .map(|i| {
            let token = 10 + i * 7 % 37;
            let ids = [&[2][..], &vec![token; 1 + (i % 5) as usize], &[3]].concat();
            Example::new(ids, i % 2)
        })
        .collect()
}

fn arguments(change: impl FnOnce(&mut TrainingArguments)) -> anyhow::Result<TrainingArguments> {
    let recipe = TrainingArguments::of_recipe(Recipe::Trainer, StartingWeights::Random);
    arguments_from(recipe, change)
}

fn arguments_from(
    recipe: TrainingArguments,
    change: impl FnOnce(&mut TrainingArguments),
) -> anyhow::Result<TrainingArguments> {
    let mut arguments = TrainingArguments {
        num_train_epochs: 3.0,
        per_device_train_batch_size: 8,
        learning_rate: 3e-3,
        logging_steps: StepInterval::new(4.0),
        eval_steps: StepInterval::new(4.0),
        save_steps: StepInterval::new(3.0),
        ..recipe
    };
    change(&mut arguments);
    arguments.check()?;
    Ok(arguments)
}

/// Saves a checkpoint after each epoch and loads the one with the best loss at the end.
fn load_best_by_loss(arguments: &mut TrainingArguments) {
    arguments.save_strategy = SaveStrategy::Epoch;
    arguments.load_best_model_at_end = true;
    arguments.metric_for_best_model = Some("loss".to_owned());
}

/// Collects the events of a run and sends it commands.
#[derive(Default)]
struct EventCollector {
    events: Vec<TrainEvent>,
    stop_at: Option<usize>,
    /// Commands, each with the number of steps after which it is sent.
    commands: VecDeque<(usize, Command)>,
}

impl Observer for EventCollector {
    fn publish(&mut self, event: TrainEvent) {
        self.events.push(event);
    }

    fn next_command(&mut self, _: &mut dyn Engine, _: bool) -> Option<Command> {
        let steps = self.events.iter().filter(|e| matches!(e, TrainEvent::Step(_))).count();
        let evaluating = matches!(self.events.last(), Some(TrainEvent::EvaluationProgress(_)));
        if !evaluating && self.commands.front().is_some_and(|(after, _)| steps >= *after) {
            return self.commands.pop_front().map(|(_, command)| command);
        }
        let stop = self.stop_at.take_if(|stop_at| steps >= *stop_at);
        stop.map(|_| Command::Stop { evaluate: true })
    }
}

/// A temporary output folder of a run.
struct Folder(TempDir);

impl Folder {
    fn new() -> std::io::Result<Self> {
        tempfile::tempdir().map(Self)
    }

    fn checkpoints(&self, arguments: &TrainingArguments) -> Checkpoints {
        Checkpoints {
            output_dir: self.0.path().to_path_buf(),
            tokenizer: vec![("tokenizer.json".to_owned(), b"{}".to_vec())],
            save_total_limit: arguments.save_total_limit,
            save_only_model: arguments.save_only_model,
            starting_weights: StartingWeights::Random,
            logging_dir: None,
            options: BTreeMap::new(),
        }
    }

    fn steps(&self) -> Vec<u64> {
        list(self.0.path()).iter().filter_map(|folder| step_of(folder)).collect()
    }

    /// Trains from the beginning or from a checkpoint, and returns the final weights and the state.
    fn train(
        &self,
        arguments: &TrainingArguments,
        collector: &mut EventCollector,
        resume: Option<&Path>,
    ) -> anyhow::Result<(Vec<u32>, TrainerState)> {
        train_with(arguments, &self.checkpoints(arguments), collector, resume)
    }
}

/// Trains from the beginning or from a checkpoint, and returns the final weights and the state.
fn train_with(
    arguments: &TrainingArguments,
    checkpoints: &Checkpoints,
    collector: &mut EventCollector,
    resume: Option<&Path>,
) -> anyhow::Result<(Vec<u32>, TrainerState)> {
    let resume = resume.map(Checkpoint::read).transpose()?;
    let weights = match &resume {
        Some(checkpoint) => Weights::open(&checkpoint.folder, Architecture::Bert)?,
        None => Weights::none(),
    };
    let (model, _) = SequenceClassifier::new(config()?, weights, arguments.seed)?;
    let (train, eval) = (examples(60), examples(20));
    let mut engine = build(&model, &EngineOptions::default())?;
    let outcome = Trainer::new(&model, arguments, &train, &eval)
        .with_checkpoints(checkpoints)
        .run(engine.as_mut(), collector, resume.as_ref())?;
    Ok((bits(&model)?, outcome.state))
}

/// The bits of all parameters, for exact comparison.
fn bits(model: &SequenceClassifier) -> candle_core::Result<Vec<u32>> {
    let mut all = Vec::new();
    for (_, var) in model.parameters().iter() {
        all.extend(var.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits));
    }
    Ok(all)
}

/// The journaled events as JSON, without times and without the checkpoints that a stop adds.
fn timeless(events: &[TrainEvent]) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut all = Vec::new();
    for event in events {
        if matches!(event, TrainEvent::Checkpoint(_)) || !event.is_journaled() {
            continue;
        }
        let mut event = serde_json::to_value(event)?;
        if let Some(fields) = event.as_object_mut() {
            for clock in ["elapsed", "eval_runtime", "eval_samples_per_second"] {
                fields.remove(clock);
            }
        }
        all.push(event);
    }
    Ok(all)
}

fn timeless_log(history: &[LogEntry]) -> Vec<LogEntry> {
    let clock = |name: &str| name.contains("runtime") || name.contains("per_second");
    let without = |entry: &LogEntry| {
        entry.iter().filter(|(name, _)| !clock(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    history.iter().map(without).collect()
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_run_bit_for_bit() -> anyhow::Result<()> {
    // 60 examples in batches of 8: 8 steps per epoch, 24 steps in total.
    for (recipe, stop_at) in
        [(Recipe::Trainer, 1), (Recipe::Trainer, 5), (Recipe::Native, 8), (Recipe::Trainer, 13)]
    {
        let recipe = TrainingArguments::of_recipe(recipe, StartingWeights::Random);
        let arguments = arguments_from(recipe, |arguments| {
            arguments.save_total_limit = None;
            arguments.metric_for_best_model = Some("accuracy".to_owned());
            arguments.greater_is_better = true;
        })?;
        let (whole, parts) = (Folder::new()?, Folder::new()?);
        let mut uncut = EventCollector::default();
        let (expected, expected_state) = whole.train(&arguments, &mut uncut, None)?;

        let mut first = EventCollector { stop_at: Some(stop_at), ..EventCollector::default() };
        parts.train(&arguments, &mut first, None)?;
        let checkpoint = parts.0.path().join(format!("checkpoint-{stop_at}"));
        let mut second = EventCollector::default();
        let (weights, state) = parts.train(&arguments, &mut second, Some(&checkpoint))?;

        assert!(weights == expected, "stopped at {stop_at}: the parameters differ");
        // An uninterrupted run has no evaluation at the stop, unless one was due at that step.
        let due = stop_at.is_multiple_of(8);
        let cut = first.events.iter().filter(
            |event| !matches!(event, TrainEvent::Evaluated(e) if e.step == stop_at as u64 && !due),
        );
        let events: Vec<TrainEvent> = cut.cloned().chain(second.events).collect();
        assert_eq!(timeless(&events)?, timeless(&uncut.events)?, "stopped at {stop_at}");
        assert_eq!(
            timeless_log(&state.log_history),
            timeless_log(&expected_state.log_history),
            "stopped at {stop_at}"
        );
        assert_eq!(state.best_global_step, expected_state.best_global_step);
        assert_eq!(state.total_flos.to_bits(), expected_state.total_flos.to_bits());
    }
    Ok(())
}

#[test]
fn checkpoints_are_written_when_they_are_due() -> anyhow::Result<()> {
    type Change = fn(&mut TrainingArguments);
    let cases: [(Change, &[u64]); 5] = [
        (|arguments| arguments.save_total_limit = None, &[3, 6, 9, 12, 15, 18, 21, 24]),
        (|_| {}, &[21, 24]),
        (|arguments| arguments.save_strategy = SaveStrategy::Epoch, &[16, 24]),
        (|arguments| arguments.save_strategy = SaveStrategy::No, &[]),
        (
            |arguments| {
                arguments.save_steps = StepInterval::new(10.0);
                arguments.save_total_limit = Some(1);
            },
            &[24],
        ),
    ];
    for (change, expected) in cases {
        let folder = Folder::new()?;
        folder.train(&arguments(change)?, &mut EventCollector::default(), None)?;
        assert_eq!(folder.steps(), expected);
        let names: Vec<_> = std::fs::read_dir(folder.0.path())?.flatten().collect();
        assert_eq!(names.len(), expected.len(), "there must be no unfinished checkpoint");
    }
    Ok(())
}

#[test]
fn the_best_checkpoint_is_retained_and_loaded_at_the_end() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        arguments.eval_strategy = EvalStrategy::Steps;
        arguments.save_strategy = SaveStrategy::Steps;
        arguments.save_steps = StepInterval::new(4.0);
        arguments.save_total_limit = Some(1);
        // The first evaluation has the highest loss, so the best checkpoint is not the last one.
        arguments.greater_is_better = true;
    })?;
    let folder = Folder::new()?;
    let mut collector = EventCollector::default();
    let (weights, state) = folder.train(&arguments, &mut collector, None)?;
    let best = state.best_global_step.unwrap_or_default();
    assert!(best < 24, "the loss did not fall");
    assert_eq!(folder.steps(), [best], "only the best checkpoint must remain");
    let path = folder.0.path().join(format!("checkpoint-{best}"));
    assert_eq!(state.best_model_checkpoint.as_deref(), path.to_str());
    let stored = Weights::open(&path, Architecture::Bert)?;
    let (model, _) = SequenceClassifier::new(config()?, stored, 1)?;
    assert!(weights == bits(&model)?, "the final weights must be the best weights");
    let last = collector.events.iter().rfind(|event| event.is_journaled());
    let Some(TrainEvent::BestLoaded(best_loaded)) = last else {
        anyhow::bail!("the event is missing");
    };
    assert_eq!((best_loaded.step, Some(best_loaded.metrics.eval_loss)), (best, state.best_metric));
    Ok(())
}

#[test]
fn a_missing_best_checkpoint_is_a_warning() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        arguments.greater_is_better = true;
        arguments.save_total_limit = None;
    })?;
    let folder = Folder::new()?;
    folder.train(&arguments, &mut EventCollector::default(), None)?;
    let last = folder.0.path().join("checkpoint-24");
    for step in [8, 16] {
        std::fs::remove_dir_all(folder.0.path().join(format!("checkpoint-{step}")))?;
    }
    let mut collector = EventCollector::default();
    folder.train(&arguments, &mut collector, Some(&last))?;
    let warned = collector.events.iter().any(
        |event| matches!(event, TrainEvent::Warned(warned) if warned.message.contains("best")),
    );
    assert!(warned, "{:?}", collector.events);
    Ok(())
}

#[test]
fn a_run_resumed_into_another_folder_finds_its_best_checkpoint() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        arguments.greater_is_better = true;
        arguments.save_total_limit = None;
    })?;
    let (whole, elsewhere) = (Folder::new()?, Folder::new()?);
    let (expected, state) = whole.train(&arguments, &mut EventCollector::default(), None)?;
    assert!(state.best_global_step < Some(24), "the loss did not fall");
    let checkpoint = whole.0.path().join("checkpoint-24");
    let mut collector = EventCollector::default();
    let (weights, _) = elsewhere.train(&arguments, &mut collector, Some(&checkpoint))?;
    assert!(weights == expected, "the final weights differ");
    Ok(())
}

#[test]
fn the_last_step_is_evaluated_before_it_is_saved() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        arguments.eval_strategy = EvalStrategy::Steps;
        arguments.eval_steps = StepInterval::new(7.0);
        arguments.max_steps = Some(10);
    })?;
    let folder = Folder::new()?;
    folder.train(&arguments, &mut EventCollector::default(), None)?;
    let state = Checkpoint::read(&folder.0.path().join("checkpoint-10"))?.state;
    let evaluated: Vec<_> = state
        .log_history
        .iter()
        .filter(|entry| entry.contains_key("eval_loss"))
        .map(|entry| entry["step"].clone())
        .collect();
    assert_eq!(evaluated, [7, 10]);
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_resumed_is_rejected_with_a_reason() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let path = folder.0.path();
    let message = |folder: &Path| {
        Checkpoint::read(folder).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let none = find(path, None).map_or_else(|error| error.to_string(), |_| String::new());
    assert!(none.contains("no checkpoint in it"), "{none}");
    let arguments = arguments(|arguments| arguments.save_only_model = true)?;
    folder.train(&arguments, &mut EventCollector::default(), None)?;
    let last = find(path, None)?;
    assert_eq!((&last, find(path, Some(&last))?), (&path.join("checkpoint-24"), last.clone()));
    assert_eq!(find(Path::new("elsewhere"), Some(path))?, last);
    let files: Vec<_> = std::fs::read_dir(&last)?.flatten().collect();
    assert_eq!(files.len(), 4, "config, model, tokenizer, state");
    assert!(message(&last).contains("holds the model only"), "{}", message(&last));
    std::fs::write(last.join("optimizer.pt"), "")?;
    assert!(message(&last).contains("written by Python"), "{}", message(&last));
    std::fs::write(last.join(RUN_STATE), "{\"version\":")?;
    assert!(message(&last).contains("nsmc_tui_state.json: it is damaged"), "{}", message(&last));
    Ok(())
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_a_warning() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let blocked = Folder(tempfile::tempdir_in(folder.0.path())?);
    let arguments = arguments(|_| {})?;
    let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
    let (train, eval) = (examples(60), examples(20));
    let file = blocked.0.path().join("file");
    std::fs::write(&file, "")?;
    let checkpoints = Checkpoints { output_dir: file, ..blocked.checkpoints(&arguments) };
    let mut collector = EventCollector::default();
    let mut engine = build(&model, &EngineOptions::default())?;
    let outcome = Trainer::new(&model, &arguments, &train, &eval)
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), &mut collector, None)?;
    assert_eq!(outcome.finished.global_step, 24);
    let warned = collector.events.iter().filter(|e| matches!(e, TrainEvent::Warned(_))).count();
    assert_eq!(warned, 8);
    Ok(())
}

#[path = "command_tests.rs"]
mod commands;

#[path = "checkpoint_damage_tests.rs"]
mod damage;

#[path = "average_tests.rs"]
mod average;

#[path = "early_stopping_tests.rs"]
mod early_stopping;

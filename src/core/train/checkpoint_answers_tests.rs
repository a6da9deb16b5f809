//! Questions that are answered while a checkpoint is written.

use super::{Checkpoint, Checkpoints};
use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::{Engine, EngineOptions, Logits, build};
use crate::core::model::config::SMALL;
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::train::Trainer;
use crate::core::train::arguments::{Recipe, StartingWeights, StepInterval, TrainingArguments};
use crate::core::train::command::Command;
use crate::core::train::event::TrainEvent;
use crate::core::train::observer::Observer;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// A model whose file takes a while to write.
fn model() -> anyhow::Result<SequenceClassifier> {
    let overrides: Vec<_> = [
        ("vocab_size", json!(30_000)),
        ("hidden_size", json!(96)),
        ("num_hidden_layers", json!(1)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let config = ModelConfig::parse(SMALL, Path::new("config.json"), &overrides)?;
    Ok(SequenceClassifier::new(config, Weights::none(), 1)?.0)
}

fn examples() -> Vec<Example> {
    (0..8).map(|i| Example::new(vec![2, 10 + i, 40 + i, 3], i % 2)).collect()
}

/// Asks a question whenever it can while a checkpoint is written, if it asks at all.
struct Asking {
    asks: bool,
    is_saving: bool,
    answers: Vec<Vec<f32>>,
}

impl Observer for Asking {
    fn publish(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::SavingCheckpoint => self.is_saving = true,
            TrainEvent::Checkpoint(_) | TrainEvent::Warned(_) => self.is_saving = false,
            _ => {}
        }
    }

    fn during_step(&mut self, logits: &mut Logits<'_>) {
        if self.asks && self.is_saving {
            let batch = PackedBatch::new(&examples()[..2], 0);
            self.answers.push(logits(&batch).unwrap_or_default());
        }
    }

    fn next_command(&mut self, _: &mut dyn Engine, _: bool) -> Option<Command> {
        None
    }
}

/// Trains two steps, of which the first has a checkpoint. Returns the answers, and the logits of the
/// weights in the checkpoint.
fn train(folder: &Path, asks: bool) -> anyhow::Result<(Vec<Vec<f32>>, Vec<f32>)> {
    let recipe = TrainingArguments::of_recipe(Recipe::Trainer, StartingWeights::Random);
    let arguments = TrainingArguments {
        max_steps: Some(2),
        per_device_train_batch_size: 4,
        save_steps: StepInterval::new(1.0),
        ..recipe
    };
    let checkpoints = Checkpoints {
        output_dir: folder.to_path_buf(),
        tokenizer: Vec::new(),
        save_total_limit: None,
        save_only_model: false,
        starting_weights: StartingWeights::Random,
        logging_dir: None,
        options: BTreeMap::new(),
    };
    let (model, examples) = (model()?, examples());
    let mut engine = build(&model, &EngineOptions { threads: 1, ..EngineOptions::default() })?;
    let mut observer = Asking { asks, is_saving: false, answers: Vec::new() };
    Trainer::new(&model, &arguments, &examples, &examples[..2])
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), &mut observer, None)?;
    super::load_weights(&checkpoints.folder(1), &model)?;
    engine.reload()?;
    let expected = engine.logits(&PackedBatch::new(&examples[..2], 0))?;
    Ok((observer.answers, expected))
}

#[test]
fn questions_are_answered_while_a_checkpoint_is_written_and_change_nothing() -> anyhow::Result<()> {
    let (asked, alone) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (answers, expected) = train(asked.path(), true)?;
    assert!(answers.contains(&expected), "no question was answered: {} answers", answers.len());
    assert_eq!(train(alone.path(), false)?.0.len(), 0);
    for step in ["checkpoint-1", "checkpoint-2"] {
        let folders = [asked.path().join(step), alone.path().join(step)];
        folders.iter().try_for_each(|folder| Checkpoint::read(folder).map(drop))?;
        for name in ["model.safetensors", super::OPTIMIZER] {
            let [one, other] = [folders[0].join(name), folders[1].join(name)];
            assert!(std::fs::read(one)? == std::fs::read(other)?, "{step}/{name}");
        }
    }
    Ok(())
}

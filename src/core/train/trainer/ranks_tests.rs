//! Ranks on threads, connected by TCP, compared with one process.

use super::*;
use crate::core::collective::{
    Collective, CollectiveError, Limits, Placement, Rendezvous, TcpCollective,
};
use crate::core::data::batching::SamplingStrategy;
use crate::core::engine::{EngineOptions, Ops, build};
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use crate::core::train::arguments::{
    SaveStrategy, StartingWeights, StepInterval, TrainingArguments,
};
use crate::core::train::checkpoint::{Checkpoint, Checkpoints, list, load_weights};
use crate::core::train::command::Command;
use crate::core::train::event::{Evaluated, Step, TrainEvent};
use crate::core::train::trainer::TrainingOutcome;
use crate::core::train::trainer::tests::{arguments, examples};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::scope;

/// Of a number that does not divide the examples, so that the last step has fewer.
const TRAIN: usize = 75;

/// What one rank has observed.
#[derive(Default)]
struct Collector {
    events: Vec<TrainEvent>,
    /// The commands to take after these steps.
    commands: VecDeque<(u64, Command)>,
    /// The last step.
    step: u64,
    /// The number of steps after which the rank leaves the run.
    leaves_after: Option<u32>,
}

impl Observer for Collector {
    fn publish(&mut self, event: TrainEvent) {
        if let TrainEvent::Step(step) = &event {
            self.step = step.step;
        }
        self.events.push(event);
    }

    fn next_command(&mut self, _: &mut dyn Engine, _: bool) -> Option<Command> {
        let is_due = self.commands.front().is_some_and(|(step, _)| *step <= self.step);
        if is_due { self.commands.pop_front().map(|(_, command)| command) } else { None }
    }
}

impl Collector {
    fn steps(&self) -> Vec<&Step> {
        let steps = self.events.iter().map(|event| match event {
            TrainEvent::Step(step) => Some(step),
            _ => None,
        });
        steps.flatten().collect()
    }

    fn evaluations(&self) -> Vec<&Evaluated> {
        let evaluations = self.events.iter().map(|event| match event {
            TrainEvent::Evaluated(evaluated) => Some(evaluated),
            _ => None,
        });
        evaluations.flatten().collect()
    }
}

fn tiny(dropout: f64) -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("intermediate_size", json!(48)),
        ("num_hidden_layers", json!(2)),
        ("hidden_dropout_prob", json!(dropout)),
        ("attention_probs_dropout_prob", json!(dropout)),
        ("initializer_range", json!(0.1)),
    ];
    small_model(values, 5)
}

/// A run of `world_size` ranks.
struct Ranks<'a> {
    arguments: &'a TrainingArguments,
    ops: Ops,
    dropout: f64,
    /// Where rank 0 writes checkpoints.
    output: Option<&'a Path>,
    resume: Option<&'a Path>,
    /// What each rank does.
    collectors: Vec<Collector>,
}

type Outcome = (Collector, Result<TrainingOutcome, TrainError>);

impl<'a> Ranks<'a> {
    fn new(arguments: &'a TrainingArguments) -> Self {
        let collectors = (0..arguments.world_size).map(|_| Collector::default()).collect();
        Self { arguments, ops: Ops::Fused, dropout: 0.1, output: None, resume: None, collectors }
    }

    fn run(self) -> anyhow::Result<Vec<Outcome>> {
        let Self { arguments, ops, dropout, output, resume, collectors } = self;
        let world_size = arguments.world_size;
        let rendezvous = Rendezvous::local()?;
        let port = rendezvous.port()?;
        let mut rendezvous = Some(rendezvous);
        scope(|scope| {
            let ranks: Vec<_> = collectors
                .into_iter()
                .enumerate()
                .map(|(rank, collector)| {
                    let placement =
                        Placement::on_this_machine(rank, world_size, port, String::new());
                    let rendezvous = rendezvous.take();
                    scope.spawn(move || -> anyhow::Result<Outcome> {
                        let limits = Limits::default();
                        let collective = match rendezvous {
                            Some(rendezvous) => {
                                rendezvous.accept(&placement, limits, |_| Ok(()))?
                            }
                            None => TcpCollective::connect(&placement, limits, |_| Ok(()))?,
                        };
                        run_rank(arguments, ops, dropout, (output, resume), collector, collective)
                    })
                })
                .collect();
            let ranks = ranks
                .into_iter()
                .map(|rank| rank.join().map_err(|_| anyhow::anyhow!("a rank panicked"))?);
            ranks.collect()
        })
    }
}

/// Ranks of which this one leaves after some sums.
struct Leaving<C> {
    inner: C,
    sums: AtomicU32,
}

impl<C: Collective> Collective for Leaving<C> {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn world_size(&self) -> usize {
        self.inner.world_size()
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        if self.sums.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(CollectiveError::OutOfStep("this rank leaves".to_owned()));
        }
        self.inner.all_reduce_sum(values)
    }

    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
        self.inner.broadcast_bytes(bytes)
    }

    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        self.inner.all_gather_bytes(bytes)
    }

    fn failure(&self) -> Option<CollectiveError> {
        self.inner.failure()
    }

    fn fail(&self, message: &str) {
        self.inner.fail(message);
    }
}

fn run_rank(
    arguments: &TrainingArguments,
    ops: Ops,
    dropout: f64,
    (output, resume): (Option<&Path>, Option<&Path>),
    mut collector: Collector,
    collective: impl Collective + 'static,
) -> anyhow::Result<Outcome> {
    let model = tiny(dropout)?;
    let (train, eval) = (examples(TRAIN, 1), examples(45, 2));
    let options = EngineOptions { threads: 1, ops, ..EngineOptions::default() };
    let mut engine = build(&model, &options)?;
    let checkpoint = resume.map(Checkpoint::read).transpose()?;
    if let Some(folder) = resume {
        load_weights(folder, &model)?;
        engine.reload()?;
    }
    let checkpoints = output.filter(|_| collective.rank() == 0).map(checkpoints);
    let mut trainer = Trainer::new(&model, arguments, &train, &eval);
    if arguments.world_size > 1 {
        // Gradients of two layers, of the embeddings and of token rows.
        let sums = collector.leaves_after.map_or(u32::MAX, |steps| 4 * steps);
        let collective = Leaving { inner: collective, sums: AtomicU32::new(sums) };
        trainer = trainer.with_collective(Arc::new(collective));
    }
    if let Some(checkpoints) = &checkpoints {
        trainer = trainer.with_checkpoints(checkpoints);
    }
    let outcome = trainer.run(engine.as_mut(), &mut collector, checkpoint.as_ref());
    Ok((collector, outcome))
}

fn checkpoints(output: &Path) -> Checkpoints {
    Checkpoints {
        output_dir: output.to_path_buf(),
        tokenizer: Vec::new(),
        save_total_limit: None,
        save_only_model: false,
        starting_weights: StartingWeights::Random,
        logging_dir: None,
        options: BTreeMap::new(),
    }
}

fn with(world_size: usize, batch_size: usize, accumulation: usize) -> TrainingArguments {
    arguments(|arguments| {
        arguments.world_size = world_size;
        arguments.per_device_train_batch_size = batch_size;
        arguments.gradient_accumulation_steps = accumulation;
        arguments.num_train_epochs = 3.0;
        arguments.learning_rate = 1e-3;
        arguments.save_strategy = SaveStrategy::No;
    })
}

/// Compares what ranks and one process have observed: losses within 1e-5, the same examples,
/// predictions and evaluations.
fn assert_equal(ranks: &Collector, one: &Collector) {
    let (ranks_steps, steps) = (ranks.steps(), one.steps());
    assert_eq!(ranks_steps.len(), steps.len());
    for (a, b) in ranks_steps.iter().zip(&steps) {
        assert!((a.loss - b.loss).abs() < 1e-5, "step {}: {} and {}", a.step, a.loss, b.loss);
        assert!((a.grad_norm - b.grad_norm).abs() < 1e-4 * b.grad_norm.max(1.0), "step {}", a.step);
        assert_eq!((a.samples, a.tokens, a.epoch), (b.samples, b.tokens, b.epoch));
        assert_eq!(a.learning_rate, b.learning_rate);
    }
    let (ranks, one) = (ranks.evaluations(), one.evaluations());
    assert_eq!(ranks.len(), one.len());
    for (a, b) in ranks.iter().zip(&one) {
        assert!((a.metrics.eval_loss - b.metrics.eval_loss).abs() < 1e-5);
        assert_eq!(a.metrics.eval_confusion, b.metrics.eval_confusion);
        assert_eq!(a.metrics.eval_samples, b.metrics.eval_samples);
    }
}

#[test]
fn ranks_train_as_one_process_with_the_same_global_batch() -> anyhow::Result<()> {
    // With dropout, whose masks are numbered by micro-batch.
    let one = Ranks::new(&with(1, 4, 6)).run()?;
    assert_eq!(one[0].0.steps().len(), 12);
    for (world_size, accumulation) in [(2, 3), (3, 2), (6, 1)] {
        let ranks = Ranks::new(&with(world_size, 4, accumulation)).run()?;
        for (collector, outcome) in &ranks {
            assert!(outcome.is_ok(), "{outcome:?}");
            assert_equal(collector, &one[0].0);
            // All ranks have the same numbers, not similar ones.
            let losses = |collector: &Collector| -> Vec<(f64, f64)> {
                collector.steps().iter().map(|step| (step.loss, step.grad_norm)).collect()
            };
            assert_eq!(losses(collector), losses(&ranks[0].0));
        }
        // One epoch's training predictions are counted over all ranks.
        let epochs = |collector: &Collector| -> Vec<f64> {
            let epochs = collector.events.iter().map(|event| match event {
                TrainEvent::Epoch(epoch) => Some(epoch.train_accuracy),
                _ => None,
            });
            epochs.flatten().collect()
        };
        assert_eq!(epochs(&ranks[0].0), epochs(&one[0].0));
    }
    Ok(())
}

#[test]
fn without_dropout_one_large_batch_is_the_same() -> anyhow::Result<()> {
    let shuffled = |world_size, batch_size| TrainingArguments {
        train_sampling_strategy: SamplingStrategy::Random,
        ..with(world_size, batch_size, 1)
    };
    for ops in [Ops::Fused, Ops::Reference] {
        let (one, two) = (shuffled(1, 16), shuffled(2, 8));
        let one = Ranks { ops, dropout: 0.0, ..Ranks::new(&one) }.run()?;
        let two = Ranks { ops, dropout: 0.0, ..Ranks::new(&two) }.run()?;
        assert_equal(&two[0].0, &one[0].0);
        assert_equal(&two[1].0, &one[0].0);
    }
    Ok(())
}

#[test]
fn commands_of_rank_0_apply_to_all_ranks_at_the_same_step() -> anyhow::Result<()> {
    let arguments = with(2, 4, 1);
    let mut ranks = Ranks::new(&arguments);
    ranks.collectors[0].commands = [
        (3, Command::SetLearningRate { rate: 3.3e-3 }),
        (5, Command::Pause),
        (5, Command::Evaluate),
        (5, Command::Resume),
        (8, Command::Stop { evaluate: true }),
    ]
    .into();
    // A command of another rank is not taken.
    ranks.collectors[1].commands = [(2, Command::Stop { evaluate: false })].into();
    let ranks = ranks.run()?;
    let (first, second) = (&ranks[0].0, &ranks[1].0);
    assert_eq!((first.step, second.step), (8, 8));
    assert_eq!(first.steps()[3].learning_rate, 3.3e-3);
    assert_equal(first, second);
    assert_eq!(second.evaluations().len(), 2);
    Ok(())
}

#[test]
fn a_lost_rank_ends_the_run_with_a_checkpoint_that_any_number_of_ranks_continues()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = TrainingArguments {
        save_strategy: SaveStrategy::Steps,
        save_steps: StepInterval::new(1000.0),
        ..with(2, 4, 1)
    };
    let mut ranks = Ranks { output: Some(folder.path()), ..Ranks::new(&arguments) };
    ranks.collectors[1].leaves_after = Some(7);
    let ranks = ranks.run()?;
    let Err(TrainError::Ranks(CollectiveError::Lost { rank: 1, .. })) = &ranks[0].1 else {
        anyhow::bail!("{:?}", ranks[0].1);
    };
    let written = list(folder.path());
    assert_eq!(written.len(), 1);
    let checkpoint = Checkpoint::read(&written[0])?;
    checkpoint.verify_files()?;
    assert_eq!((checkpoint.run.progress.step, checkpoint.run.world_size), (7, 2));

    let whole = Ranks::new(&arguments).run()?;
    let resumed = Ranks { resume: Some(&written[0]), ..Ranks::new(&arguments) }.run()?;
    let exact: Vec<f64> = whole[0].0.steps()[7..].iter().map(|step| step.loss).collect();
    let again: Vec<f64> = resumed[0].0.steps().iter().map(|step| step.loss).collect();
    assert_eq!(again, exact, "the same number of ranks continues bit for bit");
    let one = with(1, 4, 2);
    let resumed = Ranks { resume: Some(&written[0]), ..Ranks::new(&one) }.run()?;
    let other: Vec<f64> = resumed[0].0.steps().iter().map(|step| step.loss).collect();
    assert_eq!(other.len(), exact.len());
    assert!(other.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-5), "{other:?} {exact:?}");
    Ok(())
}

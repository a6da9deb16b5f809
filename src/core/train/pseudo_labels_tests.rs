use super::*;
use crate::core::collective::Single;
use crate::core::engine::{EngineOptions, StepOptions, build};
use crate::core::model::folder::holds_a_model;
use crate::core::model::{Architecture, SequenceClassifier, Weights};
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::Update;
use crate::core::train::arguments::{ClassWeights, EvalStrategy, SaveStrategy, StepInterval};
use crate::core::train::event::{LogEntry, Step, TrainEvent};
use crate::core::train::trainer::tests::{EventCollector, arguments, examples, tiny, tiny_config};
use crate::core::train::{Checkpoint, Checkpoints, Command, Trainer, TrainingArguments};
use std::collections::BTreeMap;
use std::path::Path;

fn pseudo<'a>(examples: &'a [Example], arguments: &'a TrainingArguments) -> PseudoLabels<'a> {
    PseudoLabels::new(examples, arguments, 20, 2, 0)
}

#[test]
fn what_is_drawn_is_a_function_of_the_step_and_passes_over_all_examples() {
    let all: Vec<Example> = (0..10).map(|token| Example::new(vec![2, token, 3], 0)).collect();
    let arguments = arguments(|arguments| arguments.unlabelled_batch_size = 4);
    let tokens = |labels: &mut PseudoLabels<'_>, number| -> Vec<u32> {
        labels.draw(number).iter().map(|example| example.ids[1]).collect()
    };
    let mut in_order = pseudo(&all, &arguments);
    let drawn: Vec<Vec<u32>> = (1..=10).map(|number| tokens(&mut in_order, number)).collect();
    for number in [7, 3, 10, 1] {
        assert_eq!(tokens(&mut pseudo(&all, &arguments), number), drawn[number as usize - 1]);
    }
    let passes = drawn.concat();
    for pass in passes.chunks(10) {
        let mut pass = pass.to_vec();
        pass.sort_unstable();
        assert_eq!(pass, (0..10).collect::<Vec<u32>>());
    }
    assert_ne!(passes[..10], passes[10..20]);
    // No more than there are.
    assert_eq!(pseudo(&all[..3], &arguments).draw(5).len(), 3);
}

#[test]
fn examples_above_the_threshold_join_the_step_with_the_predicted_class() -> anyhow::Result<()> {
    let (model, unlabelled) = (tiny(3)?, examples(9, 4));
    let mut engine = build(&model, &EngineOptions::default())?;
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    engine.begin_training(settings, false)?;
    let labelled = PackedBatch::new(&examples(6, 5), 0);
    let input = StepInput::new(vec![
        labelled.clone().weighted(vec![0.5, 2.0, 0.5, 2.0, 0.5, 2.0], BatchRole::Labelled),
    ]);
    let with = |threshold, budget| {
        arguments(|arguments| {
            arguments.unlabelled_batch_size = 8;
            arguments.pseudo_label_warmup = 0.5;
            arguments.pseudo_label_threshold = threshold;
            arguments.pseudo_label_weight = 0.25;
            arguments.max_tokens_per_batch = budget;
        })
    };
    let arguments = with(0.0, Some(40));
    let mut labels = pseudo(&unlabelled, &arguments);
    let (before, fraction) = labels.extend(engine.as_mut(), &Single, 10, input.clone())?;
    assert_eq!((before, fraction), (input.clone(), None), "half of the 20 steps are the warm-up");
    let (all, fraction) = labels.extend(engine.as_mut(), &Single, 11, input.clone())?;
    assert_eq!(fraction, Some(1.0));
    assert!(all.batches.len() > 2);
    assert_eq!((all.examples(), all.tokens()), (6, input.tokens()));
    assert_eq!(all.total_weight(), 7.5);
    for batch in &all.batches[1..] {
        assert!(batch.rows() <= 40 && batch.role == BatchRole::PseudoLabelled);
        // 0.25 × 7.5 / 8: after the division by 7.5 each loss is multiplied by 0.25 / 8.
        assert!(batch.weights.iter().all(|&weight| weight == 0.234_375));
        let logits = engine.logits(batch)?;
        let classes: Vec<u32> = logits.chunks(2).map(class_of).collect();
        assert_eq!(batch.labels, classes);
    }
    let arguments = with(0.999_999, None);
    let (none, fraction) =
        pseudo(&unlabelled, &arguments).extend(engine.as_mut(), &Single, 11, input)?;
    assert_eq!((none.batches.len(), fraction), (1, Some(0.0)));
    let update = Update { learning_rate: 1e-3, max_grad_norm: 1.0 };
    let (seed, label_smoothing_factor) = (1, 0.0);
    let options =
        StepOptions { seed, number: 11, label_smoothing_factor, rdrop_alpha: 0.0, update };
    engine.step(&all, &options)?;
    assert_eq!(engine.step_metrics()?.predicted.len(), 6 + 8);
    Ok(())
}

/// The result of a run.
struct Outcome {
    weights: Vec<u32>,
    log: Vec<LogEntry>,
    steps: Vec<Step>,
}

/// Trains with unlabelled examples from the beginning or from a checkpoint in `folder`.
fn train(
    arguments: &TrainingArguments,
    unlabelled: &[Example],
    folder: &Path,
    stop: Option<usize>,
    resume: Option<&Path>,
) -> anyhow::Result<Outcome> {
    let resume = resume.map(Checkpoint::read).transpose()?;
    let weights = match &resume {
        Some(checkpoint) => Weights::open(&checkpoint.folder, Architecture::Bert)?,
        None => Weights::none(),
    };
    let (model, _) = SequenceClassifier::new(tiny_config()?, weights, arguments.seed)?;
    let (train, eval) = (examples(70, 1), examples(20, 2));
    let mut engine = build(&model, &EngineOptions::default())?;
    let checkpoints = Checkpoints {
        output_dir: folder.to_path_buf(),
        tokenizer: vec![("tokenizer.json".to_owned(), b"{}".to_vec())],
        save_total_limit: None,
        save_only_model: false,
        starting_weights: crate::core::train::arguments::StartingWeights::Random,
        logging_dir: None,
        options: BTreeMap::new(),
    };
    let command = Command::Stop { evaluate: false };
    let mut collector =
        EventCollector { stop: stop.map(|after| (after, command)), ..EventCollector::default() };
    let outcome = Trainer::new(&model, arguments, &train, &eval)
        .with_unlabelled(unlabelled)
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), &mut collector, resume.as_ref())?;
    let steps = collector.events.into_iter();
    let steps = steps.filter_map(|e| if let TrainEvent::Step(s) = e { Some(s) } else { None });
    Ok(Outcome {
        weights: model
            .parameters()
            .flat()
            .to_vec1::<f32>()?
            .into_iter()
            .map(f32::to_bits)
            .collect(),
        log: outcome.state.log_history.into_iter().filter(|e| e.contains_key("loss")).collect(),
        steps: steps.map(|step| Step { elapsed: 0.0, ..step }).collect(),
    })
}

fn twelve_steps(change: impl FnOnce(&mut TrainingArguments)) -> TrainingArguments {
    arguments(|arguments| {
        arguments.max_steps = Some(12);
        arguments.per_device_train_batch_size = 8;
        arguments.logging_steps = StepInterval::new(4.0);
        arguments.eval_strategy = EvalStrategy::No;
        arguments.save_strategy = SaveStrategy::Steps;
        arguments.pseudo_label_warmup = 0.4;
        arguments.pseudo_label_threshold = 0.55;
        arguments.unlabelled_batch_size = 7;
        change(arguments);
    })
}

#[test]
fn a_resumed_run_with_pseudo_labels_rdrop_and_weights_equals_an_uninterrupted_one()
-> anyhow::Result<()> {
    let unlabelled = examples(30, 9);
    let arguments = twelve_steps(|arguments| {
        arguments.rdrop_alpha = 0.5;
        arguments.class_weights = ClassWeights::Balanced;
        arguments.max_tokens_per_batch = Some(100);
        arguments.gradient_accumulation_steps = 2;
    });
    let (whole, parts) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let expected = train(&arguments, &unlabelled, whole.path(), None, None)?;
    for stop in [3, 6, 10] {
        let first = train(&arguments, &unlabelled, parts.path(), Some(stop), None)?;
        let checkpoint = parts.path().join(format!("checkpoint-{stop}"));
        assert!(holds_a_model(&checkpoint));
        let second = train(&arguments, &unlabelled, parts.path(), None, Some(&checkpoint))?;
        assert!(second.weights == expected.weights, "stopped at {stop}");
        assert_eq!([first.steps, second.steps].concat(), expected.steps, "stopped at {stop}");
        assert_eq!(second.log, expected.log, "stopped at {stop}");
    }
    let kept: Vec<Option<f64>> = expected.steps.iter().map(|step| step.pseudo_labelled).collect();
    assert!(kept[..5].iter().all(Option::is_none) && kept[5..].iter().all(Option::is_some));
    assert!(kept[5..].iter().flatten().any(|&fraction| fraction > 0.0));
    let logged =
        |entry: &LogEntry| entry.get("pseudo_labelled").and_then(serde_json::Value::as_f64);
    let logged: Vec<Option<f64>> = expected.log.iter().map(logged).collect();
    let mean = |kept: &[Option<f64>]| kept.iter().flatten().sum::<f64>() / kept.len() as f64;
    assert_eq!(logged, [None, Some(mean(&kept[5..8])), Some(mean(&kept[8..]))]);
    Ok(())
}

#[test]
fn pseudo_labelled_examples_are_in_no_metric_and_change_nothing_before_their_first_step()
-> anyhow::Result<()> {
    // The highest of two probabilities is never below 0.5.
    let arguments = twelve_steps(|arguments| arguments.pseudo_label_threshold = 0.5);
    let folder = tempfile::tempdir()?;
    let without = train(&arguments, &[], folder.path(), None, None)?;
    let with = train(&arguments, &examples(30, 9), folder.path(), None, None)?;
    assert!(without.weights != with.weights);
    assert_eq!(without.steps[..5], with.steps[..5]);
    // In the first step with pseudo-labels the loss of the labelled examples is still the same.
    assert_eq!(without.steps[5].loss.to_bits(), with.steps[5].loss.to_bits());
    assert_ne!(without.steps[5].grad_norm.to_bits(), with.steps[5].grad_norm.to_bits());
    for (without, with) in without.steps.iter().zip(&with.steps) {
        assert_eq!((without.samples, without.tokens), (with.samples, with.tokens));
    }
    // The labels of unlabelled examples are not read.
    let relabelled: Vec<Example> =
        examples(30, 9).into_iter().map(|e| Example { label: 1 - e.label, ..e }).collect();
    let other = train(&arguments, &relabelled, folder.path(), None, None)?;
    assert!(other.weights == with.weights);
    Ok(())
}

//! What is checked and decided before a run is resumed, while nothing of it has been changed.

use crate::core::data::batching::Example;
use crate::core::model::LoadReport;
use crate::core::text::{display_path, sanitize_for_terminal, show_number};
use crate::core::train::arguments::TrainingArguments;
use crate::core::train::checkpoint::{self, Checkpoint};
use crate::core::train::progress::fingerprint;
use crate::core::train::schedule::Schedule;
use crate::run::move_earlier_checkpoints;
use crate::run::options::resume::{Change, changes};
use crate::run::options::{
    Given, ModelTraits, ResumeFrom, TrainOptions, UnlabelledSource, ValueSource, resolve, run_toml,
};
use anyhow::Context;
use std::path::Path;

/// A run to be resumed: its checkpoint, and how the options differ from the run's own.
pub(super) struct ResumedRun {
    /// The checkpoint, whose state files and checksums are verified.
    pub checkpoint: Checkpoint,
    /// The run's own options; `None` if neither the checkpoint nor a `run.toml` has them.
    own: Option<TrainOptions>,
    /// The options that differ from the run's own.
    changes: Vec<Change>,
}

/// What was found to resume.
pub(super) struct Found {
    /// The run to be resumed, if there is one.
    pub resumed: Option<ResumedRun>,
    /// Notes for the user on checkpoints that were skipped.
    pub notes: Vec<String>,
}

impl ResumedRun {
    /// Finds and reads the checkpoint that the options name. For `auto`, it is the last one that is
    /// whole; without one, the run starts anew, and the option is removed.
    ///
    /// # Errors
    /// If there is no such checkpoint, or it cannot be resumed from.
    pub fn find(options: &mut TrainOptions) -> anyhow::Result<Found> {
        let mut notes = Vec::new();
        let requested = match options.resume_from() {
            None | Some(ResumeFrom::No) => return Ok(Found { resumed: None, notes }),
            Some(ResumeFrom::Auto) => {
                let found = last_whole(options.output_dir(), &mut notes);
                let Some(checkpoint) = found else {
                    if !notes.is_empty() {
                        notes.push("no checkpoint is whole: the run starts anew".to_owned());
                    }
                    options.output.resume_from_checkpoint = None;
                    return Ok(Found { resumed: None, notes });
                };
                return Ok(Found { resumed: Some(Self::of(checkpoint, options)?), notes });
            }
            Some(ResumeFrom::Last) => None,
            Some(ResumeFrom::Folder(folder)) => Some(folder.as_path()),
        };
        let folder = checkpoint::find(options.output_dir(), requested)?;
        let checkpoint = Checkpoint::read(&folder)?;
        checkpoint.verify_files()?;
        Ok(Found { resumed: Some(Self::of(checkpoint, options)?), notes })
    }

    /// The run of a checkpoint, with its own options.
    fn of(checkpoint: Checkpoint, options: &TrainOptions) -> anyhow::Result<Self> {
        let own = if checkpoint.run.options.is_empty() {
            // A checkpoint of an earlier version.
            run_toml::of_resumed_run(options).and_then(|file| run_toml::read(&file).ok())
        } else {
            let own = run_toml::from_record(&checkpoint.run.options);
            Some(own.map_err(|reason| checkpoint.damaged("nsmc_tui_state.json", reason))?)
        };
        Ok(Self { checkpoint, own, changes: Vec::new() })
    }

    /// Adds the run's own options to `options`, and refuses values that differ from the run's own
    /// and cannot change. Another number of processes can continue it if the examples of a step stay
    /// the same.
    ///
    /// # Errors
    /// If a value is refused; the error names it, the reason and the remedy.
    pub fn apply_own(
        &mut self,
        options: &mut TrainOptions,
        model: ModelTraits,
        world_size: usize,
    ) -> anyhow::Result<()> {
        let (run, state) = (&self.checkpoint.run, &self.checkpoint.state);
        if let Some(own) = &self.own {
            let mut lower = own.clone();
            // What is read comes from the caller, as what is written does.
            (lower.data.train_file, lower.data.validation_file) = (None, None);
            lower.data.corrections = None;
            lower.data.unlabelled = lower
                .data
                .unlabelled
                .take_if(|given| matches!(given.value, UnlabelledSource::Nsmc));
            (lower.output.output_dir, lower.output.logging_dir) = (None, None);
            *options = std::mem::take(options).over(lower);
        }
        let given =
            |value: u64| Given { value, text: value.to_string(), source: ValueSource::Checkpoint };
        let trainer = &mut options.trainer;
        trainer.seed.get_or_insert_with(|| given(run.seed));
        trainer.data_seed.get_or_insert_with(|| given(run.data_seed));

        let mut own = self.own.clone().unwrap_or_default();
        (own.trainer.seed, own.trainer.data_seed) =
            (Some(given(run.seed)), Some(given(run.data_seed)));
        let size = state.train_batch_size;
        let batch = Given { value: size, text: size.to_string(), source: ValueSource::Checkpoint };
        own.trainer.per_device_train_batch_size = Some(batch);
        self.changes = changes(&own, options, model)?;
        if self.own.is_none() {
            // Nothing else is known of a checkpoint of an earlier version without a run.toml.
            let known = |change: &Change| {
                ["seed", "data_seed", "per_device_train_batch_size"].contains(&&*change.name)
            };
            let of_the_model = |change: &Change| {
                change.refusal(false) == Some("the model is that of the checkpoint")
            };
            self.changes.retain(|change| known(change) || of_the_model(change));
        }
        check_batches(&own, options, (run.world_size, world_size))?;
        let has_best = state.best_global_step.is_some();
        let refused: Vec<String> = self
            .changes
            .iter()
            .filter(|change| run.world_size == world_size || change.name != BATCHES)
            .filter_map(|change| {
                let reason = change.refusal(has_best)?;
                Some(format!("{}: the run has {}, and {reason}", change.given, change.from))
            })
            .collect();
        anyhow::ensure!(
            refused.is_empty(),
            "a resumed run cannot change these options; leave them out. {}. A new run with other \
             values can start from the checkpoint's weights: --model-name-or-path {} with another \
             --output-dir, without --resume-from-checkpoint",
            refused.join("; "),
            display_path(&self.checkpoint.folder)
        );
        Ok(())
    }

    /// Checks that the checkpoint's weights are complete.
    ///
    /// # Errors
    /// If a parameter is missing.
    pub fn check_weights(&self, report: &LoadReport) -> anyhow::Result<()> {
        if let Some(name) = report.missing.first().or(report.mismatched.first()) {
            let reason = format!("it has no {name} of this model");
            return Err(self.checkpoint.damaged("model.safetensors", reason).into());
        }
        Ok(())
    }

    /// Checks that the run can continue with these arguments and this data, and returns notes on
    /// what differs.
    ///
    /// # Errors
    /// If the run cannot continue; the error names the reason and the remedy.
    pub fn check_plan(
        &mut self,
        arguments: &TrainingArguments,
        model: ModelTraits,
        train: &[Example],
        eval: &[Example],
    ) -> anyhow::Result<Vec<String>> {
        let folder = display_path(&self.checkpoint.folder);
        let samples = train.len();
        let step = self.checkpoint.run.progress.step;
        let data = fingerprint(train);
        if self.checkpoint.run.data != data {
            let of_the_data = self.changes.iter().filter(|change| change.is_of_the_data());
            let changed: Vec<String> = of_the_data
                .map(|change| format!("{} was {}, now {}", change.name, change.from, change.to))
                .collect();
            let why = if changed.is_empty() {
                "its content was changed, or it is encoded in another way".to_owned()
            } else {
                changed.join("; ")
            };
            anyhow::bail!(
                "the training data is not that of the checkpoint {folder}: {why}. The checkpoint has \
                 {}, and the data {data}. Resume with the run's own data, or start a new run from \
                 the checkpoint's weights: --model-name-or-path {folder} with another --output-dir, \
                 without --resume-from-checkpoint",
                sanitize_for_terminal(&self.checkpoint.run.data),
            );
        }
        let max_steps = arguments.max_steps(samples);
        anyhow::ensure!(
            step <= max_steps,
            "{folder}: its step {step} is after the last step {max_steps} of the run. Pass a larger \
             --num-train-epochs or --max-steps, or an earlier checkpoint"
        );
        let per_epoch = arguments.steps_per_epoch(samples);
        let epochs = step as f64 / per_epoch as f64;
        anyhow::ensure!(
            (self.checkpoint.state.epoch - epochs).abs() * (per_epoch as f64) < 0.5,
            "{folder}: it has {} epochs at step {step}, but an epoch has {per_epoch} steps now. \
             Resume with the run's own --per-device-train-batch-size and \
             --gradient-accumulation-steps",
            self.checkpoint.state.epoch
        );
        let mut notes = self.evaluation_note(eval)?;
        if !self.changes.is_empty() {
            let texts = self.changes.iter();
            let texts =
                texts.map(|change| format!("{} {} → {}", change.name, change.from, change.to));
            let texts: Vec<String> = texts.collect();
            notes.push(format!("changed for the rest of the run: {}", texts.join(", ")));
            notes.extend(self.schedule_note(arguments, model, samples)?);
        }
        Ok(notes)
    }

    /// Checks that the unlabelled examples are those of the checkpoint.
    ///
    /// # Errors
    /// If they are others.
    pub fn check_unlabelled(&self, unlabelled: &[Example]) -> anyhow::Result<()> {
        let now = (!unlabelled.is_empty()).then(|| fingerprint(unlabelled));
        let own = &self.checkpoint.run.unlabelled_data;
        let describe = |data: &Option<String>| {
            data.as_deref().map_or_else(|| "none".into(), sanitize_for_terminal).into_owned()
        };
        anyhow::ensure!(
            *own == now,
            "the unlabelled data is not that of the checkpoint {}, which has {}; the data is {}. \
             Resume with the run's own --unlabelled",
            display_path(&self.checkpoint.folder),
            describe(own),
            describe(&now)
        );
        Ok(())
    }

    /// A note if the evaluation data changed.
    fn evaluation_note(&self, eval: &[Example]) -> anyhow::Result<Vec<String>> {
        let Some(own) = &self.checkpoint.run.eval_data else { return Ok(Vec::new()) };
        if *own == fingerprint(eval) {
            return Ok(Vec::new());
        }
        let step = self.checkpoint.run.progress.step;
        if let Some(best) = self.checkpoint.state.best_global_step {
            anyhow::bail!(
                "the evaluation data is not that of the run, whose best model so far, of step \
                 {best}, was selected by it. Resume with the run's own evaluation data"
            );
        }
        Ok(vec![format!(
            "the evaluation data is not that of the run: evaluations up to step {step} cannot be \
             compared with those after it"
        )])
    }

    /// A note on what the changes do to the learning rate. A rate that was set by hand ends with a
    /// change of `learning_rate`.
    fn schedule_note(
        &mut self,
        now: &TrainingArguments,
        model: ModelTraits,
        samples: usize,
    ) -> anyhow::Result<Option<String>> {
        if !self.changes.iter().any(Change::is_of_the_schedule) {
            return Ok(None);
        }
        let progress = &mut self.checkpoint.run.progress;
        let rate = |arguments: &TrainingArguments, factor: f64| {
            let max_steps = arguments.max_steps(samples);
            let (kind, base) = (arguments.lr_scheduler_type, arguments.learning_rate);
            let warmup = arguments.warmup(max_steps);
            Schedule::new(kind, base, warmup, max_steps).rate(progress.step) * factor
        };
        let own = self.own.clone().unwrap_or_default();
        let own_steps = TrainingArguments {
            world_size: self.checkpoint.run.world_size,
            ..resolve(&own, model)?.0
        };
        let before = rate(&own_steps, progress.rate_factor);
        if self.changes.iter().any(|change| change.name == "learning_rate") {
            progress.rate_factor = 1.0;
        }
        let after = rate(now, progress.rate_factor);
        Ok(Some(format!(
            "the learning rate follows the schedule of a run of {} steps: step {} has {} instead of \
             {}",
            now.max_steps(samples),
            progress.step + 1,
            show_number(after),
            show_number(before)
        )))
    }

    /// Whether options differ from the run's own.
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The option of the number of batches that each process accumulates.
const BATCHES: &str = "gradient_accumulation_steps";

/// Checks that a step has as many batches with another number of processes as the run's own steps.
fn check_batches(
    own: &TrainOptions,
    now: &TrainOptions,
    (before, after): (usize, usize),
) -> anyhow::Result<()> {
    let accumulated = |options: &TrainOptions| {
        options.trainer.gradient_accumulation_steps.as_ref().map_or(1, |given| given.value)
    };
    let (per_step, here) = (accumulated(own) * before, accumulated(now) * after);
    if before == after || per_step == here {
        return Ok(());
    }
    let remedy = if per_step.is_multiple_of(after) {
        format!("Pass --gradient-accumulation-steps {}", per_step / after)
    } else {
        format!("Start a number of processes that divides {per_step}")
    };
    anyhow::bail!(
        "a step of the run has {per_step} batches ({before} × --gradient-accumulation-steps {}), and \
         would now have {here} ({after} × {}), so that the run would continue with other examples. \
         {remedy}",
        accumulated(own),
        accumulated(now)
    );
}

/// The last whole checkpoint in a folder. `notes` receives what is wrong with later ones.
fn last_whole(output_dir: &Path, notes: &mut Vec<String>) -> Option<Checkpoint> {
    checkpoint::list(output_dir).into_iter().rev().find_map(|folder| {
        let whole = Checkpoint::read(&folder).and_then(|checkpoint| {
            checkpoint.verify_files()?;
            Ok(checkpoint)
        });
        whole
            .map_err(|error| {
                let folder = display_path(&folder);
                let error = error.to_string();
                let reason = sanitize_for_terminal(&error);
                notes.push(format!(
                    "{folder} is skipped by --resume-from-checkpoint auto: {reason}"
                ));
            })
            .ok()
    })
}

/// Moves checkpoints that this run does not continue from to another folder, and returns a note for
/// the user.
pub(super) fn move_old_checkpoints(
    output_dir: &Path,
    own: Option<&Checkpoint>,
) -> anyhow::Result<Option<String>> {
    let after = own.map_or(0, |checkpoint| checkpoint.run.progress.step);
    let earlier = move_earlier_checkpoints(output_dir, after).with_context(|| {
        format!("{}: earlier checkpoints cannot be moved", output_dir.display())
    })?;
    Ok(earlier.map(|earlier| {
        let to = display_path(&earlier);
        if own.is_some() {
            format!("later checkpoints were moved to {to}")
        } else {
            format!("an earlier run's checkpoints were moved to {to}")
        }
    }))
}

/// Checks that the classes of the data are those of the checkpoint.
///
/// # Errors
/// If they are others.
pub(super) fn check_classes(own: &[String], now: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(
        own == now,
        "the classes of the data are {}, but those of the run are {}. Resume with the run's own \
         data, or start a new run",
        sanitize_for_terminal(&now.join(", ")),
        sanitize_for_terminal(&own.join(", "))
    );
    Ok(())
}

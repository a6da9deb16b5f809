//! What a run of several processes prepares in another way than that of one.

use super::reporter::WorkerChannels;
use crate::core::collective::{
    Collective, CollectiveError, Facts, Placement, Single, Waiting, check_equal, is_first,
};
use crate::core::data::batching::Example;
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{Engine, EngineOptions};
use crate::core::model::SequenceClassifier;
use crate::core::model::embedded::{EMBEDDED_MODEL, SMALL_MODEL};
use crate::core::train::Checkpoint;
use crate::core::train::event::Setting;
use crate::core::train::progress::fingerprint;
use crate::run::options::TrainOptions;
use crate::run::protocol::Command;
use crate::run::ranks::{Children, Membership};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Options that may differ between the ranks: those of each machine, and of what rank 0 writes.
/// The rows of files are compared instead of their paths.
const OF_A_RANK: [&str; 10] = [
    "device",
    "threads",
    "train_file",
    "validation_file",
    "corrections",
    "report_to",
    "probe",
    "save_predictions",
    "save_total_limit",
    "resume_from_checkpoint",
];

/// How long the processes wait for each other before they say what they wait for.
const QUIET_WAIT: Duration = Duration::from_secs(5);

/// The processes of a run.
pub(super) struct Ranks {
    pub collective: Arc<dyn Collective>,
    placement: Option<Placement>,
    children: Mutex<Children>,
}

impl Ranks {
    /// Joins the other processes of the run, if it has others.
    pub fn join(
        membership: Option<Membership>,
        channels: &WorkerChannels,
    ) -> Result<Self, CollectiveError> {
        let Some(membership) = membership else {
            let children = Mutex::default();
            return Ok(Self { collective: Arc::new(Single), placement: None, children });
        };
        let placement = membership.placement().clone();
        channels.preparing("Waiting for the other processes");
        let mut has_said = false;
        let (collective, children) = membership.join(|waiting| {
            if waiting.elapsed > QUIET_WAIT && !std::mem::replace(&mut has_said, true) {
                let Waiting { limit, reason, .. } = waiting;
                channels.warn(&format!("{reason} (waiting for up to {} s)", limit.as_secs()));
            }
            let is_stop = |command| matches!(command, Command::Stop { .. });
            if channels.commands.try_iter().any(is_stop) {
                return Err(CollectiveError::Join(
                    "the run was stopped before it began".to_owned(),
                ));
            }
            Ok(())
        })?;
        Ok(Self { collective, placement: Some(placement), children: Mutex::new(children) })
    }

    /// The number of processes.
    pub fn world_size(&self) -> usize {
        self.collective.world_size()
    }

    /// Whether this process has the screen, and writes the files of the run.
    pub fn is_first(&self) -> bool {
        is_first(&*self.collective)
    }

    /// The engine of this process: a share of the machine's threads, and a GPU of its own.
    pub fn engine_options(&self, options: &TrainOptions) -> EngineOptions {
        let mut engine = options.engine_options();
        let Some(placement) = &self.placement else { return engine };
        if options.compute.threads.is_none() {
            let cpus = std::thread::available_parallelism().map_or(1, usize::from);
            engine.threads = placement.threads(cpus);
        }
        engine.auto_gpu = placement.local_rank;
        let given = options.compute.device.as_ref();
        if given.is_some_and(|given| given.text == "cuda") {
            engine.device = DeviceChoice::Cuda(placement.local_rank);
        }
        engine
    }

    /// Lets rank 0 download before the others, which then find its files on the same machine: this
    /// waits for [`Self::has_read`] of rank 0, unless nothing is downloaded. Returns whether it is
    /// waited for.
    pub fn before_reading(&self, options: &TrainOptions) -> Result<bool, CollectiveError> {
        let model = options.model.model_name_or_path.as_ref().map(|given| given.value.as_str());
        let is_own = |name: &str| [EMBEDDED_MODEL, SMALL_MODEL].contains(&name);
        let downloads = options.data.dataset_name.is_some()
            || model.is_some_and(|name| !is_own(name) && !Path::new(name).is_dir());
        let waits = downloads && self.world_size() > 1;
        if waits && !self.is_first() {
            self.collective.barrier()?;
        }
        Ok(waits)
    }

    /// Lets the other ranks read what rank 0 has downloaded, if they wait for it.
    pub fn has_read(&self, waits: bool) -> Result<(), CollectiveError> {
        if waits && self.is_first() { self.collective.barrier() } else { Ok(()) }
    }

    /// Waits for the processes that this one has started, which end with the run.
    pub fn release(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::take(&mut *children));
    }

    /// Checks that all ranks are about to train the same model on the same examples, those of training
    /// and those of evaluation, in the same way.
    pub fn check_equal(
        &self,
        (options, model, engine): (&BTreeMap<String, String>, &SequenceClassifier, &dyn Engine),
        (train, eval): (&[Example], &[Example]),
        resume: Option<&Checkpoint>,
    ) -> Result<(), CollectiveError> {
        if self.world_size() == 1 {
            return Ok(());
        }
        // Without --data-seed, that is the seed, which is compared itself.
        let is_the_seed =
            |name: &str, value: &String| name == "data_seed" && options.get("seed") == Some(value);
        let options = options.iter().filter(|(name, value)| {
            !OF_A_RANK.contains(&name.as_str()) && !is_the_seed(name, value)
        });
        let options = options.map(|(name, value)| (name.clone(), value.clone()));
        let step = resume.map_or(0, |checkpoint| checkpoint.run.progress.step);
        let precision = if engine.device().contains("bf16") { "bf16" } else { "float32" };
        let others = [
            ("version of nsmc-tui", env!("CARGO_PKG_VERSION").to_owned()),
            ("step to begin after", step.to_string()),
            ("precision", precision.to_owned()),
            ("training data", fingerprint(train)),
            ("evaluation data", fingerprint(eval)),
            ("checksum of the initial weights", checksum(model)),
        ];
        let others = others.map(|(name, value)| (name.to_owned(), value));
        let facts: Facts = options.chain(others).collect();
        check_equal(&*self.collective, &facts)
    }

    /// The setting that says how many processes there are.
    pub fn setting(&self) -> Option<Setting> {
        let placement = self.placement.as_ref()?;
        Some(Setting {
            name: "world_size".to_owned(),
            value: self.world_size().to_string(),
            reason: placement.launcher.to_string(),
        })
    }
}

/// A checksum of all weights.
fn checksum(model: &SequenceClassifier) -> String {
    let weights = match model.parameters().flat().to_vec1::<f32>() {
        Ok(weights) => weights,
        Err(error) => return error.to_string(),
    };
    let add = |crc, weight: &f32| crc32c::crc32c_append(crc, &weight.to_le_bytes());
    format!("{:08x}", weights.iter().fold(0, add))
}

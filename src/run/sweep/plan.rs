//! What a sweep does: its search, its settings, and the options of all its trials.

use super::metric::SweepMetric;
use super::of_all::options_of_all;
use super::search::{MAX_TRIALS, SearchKind, grid, random, rung_sizes};
use super::setting::{Configuration, SEED, SweptSetting};
use super::trial::Trial;
use crate::run::options::{TrainOptions, ValueSource, assign};
use std::collections::BTreeMap;

/// A sweep that is not possible.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// The request contradicts itself, or the plan of the folder.
    #[error("{0}")]
    Request(String),
    /// A file of the sweep cannot be used.
    #[error("{0}")]
    File(String),
}

/// What the user asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRequest {
    /// How configurations are chosen.
    pub search: SearchKind,
    /// The metric by which they are compared.
    pub metric: SweepMetric,
    /// How many configurations to draw.
    pub trials: Option<usize>,
    /// The seed of the draws.
    pub search_seed: u64,
    /// The factor of successive halving.
    pub eta: u32,
    /// The settings that are varied.
    pub settings: Vec<SweptSetting>,
    /// The options of every run.
    pub train: TrainOptions,
}

/// The plan of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepPlan {
    /// How configurations are chosen.
    pub search: SearchKind,
    /// The metric by which they are compared.
    pub metric: SweepMetric,
    /// How many configurations were drawn, if they were.
    pub trials: Option<usize>,
    /// The seed of the draws.
    pub search_seed: u64,
    /// The factor of successive halving.
    pub eta: u32,
    /// The epochs of each rung of successive halving; empty for other searches.
    pub epochs: Vec<String>,
    /// The settings that are varied.
    pub settings: Vec<SweptSetting>,
    /// The options of every run, by name.
    pub train: BTreeMap<String, String>,
    /// The configurations.
    pub configurations: Vec<Configuration>,
}

impl SweepPlan {
    /// Plans a sweep. `epochs` returns the epochs of each rung of successive halving, given the
    /// number of configurations.
    ///
    /// # Errors
    /// If the request contradicts itself, or asks for more than there is.
    pub fn new<E: From<PlanError>>(
        request: PlanRequest,
        epochs: impl FnOnce(usize) -> Result<Vec<String>, E>,
    ) -> Result<Self, E> {
        let PlanRequest { search, metric, trials, search_seed, eta, settings, train } = request;
        if settings.is_empty() {
            return Err(refusal(
                "there is nothing to vary: pass --set NAME=VALUE,VALUE, such as --set seed=42,1,2",
            ));
        }
        let train = options_of_all(&train, &settings, search).map_err(refusal)?;
        let configurations = match (search, trials) {
            (SearchKind::Grid, Some(_)) => {
                Err("--trials is of --search random and halving; a grid has all combinations"
                    .to_owned())
            }
            (SearchKind::Random, None) => {
                Err("--search random needs --trials N, the number of configurations to draw"
                    .to_owned())
            }
            (SearchKind::Grid | SearchKind::Halving, None) => grid(&settings),
            (_, Some(trials)) => random(&settings, trials, search_seed),
        };
        let configurations = configurations.map_err(refusal)?;
        let seeds = settings.iter().find(|setting| setting.name == SEED);
        let seeds = seeds.and_then(SweptSetting::list).map_or(1, <[_]>::len);
        if configurations.len() * seeds > MAX_TRIALS {
            let count = configurations.len();
            return Err(refusal(format!(
                "{count} configurations with {seeds} seeds are more than {MAX_TRIALS} trials"
            )));
        }
        let epochs = if search == SearchKind::Halving {
            let count = configurations.len();
            if rung_sizes(count, eta).len() < 2 {
                return Err(refusal(format!(
                    "--search halving needs {eta} configurations or more (--eta), and there are \
                     {count}: list more values, or use --search grid"
                )));
            }
            epochs(count)?
        } else {
            Vec::new()
        };
        Ok(Self {
            search,
            metric,
            trials,
            search_seed,
            eta,
            epochs,
            settings,
            train,
            configurations,
        })
    }

    /// The seeds that each configuration is trained with; a single `None` for that of the options of
    /// every run.
    pub fn seeds(&self) -> Vec<Option<&str>> {
        let seeds = self.settings.iter().find(|setting| setting.name == SEED);
        seeds.and_then(SweptSetting::list).map_or_else(
            || vec![None],
            |values| values.iter().map(|value| Some(value.as_str())).collect(),
        )
    }

    /// Whether an option is given for the runs, or varied.
    pub fn sets(&self, name: &str) -> bool {
        self.train.contains_key(name) || self.settings.iter().any(|setting| setting.name == name)
    }

    /// The number of configurations in each rung; one number for a search without rungs.
    pub fn rung_sizes(&self) -> Vec<usize> {
        match self.search {
            SearchKind::Halving => rung_sizes(self.configurations.len(), self.eta),
            SearchKind::Grid | SearchKind::Random => vec![self.configurations.len()],
        }
    }

    /// The number of trials of the whole sweep.
    pub fn trial_count(&self) -> usize {
        self.rung_sizes().iter().sum::<usize>() * self.seeds().len()
    }

    /// The trials of some configurations, counted from 0, in a rung, counted from 0.
    pub fn trials_of(&self, configurations: &[usize], rung: usize) -> Vec<Trial> {
        let seeds = self.seeds();
        let mut trials = Vec::new();
        for &configuration in configurations {
            for (at, seed) in seeds.iter().enumerate() {
                let number = configuration * seeds.len() + at + 1;
                let name = match self.search {
                    SearchKind::Halving => format!("trial-{number:03}-rung-{}", rung + 1),
                    SearchKind::Grid | SearchKind::Random => format!("trial-{number:03}"),
                };
                trials.push(Trial { name, configuration, seed: seed.map(str::to_owned), rung });
            }
        }
        trials
    }

    /// The options of a trial, without its folder.
    ///
    /// # Errors
    /// If a value is invalid, which it cannot be in a plan that was made or read by this program.
    pub fn options(&self, trial: &Trial) -> Result<TrainOptions, PlanError> {
        let mut options = TrainOptions::default();
        let configuration = self.configurations.get(trial.configuration);
        let own = configuration.into_iter().flatten().map(|(name, text)| (name.as_str(), text));
        let seed = trial.seed.iter().map(|seed| (SEED, seed));
        let epochs = self.epochs.get(trial.rung).map(|epochs| ("num_train_epochs", epochs));
        let train = self.train.iter().map(|(name, text)| (name.as_str(), text));
        // The first value that is set holds.
        for (name, text) in own.chain(seed).chain(epochs).chain(train) {
            assign(&mut options, name, text, &ValueSource::Flag).map_err(PlanError::Request)?;
        }
        Ok(options)
    }

    /// How this plan, which a folder has, differs from the one that is asked for now; empty if it
    /// does not.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let (mut before, mut after) = (self.described(), now.described());
        // Only the decisions of successive halving follow from the metric.
        if self.search == SearchKind::Halving {
            before.insert("--metric".to_owned(), self.metric.to_string());
            after.insert("--metric".to_owned(), now.metric.to_string());
        }
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let shown = |value: Option<&String>| {
            value.map_or_else(|| "not given".to_owned(), |value| value.replace('\n', " "))
        };
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| {
                format!(
                    "{name} is {} there, {} now",
                    shown(before.get(name)),
                    shown(after.get(name))
                )
            })
            .collect()
    }

    /// What the trials follow from, by name.
    fn described(&self) -> BTreeMap<String, String> {
        let mut all = self.train.clone();
        let settings = self.settings.iter();
        all.extend(settings.map(|each| (format!("--set {}", each.name), each.values_text())));
        all.insert("--search".to_owned(), self.search.to_string());
        if let Some(trials) = self.trials {
            all.insert("--trials".to_owned(), trials.to_string());
            all.insert("--search-seed".to_owned(), self.search_seed.to_string());
        }
        if self.search == SearchKind::Halving {
            all.insert("--eta".to_owned(), self.eta.to_string());
            all.insert("epochs of the rungs".to_owned(), self.epochs.join(","));
        }
        all
    }
}

fn refusal<E: From<PlanError>>(problem: impl Into<String>) -> E {
    PlanError::Request(problem.into()).into()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

//! The results of a sweep: the mean of the metric of each configuration.

use super::metric::SweepMetric;
use super::plan::SweepPlan;
use super::search::SearchKind;
use super::setting::{Configuration, SEED};
use super::trial::{Trial, TrialState};
use crate::core::statistics::mean_interval;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The results of a sweep, the best configuration first.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepTable {
    /// The metric by which configurations are compared.
    pub metric: SweepMetric,
    /// The names of the settings that are varied, in their order, without the seed.
    pub settings: Vec<&'static str>,
    /// Whether the sweep has rungs of successive halving.
    pub has_rungs: bool,
    /// One row for each configuration.
    pub rows: Vec<ConfigurationRow>,
    /// The trials that are running: name, steps done and steps of the whole run.
    pub running: Vec<(String, u64, u64)>,
    /// The number of trials that are finished or failed.
    pub settled: usize,
    /// The number of trials of the whole sweep.
    pub trials: usize,
}

/// The results of a configuration. `nsmc-tui sweep --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigurationRow {
    /// The number of the configuration, from 1.
    pub configuration: usize,
    /// Its values.
    pub settings: Configuration,
    /// The rung of successive halving that its results are of, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<usize>,
    /// The epochs of that rung.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_train_epochs: Option<f64>,
    /// The metric.
    pub metric: &'static str,
    /// Its mean over the finished trials.
    pub mean: Option<f64>,
    /// Half the width of the mean's 95 % interval, from two trials on.
    pub half_width: Option<f64>,
    /// The number of its trials; if there are rungs, of those of that rung.
    pub trials: usize,
    /// How many trials of the configuration are running.
    pub running: usize,
    /// Those of them that are finished, in their order.
    pub finished: Vec<TrialValue>,
    /// The trials of the configuration that failed.
    pub failed: Vec<FailedTrial>,
}

/// The result of a trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialValue {
    /// The name of its folder.
    pub trial: String,
    /// Its seed, if seeds are varied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// The metric at its end.
    pub value: f64,
}

/// A trial that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedTrial {
    /// The name of its folder.
    pub trial: String,
    /// Why.
    pub error: String,
}

impl ConfigurationRow {
    /// The row of a configuration, counted from 0, in a rung; `own` are all its trials.
    fn new(
        plan: &SweepPlan,
        configuration: usize,
        rung: usize,
        own: &[&(Trial, TrialState)],
    ) -> Self {
        let mut row = Self {
            configuration: configuration + 1,
            settings: plan.configurations.get(configuration).cloned().unwrap_or_default(),
            rung: (plan.search == SearchKind::Halving).then_some(rung + 1),
            num_train_epochs: plan.epochs.get(rung).and_then(|epochs| epochs.parse().ok()),
            metric: plan.metric.name(),
            mean: None,
            half_width: None,
            trials: 0,
            running: 0,
            finished: Vec::new(),
            failed: Vec::new(),
        };
        for (trial, state) in own {
            let is_of_rung = trial.rung == rung;
            row.trials += usize::from(is_of_rung);
            let name = || trial.name.clone();
            match state {
                TrialState::Running { .. } => row.running += 1,
                TrialState::Finished(value) if is_of_rung => {
                    let (trial, seed) = (name(), trial.seed.clone());
                    row.finished.push(TrialValue { trial, seed, value: *value });
                }
                TrialState::Failed(error) => {
                    row.failed.push(FailedTrial { trial: name(), error: error.clone() });
                }
                TrialState::Waiting { .. } | TrialState::Finished(_) => {}
            }
        }
        let values: Vec<f64> = row.finished.iter().map(|finished| finished.value).collect();
        if let Some(interval) = mean_interval(&values) {
            (row.mean, row.half_width) = (Some(interval.mean), interval.half_width);
        }
        row
    }

    /// The best of its finished trials; of equal ones, the first.
    pub fn best_trial(&self, metric: SweepMetric) -> Option<&TrialValue> {
        self.finished
            .iter()
            .min_by(|one, other| metric.cost(one.value).total_cmp(&metric.cost(other.value)))
    }
}

/// The trials of each configuration, counted from 0.
type ByConfiguration<'a> = BTreeMap<usize, Vec<&'a (Trial, TrialState)>>;

fn by_configuration(trials: &[(Trial, TrialState)]) -> ByConfiguration<'_> {
    let mut grouped = ByConfiguration::new();
    for each in trials {
        grouped.entry(each.0.configuration).or_default().push(each);
    }
    grouped
}

/// The results of the configurations that have trials in a rung, the best mean first; those without
/// one come last, and equal ones are in the order of their numbers.
fn ranked_rows(plan: &SweepPlan, grouped: &ByConfiguration, rung: usize) -> Vec<ConfigurationRow> {
    let mut rows: Vec<ConfigurationRow> = grouped
        .iter()
        .filter(|(_, own)| own.iter().any(|(trial, _)| trial.rung == rung))
        .map(|(configuration, own)| ConfigurationRow::new(plan, *configuration, rung, own))
        .collect();
    let cost =
        |row: &ConfigurationRow| row.mean.map_or(f64::INFINITY, |mean| plan.metric.cost(mean));
    rows.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
    rows
}

/// The configurations, counted from 0, that a rung of successive halving promotes to the next one,
/// in the order of their numbers: `None` if it has trials left to do. Those without a finished trial
/// are not promoted.
pub(super) fn promoted(
    plan: &SweepPlan,
    trials: &[(Trial, TrialState)],
    rung: usize,
) -> Option<Vec<usize>> {
    let mut of_rung = trials.iter().filter(|(trial, _)| trial.rung == rung);
    if !of_rung.all(|(_, state)| state.is_settled()) {
        return None;
    }
    let size = plan.rung_sizes().get(rung + 1).copied().unwrap_or(0);
    let rows = ranked_rows(plan, &by_configuration(trials), rung);
    let best = rows.iter().filter(|row| row.mean.is_some()).take(size);
    let mut promoted: Vec<usize> = best.map(|row| row.configuration - 1).collect();
    promoted.sort_unstable();
    Some(promoted)
}

impl SweepTable {
    /// The table of trials. A configuration has the row of the last rung in which it has a finished
    /// trial, and those of later rungs come first.
    pub(super) fn new(plan: &SweepPlan, trials: &[(Trial, TrialState)]) -> Self {
        let rungs = plan.rung_sizes().len();
        let grouped = by_configuration(trials);
        let (mut rows, mut listed) = (Vec::new(), BTreeSet::new());
        for rung in (0..rungs).rev() {
            for row in ranked_rows(plan, &grouped, rung) {
                if (rung == 0 || row.mean.is_some()) && listed.insert(row.configuration) {
                    rows.push(row);
                }
            }
        }
        let running = trials.iter().filter_map(|(trial, state)| match state {
            TrialState::Running { step, max_steps } => {
                Some((trial.name.clone(), *step, *max_steps))
            }
            _ => None,
        });
        let settings = plan.settings.iter().map(|setting| setting.name);
        Self {
            metric: plan.metric,
            settings: settings.filter(|name| *name != SEED).collect(),
            has_rungs: plan.search == SearchKind::Halving,
            rows,
            running: running.collect(),
            settled: trials.iter().filter(|(_, state)| state.is_settled()).count(),
            trials: plan.trial_count().max(trials.len()),
        }
    }

    /// The best configuration so far.
    pub fn best(&self) -> Option<&ConfigurationRow> {
        self.rows.first().filter(|row| row.mean.is_some())
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

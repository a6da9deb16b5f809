use super::*;
use crate::run::options::{TrainOptions, ValueSource, assign};
use crate::run::sweep::search::budgets;
use crate::run::sweep::{PlanError, PlanRequest};

fn plan(search: SearchKind, metric: SweepMetric, settings: &[&str]) -> anyhow::Result<SweepPlan> {
    let mut train = TrainOptions::default();
    assign(&mut train, "max_train_samples", "96", &ValueSource::Flag)
        .map_err(anyhow::Error::msg)?;
    let settings: Result<Vec<_>, String> = settings.iter().map(|text| text.parse()).collect();
    let settings = settings.map_err(anyhow::Error::msg)?;
    let (trials, search_seed, eta) = (None, 42, 2);
    let request = PlanRequest { search, metric, trials, search_seed, eta, settings, train };
    Ok(SweepPlan::new(request, |count| Ok::<_, PlanError>(budgets(count, eta, 4.0)))?)
}

/// The trials of the first rung with these states, which waiting ones follow.
fn first_rung(plan: &SweepPlan, states: &[TrialState]) -> Vec<(Trial, TrialState)> {
    let all: Vec<usize> = (0..plan.configurations.len()).collect();
    let waiting = std::iter::repeat(TrialState::Waiting { step: 0 });
    plan.trials_of(&all, 0).into_iter().zip(states.iter().cloned().chain(waiting)).collect()
}

fn order(rows: &[ConfigurationRow]) -> Vec<usize> {
    rows.iter().map(|row| row.configuration).collect()
}

#[test]
fn the_best_mean_over_the_seeds_comes_first() -> anyhow::Result<()> {
    use TrialState::{Failed, Finished, Running};
    let settings = ["learning_rate=1e-5,1e-4,1e-3,1e-2", "seed=1,2"];
    let states = [
        Finished(0.7),
        Finished(0.8),
        Finished(0.9),
        Running { step: 3, max_steps: 6 },
        Failed("the loss is NaN at step 2".to_owned()),
        Failed("the loss is NaN at step 3".to_owned()),
    ];
    let accuracy = plan(SearchKind::Grid, SweepMetric::Accuracy, &settings)?;
    let table = SweepTable::new(&accuracy, &first_rung(&accuracy, &states));
    assert_eq!(order(&table.rows), [2, 1, 3, 4]);
    assert_eq!((table.settled, table.trials), (5, 8));
    assert_eq!(table.running, [("trial-004".to_owned(), 3, 6)]);
    assert_eq!(table.settings, ["learning_rate"]);
    let [best, second, third, _] = &table.rows[..] else { anyhow::bail!("not four rows") };
    assert_eq!((best.mean, best.half_width, best.running), (Some(0.9), None, 1));
    assert_eq!(second.mean, Some(0.75));
    // t of 1 degree of freedom times the standard error, which is half the difference.
    assert!(second.half_width.is_some_and(|half| (half - 12.706_204_7 * 0.05).abs() < 1e-6));
    assert_eq!(
        second.best_trial(accuracy.metric).map(|best| best.trial.as_str()),
        Some("trial-002")
    );
    assert_eq!((third.mean, third.failed.len(), third.finished.len()), (None, 2, 0));

    let loss = plan(SearchKind::Grid, SweepMetric::Loss, &settings)?;
    let table = SweepTable::new(&loss, &first_rung(&loss, &states));
    assert_eq!(order(&table.rows), [1, 2, 3, 4], "the lowest loss is the best");
    let best = table.best().and_then(|row| row.best_trial(loss.metric));
    assert_eq!(best.map(|best| best.value), Some(0.7));
    Ok(())
}

#[test]
fn without_a_finished_trial_there_is_no_best_one() -> anyhow::Result<()> {
    let plan = plan(SearchKind::Grid, SweepMetric::Accuracy, &["seed=1,2"])?;
    let table = SweepTable::new(&plan, &first_rung(&plan, &[]));
    assert_eq!((table.rows.len(), table.best()), (1, None));
    let json = serde_json::to_value(&table.rows[0])?;
    assert_eq!(json["mean"], serde_json::Value::Null);
    assert!(json.get("rung").is_none());
    Ok(())
}

#[test]
fn halving_promotes_the_best_half_once_all_are_settled() -> anyhow::Result<()> {
    use TrialState::{Failed, Finished};
    let settings = ["learning_rate=1e-5,1e-4,1e-3,1e-2"];
    let plan = plan(SearchKind::Halving, SweepMetric::Accuracy, &settings)?;
    assert_eq!(plan.epochs, ["1", "2", "4"]);
    let failed = || Failed("killed".to_owned());
    let states = [Finished(0.8), failed(), Finished(0.8)];
    assert_eq!(promoted(&plan, &first_rung(&plan, &states), 0), None, "one is left to do");
    let states = [&states[..], &[Finished(0.9)]].concat();
    let mut trials = first_rung(&plan, &states);
    assert_eq!(promoted(&plan, &trials, 0), Some(vec![0, 3]), "of equal ones, the first");
    // Failed trials are not promoted, even if that leaves fewer.
    let poor = first_rung(&plan, &[failed(), failed(), failed(), Finished(0.1)]);
    assert_eq!(promoted(&plan, &poor, 0), Some(vec![3]));

    let second = plan.trials_of(&[0, 3], 1).into_iter();
    trials.extend(second.zip([Finished(0.95), TrialState::Running { step: 1, max_steps: 2 }]));
    let table = SweepTable::new(&plan, &trials);
    assert_eq!(order(&table.rows), [1, 4, 3, 2], "the later rung comes first");
    let (first, other) = (&table.rows[0], &table.rows[1]);
    assert_eq!((first.rung, first.num_train_epochs), (Some(2), Some(2.0)));
    assert_eq!((other.rung, other.running), (Some(1), 1));
    assert_eq!(table.trials, 7);
    trials[5].1 = failed();
    assert_eq!(promoted(&plan, &trials, 1), Some(vec![0]));
    assert_eq!(SweepTable::new(&plan, &trials).rows[1].failed.len(), 1, "failures are not hidden");
    Ok(())
}

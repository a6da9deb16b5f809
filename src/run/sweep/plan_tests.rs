use super::*;
use crate::run::options::OptionGroup;
use crate::run::sweep::search::budgets;
use crate::run::sweep::{PLAN, SweptSetting};

fn request(search: SearchKind, settings: &[&str]) -> anyhow::Result<PlanRequest> {
    let settings: Result<Vec<SweptSetting>, String> =
        settings.iter().map(|text| text.parse()).collect();
    let mut train = TrainOptions::default();
    for (name, text) in [("max_train_samples", "96"), ("num_train_epochs", "4")] {
        assign(&mut train, name, text, &ValueSource::Flag).map_err(anyhow::Error::msg)?;
    }
    Ok(PlanRequest {
        search,
        metric: SweepMetric::default(),
        trials: None,
        search_seed: 42,
        eta: 3,
        settings: settings.map_err(anyhow::Error::msg)?,
        train,
    })
}

fn plan(search: SearchKind, settings: &[&str], trials: Option<usize>) -> anyhow::Result<SweepPlan> {
    let request = PlanRequest { trials, ..request(search, settings)? };
    let eta = request.eta;
    Ok(SweepPlan::new(request, |count| Ok::<_, PlanError>(budgets(count, eta, 4.0)))?)
}

#[test]
fn a_plan_is_read_as_it_was_written() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    assert_eq!(SweepPlan::read(folder.path())?, None);
    let settings = ["learning_rate=log:1e-5..1e-3", "seed=1,2", "lr_scheduler_type=linear,cosine"];
    let random = plan(SearchKind::Random, &settings, Some(5))?;
    let halving = plan(SearchKind::Halving, &settings, Some(9))?;
    let grid = plan(SearchKind::Grid, &settings[1..], None)?;
    for plan in [random, halving, grid] {
        plan.write(folder.path())?;
        assert_eq!(SweepPlan::read(folder.path())?, Some(plan));
    }
    Ok(())
}

#[test]
fn a_damaged_plan_is_refused_with_its_place() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Grid, &["learning_rate=1e-5,1e-4"], None)?;
    plan.write(folder.path())?;
    let file = folder.path().join(PLAN);
    let text = std::fs::read_to_string(&file)?;
    for (from, to, expected) in [
        ("search = ", "serch = ", "sweep.toml:5: unknown field `serch`"),
        ("\"grid\"", "\"tree\"", "expected grid, random or halving"),
        ("max_train_samples = \"96\"", "max_train_samples = \"-1\"", "for max_train_samples"),
        ("learning_rate = \"1e-5\"", "seed = \"1\"", "a value for each setting"),
        ("version = 1", "version = 2", "it has version 2"),
        ("epochs = []", "epochs = [\"1\", \"2\"]", "do not belong together"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from} is not in {text}");
        std::fs::write(&file, damaged)?;
        let error =
            SweepPlan::read(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected) && error.contains("--output-dir"), "{from}: {error}");
    }
    Ok(())
}

#[test]
fn trials_have_the_options_of_all_runs_and_their_own() -> anyhow::Result<()> {
    let plan = plan(SearchKind::Halving, &["learning_rate=1e-5,1e-4,1e-3", "seed=7,8"], None)?;
    assert_eq!((plan.rung_sizes(), plan.trial_count()), (vec![3, 1], 8));
    let first = plan.trials_of(&[0, 1, 2], 0);
    let names: Vec<&str> = first.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names[..3], ["trial-001-rung-1", "trial-002-rung-1", "trial-003-rung-1"]);
    let options = plan.options(&first[3])?;
    let given: Vec<(&str, &str)> =
        options.given().iter().map(|given| (given.name, given.text)).collect();
    let expected = [
        ("max_train_samples", "96"),
        ("num_train_epochs", "1.333"),
        ("learning_rate", "1e-4"),
        ("seed", "8"),
    ];
    assert_eq!(given, expected);
    let last = plan.trials_of(&[1], 1);
    assert_eq!(last[0].name, "trial-003-rung-2", "it has the number of its configuration");
    let epochs = plan.options(&last[0])?.trainer.num_train_epochs.map(|given| given.value);
    assert_eq!(epochs, Some(4.0));
    Ok(())
}

#[test]
fn differences_are_named() -> anyhow::Result<()> {
    let before = plan(SearchKind::Grid, &["learning_rate=1e-5,1e-4"], None)?;
    assert_eq!(before.differences(&before), [""; 0]);
    let mut other = plan(SearchKind::Grid, &["learning_rate=1e-5,1e-3"], None)?;
    other.train.remove("max_train_samples");
    other.metric = SweepMetric::F1;
    let expected = [
        "--set learning_rate is 1e-5,1e-4 there, 1e-5,1e-3 now",
        "max_train_samples is 96 there, not given now",
    ];
    assert_eq!(before.differences(&other), expected);
    Ok(())
}

#[test]
fn contradictions_are_refused() {
    let message = |plan: anyhow::Result<SweepPlan>| plan.err().map(|e| e.to_string());
    for (search, settings, trials, expected) in [
        (SearchKind::Grid, &[][..], None, "there is nothing to vary"),
        (SearchKind::Grid, &["seed=1,2"], Some(3), "a grid has all combinations"),
        (SearchKind::Random, &["weight_decay=0..1"], None, "needs --trials N"),
        (SearchKind::Grid, &["max_train_samples=96,97"], None, "but --set varies it"),
        (SearchKind::Halving, &["weight_decay=0,1"], None, "needs 3 configurations or more"),
        (SearchKind::Halving, &["max_steps=1,2,3"], None, "cannot be varied"),
        (SearchKind::Random, &["weight_decay=0..1"], Some(20_000), "more than 10000 trials"),
    ] {
        let error = message(plan(search, settings, trials)).unwrap_or_default();
        assert!(error.contains(expected), "{settings:?}: {error}");
    }
}

use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::fixtures::{ending as finish, failure, run};
use crate::run::journal::{JOURNAL, Journal};
use crate::run::options::{OptionGroup, TrainOptions};
use crate::run::sweep::{PlanRequest, SearchKind, SweepMetric, budgets};
use std::process::{Command, Stdio};

fn plan(search: SearchKind, settings: &[&str]) -> anyhow::Result<SweepPlan> {
    let settings: Result<Vec<_>, String> = settings.iter().map(|text| text.parse()).collect();
    let request = PlanRequest {
        search,
        metric: SweepMetric::default(),
        trials: None,
        search_seed: 42,
        eta: 2,
        settings: settings.map_err(anyhow::Error::msg)?,
        train: TrainOptions::default(),
    };
    Ok(SweepPlan::new(request, |count| Ok::<_, PlanError>(budgets(count, 2, 4.0)))?)
}

fn runner<'a>(
    folder: &'a Path,
    plan: &'a SweepPlan,
    jobs: SweepJobs,
) -> anyhow::Result<SweepRunner<'a>> {
    Ok(SweepRunner::new(folder, plan, jobs, lock_sweep(folder)?))
}

const JOBS: SweepJobs = SweepJobs { count: 2, have_devices: false, retry_failed: false };

/// Trials whose accuracy is that of the fixtures minus their learning rate. The processes do nothing.
#[derive(Default)]
struct Trials {
    started: Vec<String>,
    jobs: Vec<usize>,
    /// What happens to trials of these names.
    fates: Vec<(&'static str, Fate)>,
    signals: Vec<i32>,
    reported: usize,
}

#[derive(Clone, Copy)]
enum Fate {
    Fails,
    Prints,
    IsKilled,
}

fn write(folder: &Path, events: &[TrainEvent]) -> anyhow::Result<()> {
    let mut journal = Journal::create(&folder.join(JOURNAL))?;
    for event in events {
        journal.append(event)?;
    }
    Ok(())
}

/// The events of a finished run.
fn finished(rate: f64) -> Vec<TrainEvent> {
    let mut events = [run(630), finish()].concat();
    for event in &mut events {
        if let TrainEvent::Evaluated(evaluated) = event {
            evaluated.metrics.eval_accuracy -= rate;
        }
    }
    events
}

impl SweepHost for Trials {
    fn start(&mut self, start: TrialStart) -> std::io::Result<Child> {
        let name = start.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let fate = self.fates.iter().find(|(fated, _)| *fated == name).map(|(_, fate)| *fate);
        self.started.push(name);
        self.jobs.push(start.job);
        let options: TrainOptions =
            run_toml::read(&start.options).map_err(std::io::Error::other)?;
        let rate = options.trainer.learning_rate.map_or(0.0, |given| given.value);
        let (events, script) = match fate {
            None => (finished(rate), "true"),
            Some(Fate::Fails) => ([run(100), vec![failure()]].concat(), "exit 1"),
            Some(Fate::Prints) => (Vec::new(), "echo 'error: no such file'; exit 1"),
            Some(Fate::IsKilled) => (run(200), "kill -9 $$"),
        };
        if !events.is_empty() {
            write(&start.folder, &events).map_err(std::io::Error::other)?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(start.output).spawn()
    }

    fn signals(&mut self, _: Duration) -> Vec<i32> {
        std::thread::sleep(Duration::from_millis(2));
        std::mem::take(&mut self.signals)
    }

    fn report(&mut self, _: &Trial, _: &TrialState) {
        self.reported += 1;
    }

    fn show(&mut self, _: &SweepTable) {}
}

#[test]
fn every_trial_is_run_once_and_never_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Grid, &["learning_rate=0.2,0.1", "seed=1,2"])?;
    let mut host = Trials::default();
    let mut sweep = runner(folder.path(), &plan, JOBS)?;
    assert!(
        lock_sweep(folder.path())
            .is_err_and(|error| { error.to_string().contains("another process runs this sweep") })
    );
    assert_eq!(sweep.run(&mut host)?, SweepEnd::Complete);
    assert_eq!(host.started, ["trial-001", "trial-002", "trial-003", "trial-004"]);
    assert_eq!((&host.jobs[..2], host.reported), (&[0, 1][..], 8));
    assert!(host.jobs.iter().all(|job| *job < 2));
    let table = sweep.table();
    let best = table.best().map(|row| (row.configuration, row.finished.len()));
    assert_eq!(best, Some((2, 2)), "{table:?}");
    let options: TrainOptions = run_toml::read(&folder.path().join("trial-002/options.toml"))?;
    let given: Vec<&str> = options.given().iter().map(|given| given.text).collect();
    assert_eq!(given, ["0.2", "2"]);

    drop(sweep);
    let mut again = runner(folder.path(), &plan, JOBS)?;
    let mut host = Trials::default();
    assert_eq!(again.run(&mut host)?, SweepEnd::Complete);
    assert_eq!(host.started, [""; 0]);
    assert_eq!(again.table(), table);
    Ok(())
}

#[test]
fn failures_are_named_and_tried_again_on_request_only() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Grid, &["learning_rate=0.1,0.2,0.3,0.4"])?;
    let fates = vec![
        ("trial-001", Fate::Fails),
        ("trial-002", Fate::Prints),
        ("trial-003", Fate::IsKilled),
    ];
    let mut host = Trials { fates, ..Trials::default() };
    let mut sweep = runner(folder.path(), &plan, JOBS)?;
    assert_eq!(sweep.run(&mut host)?, SweepEnd::Complete);
    let table = sweep.table();
    let mut errors: Vec<&str> =
        table.rows.iter().flat_map(|row| &row.failed).map(|failed| failed.error.as_str()).collect();
    errors.sort_unstable();
    let killed = "signal 9 ended its process; the next call resumes it";
    assert_eq!(errors, ["no such file", killed, "the loss is NaN at step 101"]);
    assert_eq!(table.best().map(|row| row.configuration), Some(4));

    drop(sweep);
    for (retry_failed, started) in
        [(false, &["trial-002", "trial-003"][..]), (true, &["trial-001"][..])]
    {
        let mut host = Trials::default();
        let jobs = SweepJobs { retry_failed, ..JOBS };
        let mut sweep = runner(folder.path(), &plan, jobs)?;
        assert_eq!(sweep.run(&mut host)?, SweepEnd::Complete);
        assert_eq!(host.started, started);
    }
    Ok(())
}

#[test]
fn a_signal_is_passed_on_and_nothing_more_is_started() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Grid, &["learning_rate=0.1,0.2,0.3"])?;
    let mut host = Trials { signals: vec![15, 15], ..Trials::default() };
    let jobs = SweepJobs { count: 1, ..JOBS };
    let mut sweep = runner(folder.path(), &plan, jobs)?;
    assert_eq!(sweep.run(&mut host)?, SweepEnd::Signalled(15));
    assert_eq!(host.started, ["trial-001"]);
    Ok(())
}

#[test]
fn a_trial_that_another_process_trains_is_waited_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Grid, &["learning_rate=0.1,0.2"])?;
    let trial = folder.path().join("trial-001");
    let lock = lock_output_dir(&trial)?;
    write(&trial, &run(200))?;
    let jobs = SweepJobs { have_devices: true, ..JOBS };
    let mut sweep = runner(folder.path(), &plan, jobs)?;
    assert_eq!(sweep.still_running().collect::<Vec<_>>(), [trial.as_path()]);
    let mut host = Trials::default();
    assert!(!sweep.start_next(&mut host)?, "its device is not known");
    let at_end = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let written = write(&trial, &finished(0.1));
        drop(lock);
        written
    });
    assert_eq!(sweep.run(&mut host)?, SweepEnd::Complete);
    assert_eq!(host.started, ["trial-002"]);
    assert!(at_end.join().is_ok_and(|written| written.is_ok()));
    assert_eq!(sweep.table().best().map(|row| row.configuration), Some(1));
    Ok(())
}

#[test]
fn halving_trains_the_best_anew_for_longer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(SearchKind::Halving, &["learning_rate=0.3,0.1,0.2,0.4"])?;
    let mut host = Trials::default();
    let mut sweep = runner(folder.path(), &plan, JOBS)?;
    assert_eq!(sweep.run(&mut host)?, SweepEnd::Complete);
    let second = ["trial-002-rung-2", "trial-003-rung-2", "trial-002-rung-3"];
    assert_eq!(host.started[4..], second);
    assert_eq!(sweep.table().rows[0].rung, Some(3));
    let epochs = |name: &str| -> anyhow::Result<Option<f64>> {
        let options: TrainOptions = run_toml::read(&folder.path().join(name).join(OPTIONS))?;
        Ok(options.trainer.num_train_epochs.map(|given| given.value))
    };
    assert_eq!(epochs("trial-002-rung-1")?, Some(1.0));
    assert_eq!(epochs("trial-002-rung-3")?, Some(4.0));
    drop(sweep);
    let mut host = Trials::default();
    let mut again = runner(folder.path(), &plan, JOBS)?;
    assert_eq!(again.run(&mut host)?, SweepEnd::Complete);
    assert_eq!(host.started, [""; 0]);
    Ok(())
}

//! Steps that fail in a run of several processes.

use super::*;
use crate::core::collective::fixtures::on_ranks;

#[test]
fn all_ranks_go_back_to_the_checkpoint_of_rank_0() -> anyhow::Result<()> {
    for ema_decay in [0.0, 0.9] {
        let with = |world_size, accumulation| {
            twelve_steps(|arguments| {
                arguments.per_device_train_batch_size = 8;
                arguments.world_size = world_size;
                arguments.gradient_accumulation_steps = accumulation;
                arguments.ema_decay = ema_decay;
            })
        };
        let is_nan = |number, rate| number == 8 && rate > 2e-3;
        let folder = tempfile::tempdir()?;
        let one = run(folder.path(), &with(1, 2), is_nan, 99, None)?;
        let (folder, arguments) = (tempfile::tempdir()?, with(2, 1));
        let ranks = on_ranks(2, |ranks| {
            run_rank(folder.path(), &arguments, is_nan, 99, (None, Arc::new(ranks)))
        })?;
        for outcome in &ranks {
            assert!(outcome.result.is_ok(), "{:?}", outcome.result);
            assert_eq!(outcome.numbers(), one.numbers());
            let [back] = outcome.rollbacks()[..] else { anyhow::bail!("not one rollback") };
            assert_eq!((back.step, back.failed_step, back.learning_rate), (6, 8, 1.5e-3));
            for (ours, one) in outcome.steps().iter().zip(one.steps()) {
                let close = |a: f64, b: f64| (a - b).abs() < 1e-5 || a.is_nan() && b.is_nan();
                assert!(close(ours.loss, one.loss), "{ours:?} {one:?}");
            }
        }
        assert!(ranks[0].weights == ranks[1].weights, "the same bits");
        // The checkpoint that rank 0 has written continues the run.
        let resumed = run(folder.path(), &with(1, 2), |_, _| false, 99, Some(9))?;
        assert_eq!(resumed.numbers(), [10, 11, 12]);
    }
    let (folder, arguments) = (tempfile::tempdir()?, twelve_steps(|a| a.world_size = 2));
    let is_nan = |number, _| number == 4;
    let ranks = on_ranks(2, |ranks| {
        run_rank(folder.path(), &arguments, is_nan, 99, (None, Arc::new(ranks)))
    })?;
    for outcome in ranks {
        let error = outcome.result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("there is no whole checkpoint"), "{error}");
    }
    Ok(())
}

#[test]
fn all_ranks_compute_a_batch_without_memory_in_the_same_parts() -> anyhow::Result<()> {
    let arguments = twelve_steps(|arguments| {
        arguments.auto_find_batch_size = true;
        arguments.per_device_train_batch_size = 8;
        arguments.world_size = 2;
    });
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let run = |folder: &Path, memory| {
        on_ranks(2, |ranks| {
            run_rank(folder, &arguments, |_, _| false, memory, (None, Arc::new(ranks)))
        })
    };
    let (whole, parts) = (run(folders[0].path(), 99)?, run(folders[1].path(), 5)?);
    assert!(parts[0].warnings().last().is_some_and(|text| text.contains("in 2 parts")));
    for (parts, whole) in parts.iter().zip(&whole) {
        assert_eq!(parts.numbers(), (1..=12).collect::<Vec<_>>());
        for (parts, whole) in parts.steps().iter().zip(whole.steps()) {
            assert!((whole.loss - parts.loss).abs() < 1e-5, "{whole:?} {parts:?}");
        }
    }
    assert!(parts[0].weights == parts[1].weights, "the same bits");
    Ok(())
}

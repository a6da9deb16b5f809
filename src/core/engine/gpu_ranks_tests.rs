//! Ranks with emulated GPUs, which add up gradients through the host or by a stand-in for NCCL.

use super::ranks_tests::{part, three_batches, without_dropout};
use super::tests::SETTINGS;
use super::*;
use crate::core::collective::fixtures::on_ranks;
use crate::core::collective::{Collective, TcpCollective};
use crate::core::data::batching::Example;
use crate::core::ops::cuda::emulator::Emulated;
use crate::core::ops::cuda::{CudaBackend, Precision};
use std::time::{Duration, Instant};

fn gpu(has_nccl: bool) -> Emulated {
    let gpu = Emulated::new(Precision::Full);
    if has_nccl { gpu.with_nccl() } else { gpu }
}

/// An engine with its own weights on this GPU.
fn engine(gpu: Emulated) -> anyhow::Result<Box<dyn Engine>> {
    let (mut gpu, name) = (CudaBackend::new(gpu), "emulated".to_owned());
    assert_eq!(gpu.check_graphs()?, None);
    Ok(Box::new(fused::FusedEngine::new(gpu, &without_dropout()?, false, name)?))
}

#[test]
fn sums_by_nccl_are_those_through_the_host_and_train_as_one_process() -> anyhow::Result<()> {
    let ((batches, options), owners) = (three_batches(), vec![0, 1, 0]);
    let sums = |has_nccl| {
        on_ranks(3, |ranks| {
            let input = StepInput::shared(batches.clone(), owners.clone(), ranks.rank());
            let mut engine = engine(gpu(has_nccl))?;
            let note = engine.join(Arc::new(ranks))?;
            assert_eq!(note.is_some(), !has_nccl, "{note:?}");
            let gradients = part(&mut *engine, &input, &options)?;
            let mut losses = vec![engine.step_metrics()?.loss];
            for number in 2..=5 {
                engine.step(&input, &StepOptions { number, ..options })?;
                let metrics = engine.step_metrics()?;
                assert_eq!(metrics.predicted.len(), 3);
                losses.push(metrics.loss);
            }
            Ok((gradients, losses))
        })
    };
    let (host, nccl) = (sums(false)?, sums(true)?);
    for of_rank in host.iter().chain(&nccl) {
        assert_eq!(of_rank, &host[0], "all ranks have the same bits, either way");
    }
    let mut one = engine(gpu(false))?;
    let gradients = part(&mut *one, &StepInput::new(batches.clone()), &options)?;
    let difference = gradients.iter().zip(&nccl[0].0).map(|(a, b)| (a - b).abs());
    assert!(difference.fold(0.0, f32::max) < 1e-6);
    let mut expected = vec![one.step_metrics()?.loss];
    for number in 2..=5 {
        one.step(&StepInput::new(batches.clone()), &StepOptions { number, ..options })?;
        expected.push(one.step_metrics()?.loss);
    }
    assert!(nccl[0].1.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{expected:?}");
    Ok(())
}

#[test]
fn a_rank_that_is_lost_ends_the_communicator_instead_of_waiting() -> anyhow::Result<()> {
    for leaves in [true, false] {
        let errors = on_ranks(2, |ranks| {
            let (rank, ranks) = (ranks.rank(), Arc::new(ranks));
            let mut engine = engine(gpu(true))?;
            engine.join(Arc::clone(&ranks) as Arc<dyn Collective>)?;
            engine.begin_training(SETTINGS, false)?;
            if rank == 1 {
                if !leaves {
                    ranks.fail("its disk is full");
                    // Its end is not awaited.
                    std::thread::sleep(Duration::from_millis(200));
                }
                return Ok(None);
            }
            let (batches, options) = three_batches();
            let input = StepInput::shared(batches[..2].to_vec(), vec![0, 1], rank);
            let began = Instant::now();
            let error = engine.step(&input, &options).err();
            assert!(began.elapsed() < Duration::from_secs(20));
            // The run is over, and nothing hangs when the engine is dropped.
            Ok(error.map(|error| error.0))
        })?;
        let error = errors[0].clone().unwrap_or_default();
        let expected = if leaves { "rank 1 was lost" } else { "rank 1 failed: its disk is full" };
        assert!(error.contains(expected), "{error}");
    }
    Ok(())
}

#[test]
fn without_nccl_on_all_ranks_gradients_go_through_the_host_and_a_note_says_why()
-> anyhow::Result<()> {
    let notes = on_ranks(2, |ranks| {
        let mut engine = engine(gpu(ranks.rank() == 0))?;
        Ok(engine.join(Arc::new(ranks))?.unwrap_or_default())
    })?;
    let text = "gradients are added up through the host: ";
    assert_eq!(notes[0], format!("{text}rank 1 has no GPU or no NCCL"));
    assert_eq!(notes[1], format!("{text}the emulation has no NCCL"));
    let cpu = |ranks: TcpCollective| -> anyhow::Result<Option<String>> {
        let threads = EngineOptions { threads: 1, ..EngineOptions::default() };
        let mut engine = build(&without_dropout()?, &threads)?;
        Ok(engine.join(Arc::new(ranks))?)
    };
    assert_eq!(on_ranks(2, cpu)?, [None, None]);
    Ok(())
}

#[test]
fn a_rank_without_memory_ends_the_step_of_all_and_a_smaller_step_follows() -> anyhow::Result<()> {
    let (batches, options) = three_batches();
    let long: Vec<Example> = (0..40).map(|i| Example::new(vec![2; 30], i % 2)).collect();
    let large = vec![PackedBatch::new(&long, 0); 2];
    let small = batches[..2].to_vec();
    for has_nccl in [false, true] {
        let results = on_ranks(2, |ranks| {
            let rank = ranks.rank();
            let memory = if rank == 1 { 1 << 19 } else { usize::MAX };
            let mut engine = engine(gpu(has_nccl).with_memory(memory))?;
            engine.join(Arc::new(ranks))?;
            engine.begin_training(SETTINGS, false)?;
            let input =
                |batches: &[PackedBatch]| StepInput::shared(batches.to_vec(), vec![0, 1], rank);
            let error = engine.step(&input(&large), &options).err();
            engine.step(&input(&small), &options)?;
            Ok((error, engine.step_metrics()?.loss, engine.gradients()?))
        })?;
        for (error, ..) in &results {
            let error = error.as_ref().ok_or_else(|| anyhow::anyhow!("no error"))?;
            assert!(error.is_out_of_memory(), "{error}");
        }
        let message = results[0].0.as_ref().map(|error| error.0.clone()).unwrap_or_default();
        assert!(message.contains("rank 1: the GPU is out of memory"), "{message}");
        let (_, loss, gradients) = &results[0];
        assert_eq!((loss, gradients), (&results[1].1, &results[1].2));
        assert!(loss.is_finite() && gradients.iter().any(|&value| value != 0.0));
    }
    Ok(())
}

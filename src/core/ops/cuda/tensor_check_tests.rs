//! Attention on tensor cores beside the plain kernels, and the choice between them.

use super::*;
use crate::core::ops::Cpu;
use crate::core::ops::cuda::attention_tensor::TensorKernels;
use crate::core::ops::cuda::emulator::{Emulated, Fault};
use half::bf16;

/// Lengths around the sizes of tiles.
const LENGTHS: [u32; 8] = [1, 15, 16, 17, 63, 64, 65, 200];

/// The same problem on the CPU, with its inputs rounded to bf16.
fn solve_on_cpu(problem: &Problem) -> Result<[Vec<f32>; 3]> {
    let (cpu, config, batch) = (Cpu::new(1)?, &problem.config(), &problem.batch());
    let round = |values: Vec<f32>| -> Vec<f32> {
        values.into_iter().map(|value| bf16::from_f32(value).to_f32()).collect()
    };
    let [matrix, grad] = &problem.inputs().map(round);
    let (mut out, mut statistics, mut gradient) = (Vec::new(), Vec::new(), Vec::new());
    cpu.attention(AttentionForward {
        config,
        batch,
        queries: matrix,
        keys_values: matrix,
        relative: None,
        out: &mut out,
        statistics: &mut statistics,
    })?;
    cpu.attention_backward(AttentionBackward {
        config,
        batch,
        queries: matrix,
        keys_values: matrix,
        relative: None,
        statistics: &statistics,
        grad,
        dqueries: None,
        dkeys_values: &mut gradient,
        drelative: None,
    })?;
    Ok([out, statistics, gradient])
}

#[test]
fn attention_on_tensor_cores_agrees_with_the_plain_kernels_and_the_cpu() -> Result<()> {
    let mut tensor = CudaBackend::new(Emulated::new(Precision::Half));
    assert_eq!(tensor.check_tensor_cores()?, None);
    let mut backwards = CudaBackend::new(Emulated::backwards(Precision::Half));
    assert_eq!(backwards.check_tensor_cores()?, None);
    let plain = CudaBackend::new(Emulated::new(Precision::Half));
    for width in HEAD_WIDTHS {
        for dropout in [Dropout::NONE, Dropout::new(0.3, 0xfeed_0123_4567_89ab)] {
            let problem = Problem { lengths: &LENGTHS, heads: 3, width, dropout };
            let launches = tensor.driver().launches("attention_tensor");
            let found = tensor.solve(&problem)?;
            assert_eq!(tensor.driver().launches("attention_tensor"), launches + 3);
            let of_plain = plain.solve(&problem)?;
            assert!(agree(&found, &of_plain), "plain, {width}");
            // The log-sum-exp are of the same products in f32, and agree far better than bf16 does.
            let mut pairs = found[1].iter().zip(&of_plain[1]);
            assert!(pairs.all(|(found, expected)| (found - expected).abs() < 1e-5));
            assert!(agree(&found, &solve_on_cpu(&problem)?), "CPU, {width}");
            let opposite = backwards.solve(&problem)?;
            assert_eq!(format!("{found:?}"), format!("{opposite:?}"), "a race condition");
        }
    }
    assert_eq!(plain.driver().launches("attention_tensor"), 0);
    Ok(())
}

#[test]
fn other_results_do_not_agree() {
    let of = |value: f32| [vec![1.0, value], vec![-4.0], vec![0.0]];
    assert!(agree(&of(0.5), &of(0.51)));
    assert!(!agree(&of(0.5), &of(0.53)));
    assert!(!agree(&of(f32::NAN), &of(0.5)));
    assert!(!agree(&of(f32::INFINITY), &of(0.5)));
    assert!(!agree(&[vec![1.0], vec![-4.0], vec![0.0]], &of(0.5)));
}

#[test]
fn kernels_that_are_wrong_or_fail_are_not_used() -> Result<()> {
    let faults = [
        ("attention_tensor_64", Fault::Wrong, "gives other results"),
        ("attention_tensor_backward_queries_32", Fault::Wrong, "gives other results"),
        ("attention_tensor_backward_keys_32", Fault::Wrong, "gives other results"),
        ("attention_tensor_backward_keys_64", Fault::Rejected, "does not run"),
    ];
    let problem = Problem { lengths: &[3, 20], ..Problem::of_width(64) };
    let expected = solve_on_cpu(&problem)?;
    for (kernel, fault, text) in faults {
        let driver = Emulated::new(Precision::Half).with_fault(kernel, fault);
        let mut backend = CudaBackend::new(driver);
        let note = backend.check_tensor_cores()?;
        assert!(note.as_ref().is_some_and(|note| note.contains(text)), "{kernel}: {note:?}");
        let launches = backend.driver().launches("attention_tensor");
        assert!(agree(&backend.solve(&problem)?, &expected));
        assert_eq!(backend.driver().launches("attention_tensor"), launches);
    }
    Ok(())
}

#[test]
fn a_device_that_is_lost_is_an_error_with_a_remedy() {
    let driver = Emulated::new(Precision::Half).with_fault("attention_tensor_32", Fault::Lost);
    let lost = CudaBackend::new(driver).check_tensor_cores().err().map(|error| error.to_string());
    assert!(lost.is_some_and(|text| text.contains("use --tf32 instead of --bf16")));
}

#[test]
fn only_bf16_and_only_fitting_matrices_are_computed_on_tensor_cores() -> Result<()> {
    let mut full = CudaBackend::new(Emulated::new(Precision::Full));
    assert_eq!(full.check_tensor_cores()?, None);
    assert_eq!(full.driver().launches("attention"), 0);
    let columns = |start| MatrixColumns { stride: 192, start };
    let config = AttentionConfig {
        heads: 1,
        head_width: 64,
        scale: 1.0,
        dropout: Dropout::NONE,
        first_only: false,
        queries: columns(0),
        keys: columns(64),
        values: columns(128),
    };
    assert!(TensorKernels::of(&config, false).is_some());
    assert!(TensorKernels::of(&config, true).is_none());
    for other in [
        AttentionConfig { head_width: 48, ..config },
        AttentionConfig { first_only: true, ..config },
        AttentionConfig { keys: columns(60), ..config },
        AttentionConfig { queries: MatrixColumns { stride: 196, start: 0 }, ..config },
    ] {
        assert!(TensorKernels::of(&other, false).is_none());
    }
    Ok(())
}

//! Compares every operation with the CPU's, on the emulated GPU and, with the feature `cuda`, on a
//! real one if there is one.

use super::head_tests::{attention_of_all, attention_of_first, head_and_loss};
use super::layer_tests::{activations, embedding, linear_layer, normalization};
use super::loss_tests::weighted_losses;
use super::pretraining_tests::{pretraining_heads, pretraining_losses};
use super::relative_tests::{
    relative_attention_of_all, relative_attention_of_first, relative_rows,
};
use super::test_model::Results;
use super::training_tests::{training, training_with_rates_and_average};
use super::{CudaBackend, Precision};
use crate::core::ops::Cpu;
use candle_core::Result;

/// The largest difference of results, relative to the largest expected value.
fn tolerance(precision: Precision) -> f32 {
    match precision {
        Precision::Full => 1e-5,
        Precision::Tf32 => 2e-3,
        Precision::Half => 2e-2,
    }
}

fn compare(precision: Precision, ours: &Results, expected: &Results) {
    assert_eq!(ours.len(), expected.len());
    for ((name, ours), (_, expected)) in ours.iter().zip(expected) {
        assert_eq!(ours.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(1e-6, |a: f32, b| a.max(b.abs()));
        for (i, (ours, expected)) in ours.iter().zip(expected).enumerate() {
            let near = (ours - expected).abs() <= tolerance(precision) * largest;
            assert!(
                near || ours.to_bits() == expected.to_bits(),
                "{precision:?}: {name}[{i}] is {ours} instead of {expected}; largest {largest}"
            );
        }
    }
}

/// One test for each operation, and one of all of them on a real GPU.
macro_rules! operations {
    ($($operation:ident),* $(,)?) => {
        #[cfg(unix)]
        mod emulated {
            use super::super::emulator::Emulated;
            use super::*;
            use crate::core::ops::backend::Device;

            $(#[test]
            fn $operation() -> Result<()> {
                let expected = super::$operation(&Cpu::new(2)?)?;
                for precision in [Precision::Full, Precision::Half] {
                    let backend = CudaBackend::new(Emulated::new(precision));
                    let ours = super::$operation(&backend)?;
                    compare(precision, &ours, &expected);
                    let backwards = CudaBackend::new(Emulated::backwards(precision));
                    let backwards = super::$operation(&backwards)?;
                    assert_eq!(format!("{ours:?}"), format!("{backwards:?}"), "a race condition");
                    let allocations = backend.driver().allocations();
                    assert!(allocations <= 3, "only buffers of attention or pretraining remain");
                    assert!(backend.peak_memory().is_some_and(|peak| peak > 0));
                }
                Ok(())
            })*
        }

        #[cfg(feature = "cuda")]
        fn check<D: super::Driver>(backend: &CudaBackend<D>) -> Result<()> {
            let precision = backend.driver().precision();
            $(
                let ours = $operation(backend)?;
                compare(precision, &ours, &$operation(&Cpu::new(2)?)?);
                // The order of sums does not depend on scheduling.
                let again = $operation(backend)?;
                assert_eq!(format!("{ours:?}"), format!("{again:?}"), "not deterministic");
            )*
            Ok(())
        }
    };
}

operations![
    embedding,
    linear_layer,
    normalization,
    activations,
    attention_of_all,
    attention_of_first,
    relative_attention_of_all,
    relative_attention_of_first,
    relative_rows,
    head_and_loss,
    weighted_losses,
    pretraining_heads,
    pretraining_losses,
    training,
    training_with_rates_and_average,
];

#[cfg(feature = "cuda")]
#[test]
fn a_real_gpu_computes_the_same() -> Result<()> {
    use super::nvidia::Nvidia;

    for precision in [Precision::Full, Precision::Tf32, Precision::Half] {
        match Nvidia::new(0, precision) {
            Ok(driver) => {
                eprintln!("{precision:?} on {:?}", driver.properties());
                let mut backend = CudaBackend::new(driver);
                assert_eq!(backend.check_tensor_cores()?, None);
                assert_eq!(backend.check_fused_products()?, None);
                check(&backend)?;
                // As a run does: in graphs, and with products of padded rows.
                assert_eq!(backend.check_graphs()?, None);
                check(&backend)?;
            }
            Err(error) => eprintln!("skipped in {precision:?}: {error}"),
        }
    }
    Ok(())
}

/// Sizes and indices are checked on the host, because a GPU would access memory out of bounds.
#[cfg(unix)]
#[test]
fn mismatched_sizes_are_rejected() -> Result<()> {
    use super::test_model::{TestModel, flat, of_lengths, put, send};
    use crate::core::ops::Dropout;
    use crate::core::ops::backend::{
        Device, EmbedForward, EmbeddingOps, LinearForward, LinearLayout, LinearOps, PackedBatch,
    };

    let backend = CudaBackend::new(super::emulator::Emulated::new(Precision::Full));
    let model = TestModel::new(8, 4);
    let parameters = &model.send(&backend)?;
    let x = &put(&backend, 8, &[1.0; 16])?;
    let mut out = super::DeviceBuffer::default();
    let mut linear = |layer: &LinearLayout, rows: usize| {
        let out = &mut out;
        backend.linear(LinearForward { parameters, layer, biased: true, rows, x, out })
    };
    assert!(linear(&model.linear, 3).is_err(), "x");
    let outside = LinearLayout { weight: model.values.len(), ..model.linear };
    assert!(linear(&outside, 2).is_err(), "weight");
    assert!(backend.parameters(&model.layout, &flat(vec![0.0; 3])?).is_err());

    let valid = of_lengths(&[2, 3]);
    let invalid = [
        PackedBatch { starts: vec![0, 6], ..valid.clone() },
        PackedBatch { starts: vec![0, 4, 3, 5], ..valid.clone() },
        PackedBatch { starts: vec![], ..valid.clone() },
        PackedBatch { labels: vec![0], ..valid.clone() },
        PackedBatch { weights: vec![1.0; 3], ..valid.clone() },
        PackedBatch { occurrence_starts: vec![0, 1], occurrences: vec![9], ..valid.clone() },
        PackedBatch { type_ids: vec![0; 4], ..valid.clone() },
        PackedBatch { position_ids: vec![0; 6], ..valid.clone() },
    ];
    for packed in invalid {
        assert!(send(&backend, &packed).is_err(), "{packed:?}");
    }
    for packed in [
        PackedBatch { ids: vec![11; 5], ..valid.clone() },
        of_lengths(&[79]),
        PackedBatch { type_ids: vec![2; 5], ..valid.clone() },
        PackedBatch { position_ids: vec![80; 5], ..valid.clone() },
    ] {
        let embedded = backend.embed(EmbedForward {
            parameters,
            tables: &model.tables,
            norm: &model.norm,
            dropout: Dropout::NONE,
            batch: &send(&backend, &packed)?,
            sum: &mut super::DeviceBuffer::default(),
            statistics: &mut super::DeviceBuffer::default(),
            out: &mut out,
        });
        assert!(embedded.is_err(), "{packed:?}");
    }
    Ok(())
}

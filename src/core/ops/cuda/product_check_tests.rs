//! Products with biases beside separate kernels, and the choice between them.

use super::*;
use crate::core::ops::cuda::emulator::{Emulated, Fault};

#[test]
fn biases_and_their_gradients_are_computed_with_the_products() -> Result<()> {
    let separate = CudaBackend::new(Emulated::new(Precision::Half));
    let mut fused = CudaBackend::new(Emulated::new(Precision::Half).with_epilogues());
    assert_eq!(fused.check_fused_products()?, None);
    let counts = |backend: &CudaBackend<Emulated>| {
        ["a product with a bias", "a product with sums", "add_bias", "column_sums"]
            .map(|name| backend.driver().launches(name))
    };
    let [with_bias, with_sums, add_bias, column_sums] = counts(&fused);
    assert!(agree(&fused.solve_layer()?, &separate.solve_layer()?));
    let expected = [with_bias + 1, with_sums + 1, add_bias, column_sums];
    assert_eq!(counts(&fused), expected);
    assert_eq!(counts(&separate), [0, 0, 1, 1]);
    Ok(())
}

#[test]
fn without_epilogues_nothing_changes() -> Result<()> {
    let mut backend = CudaBackend::new(Emulated::new(Precision::Half));
    assert_eq!(backend.check_fused_products()?, None);
    let launches = backend.driver().launches("column_sums");
    backend.solve_layer()?;
    assert_eq!(backend.driver().launches("column_sums"), launches + 1);
    assert_eq!(backend.driver().launches("a product"), 0);
    Ok(())
}

#[test]
fn products_that_are_wrong_or_fail_are_not_used() -> Result<()> {
    let faults = [
        ("a product with a bias", Fault::Wrong, "give other results"),
        ("a product with sums", Fault::Wrong, "give other results"),
        ("a product with sums", Fault::Rejected, "do not run"),
    ];
    for (product, fault, text) in faults {
        let driver = Emulated::new(Precision::Half).with_epilogues().with_fault(product, fault);
        let mut backend = CudaBackend::new(driver);
        let note = backend.check_fused_products()?;
        assert!(note.as_ref().is_some_and(|note| note.contains(text)), "{product}: {note:?}");
        let launches = backend.driver().launches("a product");
        backend.solve_layer()?;
        assert_eq!(backend.driver().launches("a product"), launches);
    }
    Ok(())
}

#[test]
fn a_gradient_that_is_added_to_needs_separate_kernels() -> Result<()> {
    let mut backend = CudaBackend::new(Emulated::new(Precision::Half).with_epilogues());
    backend.check_fused_products()?;
    let expected = crate::core::ops::cuda::layer_tests::linear_layer(&CudaBackend::new(
        Emulated::new(Precision::Half),
    ))?;
    let found = crate::core::ops::cuda::layer_tests::linear_layer(&backend)?;
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let mut pairs = found.iter().zip(expected);
        assert!(
            pairs.all(|(found, expected)| (found - expected).abs() <= 0.02 * largest
                || found.to_bits() == expected.to_bits()),
            "{name}"
        );
    }
    Ok(())
}

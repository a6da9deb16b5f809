//! The choice between graphs and single launches.

use super::*;
use crate::core::ops::cuda::Precision;
use crate::core::ops::cuda::emulator::{
    BEGIN_CAPTURE, END_CAPTURE, Emulated, Fault, LAUNCH_GRAPH, UPDATE_GRAPH,
};

#[test]
fn graphs_are_used_where_they_give_the_same_results() -> Result<()> {
    for precision in [Precision::Full, Precision::Half] {
        let fused = Emulated::new(precision).with_epilogues();
        for driver in [Emulated::new(precision), fused, Emulated::backwards(precision)] {
            let mut backend = CudaBackend::new(driver);
            backend.check_fused_products()?;
            assert_eq!(backend.check_graphs()?, None);
            let graphs = backend.driver().launches(LAUNCH_GRAPH);
            assert!(graphs >= 4, "{graphs}");
            let kernels = backend.driver().launches("adamw");
            backend.solve_steps()?;
            assert!(backend.driver().launches(LAUNCH_GRAPH) >= graphs + 4);
            assert_eq!(backend.driver().launches("adamw"), kernels + 10, "in each step");
            assert_eq!(backend.context.take_warning(), None);
        }
    }
    Ok(())
}

#[test]
fn graphs_that_are_wrong_or_fail_are_not_used() -> Result<()> {
    let faults = [
        (UPDATE_GRAPH, Fault::Wrong, "give other results"),
        (UPDATE_GRAPH, Fault::Rejected, "fail on this GPU"),
        (BEGIN_CAPTURE, Fault::Rejected, "fail on this GPU"),
        (END_CAPTURE, Fault::Rejected, "fail on this GPU"),
        (LAUNCH_GRAPH, Fault::Rejected, "fail on this GPU"),
    ];
    let expected = CudaBackend::new(Emulated::new(Precision::Full)).solve_steps()?;
    for (call, fault, text) in faults {
        let mut backend = CudaBackend::new(Emulated::new(Precision::Full).with_fault(call, fault));
        let note = backend.check_graphs()?;
        assert!(note.as_ref().is_some_and(|note| note.contains(text)), "{call}: {note:?}");
        let calls = [BEGIN_CAPTURE, END_CAPTURE, UPDATE_GRAPH, LAUNCH_GRAPH];
        let counts =
            |backend: &CudaBackend<Emulated>| calls.map(|call| backend.driver().launches(call));
        let (before, padded) = (counts(&backend), backend.driver().launches("clear_both"));
        assert_eq!(backend.solve_steps()?, expected, "{call}");
        assert_eq!(counts(&backend), before, "{call}");
        assert_eq!(backend.driver().launches("clear_both"), padded, "{call}");
        assert_eq!(backend.context.take_warning(), None, "it was told");
    }
    Ok(())
}

#[test]
fn a_device_that_is_lost_is_an_error_with_a_remedy() {
    let driver = Emulated::new(Precision::Full).with_fault(LAUNCH_GRAPH, Fault::Lost);
    let lost = CudaBackend::new(driver).check_graphs().err().map(|error| error.to_string());
    assert!(lost.is_some_and(|text| text.contains("set CUDA_LAUNCH_BLOCKING=1")));
}

#[test]
fn errors_of_collected_commands_are_returned_by_a_later_call() -> Result<()> {
    let driver = Emulated::new(Precision::Full).with_late_fault("drop_rows", Fault::Rejected, 23);
    let mut backend = CudaBackend::new(driver);
    assert_eq!(backend.check_graphs()?, None, "20 launches");
    let failed = backend.solve_steps().err().map(|error| error.to_string());
    assert!(failed.is_some_and(|text| text.contains("drop_rows is rejected")));
    Ok(())
}

use super::*;
use crate::core::train::TrainingArguments;
use crate::core::train::calibration::tests::ROWS;
use serde_json::json;

fn fitted(rows: &[([f32; 3], u32)]) -> Option<f64> {
    let mut fit = TemperatureFit::new(3, rows.len());
    for (logits, label) in rows {
        fit.add(logits, *label);
    }
    fit.temperature()
}

#[test]
fn the_temperature_is_that_of_numpy() {
    // import numpy as np
    // x = np.array([[2, 0, -1], [.1, 0, .05], [-1, 3, .5], [0, 1, 0], [0, 1.1, 0], [5, 0, 0],
    //               [0, 0, 4.5], [1, 2, 0]], np.float32).astype(np.float64)
    // y = np.array([0, 2, 1, 1, 0, 0, 1, 1])
    // def slope(b):
    //     e = np.exp(b * x - (b * x).max(1, keepdims=True))
    //     return ((e / e.sum(1, keepdims=True) * x).sum(1) - x[np.arange(8), y]).mean()
    // low, high = 0.05, 20.
    // for _ in range(200):
    //     middle = (low + high) / 2
    //     low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    // print(1 / middle)
    let temperature = fitted(&ROWS).unwrap_or_default();
    assert!((temperature - 2.210_622_001_771_634).abs() < 1e-9, "{temperature}");
    // Logits that are multiplied by a number need that multiple of the temperature.
    let doubled = ROWS.map(|(logits, label)| (logits.map(|logit| 2.0 * logit), label));
    let twice = fitted(&doubled).unwrap_or_default();
    assert!((twice - 2.0 * temperature).abs() < 1e-6, "{twice}");
}

#[test]
fn without_a_minimum_there_is_no_temperature() {
    assert_eq!(fitted(&[]), None);
    assert_eq!(fitted(&[([2.0, 0.0, -1.0], 0), ([0.0, 3.0, 0.0], 1)]), None, "all are correct");
    assert_eq!(fitted(&[([2.0, 0.0, -1.0], 2), ([0.0, 3.0, 0.0], 0)]), None, "none is correct");
    assert_eq!(fitted(&[([1.0, 1.0, 1.0], 0), ([2.0, 2.0, 2.0], 1)]), None, "all are equal");
    for hostile in [f32::NAN, f32::INFINITY] {
        let mut rows = ROWS;
        rows[3].0[1] = hostile;
        assert_eq!(fitted(&rows), None, "{hostile}");
    }
    let mut rows = ROWS;
    rows[0].1 = 3;
    assert_eq!(fitted(&rows), None, "a label without a logit");
}

#[test]
fn many_examples_are_thinned_evenly() {
    let examples = MAX_LOGITS;
    let mut fit = TemperatureFit::new(3, examples);
    for index in 0..examples {
        let (logits, label) = ROWS[index / 3 % 8];
        fit.add(&logits, label);
    }
    assert_eq!((fit.stride, fit.labels.len()), (3, examples.div_ceil(3)));
    let temperature = fit.temperature().unwrap_or_default();
    assert!((temperature - 2.210_622).abs() < 1e-3, "{temperature}");
}

fn state(entries: Value) -> TrainerState {
    let mut state = TrainerState::new(&TrainingArguments::default(), 10);
    state.log_history = serde_json::from_value(entries).expect("entries");
    state
}

#[test]
fn the_temperature_of_a_step_is_that_of_the_last_evaluation_before_it() {
    let state = state(json!([
        {"step": 10, "eval_loss": 0.7, "eval_temperature": 1.5},
        {"step": 15, "loss": 0.6},
        {"step": 20, "eval_loss": 0.5},
        {"step": 30, "eval_loss": 0.5, "eval_temperature": 1.25},
    ]));
    let at = |step| SavedTemperature::of_history(&state, step).map(|saved| saved.temperature);
    assert_eq!(
        [5, 10, 19, 20, 30, 99].map(at),
        [None, Some(1.5), Some(1.5), None, Some(1.25), Some(1.25)]
    );
}

#[test]
fn a_folder_has_a_temperature_or_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    let read = || of_folder(folder.path()).map_err(|error| error.to_string());
    assert_eq!(read(), Ok(None));
    let mut state = state(json!([{"step": 10, "eval_loss": 0.7, "eval_temperature": 1.5}]));
    state.global_step = 12;
    write(TRAINER_STATE, &state.to_json());
    assert_eq!(read(), Ok(Some(1.5)), "a checkpoint");
    let saved = SavedTemperature { temperature: 1.375, step: 630 };
    write(CALIBRATION, &saved.to_json());
    assert_eq!(read(), Ok(Some(1.375)));
    for hostile in ["", "{}", "[1]", "{\"temperature\": 0}", "{\"temperature\": \"1\"}"] {
        write(CALIBRATION, hostile);
        let error = read().expect_err("no temperature");
        assert!(error.contains(CALIBRATION) && error.contains("above 0"), "{hostile}: {error}");
    }
}

//! Early stopping, as transformers' `EarlyStoppingCallback`.

use super::arguments::TrainingArguments;
use serde_json::{Value, json};

/// The name of the callback in `stateful_callbacks` of `trainer_state.json`.
const CALLBACK: &str = "EarlyStoppingCallback";

/// Where the counter is in `stateful_callbacks`.
const COUNTER: &str = "/EarlyStoppingCallback/attributes/early_stopping_patience_counter";

/// Counts the evaluations in a row without an improvement of the best metric.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopping {
    /// The number of such evaluations after which the run ends.
    patience: u64,
    /// An improvement is larger than this.
    threshold: f64,
    greater_is_better: bool,
    counter: u64,
    /// Whether any evaluation was compared.
    has_compared: bool,
}

impl EarlyStopping {
    /// Early stopping before the first evaluation of a run; `None` if it is off.
    pub fn new(arguments: &TrainingArguments) -> Option<Self> {
        (arguments.early_stopping_patience > 0).then_some(Self {
            patience: arguments.early_stopping_patience,
            threshold: arguments.early_stopping_threshold,
            greater_is_better: arguments.greater_is_better,
            counter: 0,
            has_compared: false,
        })
    }

    /// Continues the count of a run that is resumed, from its `stateful_callbacks`; `has_compared`
    /// tells whether it had an evaluation.
    pub(super) fn continue_from(&mut self, callbacks: &Value, has_compared: bool) {
        if let Some(counter) = callbacks.pointer(COUNTER).and_then(Value::as_u64) {
            self.counter = counter;
            self.has_compared = has_compared;
        }
    }

    /// Counts an evaluation with this value of the metric. `best` is the best value before it; it is
    /// `None` if there was none, or none that is a number.
    pub fn push(&mut self, value: f64, best: Option<f64>) {
        let worst = if self.greater_is_better { f64::NEG_INFINITY } else { f64::INFINITY };
        // The Trainer begins with the worst value after the first evaluation.
        let improves = match best.or(self.has_compared.then_some(worst)) {
            None => true,
            Some(best) => {
                let is_better = if self.greater_is_better { value > best } else { value < best };
                is_better && (value - best).abs() > self.threshold
            }
        };
        self.counter = if improves { 0 } else { self.counter + 1 };
        self.has_compared = true;
    }

    /// The number of evaluations in a row without an improvement.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Whether the run ends.
    pub fn is_due(&self) -> bool {
        self.counter >= self.patience
    }

    /// Adds the state of the callback to `stateful_callbacks`.
    pub(super) fn write_to(&self, callbacks: &mut Value) {
        callbacks[CALLBACK] = json!({
            "args": {
                "early_stopping_patience": self.patience,
                "early_stopping_threshold": self.threshold,
            },
            "attributes": { "early_stopping_patience_counter": self.counter },
        });
    }
}

/// Checks the counter in `stateful_callbacks`, if there is one.
pub(super) fn check_counter(callbacks: &Value) -> Result<(), String> {
    match callbacks.pointer(COUNTER) {
        Some(counter) if counter.as_u64().is_none() => {
            Err(format!("early_stopping_patience_counter is {counter}, which is not a count"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decisions_are_those_of_transformers() -> anyhow::Result<()> {
        let text = include_str!("../../../tests/reference/optimizer/early_stopping.json");
        let cases: Vec<Value> = serde_json::from_str(text)?;
        assert_eq!(cases.len(), 117);
        for case in cases {
            let greater_is_better = case["greater_is_better"] == true;
            let arguments = TrainingArguments {
                early_stopping_patience: case["patience"].as_u64().unwrap_or_default(),
                early_stopping_threshold: case["threshold"].as_f64().unwrap_or(f64::NAN),
                greater_is_better,
                ..TrainingArguments::default()
            };
            let off = || anyhow::anyhow!("early stopping is off");
            let mut stopping = EarlyStopping::new(&arguments).ok_or_else(off)?;
            let (mut best, mut counters) = (None::<f64>, Vec::new());
            for value in case["values"].as_array().into_iter().flatten() {
                let value = match value.as_str() {
                    Some(text) => text.parse()?,
                    None => value.as_f64().unwrap_or_default(),
                };
                // As in a resumed run: nothing else is kept.
                let mut callbacks = json!({});
                if !counters.is_empty() {
                    stopping.write_to(&mut callbacks);
                }
                stopping = EarlyStopping::new(&arguments).ok_or_else(off)?;
                stopping.continue_from(&callbacks, !counters.is_empty());
                stopping.push(value, best);
                counters.push(stopping.counter());
                let better = |best| if greater_is_better { value > best } else { value < best };
                if value.is_finite() && best.is_none_or(better) {
                    best = Some(value);
                }
                if stopping.is_due() {
                    break;
                }
            }
            assert_eq!(json!(counters), case["counters"], "{case}");
            assert_eq!(json!(stopping.is_due()), case["stops"], "{case}");
            let mut callbacks = json!({});
            stopping.write_to(&mut callbacks);
            assert_eq!(callbacks[CALLBACK], case["state"], "{case}");
        }
        Ok(())
    }

    #[test]
    fn a_counter_that_is_not_a_count_is_refused() {
        assert!(check_counter(&json!({})).is_ok());
        for (counter, is_valid) in [(json!(2), true), (json!(-1), false), (json!("2"), false)] {
            let attributes = json!({ "early_stopping_patience_counter": counter });
            let callbacks = json!({ CALLBACK: { "args": {}, "attributes": attributes } });
            assert_eq!(check_counter(&callbacks).is_ok(), is_valid, "{callbacks}");
        }
    }
}

//! Learning rate schedules, as in transformers' `get_scheduler`.

use crate::core::named::named_enum;
use serde::{Deserialize, Serialize};

named_enum! {
    /// Hugging Face's `lr_scheduler_type`.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SchedulerType {
        /// Linearly to zero after the warm-up
        Linear = "linear",
        /// Half a cosine to zero after the warm-up
        Cosine = "cosine",
        /// Constant, without a warm-up
        Constant = "constant",
        /// Constant after the warm-up
        ConstantWithWarmup = "constant_with_warmup",
    }
}

/// A learning rate schedule: the learning rate of each step.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    kind: SchedulerType,
    base: f64,
    warmup: u64,
    total: u64,
}

impl Schedule {
    /// Creates a schedule of `total` steps with the peak rate `base`; kinds with a warm-up increase
    /// the rate linearly from 0 to `base` over `warmup` steps.
    pub fn new(kind: SchedulerType, base: f64, warmup: u64, total: u64) -> Self {
        Self { kind, base, warmup, total }
    }

    /// The peak learning rate.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The learning rate of optimizer step `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let ratio = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let factor = match self.kind {
            SchedulerType::Constant => 1.0,
            _ if step < self.warmup => ratio(step, self.warmup),
            SchedulerType::ConstantWithWarmup => 1.0,
            SchedulerType::Linear => {
                ratio(self.total.saturating_sub(step), self.total.saturating_sub(self.warmup))
            }
            SchedulerType::Cosine => {
                let progress = ratio(step - self.warmup, self.total.saturating_sub(self.warmup));
                // The factor 0.5 before 2.0 is transformers' num_cycles. The factors are multiplied
                // in the same order as in transformers, for equal rounding.
                (0.5 * (1.0 + (std::f64::consts::PI * 0.5 * 2.0 * progress).cos())).max(0.0)
            }
        };
        self.base * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_equal_those_of_transformers() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/reference/schedule.json"))?;
        let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(cases.len(), 8);
        for case in cases {
            let kind: SchedulerType = serde_json::from_value(case["kind"].clone())?;
            let number = |name: &str| case[name].as_u64().unwrap_or_default();
            let base = case["base"].as_f64().unwrap_or_default();
            let schedule = Schedule::new(kind, base, number("warmup"), number("total"));
            let expected: Vec<f64> = serde_json::from_value(case["lr_used_at_step"].clone())?;
            assert_eq!(expected.len() as u64, number("total"));
            for (step, expected) in expected.into_iter().enumerate() {
                let ours = schedule.rate(step as u64);
                // Equal up to the last bit of a double.
                let error = (ours - expected).abs();
                assert!(error <= expected * 3e-16, "{kind:?} {step}: {ours} {expected}");
            }
        }
        Ok(())
    }

    #[test]
    fn constant_schedules_do_not_decay() {
        let rate = |kind, step| Schedule::new(kind, 1.0, 10, 100).rate(step);
        assert_eq!(rate(SchedulerType::Constant, 0), 1.0);
        assert_eq!(rate(SchedulerType::ConstantWithWarmup, 5), 0.5);
        assert_eq!(rate(SchedulerType::ConstantWithWarmup, 99), 1.0);
    }
}

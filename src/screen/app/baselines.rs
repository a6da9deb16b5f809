//! Published accuracies on NSMC, for runs that are comparable.

use super::State;
use crate::screen::lang::Lang;

/// A published accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The accuracy.
    pub value: f64,
    /// The model, or where the value is from.
    pub name: &'static str,
}

impl Baseline {
    /// The texts beside its line, the longest one first.
    pub fn names(&self, lang: Lang) -> Vec<String> {
        let name = lang.tr(self.name);
        vec![format!("{name} {:.3}", self.value), name.to_owned(), format!("{:.3}", self.value)]
    }
}

/// The tutorial's Trainer on 2,000 + 2,000 reviews sampled with seed 42.
const TUTORIAL: Baseline = Baseline { value: 0.762, name: "tutorial" };

/// Trained on the whole train split and evaluated on the whole test split: mBERT as measured by the
/// authors of `KoBERT`, and KcELECTRA-base-v2022, the highest published accuracy known.
const WHOLE_DATASET: [Baseline; 2] =
    [Baseline { value: 0.875, name: "mBERT" }, Baseline { value: 0.9197, name: "KcELECTRA" }];

/// The minimum numbers of training and evaluation reviews that count as the whole splits; a few
/// reviews have no text.
const WHOLE_SPLITS: (usize, usize) = (149_000, 49_000);

/// The baselines of a run: none, unless it is evaluated on the same reviews.
pub fn for_run(state: &State) -> Vec<Baseline> {
    let Some(started) = &state.started else {
        return Vec::new();
    };
    let is = |name: &str, value: &str| {
        started.settings.iter().any(|setting| setting.name == name && setting.value == value)
    };
    let is_corrected = started.settings.iter().any(|setting| setting.name == "corrections");
    if is_corrected || !(is("train_file", "NSMC") && is("validation_file", "NSMC")) {
        return Vec::new();
    }
    match (started.train_samples, started.eval_samples) {
        (2000, 2000) if is("shuffle_seed", "42") => vec![TUTORIAL],
        (train, eval) if train >= WHOLE_SPLITS.0 && eval >= WHOLE_SPLITS.1 => {
            WHOLE_DATASET.to_vec()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::Setting;
    use crate::core::train::fixtures::started;

    #[test]
    fn only_comparable_runs_have_baselines() {
        let mut state = State { started: Some(started()), ..State::default() };
        assert_eq!(for_run(&state), [], "the data is not NSMC");
        let set = |state: &mut State, name: &str, value: &str| {
            if let Some(started) = &mut state.started {
                started.settings.push(Setting {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    reason: "embedded".to_owned(),
                });
            }
        };
        for (name, value) in
            [("train_file", "NSMC"), ("validation_file", "NSMC"), ("shuffle_seed", "42")]
        {
            set(&mut state, name, value);
        }
        assert_eq!(for_run(&state), [TUTORIAL]);
        let mut corrected = state.clone();
        set(&mut corrected, "corrections", "corrections.tsv");
        assert_eq!(for_run(&corrected), [], "other labels");
        if let Some(started) = &mut state.started {
            (started.train_samples, started.eval_samples) = (149_995, 49_997);
        }
        assert_eq!(for_run(&state), WHOLE_DATASET);
        if let Some(started) = &mut state.started {
            started.eval_samples = 2000;
        }
        assert_eq!(for_run(&state), []);
    }
}

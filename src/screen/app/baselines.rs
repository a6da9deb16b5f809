//! Published accuracies of the corpus, for runs that can be compared with them.

use super::State;

/// An accuracy to compare with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The accuracy.
    pub value: f64,
    /// Whose it is.
    pub name: &'static str,
}

/// On 2,000 + 2,000 reviews drawn by seed 42: the tutorial's Trainer.
const TUTORIAL: Baseline = Baseline { value: 0.762, name: "tutorial 0.762" };

/// On the whole test split, after training on the whole train split: mBERT as measured by `KoBERT`'s
/// authors, and the highest published figure known, KcELECTRA-base-v2022's.
const WHOLE_CORPUS: [Baseline; 2] = [
    Baseline { value: 0.875, name: "mBERT 0.875" },
    Baseline { value: 0.9197, name: "KcELECTRA 0.920" },
];

/// Reviews of the whole splits, a few of which have no text.
const WHOLE: (usize, usize) = (149_000, 49_000);

/// What a run can be compared with: nothing, unless it is judged by the same reviews.
pub fn for_run(state: &State) -> Vec<Baseline> {
    let Some(started) = &state.started else {
        return Vec::new();
    };
    let is = |name: &str, value: &str| {
        started.settings.iter().any(|setting| setting.name == name && setting.value == value)
    };
    if !(is("train_file", "NSMC") && is("validation_file", "NSMC")) {
        return Vec::new();
    }
    match (started.train_samples, started.eval_samples) {
        (2000, 2000) if is("shuffle_seed", "42") => vec![TUTORIAL],
        (train, eval) if train >= WHOLE.0 && eval >= WHOLE.1 => WHOLE_CORPUS.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::Setting;
    use crate::core::train::fixtures::started;

    #[test]
    fn only_comparable_runs_are_compared() {
        let mut state = State { started: Some(started()), ..State::default() };
        assert_eq!(for_run(&state), [], "the data is not known to be NSMC");
        let set = |state: &mut State, name: &str, value: &str| {
            if let Some(started) = &mut state.started {
                started.settings.push(Setting {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    why: "embedded".to_owned(),
                });
            }
        };
        for (name, value) in
            [("train_file", "NSMC"), ("validation_file", "NSMC"), ("shuffle_seed", "42")]
        {
            set(&mut state, name, value);
        }
        assert_eq!(for_run(&state), [TUTORIAL]);
        if let Some(started) = &mut state.started {
            (started.train_samples, started.eval_samples) = (149_995, 49_997);
        }
        assert_eq!(for_run(&state), WHOLE_CORPUS);
        if let Some(started) = &mut state.started {
            started.eval_samples = 2000;
        }
        assert_eq!(for_run(&state), []);
    }
}

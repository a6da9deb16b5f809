//! Texts with counts, of which English has another one for a count of one.

/// The text for the data and the length of a run: `{0}` samples and `{1}` steps.
pub fn training_text(samples: usize, steps: u64) -> &'static str {
    match (samples, steps) {
        (1, 1) => "training on {0} sample, {1} step",
        (1, _) => "training on {0} sample, {1} steps",
        (_, 1) => "training on {0} samples, {1} step",
        _ => "training on {0} samples, {1} steps",
    }
}

/// The text for the end of a run: its time `{0}`, `{1}` steps, and `{2}` samples a second.
pub fn time_text(steps: u64, stopped: bool) -> &'static str {
    match (steps, stopped) {
        (1, true) => "{0}, stopped after {1} step, {2} samples/s",
        (_, true) => "{0}, stopped after {1} steps, {2} samples/s",
        (1, false) => "{0}, {1} step, {2} samples/s",
        (_, false) => "{0}, {1} steps, {2} samples/s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::lang::Lang;

    #[test]
    fn one_is_singular() {
        let (english, korean) = (Lang::English, Lang::Korean);
        let training = |lang: Lang, samples: usize, steps: u64| {
            lang.tr_with(training_text(samples, steps), &[&samples, &steps])
        };
        assert_eq!(training(english, 320, 1), "training on 320 samples, 1 step");
        assert_eq!(training(english, 1, 10), "training on 1 sample, 10 steps");
        assert_eq!(training(english, 1, 1), "training on 1 sample, 1 step");
        assert_eq!(training(english, 2, 2), "training on 2 samples, 2 steps");
        assert_eq!(training(korean, 320, 1), "샘플 320개로 1스텝 학습");
        for (stopped, text) in [
            (true, "0:01, stopped after 1 step, 5 samples/s"),
            (false, "0:01, 1 step, 5 samples/s"),
        ] {
            assert_eq!(english.tr_with(time_text(1, stopped), &[&"0:01", &1, &5]), text);
            let plural = english.tr_with(time_text(2, stopped), &[&"0:01", &2, &5]);
            assert_eq!(plural, text.replace("1 step", "2 steps"));
        }
    }
}

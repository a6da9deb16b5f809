//! Verdicts as text.

use super::{AtChance, HighRate, Verdict};
use crate::core::text::interpolate;
use std::fmt::{self, Display, Formatter};

/// A text with the placeholders `{0}`, `{1}` and so on, and the values for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictText {
    /// The text in English.
    pub text: &'static str,
    /// The values.
    pub values: Vec<String>,
}

impl VerdictText {
    /// The text with its values, in which `translate` gives the text in another language.
    pub fn filled(&self, translate: impl Fn(&'static str) -> String) -> String {
        let values: Vec<&dyn Display> =
            self.values.iter().map(|value| value as &dyn Display).collect();
        interpolate(&translate(self.text), &values)
    }
}

/// A fraction, from 0 to 1, in percent: with one decimal if it is small.
fn percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    if percent < 9.95 && (percent - percent.round()).abs() > 0.05 {
        format!("{percent:.1}")
    } else {
        format!("{percent:.0}")
    }
}

fn loss(loss: f64) -> String {
    format!("{loss:.3}")
}

impl AtChance {
    /// The training loss, that of a constant answer, both accuracies, and the highest rate.
    fn values(&self) -> Vec<String> {
        let numbers = [self.now, self.constant, self.accuracy[0], self.accuracy[1]];
        let rate = self.rate;
        let rate = if rate >= 0.001 { format!("{rate}") } else { format!("{rate:e}") };
        numbers.map(loss).into_iter().chain([rate]).collect()
    }
}

impl Verdict {
    /// The verdict in a few words.
    pub fn headline(&self) -> VerdictText {
        let (text, values) = match self {
            Self::RateTooHigh(_) => ("learning rate too high", Vec::new()),
            Self::Overfitting { since, .. } => {
                ("over-fitting since step {0}", vec![since.to_string()])
            }
            Self::Imbalance { .. } => ("label imbalance", Vec::new()),
            Self::Plateau { since, .. } => ("plateau since step {0}", vec![since.to_string()]),
            Self::NothingLearned(_) => ("nothing learned so far", Vec::new()),
            Self::Improving { .. } => ("still improving", Vec::new()),
            Self::OneAnswer { .. } => ("one answer to nearly all texts", Vec::new()),
            Self::OverConfident { since, .. } => {
                ("eval loss and accuracy rise since step {0}", vec![since.to_string()])
            }
            Self::Unclear { .. } => ("no clear trend", Vec::new()),
        };
        VerdictText { text, values }
    }

    /// The numbers behind it; `labels` has the names of the classes.
    pub fn evidence(&self, labels: &[String]) -> VerdictText {
        let (text, values) = match self {
            Self::RateTooHigh(HighRate::Rose { since, best, now }) => (
                "average train loss {0} around step {1}, now {2}",
                vec![loss(*best), since.to_string(), loss(*now)],
            ),
            Self::RateTooHigh(HighRate::NothingLearned(at_chance))
            | Self::NothingLearned(at_chance) => (
                "average train loss {0} (constant answer: {1}), accuracy {2} (largest class: {3}), \
                 rates up to {4}",
                at_chance.values(),
            ),
            Self::Overfitting { eval, train, steps, accuracy, .. } => {
                let text = if accuracy.iter().all(|accuracy| accuracy.is_finite()) {
                    "eval loss {0} to {1}, accuracy {2} to {3}, train loss {4} to {5} (average of {6} \
                     steps)"
                } else {
                    "eval loss {0} to {1}, train loss {4} to {5} (average of {6} steps)"
                };
                let losses = [*eval, *accuracy, *train].concat().into_iter().map(loss);
                (text, losses.chain([steps.to_string()]).collect())
            }
            Self::Imbalance { class, support, found, total } => {
                let name = labels.get(*class).cloned().unwrap_or_else(|| class.to_string());
                let text = if *support == 0 {
                    "no {0} among the {2} evaluation samples"
                } else {
                    "{0} is {1} of {2} evaluation samples ({3} %); found of these: {4}"
                };
                let share = percent(*support as f64 / (*total).max(1) as f64);
                let counts = [support, total].map(u64::to_string);
                let values = [name].into_iter().chain(counts).chain([share, found.to_string()]);
                (text, values.collect())
            }
            Self::Plateau { loss: losses, evaluations, .. } => {
                let text = if *evaluations == 1 {
                    "eval loss {0}, since then: {1}"
                } else {
                    "eval loss {0}, best of {2} since then: {1}"
                };
                let losses = losses.map(loss).into_iter();
                (text, losses.chain([evaluations.to_string()]).collect())
            }
            Self::Improving { is_eval: true, loss: losses } => {
                ("eval loss {0} to {1}", losses.map(loss).to_vec())
            }
            Self::Improving { is_eval: false, loss: losses } => {
                ("average train loss {0} to {1}", losses.map(loss).to_vec())
            }
            Self::OneAnswer { class, counts } => {
                let name = labels.get(*class).cloned().unwrap_or_else(|| class.to_string());
                let text = "{1} of {3} answers are {0}, as are {2} of the labels";
                (text, std::iter::once(name).chain(counts.map(|count| count.to_string())).collect())
            }
            Self::OverConfident { loss: losses, accuracy, .. } => (
                "eval loss {0} to {1}, accuracy {2} to {3}: wrong answers with more confidence",
                losses.iter().chain(accuracy).copied().map(loss).collect(),
            ),
            Self::Unclear { loss: None, .. } => ("there is one evaluation so far", Vec::new()),
            // Not by chance, but the accuracy is another sign, or the evaluation is the only one.
            Self::Unclear { loss: Some(losses), accuracy, margin }
                if losses[1] - losses[0] > *margin
                    && accuracy.iter().all(|one| one.is_finite()) =>
            {
                let values = losses.iter().chain(accuracy).copied().map(loss).collect();
                ("lowest eval loss {0}, now {1}; accuracy then {2}, now {3}", values)
            }
            Self::Unclear { loss: Some([lowest, now]), margin, .. } if lowest == now => (
                "eval loss {0}, the lowest; a difference up to {1} may be chance",
                [lowest, margin].map(|value| loss(*value)).to_vec(),
            ),
            Self::Unclear { loss: Some(losses), margin, .. } => (
                "lowest eval loss {0}, now {1}; a difference up to {2} may be chance",
                losses.iter().chain([margin]).copied().map(loss).collect(),
            ),
        };
        VerdictText { text, values }
    }

    /// The most important of these numbers, for a narrow place.
    pub fn brief_evidence(&self, labels: &[String]) -> VerdictText {
        let (text, values) = match self {
            Self::RateTooHigh(HighRate::Rose { best, now, .. }) => {
                ("average train loss {0} to {1}", [*best, *now].map(loss).to_vec())
            }
            Self::RateTooHigh(HighRate::NothingLearned(at_chance))
            | Self::NothingLearned(at_chance) => {
                ("accuracy {2} (largest class: {3})", at_chance.values())
            }
            Self::Overfitting { eval, .. } => ("eval loss {0} to {1}", eval.map(loss).to_vec()),
            Self::OverConfident { loss: losses, .. } => {
                ("loss {0} to {1}", losses.map(loss).to_vec())
            }
            Self::Imbalance { class, support, found, .. } => {
                let name = labels.get(*class).cloned().unwrap_or_else(|| class.to_string());
                ("{0}: {1} of {2} found", vec![name, found.to_string(), support.to_string()])
            }
            Self::Unclear { loss: Some(losses), .. } => {
                ("lowest eval loss {0}, now {1}", losses.map(loss).to_vec())
            }
            Self::OneAnswer { .. } => {
                return VerdictText { text: "{1} of {3} are {0}", ..self.evidence(labels) };
            }
            Self::Plateau { loss: losses, .. } => ("loss {0}, then {1}", losses.map(loss).to_vec()),
            Self::Improving { .. } | Self::Unclear { loss: None, .. } => {
                return self.evidence(labels);
            }
        };
        VerdictText { text, values }
    }

    /// Headline and evidence in one line of English.
    pub fn line(&self, labels: &[String]) -> String {
        let english = |text: &'static str| text.to_owned();
        let (headline, evidence) = (self.headline(), self.evidence(labels));
        format!("{}: {}", headline.filled(english), evidence.filled(english))
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(&[]))
    }
}

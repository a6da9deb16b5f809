//! What the answers of an evaluation say: whether they beat one answer to all, and a rare class that
//! is not found.

/// The fewest samples of a class whose recall is no chance.
const MIN_SUPPORT: u64 = 10;

/// The fewest evaluation samples for a verdict on the answers.
const MIN_SAMPLES: u64 = 20;

/// The least fraction of the samples, from 0 to 1, in a class that leaves the others too few.
const DOMINANT: f64 = 0.85;

/// The least fraction of the answers, from 0 to 1, that is as good as one answer to all.
const ONE_ANSWER: f64 = 0.98;

/// A class that is rare and mostly not found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MissedClass {
    /// The class.
    pub class: usize,
    /// The number of its evaluation samples.
    pub support: u64,
    /// The number of these that are found.
    pub found: u64,
    /// The number of all evaluation samples.
    pub total: u64,
}

/// A class that is nearly every answer, but not nearly every label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OneAnswer {
    /// The class.
    pub class: usize,
    /// The numbers of these answers, of the labels of this class, and of all samples.
    pub counts: [u64; 3],
}

/// The answers of an evaluation, reduced to what the rules need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answers {
    /// The number of classes.
    pub classes: usize,
    /// The mean loss of the best constant answer: the entropy of the labels.
    pub constant_loss: f64,
    /// The accuracy of the answer that is right most often, from 0 to 1.
    pub constant_accuracy: f64,
    /// A rare class that is mostly not found.
    pub missed: Option<MissedClass>,
    /// A class that is nearly every answer.
    pub one_answer: Option<OneAnswer>,
    total: u64,
    accuracy: f64,
    /// The fraction of the answers, from 0 to 1, that are the most frequent one.
    most_frequent: f64,
}

impl Answers {
    /// The answers of a confusion matrix `[true class][predicted class]`; `None` if it is empty.
    pub fn of(counts: &[Vec<u64>]) -> Option<Self> {
        let support: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
        let total: u64 = support.iter().sum();
        if total == 0 {
            return None;
        }
        let share = |count: u64| count as f64 / total as f64;
        let found = |class: usize| counts[class].get(class).copied().unwrap_or(0);
        let answered = |class: usize| counts.iter().filter_map(|row| row.get(class)).sum::<u64>();
        let classes = 0..counts.len();
        let frequent = classes.clone().max_by_key(|class| answered(*class)).unwrap_or(0);
        let one_answer =
            OneAnswer { class: frequent, counts: [answered(frequent), support[frequent], total] };
        let is_one_answer = total >= MIN_SAMPLES
            && share(answered(frequent)) >= ONE_ANSWER
            && share(support[frequent]) < ONE_ANSWER;
        let entropy = |count: &u64| {
            let share = share(*count);
            if share > 0.0 { -share * share.ln() } else { 0.0 }
        };
        Some(Self {
            classes: counts.len(),
            constant_loss: support.iter().map(entropy).sum(),
            constant_accuracy: share(support.iter().copied().max().unwrap_or(0)),
            missed: missed_class(&support, total, found, answered),
            one_answer: is_one_answer.then_some(one_answer),
            total,
            accuracy: share(classes.clone().map(found).sum()),
            most_frequent: share(answered(frequent)),
        })
    }

    /// Whether the answers are no better than one answer to all: less than two standard errors more
    /// accurate, or nearly all the same. Too few answers do not tell.
    pub fn are_at_chance(&self) -> bool {
        let variance = self.constant_accuracy * (1.0 - self.constant_accuracy);
        let error = (variance / self.total as f64).sqrt();
        let is_no_better = self.accuracy <= self.constant_accuracy + 2.0 * error;
        self.total >= MIN_SAMPLES && (is_no_better || self.most_frequent >= ONE_ANSWER)
    }
}

/// The rare class with the lowest recall. One with enough samples is rare if it has less than half of
/// an even share, and missed if less than half of it is found. One with fewer is missed if nearly all
/// samples are of another class, and nearly all answers as well.
fn missed_class(
    support: &[u64],
    total: u64,
    found: impl Fn(usize) -> u64,
    answered: impl Fn(usize) -> u64,
) -> Option<MissedClass> {
    let share = |count: u64| count as f64 / total as f64;
    let even = 1.0 / support.len().max(1) as f64;
    let recall = |one: &MissedClass| one.found as f64 / one.support.max(1) as f64;
    let all = support.iter().enumerate().map(|(class, &support)| MissedClass {
        class,
        support,
        found: found(class),
        total,
    });
    let is_missed = |one: &MissedClass| {
        one.support >= MIN_SUPPORT && share(one.support) < 0.5 * even && recall(one) < 0.5
    };
    let missed = all.clone().filter(is_missed);
    let missed = missed.min_by(|a, b| recall(a).total_cmp(&recall(b)));
    let is_answered_always =
        |class: usize| share(support[class]) >= DOMINANT && share(answered(class)) >= ONE_ANSWER;
    let is_dominated = total >= MIN_SAMPLES && (0..support.len()).any(is_answered_always);
    // Of many classes, an evaluation need not have each.
    let is_told = |one: &MissedClass| one.support > 0 || support.len() == 2;
    let rarest = all.filter(is_told).min_by_key(|one| one.support);
    missed.or(rarest.filter(|one| is_dominated && recall(one) < 0.5))
}

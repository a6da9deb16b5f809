//! Labels of a dataset that may be wrong, by confident learning (Northcutt, Jiang and Chuang,
//! 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial
//! Intelligence Research 70). The probabilities have to be those of a model that was not trained on
//! the examples.

/// The class that each example likely has instead of its label; `None` if its label is plausible.
///
/// The threshold of a class is the mean probability of the class over the examples with this label.
/// An example is counted for the most probable of the classes whose thresholds its probabilities
/// reach (equation 1 of the paper); it is suspected if that is another class than its label.
/// `probability` returns the probability of a class for an example, by their indices.
pub fn suspected(
    labels: &[u32],
    classes: usize,
    probability: impl Fn(usize, usize) -> f64,
) -> Vec<Option<u32>> {
    let (mut sums, mut counts) = (vec![0f64; classes], vec![0u64; classes]);
    for (example, &label) in labels.iter().enumerate() {
        let label = label as usize;
        if let (Some(sum), Some(count)) = (sums.get_mut(label), counts.get_mut(label)) {
            *sum += probability(example, label);
            *count += 1;
        }
    }
    // Without an example, nothing is known of a class: its threshold is not reached.
    let threshold = |(sum, count): (&f64, &u64)| match count {
        0 => f64::INFINITY,
        count => sum / *count as f64,
    };
    let thresholds: Vec<f64> = sums.iter().zip(&counts).map(threshold).collect();
    let likely = |(example, &label): (usize, &u32)| {
        let reached = thresholds.iter().enumerate().filter_map(|(class, threshold)| {
            let own = probability(example, class);
            (own >= *threshold).then_some((class as u32, own))
        });
        let best = reached.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(class, _)| class).filter(|class| *class != label)
    };
    labels.iter().enumerate().map(likely).collect()
}

/// The share of right answers from which a model is more likely right about a text than its label.
const RELIABLE: f64 = 0.95;

/// The lowest confidence such that of the answers with at least this confidence, 95 % agree with the labels;
/// infinite if there is none. Where a model is wrong more often, its doubt says little about a label.
/// `probability` is as in [`suspected`].
pub fn reliable_confidence(
    labels: &[u32],
    classes: usize,
    probability: impl Fn(usize, usize) -> f64,
) -> f64 {
    let answer = |(example, &label): (usize, &u32)| {
        let all = (0..classes).map(|class| (probability(example, class), class));
        let (confidence, class) = all.max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some((confidence, class == label as usize))
    };
    let mut answers: Vec<(f64, bool)> = labels.iter().enumerate().filter_map(answer).collect();
    answers.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (mut lowest, mut right) = (f64::INFINITY, 0);
    for (index, (confidence, is_right)) in answers.iter().enumerate() {
        right += usize::from(*is_right);
        // Answers of the same confidence count together.
        let is_last = answers.get(index + 1).is_none_or(|next| next.0 < *confidence);
        if is_last && right as f64 >= RELIABLE * (index + 1) as f64 {
            lowest = *confidence;
        }
    }
    lowest
}

/// Leaves out the suspicions that any of the `others` does not share: those of a single evaluation each.
/// A model that doubts a label at one evaluation and not at the next one is unsure of it.
pub fn shared_by_all(
    mut suspected: Vec<Option<u32>>,
    others: impl Iterator<Item = Vec<Option<u32>>>,
) -> Vec<Option<u32>> {
    for other in others {
        for (suspected, other) in suspected.iter_mut().zip(other) {
            if *suspected != other {
                *suspected = None;
            }
        }
    }
    suspected
}

/// Whether the most probable classes depend on the labels at all: whether the mean of the recalls
/// of the classes is above that of a guess by more than 1.96 standard errors. Guesses that do not
/// depend on the example have a mean recall of at most one divided by the number of classes with
/// examples, however rare some classes are. `probability` is as in [`suspected`].
///
/// The recalls are taken with one success and one failure added (Agresti and Caffo, 2000), so that a
/// few examples do not count as certain; the standard error is that of a mean of independent
/// proportions.
pub fn is_better_than_chance(
    labels: &[u32],
    classes: usize,
    probability: impl Fn(usize, usize) -> f64,
) -> bool {
    let (mut right, mut counts) = (vec![0f64; classes], vec![0f64; classes]);
    for (example, &label) in labels.iter().enumerate() {
        let own = label as usize;
        let best = (0..classes).max_by(|one, other| {
            probability(example, *one).total_cmp(&probability(example, *other))
        });
        if let (Some(right), Some(count)) = (right.get_mut(own), counts.get_mut(own)) {
            *count += 1.0;
            *right += f64::from(u8::from(best == Some(own)));
        }
    }
    let known = right.iter().zip(&counts).filter(|(_, count)| **count > 0.0);
    let (mut mean, mut variance, mut present) = (0.0, 0.0, 0.0);
    for (right, count) in known {
        let added = (right + 1.0) / (count + 2.0);
        mean += added;
        variance += added * (1.0 - added) / (count + 2.0);
        present += 1.0;
    }
    // With one class there is nothing to tell apart.
    present > 1.0 && (mean - 1.0) / present > 1.96 * f64::sqrt(variance) / present
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_no_better_than_chance() {
        let labels: Vec<u32> = (0..200).map(|example| u32::from(example % 10 == 0)).collect();
        let chance = |of_class_1: &dyn Fn(usize) -> f64| {
            !is_better_than_chance(&labels, 2, |example, class| match class {
                1 => of_class_1(example),
                _ => 1.0 - of_class_1(example),
            })
        };
        assert!(chance(&|_| 0.4), "always the frequent class, right for 90 %");
        assert!(chance(&|_| 0.6), "always the rare class");
        // Every seventh example, whatever its label.
        assert!(chance(&|example| if example % 7 == 0 { 0.6 } else { 0.4 }));
        assert!(chance(&|example| if example % 10 == 0 { 0.4 } else { 0.6 }), "always wrong");
        // Half of the rare class is found, at the cost of a tenth of the other one.
        assert!(!chance(&|example| if example % 20 < 3 && example % 20 != 1 { 0.9 } else { 0.1 }));
        assert!(!is_better_than_chance(&[0; 50], 2, |_, class| 1.0 - class as f64), "one class");
        assert!(!is_better_than_chance(&[0, 1], 2, |at, class| f64::from(u8::from(at == class))));
        assert!(!is_better_than_chance(&[], 2, |_, _| 0.5));
    }

    #[test]
    fn labels_below_the_threshold_of_their_class_are_suspected() {
        // Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 of class 0, (0.7 + 0.9 + 0.35) / 3 = 0.65 of 1.
        let labels = [0, 0, 0, 1, 1, 1];
        let of_class_0 = [0.9, 0.8, 0.1, 0.3, 0.1, 0.65];
        let probability = |example: usize, class: usize| match class {
            0 => of_class_0[example],
            _ => 1.0 - of_class_0[example],
        };
        let found = suspected(&labels, 2, probability);
        assert_eq!(found, [None, None, Some(1), None, None, Some(0)]);
        // A wrong prediction that reaches no threshold says nothing about the label.
        let unsure = [0.9, 0.8, 0.45, 0.3, 0.1, 0.5];
        let probability = |example: usize, class: usize| match class {
            0 => unsure[example],
            _ => 1.0 - unsure[example],
        };
        assert_eq!(suspected(&labels, 2, probability), [None; 6]);
    }

    #[test]
    fn a_doubt_counts_where_the_answers_are_reliable() {
        // 40 sure answers of which one is wrong, and 20 unsure ones of which half are.
        let labels: Vec<u32> =
            (0..60).map(|at| u32::from(at == 5 || (at > 40 && at % 2 == 0))).collect();
        let of_class_0 = |at: usize| if at < 40 { 0.95 } else { 0.6 };
        let probability = |at: usize, class: usize| match class {
            0 => of_class_0(at),
            _ => 1.0 - of_class_0(at),
        };
        assert_eq!(reliable_confidence(&labels, 2, probability), 0.95);
        assert_eq!(reliable_confidence(&labels[..40], 2, |_, _| 0.5), f64::INFINITY);
        assert_eq!(
            reliable_confidence(&[0, 0, 1], 2, |_, class| 0.9 - 0.8 * class as f64),
            f64::INFINITY
        );
        assert_eq!(reliable_confidence(&[], 2, |_, _| 0.5), f64::INFINITY);
    }

    #[test]
    fn a_suspicion_that_one_evaluation_does_not_share_is_left_out() {
        let others = [vec![Some(1), None, Some(1)], vec![Some(1), Some(1), Some(2)]];
        let found = shared_by_all(vec![Some(1), Some(1), Some(2)], others.into_iter());
        assert_eq!(found, [Some(1), None, None]);
    }

    #[test]
    fn the_most_probable_class_that_reaches_its_threshold_counts() {
        let table = [[0.5, 0.3, 0.2], [0.2, 0.4, 0.4], [0.1, 0.3, 0.6], [0.05, 0.45, 0.5]];
        let labels = [0, 1, 2, 0];
        let found = suspected(&labels, 4, |example, class| {
            table[example].get(class).copied().unwrap_or_default()
        });
        // Thresholds 0.275, 0.4, 0.6 and none; of the last example, only class 1 is reached.
        assert_eq!(found, [None, None, None, Some(1)]);
        assert_eq!(suspected(&[7], 2, |_, _| 0.5), [None]);
    }
}

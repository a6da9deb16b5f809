//! Holding out part of the training rows for evaluation.

use super::sampling::Generator;
use super::table::DataRow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// Splits rows into training rows and validation rows, each in the original order. Of `n` rows,
/// `ceil(n × share)` are held out, as by scikit-learn's `train_test_split(stratify=…)`, but never
/// the last row of a class. `seed` decides which rows of a class are held out. The classes take
/// their turns in the order of their labels, which for declared names are their indices.
pub fn stratified(
    rows: Vec<DataRow>,
    declared_names: Option<&[String]>,
    share: f64,
    seed: u64,
) -> (Vec<DataRow>, Vec<DataRow>) {
    let declared = declared_names.unwrap_or_default().iter().zip(0..);
    let indices: HashMap<&str, String> =
        declared.map(|(name, index): (_, usize)| (&**name, index.to_string())).collect();
    let mut classes: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let label = indices.get(&*row.label).unwrap_or(&row.label);
        classes.entry((label, &row.label)).or_default().push(index);
    }
    let counts: Vec<usize> = classes.values().map(Vec::len).collect();
    let total = (rows.len() as f64 * share).ceil() as usize;
    let mut generator = Generator::new(seed);
    let mut is_held_out = vec![false; rows.len()];
    for (mut members, held_out) in classes.into_values().zip(apportion(&counts, total)) {
        generator.shuffle(&mut members);
        for index in members.into_iter().take(held_out) {
            is_held_out[index] = true;
        }
    }
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for (row, is_held_out) in rows.into_iter().zip(is_held_out) {
        let part = if is_held_out { &mut validation } else { &mut train };
        part.push(row);
    }
    (train, validation)
}

/// The number of rows of each class to hold out, `total` together if possible: proportional by the
/// largest remainder method, but at least one of each class and never its last, if possible.
fn apportion(counts: &[usize], total: usize) -> Vec<usize> {
    let rows: usize = counts.iter().sum();
    let total = total.min(rows - counts.len());
    // In units of 1 / `rows`, so that nothing is rounded.
    let exact = |count: usize| count as u128 * total as u128;
    let mut shares: Vec<usize> =
        counts.iter().map(|&count| (exact(count) / rows as u128) as usize).collect();
    let mut left = total - shares.iter().sum::<usize>();
    let mut candidates: Vec<usize> = (0..counts.len()).collect();
    candidates.sort_by_key(|&class| Reverse(exact(counts[class]) % rows as u128));
    while left > 0 {
        candidates.retain(|&class| shares[class] + 1 < counts[class]);
        for &class in candidates.iter().take(left) {
            shares[class] += 1;
        }
        left = left.saturating_sub(candidates.len().max(1));
    }
    // A class without any gets one from the class with the most.
    let mut donors: BinaryHeap<(usize, usize)> = shares.iter().copied().zip(0..).collect();
    for (class, &count) in counts.iter().enumerate() {
        if shares[class] == 0
            && count > 1
            && let Some((most, donor)) = donors.pop()
            && most > 1
        {
            shares[donor] -= 1;
            shares[class] = 1;
            donors.push((most - 1, donor));
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `counts[c]` rows of each class `c`, the classes interleaved.
    fn rows(counts: &[usize]) -> Vec<DataRow> {
        let most = counts.iter().copied().max().unwrap_or(0);
        let turns = (0..most).flat_map(|turn| (0..counts.len()).map(move |class| (turn, class)));
        turns
            .filter(|&(turn, class)| turn < counts[class])
            .enumerate()
            .map(|(n, (_, class))| DataRow {
                location: None,
                id: n.to_string(),
                text: String::new(),
                text_pair: None,
                label: class.to_string(),
                slices: Box::default(),
            })
            .collect()
    }

    fn ids(rows: &[DataRow]) -> Vec<usize> {
        rows.iter().filter_map(|row| row.id.parse().ok()).collect()
    }

    fn of_class(rows: &[DataRow], class: usize) -> usize {
        rows.iter().filter(|row| row.label == class.to_string()).count()
    }

    #[test]
    fn shares_follow_the_largest_remainder_and_include_every_class() {
        for (counts, total, shares) in [
            (vec![50, 50], 10, vec![5, 5]),
            (vec![70, 20, 10], 15, vec![11, 3, 1]),
            (vec![94, 2, 2, 2], 10, vec![7, 1, 1, 1]),
            (vec![97, 3], 1, vec![1, 0]),
            (vec![9, 1], 2, vec![2, 0]),
            (vec![5, 5], 99, vec![4, 4]),
            (vec![1, 1, 1, 5], 4, vec![0, 0, 0, 4]),
            (vec![], 3, vec![]),
        ] {
            assert_eq!(apportion(&counts, total), shares, "{counts:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_split() {
        let split = |seed| stratified(rows(&[40, 40]), None, 0.25, seed);
        assert_eq!(split(1), split(1));
        assert_ne!(split(1).1, split(2).1);
        let (train, validation) = stratified(rows(&[40, 40]), None, f64::NAN, 1);
        assert_eq!((train.len(), validation.len()), (80, 0));
    }

    #[test]
    fn declared_names_are_split_like_their_indices() {
        let numbered = rows(&[7; 12]);
        let names: Vec<String> = (0..12).map(|n| format!("{}", (b'z' - n) as char)).collect();
        let mut named = numbered.clone();
        for row in &mut named {
            row.label = names[row.label.parse::<usize>().unwrap_or_default()].clone();
        }
        let expected = stratified(numbered, None, 0.3, 5);
        let found = stratified(named, Some(&names), 0.3, 5);
        assert_eq!((ids(&found.0), ids(&found.1)), (ids(&expected.0), ids(&expected.1)));
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_every_class_in_both(
            counts in proptest::collection::vec(1usize..40, 0..12),
            share in 0.0f64..1.0,
            seed: u64,
        ) {
            let all = rows(&counts);
            let (train, validation) = stratified(all.clone(), None, share, seed);
            let total = (all.len() as f64 * share).ceil() as usize;
            let total = total.min(all.len() - counts.len());
            prop_assert_eq!(validation.len(), total);
            let (in_train, in_validation) = (ids(&train), ids(&validation));
            prop_assert!(in_train.is_sorted() && in_validation.is_sorted());
            let mut both = [in_train, in_validation].concat();
            both.sort_unstable();
            prop_assert_eq!(both, (0..all.len()).collect::<Vec<_>>());
            let divisible = counts.iter().filter(|&&count| count > 1).count();
            for (class, &count) in counts.iter().enumerate() {
                prop_assert!(of_class(&train, class) > 0);
                let held_out = of_class(&validation, class);
                prop_assert!(held_out > 0 || count == 1 || total < divisible);
            }
        }

        #[test]
        fn shares_of_large_classes_are_within_one_row_of_exact(
            counts in proptest::collection::vec(10usize..60, 1..12),
            share in 0.11f64..0.5,
            seed: u64,
        ) {
            let all = rows(&counts);
            let (_, validation) = stratified(all.clone(), None, share, seed);
            for (class, &count) in counts.iter().enumerate() {
                let exact = (count * validation.len()) as f64 / all.len() as f64;
                prop_assert!((of_class(&validation, class) as f64 - exact).abs() <= 1.0);
            }
        }
    }
}

//! Sorts and compares runs.

use super::{BestEvaluation, RunEntry, RunSummary};
use crate::core::named::named_enum;
use std::cmp::Ordering;
use std::collections::BTreeSet;

named_enum! {
    /// The order of runs in a list.
    #[derive(Default)]
    pub enum RunOrder {
        /// The one written to last comes first
        @default Recent = "recent",
        /// By name
        Name = "name",
        /// The highest evaluation accuracy first
        Accuracy = "accuracy",
        /// The highest F1 (at the best accuracy) first
        F1 = "f1",
        /// The lowest evaluation loss (at the best accuracy) first
        Loss = "loss",
        /// The shortest training time first
        Time = "time",
    }
}

impl RunOrder {
    /// All orders, in the sequence in which a key cycles through them.
    pub const ALL: [Self; 6] =
        [Self::Recent, Self::Name, Self::Accuracy, Self::F1, Self::Loss, Self::Time];

    /// Its title on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::Loss => "eval loss",
            order => order.name(),
        }
    }
}

/// Compares two runs by a metric, then by name. A run without the metric comes last.
pub fn compare_runs(one: &RunEntry, other: &RunEntry, order: RunOrder) -> Ordering {
    let key = |entry: &RunEntry| {
        let summary = entry.summary.as_ref().ok()?;
        let best = |metric: fn(&BestEvaluation) -> f64| summary.best.as_ref().map(metric);
        let key = match order {
            RunOrder::Name => None,
            RunOrder::Recent => Some(-summary.modified),
            RunOrder::Accuracy => best(|best| -best.eval_accuracy),
            RunOrder::F1 => best(|best| -best.eval_f1),
            RunOrder::Loss => summary.eval_loss(),
            RunOrder::Time => Some(summary.seconds),
        };
        key.filter(|key| key.is_finite())
    };
    let by_key = match (key(one), key(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    by_key.then_with(|| natural_order(one.name(), other.name()))
}

/// Compares names with sequences of digits as numbers: `run-2` comes before `run-10`.
fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        let (Some(&a), Some(&b)) = (one.peek(), other.peek()) else {
            return one.peek().is_some().cmp(&other.peek().is_some());
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let number = |text: &mut std::iter::Peekable<std::str::Chars>| {
                let mut digits = String::new();
                while let Some(digit) = text.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let digits = digits.trim_start_matches('0').to_owned();
                (digits.len(), digits)
            };
            match number(&mut one).cmp(&number(&mut other)) {
                Ordering::Equal => {}
                different => return different,
            }
        } else if a == b {
            one.next();
            other.next();
        } else {
            return a.cmp(&b);
        }
    }
}

/// Settings that only contain names of a run or its folders.
const NAMING: [&str; 3] = ["output_dir", "logging_dir", "run_name"];

/// The settings in which runs differ, each with the runs' values in the order of `runs`.
pub fn differing_settings(runs: &[&RunSummary]) -> Vec<(String, Vec<Option<String>>)> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for setting in runs.iter().flat_map(|run| &run.settings) {
        if known.insert(setting.name.as_str()) && !NAMING.contains(&setting.name.as_str()) {
            names.push(&setting.name);
        }
    }
    let mut differing = Vec::new();
    for name in names {
        let values: Vec<Option<&str>> = runs.iter().map(|run| run.setting(name)).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            let values = values.into_iter().map(|value| value.map(str::to_owned)).collect();
            differing.push((name.to_owned(), values));
        }
    }
    differing
}

/// The names of the settings in which runs differ; if there are none, the names of the settings
/// given by flags.
pub fn distinguishing_settings(runs: &[&RunSummary]) -> Vec<String> {
    let differing = differing_settings(runs);
    if !differing.is_empty() {
        return differing.into_iter().map(|(name, _)| name).collect();
    }
    let by_flag = runs.iter().flat_map(|run| &run.settings);
    let by_flag = by_flag.filter(|setting| setting.reason == "flag").map(|setting| &setting.name);
    let mut names: Vec<String> = Vec::new();
    for name in by_flag.filter(|name| !NAMING.contains(&name.as_str())) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_index::tests::entry;

    fn names(mut runs: Vec<RunEntry>, order: RunOrder) -> Vec<String> {
        runs.sort_by(|one, other| compare_runs(one, other, order));
        runs.iter().map(|entry| entry.name().to_owned()).collect()
    }

    #[test]
    fn runs_are_sorted_and_those_without_the_metric_come_last() {
        let runs = || {
            let (mut poor, mut good, mut new) = (entry("b-10"), entry("b-9"), entry("a"));
            if let (Ok(poor), Ok(good), Ok(new)) =
                (&mut poor.summary, &mut good.summary, &mut new.summary)
            {
                for (summary, accuracy, loss) in [(&mut *poor, 0.6, 0.4), (&mut *good, 0.8, 0.5)] {
                    if let Some(best) = &mut summary.best {
                        (best.eval_accuracy, best.eval_loss) = (accuracy, loss);
                    }
                }
                (poor.modified, good.modified, new.modified) = (1.0, 2.0, 3.0);
                new.best = None;
            }
            vec![poor, good, new]
        };
        assert_eq!(names(runs(), RunOrder::Accuracy), ["b-9", "b-10", "a"]);
        assert_eq!(names(runs(), RunOrder::Loss), ["b-10", "b-9", "a"]);
        assert_eq!(names(runs(), RunOrder::Recent), ["a", "b-9", "b-10"]);
        assert_eq!(names(runs(), RunOrder::Name), ["a", "b-9", "b-10"]);
    }

    #[test]
    fn digits_in_names_are_compared_as_numbers() {
        for (one, other) in [("a2", "a10"), ("a", "a1"), ("a01b", "a1c"), ("2", "a")] {
            assert_eq!(natural_order(one, other), Ordering::Less, "{one} {other}");
            assert_eq!(natural_order(other, one), Ordering::Greater);
        }
        assert_eq!(natural_order("a10", "a10"), Ordering::Equal);
    }

    #[test]
    fn settings_set_by_flags_distinguish_equal_runs() {
        let run = entry("a");
        let summary = run.summary.expect("a run");
        assert_eq!(distinguishing_settings(&[&summary]), ["seed"]);
        let mut other = summary.clone();
        for setting in &mut other.settings {
            if setting.name == "learning_rate" {
                "1e-5".clone_into(&mut setting.value);
            }
        }
        assert_eq!(distinguishing_settings(&[&summary, &other]), ["learning_rate"]);
    }
}

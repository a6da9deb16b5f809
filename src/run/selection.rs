//! Which runs of a catalogue, in which order, and in what they differ.

use super::run_index::{Found, RunSummary};
use crate::core::named::named_enum;
use crate::screen::lang::Lang;
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
        /// The lowest evaluation loss first
        Loss = "loss",
        /// The shortest training time first
        Time = "time",
    }
}

impl RunOrder {
    /// All orders, in the sequence that a key steps through.
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

/// Whether all words of a filter hold for a run, whatever their case: `name=value` is a setting of
/// it, any other word a part of its name, its model or what became of it, in any language.
pub fn fits(found: &Found, filter: &str) -> bool {
    let mut text = found.run().to_lowercase();
    let mut push = |part: &str| {
        text.push('\n');
        text.push_str(&part.to_lowercase());
    };
    let what = match &found.summary {
        Ok(summary) => {
            push(&summary.model);
            summary.status.name()
        }
        Err(_) => "unreadable",
    };
    push(what);
    push(Lang::Korean.tr(what));
    filter.split_whitespace().all(|word| match word.split_once('=') {
        Some((name, value)) => found.summary.as_ref().is_ok_and(|run| has(run, name, value)),
        None => text.contains(&word.to_lowercase()),
    })
}

/// Whether a run has a setting; without a value, whether it has one of this name. Numbers are
/// compared as numbers.
fn has(run: &RunSummary, name: &str, value: &str) -> bool {
    let name = name.replace('-', "_").to_lowercase();
    let is_value = |known: &str| {
        let number = |text: &str| text.parse::<f64>().ok();
        let same = number(known).zip(number(value)).is_some_and(|(one, other)| one == other);
        value.is_empty() || same || known.eq_ignore_ascii_case(value)
    };
    run.setting(&name).is_some_and(is_value)
}

/// Which of two runs comes first. One that does not have the figure comes last; of equals, names
/// decide.
pub fn compare(one: &Found, other: &Found, order: RunOrder) -> Ordering {
    let figure = |found: &Found| {
        let summary = found.summary.as_ref().ok()?;
        let best = |figure: fn(&super::run_index::Best) -> f64| summary.best.as_ref().map(figure);
        let figure = match order {
            RunOrder::Name => None,
            RunOrder::Recent => Some(-summary.modified),
            RunOrder::Accuracy => best(|best| -best.eval_accuracy),
            RunOrder::F1 => best(|best| -best.eval_f1),
            RunOrder::Loss => summary.lowest_eval_loss,
            RunOrder::Time => Some(summary.seconds),
        };
        figure.filter(|figure| figure.is_finite())
    };
    let by_figure = match (figure(one), figure(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    by_figure.then_with(|| natural(one.run(), other.run()))
}

/// `run-2` before `run-10`: numbers within names count as numbers.
fn natural(one: &str, other: &str) -> Ordering {
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

/// Settings that say where a run lies or what it is called, not what it does.
const PLACES: [&str; 3] = ["output_dir", "logging_dir", "run_name"];

/// The settings in which some runs differ: each with the value that every run has, in their
/// order, if it has one.
pub fn differences(runs: &[&RunSummary]) -> Vec<(String, Vec<Option<String>>)> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for setting in runs.iter().flat_map(|run| &run.settings) {
        if known.insert(setting.name.as_str()) && !PLACES.contains(&setting.name.as_str()) {
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

/// The names of the settings that tell runs apart; of runs that are all alike, of those that were
/// chosen by hand.
pub fn worth_telling(runs: &[&RunSummary]) -> Vec<String> {
    let differing = differences(runs);
    if !differing.is_empty() {
        return differing.into_iter().map(|(name, _)| name).collect();
    }
    let chosen = runs.iter().flat_map(|run| &run.settings);
    let chosen = chosen.filter(|setting| setting.why == "flag").map(|setting| &setting.name);
    let mut names: Vec<String> = Vec::new();
    for name in chosen.filter(|name| !PLACES.contains(&name.as_str())) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The settings of these names that a run has, as `name=value`.
pub fn told(run: &RunSummary, names: &[String]) -> String {
    let values =
        names.iter().filter_map(|name| run.setting(name).map(|value| format!("{name}={value}")));
    values.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_index::tests::found;

    fn names(mut runs: Vec<Found>, order: RunOrder) -> Vec<String> {
        runs.sort_by(|one, other| compare(one, other, order));
        runs.iter().map(|found| found.run().to_owned()).collect()
    }

    #[test]
    fn runs_are_sorted_and_those_without_a_figure_come_last() {
        let runs = || {
            let (mut poor, mut good, mut new) = (found("b-10"), found("b-9"), found("a"));
            if let (Ok(poor), Ok(good), Ok(new)) =
                (&mut poor.summary, &mut good.summary, &mut new.summary)
            {
                poor.best.iter_mut().for_each(|best| best.eval_accuracy = 0.6);
                good.best.iter_mut().for_each(|best| best.eval_accuracy = 0.8);
                (poor.modified, good.modified, new.modified) = (1.0, 2.0, 3.0);
                (poor.lowest_eval_loss, good.lowest_eval_loss) = (Some(0.4), Some(0.5));
                (new.best, new.lowest_eval_loss) = (None, None);
            }
            vec![poor, good, new]
        };
        assert_eq!(names(runs(), RunOrder::Accuracy), ["b-9", "b-10", "a"]);
        assert_eq!(names(runs(), RunOrder::Loss), ["b-10", "b-9", "a"]);
        assert_eq!(names(runs(), RunOrder::Recent), ["a", "b-9", "b-10"]);
        assert_eq!(names(runs(), RunOrder::Name), ["a", "b-9", "b-10"]);
    }

    #[test]
    fn numbers_in_names_count() {
        for (one, other) in [("a2", "a10"), ("a", "a1"), ("a01b", "a1c"), ("2", "a")] {
            assert_eq!(natural(one, other), Ordering::Less, "{one} {other}");
            assert_eq!(natural(other, one), Ordering::Greater);
        }
        assert_eq!(natural("a10", "a10"), Ordering::Equal);
    }

    #[test]
    fn of_one_run_the_settings_chosen_by_hand_are_told() {
        let run = found("a");
        let summary = run.summary.expect("a run");
        let names = worth_telling(&[&summary]);
        assert_eq!(told(&summary, &names), "seed=7");
        let mut other = summary.clone();
        for setting in &mut other.settings {
            if setting.name == "learning_rate" {
                "1e-5".clone_into(&mut setting.value);
            }
        }
        let names = worth_telling(&[&summary, &other]);
        assert_eq!(told(&other, &names), "learning_rate=1e-5");
    }

    #[test]
    fn a_filter_looks_at_all_that_is_known() {
        let run = found("Deep/run-3");
        for filter in [
            "",
            "run",
            "DEEP run-3",
            "seed=7",
            "finished seed=",
            "korean",
            "완료",
            "learning-rate=0.0003",
        ] {
            assert!(fits(&run, filter), "{filter}");
        }
        for filter in ["seed=8", "eed=7", "seed=70", "run-4", "failed", "deep seed=8", "실패"] {
            assert!(!fits(&run, filter), "{filter}");
        }
    }
}

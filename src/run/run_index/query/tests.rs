//! Queries that match, that do not match, and that are refused.

use super::*;
use crate::run::run_index::tests::entry;
use crate::run::run_index::{RunEntry, RunStatus, UnreadableRun};

fn tagged() -> RunEntry {
    let mut run = entry("Deep/run-3");
    if let Ok(summary) = &mut run.summary {
        summary.notes.tags = vec!["baseline".to_owned(), "v2".to_owned()];
        "the 3rd attempt".clone_into(&mut summary.notes.note);
    }
    run
}

fn matches(run: &RunEntry, filter: &str) -> bool {
    let translate = |status| if status == "finished" { "완료" } else { status };
    Query::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(run, translate)
}

#[test]
fn words_and_settings_match_as_a_list() {
    let run = tagged();
    for filter in [
        "",
        "run",
        "DEEP run-3",
        "seed=7",
        "finished seed=",
        "korean",
        "완료",
        "attempt",
        "learning-rate=0.0003",
        "base",
        "\"3rd attempt\"",
    ] {
        assert!(matches(&run, filter), "{filter}");
    }
    for filter in ["seed=8", "eed=7", "seed=70", "run-4", "failed", "deep seed=8", "실패"] {
        assert!(!matches(&run, filter), "{filter}");
    }
}

#[test]
fn conditions_are_joined_and_grouped() {
    // Its accuracy is 0.759 and its learning rate is 3e-4.
    let run = tagged();
    for filter in [
        "eval_accuracy > 0.7",
        "eval_accuracy>0.7 AND learning_rate >= 1e-4",
        "eval_accuracy > 0.9 OR seed = 7",
        "NOT eval_accuracy > 0.9",
        "NOT (failed OR dead) AND (tag:v3 OR tag:v2)",
        "failed OR finished seed=7",
        "status = running or status = finished",
        "status != running",
        "tag = baseline AND tag = v2 AND tag:BASELINE",
        "tag: note:3RD note:",
        "tag != v3",
        "name = deep/run-3",
        "NOT NOT seed == 7",
        "step = 630 max_steps <= 630 epoch < 11 train_samples >= 2000 train_runtime > 90",
        "eval_loss < 1 loss < 1 eval_f1 > 0.5",
        "nonsense != 3",
    ] {
        assert!(matches(&run, filter), "{filter}");
    }
    for filter in [
        "eval_accuracy > 0.8 AND NOT learning_rate >= 1e-4",
        "eval_accuracy > 0.9 OR seed = 8",
        "(failed OR finished) AND seed=8",
        "tag:base",
        "tag:base OR note:fourth",
        "nonsense < 3",
        "NOT nonsense < 3 AND failed",
        "model < 3",
        "\"seed=7\"",
        "\"run-3\" AND \"and\"",
    ] {
        assert!(!matches(&run, filter), "{filter}");
    }
}

#[test]
fn and_binds_more_strongly_than_or() {
    let run = tagged();
    assert!(matches(&run, "seed=7 OR seed=8 AND failed"));
    assert!(!matches(&run, "(seed=7 OR seed=8) AND failed"));
    assert!(matches(&run, "NOT failed OR failed"));
    assert!(!matches(&run, "NOT (failed OR finished)"));
}

#[test]
fn a_metric_that_a_run_does_not_have_compares_with_nothing() {
    let mut run = tagged();
    if let Ok(summary) = &mut run.summary {
        (summary.best, summary.status) = (None, RunStatus::Dead);
    }
    assert!(!matches(&run, "eval_accuracy > 0") && !matches(&run, "eval_accuracy <= 0"));
    assert!(matches(&run, "NOT eval_accuracy > 0 AND status=dead"));
    run.summary = Err(UnreadableRun { name: "torn".to_owned(), reason: "no event".to_owned() });
    assert!(matches(&run, "torn AND unreadable AND NOT seed = 7"));
    assert!(!matches(&run, "tag:") && !matches(&run, "note:"));
}

#[test]
fn an_error_names_its_place() {
    for (filter, at) in [
        ("seed >", 7),
        ("seed > high", 8),
        ("seed > nan", 8),
        ("status = hanging", 10),
        ("seed != ", 9),
        ("(seed = 7", 10),
        ("seed = 7)", 9),
        ("()", 2),
        ("AND failed", 1),
        ("failed OR", 10),
        ("한글 OR OR", 7),
        ("= 7", 1),
        ("a \"b", 3),
        ("NOT", 4),
        (&"(".repeat(100_000), MAX_DEPTH + 1),
        (&"not ".repeat(100_000), 4 * MAX_DEPTH + 1),
    ] {
        let shown: String = filter.chars().take(20).collect();
        let error = Query::parse(filter).expect_err(&shown);
        assert_eq!(error.at, at, "{shown}: {error}");
    }
}

#[test]
fn names_that_no_run_has_are_found() {
    let run = tagged();
    let query = Query::parse("learning_rat > 1 OR (seed=7 AND NOT Eval-Acuracy > 0.5) tag=a")
        .expect("a query");
    assert_eq!(query.unknown_names(&[&run]), ["learning_rat", "eval_acuracy"]);
    assert_eq!(query.unknown_names(&[]), ["learning_rat", "seed", "eval_acuracy"]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-z0-9=<>!()\" :]{0,40}") {
        let run = tagged();
        if let Ok(query) = Query::parse(&text) {
            query.matches(&run, |status| status);
            query.unknown_names(&[&run]);
        }
    }
}

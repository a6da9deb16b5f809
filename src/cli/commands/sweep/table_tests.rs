use super::*;
use crate::run::sweep::{FailedTrial, SweepMetric, TrialValue};

fn row(rate: &str, mean: Option<f64>, half_width: Option<f64>) -> ConfigurationRow {
    let value = |value| TrialValue { trial: "trial-001".to_owned(), seed: None, value };
    ConfigurationRow {
        configuration: 1,
        settings: std::iter::once(("learning_rate".to_owned(), rate.to_owned())).collect(),
        rung: None,
        num_train_epochs: None,
        metric: "eval_accuracy",
        mean,
        half_width,
        trials: 3,
        running: 0,
        finished: mean.into_iter().map(value).collect(),
        failed: Vec::new(),
    }
}

fn table(rows: Vec<ConfigurationRow>) -> SweepTable {
    SweepTable {
        metric: SweepMetric::Accuracy,
        settings: vec!["learning_rate"],
        has_rungs: false,
        rows,
        running: vec![("trial-004".to_owned(), 3, 6)],
        settled: 2,
        trials: 6,
    }
}

#[test]
fn the_table_has_the_columns_that_are_needed() {
    let mut rows = vec![row("1e-4", Some(0.8312), Some(0.0042)), row("0.00005", Some(0.8), None)];
    let expected = [
        "learning_rate  DONE  EVAL_ACCURACY",
        "1e-4            1/3  0.8312 ± 0.0042",
        "0.00005         1/3  0.8000",
    ];
    assert_eq!(lines(&table(rows.clone())), expected);
    rows[1].running = 1;
    rows.push(row("1", None, None));
    rows[2].failed =
        vec![FailedTrial { trial: "trial-009".to_owned(), error: "the loss is NaN".to_owned() }];
    let table = table(rows);
    let expected = [
        "learning_rate  DONE  RUNNING  FAILED  EVAL_ACCURACY",
        "1e-4            1/3        0       0  0.8312 ± 0.0042",
        "0.00005         1/3        1       0  0.8000",
        "1               0/3        0       1  -",
    ];
    assert_eq!(lines(&table), expected);
    let expected =
        ["", "2 of 6 trials done", "trial-004: step 3 of 6", "trial-009 failed: the loss is NaN"];
    assert_eq!(progress(&table, Lang::English), expected);
    let expected =
        ["", "시도 6개 중 2개 완료", "trial-004: 스텝 3/6", "trial-009 실패: the loss is NaN"];
    assert_eq!(progress(&table, Lang::Korean), expected);
    let best = "learning_rate=1e-4: eval_accuracy 0.8312 ± 0.0042 in 1 trial";
    assert_eq!(summary(&table, &table.rows[0]), best);
}

#[test]
fn rungs_have_columns_of_their_own() {
    let mut halved = row("1e-4", Some(0.8), None);
    (halved.rung, halved.num_train_epochs) = (Some(2), Some(1.333));
    let table = SweepTable { has_rungs: true, ..table(vec![halved]) };
    let expected = [
        "learning_rate  RUNG  EPOCHS  DONE  EVAL_ACCURACY",
        "1e-4              2   1.333   1/3  0.8000",
    ];
    assert_eq!(lines(&table), expected);
}

#[test]
fn a_table_is_drawn_again_in_its_place() {
    let lines: Vec<String> = ["one", "a longer line"].map(str::to_owned).into();
    let mut live = LiveTable::default();
    assert_eq!(live.frame(&lines, (80, 24)), "one\na longer line\n");
    assert_eq!(live.frame(&lines, (80, 24)), "\u{1b}[2A\r\u{1b}[Jone\na longer line\n");
    // The terminal is made narrow, and has wrapped the second line.
    assert_eq!(live.frame(&lines, (7, 24)), "\u{1b}[3A\r\u{1b}[Jone\na long…\n");
    assert_eq!(live.frame(&lines, (7, 2)), "\u{1b}[1A\r\u{1b}[J… 2 mo…\n");
    assert_eq!(live.frame(&[], (80, 24)), "\u{1b}[1A\r\u{1b}[J");
    assert_eq!(live.frame(&[], (80, 24)), "");
}

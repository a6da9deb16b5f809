//! The reviews behind the numbers: files of errors, comparisons of models, what a run keeps of its
//! evaluations, and pinned sentences.

use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use nsmc_tui::run::predictions::Predictions;
use serde_json::Value;
use std::path::Path;

const EVALUATE: [&str; 4] = ["evaluate", "--json", "--max-eval-samples", "64"];

/// Trains a model with another seed into a folder.
fn train(folder: &Path, more: &[&str]) -> Vec<Value> {
    let run = nsmc_tui(folder).args(["train", "--json"]).args(TINY).args(more).assert().success();
    json_lines(&stdout(&run))
}

fn evaluate(folder: &Path, more: &[&str]) -> Value {
    let run = nsmc_tui(folder).args(EVALUATE).args(more).assert().success();
    json_lines(&stdout(&run)).pop().expect("metrics")
}

#[test]
fn errors_are_written_worst_first_and_models_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    train(path, &["--output-dir", "one"]);
    train(path, &["--output-dir", "two", "--seed", "7"]);
    let one = ["--model-name-or-path", "one"];
    let metrics = evaluate(path, &[&one[..], &["--errors", "wrong.jsonl"]].concat());
    let wrong = json_lines(&std::fs::read_to_string(path.join("wrong.jsonl")).expect("a file"));
    let right = 64 - wrong.len();
    assert_eq!(metrics["eval_accuracy"].as_f64(), Some(right as f64 / 64.0));
    let losses: Vec<f64> = wrong.iter().filter_map(|line| line["loss"].as_f64()).collect();
    assert!(losses.len() == wrong.len() && losses.is_sorted_by(|one, other| one >= other));
    for line in &wrong {
        assert_ne!(line["label"], line["prediction"]);
        let class = usize::from(line["prediction"] == "positive");
        let probability = line["probabilities"][class].as_f64().expect("a number");
        assert!(probability >= 0.5, "{line}");
        // The loss is that of the label.
        let of_label = line["probabilities"][1 - class].as_f64().expect("a number");
        assert!((-of_label.ln() - line["loss"].as_f64().expect("a number")).abs() < 1e-6);
        assert!(line["id"].is_string() && line["text"].is_string());
    }
    evaluate(path, &[&one[..], &["--errors", "wrong.tsv"]].concat());
    let table = std::fs::read_to_string(path.join("wrong.tsv")).expect("a file");
    assert!(table.starts_with("id\ttext\tlabel\tprediction\tprobabilities\tloss\n"));
    let refused = nsmc_tui(path).args(EVALUATE).args(["--errors", "wrong.csv"]).assert().code(2);
    assert!(stderr(&refused).contains(".jsonl or .tsv"), "{}", stderr(&refused));

    let both = evaluate(path, &[&one[..], &["--against", "two"]].concat());
    let other = evaluate(path, &["--model-name-or-path", "two"]);
    assert_eq!(both["against"]["eval_accuracy"], other["eval_accuracy"]);
    assert_eq!(both["against"]["eval_loss"], other["eval_loss"]);
    let count = |name: &str| both[name].as_f64().expect("a number");
    let names = ["both_right", "only_this_right", "only_against_right", "both_wrong"];
    assert_eq!(names.map(count).iter().sum::<f64>(), 64.0);
    assert_eq!(count("both_right") + count("only_this_right"), right as f64);
    let difference = count("accuracy_difference");
    let accuracies = [&metrics, &other].map(|of| of["eval_accuracy"].as_f64().expect("a number"));
    assert!((difference - (accuracies[0] - accuracies[1])).abs() < 1e-12);
    let interval = both["accuracy_difference_ci95"].as_array().expect("an interval");
    assert!(interval[0].as_f64() < interval[1].as_f64());
    for name in ["bootstrap_accuracy_difference_ci95", "bootstrap_f1_difference_ci95"] {
        let ends = [0, 1].map(|end| both[name][end].as_f64().expect("a number"));
        let observed = if name.contains("f1") { count("f1_difference") } else { difference };
        assert!(ends[0] <= observed && observed <= ends[1], "{name}: {ends:?}, {observed}");
    }
    let p = count("mcnemar_p");
    assert!(p > 0.0 && p <= 1.0, "{p}");
    let itself = evaluate(path, &[&one[..], &["--against", "one"]].concat());
    assert_eq!(
        (itself["mcnemar_p"].as_f64(), &itself["both_wrong"]),
        (Some(1.0), &wrong.len().into())
    );
    let text = nsmc_tui(path)
        .args(["evaluate", "--max-eval-samples", "64", "--against", "two"])
        .args(one)
        .assert()
        .success();
    for line in ["McNemar's exact test    p ", "difference in F1        ", "(10000 resamples)"] {
        assert!(stdout(&text).contains(line), "{}", stdout(&text));
    }
}

#[test]
fn each_evaluation_is_kept_and_its_pinned_sentences_are_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let sentences = ["--probe", "정말 재미있는 영화", "--probe", "쉼표, 그리고 \"따옴표\""];
    let events = train(path, &sentences);
    let evaluated: Vec<&Value> =
        events.iter().filter(|event| event["event"] == "evaluated").collect();
    assert_eq!(evaluated.len(), 2);
    for event in &evaluated {
        let probes = event["probes"].as_array().expect("probes");
        let texts: Vec<&str> = probes.iter().filter_map(|probe| probe["text"].as_str()).collect();
        assert_eq!(texts, [sentences[1], sentences[3]]);
        let sum: f64 = probes[0]["probabilities"]
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_f64).sum())
            .expect("probabilities");
        assert!((sum - 1.0).abs() < 1e-9);
    }
    let outputs = path.join("outputs");
    let kept = Predictions::read(&outputs).expect("files").expect("predictions");
    assert_eq!((kept.reviews.len(), kept.problems.len()), (32, 0));
    let steps: Vec<u64> = kept.evaluations.iter().map(|evaluation| evaluation.step).collect();
    assert_eq!(steps, [3, 6]);
    for (kept_evaluation, event) in kept.evaluations.iter().zip(&evaluated) {
        let predicted = kept_evaluation.outcomes.predicted().iter();
        let right = predicted.zip(&kept.reviews);
        let right = right.filter(|(class, review)| u32::from(**class) == review.label).count();
        assert_eq!(event["eval_accuracy"].as_f64(), Some(right as f64 / 32.0));
        let losses = kept_evaluation.outcomes.losses();
        let mean = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / 32.0;
        assert!((mean - event["eval_loss"].as_f64().expect("a loss")).abs() < 1e-5);
    }

    // Resumed: later evaluations are replaced, and the sentences stay.
    let more = ["train", "--json", "--resume-from-checkpoint", "--num-train-epochs", "3"];
    let resumed = nsmc_tui(path).args(more).assert().success();
    let resumed = json_lines(&stdout(&resumed));
    let last = resumed.iter().rfind(|event| event["event"] == "evaluated").expect("an evaluation");
    assert_eq!(last["probes"].as_array().map(Vec::len), Some(2), "{last}");
    let again = Predictions::read(&outputs).expect("files").expect("predictions");
    let steps: Vec<u64> = again.evaluations.iter().map(|evaluation| evaluation.step).collect();
    assert_eq!((steps, &again.evaluations[..2]), (vec![3, 6, 9], &kept.evaluations[..]));

    // Without predictions, those of the earlier run are gone.
    let events = train(path, &["--save-predictions", "false"]);
    assert!(Predictions::read(&outputs).is_ok_and(|found| found.is_none()));
    let last = events.iter().rfind(|event| event["event"] == "evaluated").expect("an evaluation");
    assert!(last.get("probes").is_none(), "{last}");
}

#[test]
fn too_many_or_blank_sentences_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let train = |more: &[String]| {
        let run = nsmc_tui(folder.path()).arg("train").args(more).assert();
        stderr(&run.failure())
    };
    let flags: Vec<String> =
        (0..17).flat_map(|at| ["--probe".to_owned(), at.to_string()]).collect();
    let error = train(&flags);
    assert!(error.contains("--probe: 17 sentences are pinned; at most 16"), "{error}");
    let error = train(&["--probe".to_owned(), "  ".to_owned()]);
    assert!(error.contains("expected a sentence"), "{error}");
    std::fs::write(folder.path().join("mine.toml"), "probe = [\"하나\", \"둘, 셋\"]\n")
        .expect("a file");
    let config = ["train", "--config", "mine.toml", "--print-config"];
    let printed = stdout(&nsmc_tui(folder.path()).args(config).assert().success());
    assert!(printed.contains("probe = '[\"하나\",\"둘, 셋\"]'"), "{printed}");
}

#[test]
fn the_accuracy_by_year_and_by_a_named_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let row = |number: usize| {
        let (text, label) = [("정말 재미있는 영화", 1), ("시간이 아깝다", 0)][number % 2];
        let genre = ["drama", "action"][number / 2 % 2];
        format!("{text}\t{label}\t201{}-03-01\t{genre}\n", number % 3 + 4)
    };
    let rows: String = (0..32).map(row).collect();
    std::fs::write(path.join("rows.tsv"), format!("document\tlabel\tdate\tgenre\n{rows}"))
        .expect("a file");
    let rows = ["--validation-file", "rows.tsv"];
    train(path, &[&rows[..], &["--output-dir", "one", "--slice-column", "genre"]].concat());
    let kept = Predictions::read(&path.join("one")).expect("predictions").expect("predictions");
    let names: Vec<&str> = kept.slices.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, kept.slices.rows.len()), (vec!["genre", "date"], 32));
    let one = [&rows[..], &["--model-name-or-path", "one"]].concat();
    let metrics = evaluate(path, &[&one[..], &["--slice-column", "genre"]].concat());
    let slices = metrics["slices"].as_array().expect("slices");
    let names: Vec<String> =
        slices.iter().map(|slice| format!("{} {}", slice["column"], slice["value"])).collect();
    let expected = [
        "\"genre\" \"action\"",
        "\"genre\" \"drama\"",
        "\"date\" \"2014\"",
        "\"date\" \"2015\"",
        "\"date\" \"2016\"",
    ];
    assert_eq!(names, expected);
    let sum = |column: &str| {
        let of_column = slices.iter().filter(|slice| slice["column"] == column);
        let right = |slice: &Value| {
            slice["accuracy"].as_f64().unwrap_or(0.0) * slice["samples"].as_f64().unwrap_or(0.0)
        };
        of_column.map(right).sum::<f64>()
    };
    let right = metrics["eval_accuracy"].as_f64().expect("a number") * 32.0;
    assert!((sum("genre") - right).abs() < 1e-9 && (sum("date") - right).abs() < 1e-9);
    let text = nsmc_tui(path).arg("evaluate").args(&one).assert().success();
    assert!(stdout(&text).contains("date 2015 "), "{}", stdout(&text));
    for (arguments, message) in [
        (
            &["--validation-file", "rows.tsv", "--slice-column", "kind"][..],
            "its columns are document, label, date, genre",
        ),
        (&["--slice-column", "kind"], "NSMC has no such column"),
    ] {
        let model = ["evaluate", "--model-name-or-path", "one"];
        let refused = nsmc_tui(path).args(model).args(arguments).assert().failure();
        assert!(stderr(&refused).contains(message), "{}", stderr(&refused));
    }
}

#[test]
fn corrected_labels_replace_those_of_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let row = |n: usize| format!("{n}\ttext {n}\t{}\n", ["bad", "good"][n % 2]);
    let rows: Vec<String> = (0..12).map(row).collect();
    let head = "id\tdocument\tlabel\n";
    for (name, rows) in [
        ("rows.tsv", &*rows.concat()),
        ("fixed.tsv", "0\ttext 0\tgood\n1\ttext 2\tbad\n3\ttext 3\tgood\n"),
        ("more.tsv", "0\ttext 0\tgood\n1\ttext 1\tbad\n3\ttext 3\tgood\n"),
        ("other.tsv", "0\ttext 0\tneutral\n"),
    ] {
        std::fs::write(path.join(name), head.to_owned() + rows).expect("a file");
    }
    let data = ["data", "--train-file", "rows.tsv", "--validation-file", "rows.tsv"];
    let plain = stdout(&nsmc_tui(path).args(data).assert().success());
    assert!(plain.contains("train: 12 rows, 6 bad (50.0 %), 6 good"), "{plain}");
    let fixed = nsmc_tui(path).args(data).args(["--corrections", "fixed.tsv"]).assert().success();
    assert!(stdout(&fixed).contains("train: 12 rows, 5 bad"), "{}", stdout(&fixed));
    assert!(stdout(&fixed).contains("eval: 12 rows, 5 bad"), "{}", stdout(&fixed));
    let notes = stderr(&fixed);
    assert!(notes.contains("fixed.tsv: labels corrected: 2\n"), "{notes}");
    assert!(notes.contains("fixed.tsv: 1 of its 3 rows"), "{notes}");
    let other = nsmc_tui(path).args(data).args(["--corrections", "other.tsv"]).assert().code(1);
    assert!(stderr(&other).contains("other.tsv:2: the row has the label"), "{}", stderr(&other));

    let rows = ["--train-file", "rows.tsv", "--validation-file", "rows.tsv"];
    let more = [&rows[..], &["--corrections", "fixed.tsv", "--max-steps", "2"]].concat();
    train(path, &more);
    let settings = std::fs::read_to_string(path.join("outputs/run.toml")).expect("settings");
    assert!(settings.contains("corrections = \"fixed.tsv\""), "{settings}");
    let resume = ["train", "--plain", "--resume-from-checkpoint", "outputs", "--max-steps", "3"];
    // Other corrections make other labels than those of the run.
    let more = ["--corrections", "more.tsv"];
    let refused = nsmc_tui(path).args(resume).args(rows).args(more).assert().code(1);
    assert!(stderr(&refused).contains("corrections"), "{}", stderr(&refused));
    let resumed = nsmc_tui(path).args(resume).args(rows).assert().success();
    let settings = stdout(&resumed);
    assert!(settings.contains("corrections = fixed.tsv (run.toml)"), "{settings}");
}

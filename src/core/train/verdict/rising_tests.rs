//! Verdicts on an evaluation loss that rises.

use super::tests::{RATE, evaluation, noise, watch};
use super::{RunWatch, Verdict};

#[test]
fn evaluations_that_were_asked_for_right_after_others_are_no_trend() {
    // As of a default run whose user evaluates soon after the first epoch.
    let mut run = RunWatch::default();
    for step in 1..=130 {
        run.push_step(step, 0.7 - 0.002 * step as f64 + 0.02 * noise(step), RATE);
    }
    for (step, loss) in [(63, 0.400), (65, 0.399), (66, 0.418), (68, 0.450)] {
        run.push_evaluation(&evaluation(step, loss, 0.8, 2000));
        let verdict = run.verdict();
        let is_wrong =
            matches!(verdict, Some(Verdict::Plateau { .. } | Verdict::Overfitting { .. }));
        assert!(!is_wrong, "{step}: {verdict:?}");
    }
    for (step, loss) in [(126, 0.470), (189, 0.480)] {
        run.push_evaluation(&evaluation(step, loss, 0.8, 2000));
    }
    // The numbers are the lowest and the latest loss of all evaluations.
    let Some(Verdict::Overfitting { since, eval, .. }) = run.verdict() else {
        panic!("{:?}", run.verdict());
    };
    assert_eq!((since, eval), (65, [0.399, 0.480]));
    // Evaluations at regular distances all count, and so do those of a resumed run with other ones.
    let mut run = RunWatch::default();
    for step in (0..=5).map(|number| 1000 * number).chain((1..=60).map(|one| 5000 + 100 * one)) {
        run.push_evaluation(&evaluation(step, 0.4, 0.8, 2000));
        let count = run.spaced_evaluations().len();
        assert!(step > 5000 || count == run.evaluations.len(), "{step}");
    }
    assert_eq!(run.spaced_evaluations().len(), 66);
}

#[test]
fn an_evaluation_that_was_asked_for_before_the_best_one_does_not_hide_it() {
    let mut run = RunWatch::default();
    for step in 1..=252 {
        run.push_step(step, 0.7 - 0.002 * step as f64 + 0.02 * noise(step), RATE);
    }
    for (step, loss) in [(60, 0.407), (63, 0.3999), (126, 0.45), (189, 0.46), (252, 0.476)] {
        run.push_evaluation(&evaluation(step, loss, 0.8, 2000));
    }
    let verdict = run.verdict();
    assert!(
        matches!(verdict, Some(Verdict::Overfitting { since: 63, eval: [0.3999, 0.476], .. })),
        "{verdict:?}"
    );
    // An improvement is told with the latest loss, not with a lower one before it.
    let mut run = RunWatch::default();
    for (step, loss) in [(63, 0.55), (126, 0.5), (189, 0.441), (252, 0.4), (315, 0.416)] {
        run.push_evaluation(&evaluation(step, loss, 0.8, 2000));
    }
    let verdict = run.verdict();
    let latest = Verdict::Improving { is_eval: true, loss: [0.5, 0.416] };
    assert_eq!(verdict, Some(latest));
}

#[test]
fn a_rising_evaluation_loss_with_a_rising_accuracy_is_over_confidence() {
    let eval = |x: f64| (0.637 + 0.29 * x, 0.72 + 0.08 * x);
    let run = watch((630, 10, 2000), (1, 0.08), |x| 0.7 - 0.6 * x, eval);
    let verdict = run.verdict().expect("a verdict");
    assert!(matches!(verdict, Verdict::OverConfident { .. }) && !verdict.is_problem());
    let line = verdict.line(&[]);
    assert!(line.starts_with("eval loss and accuracy rise since step 63: eval loss 0.6"), "{line}");
    assert!(line.contains(", accuracy 0.7") && line.ends_with("more confidence"), "{line}");
}

#[test]
fn a_rising_evaluation_loss_with_a_falling_training_loss_is_over_fitting() {
    let eval = |x: f64| (0.5 + 1.2 * (x - 0.3).powi(2), 0.76);
    let run = watch((630, 10, 2000), (1, 0.08), |x| 0.7 - 0.6 * x, eval);
    let Some(Verdict::Overfitting { since, eval, train, .. }) = run.verdict() else {
        panic!("{:?}", run.verdict());
    };
    assert!((126..=252).contains(&since), "{since}");
    assert!(eval[1] > eval[0] + 0.2 && train[1] < train[0] - 0.2, "{eval:?} {train:?}");
    let line = run.verdict().map(|verdict| verdict.line(&[])).unwrap_or_default();
    assert!(line.starts_with("over-fitting since step "), "{line}");
    assert!(line.contains(", accuracy 0.75") && line.contains(", train loss"), "{line}");
}

#[test]
fn a_small_but_steady_rise_is_over_fitting() {
    let run = |rises: u64| {
        let mut watch = RunWatch::default();
        for step in 1..=780 {
            watch.push_step(step, 0.7 - 0.0006 * step as f64 + 0.02 * noise(step), RATE);
        }
        for number in 1..=39 {
            // Too few evaluation texts for a difference that is clear by itself.
            let loss = 0.69 + 0.004 * (number as f64 - (39 - rises) as f64).abs();
            watch.push_evaluation(&evaluation(20 * number, loss, 0.6, 60));
        }
        watch.verdict()
    };
    assert!(matches!(run(15), Some(Verdict::Overfitting { since: 480, .. })), "{:?}", run(15));
    assert!(!matches!(run(5), Some(Verdict::Overfitting { .. })), "{:?}", run(5));
}

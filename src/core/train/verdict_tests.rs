//! Verdicts on synthetic curves.

use super::*;
use crate::core::train::fixtures;
use crate::core::train::metrics::Confusion;

/// A learning rate that is usual for fine-tuning.
pub(super) const RATE: f64 = 1e-4;

/// Noise of a standard deviation of about one, deterministic on every machine.
pub(super) fn noise(seed: u64) -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let mut sum = 0.0;
    for _ in 0..12 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        sum += (state >> 11) as f64 / (1u64 << 53) as f64;
    }
    sum - 6.0
}

pub(super) fn evaluation(step: u64, loss: f64, accuracy: f64, samples: u64) -> Evaluated {
    let mut evaluated = fixtures::evaluated(step, 1.0, accuracy, 0.0);
    (evaluated.metrics.eval_loss, evaluated.metrics.eval_samples) = (loss, samples);
    evaluated
}

/// A run of `steps` steps with `count` evaluations.
pub(super) fn watch(
    (steps, count, samples): (u64, u64, u64),
    (seed, deviation): (u64, f64),
    train: impl Fn(f64) -> f64,
    eval: impl Fn(f64) -> (f64, f64),
) -> RunWatch {
    let mut watch = RunWatch::default();
    let every = steps / count.max(1);
    for step in 1..=steps {
        let x = step as f64 / steps as f64;
        watch.push_step(step, train(x) + deviation * noise(seed * 1_000_003 + step), RATE);
        if count > 0 && step.is_multiple_of(every) {
            let (loss, accuracy) = eval(x);
            let by_chance = SAMPLE_DEVIATION / (samples as f64).sqrt();
            let loss = loss + by_chance * noise(seed * 77_003 + step);
            let error = (accuracy * (1.0 - accuracy) / samples as f64).sqrt();
            let accuracy = accuracy + 0.5 * error * noise(seed * 99_001 + step);
            watch.push_evaluation(&evaluation(step, loss, accuracy, samples));
        }
    }
    watch
}

#[test]
fn a_training_loss_that_rises_again_is_a_rate_that_is_too_high() {
    for (steps, seed) in [(100, 1), (400, 2), (20_000, 3)] {
        let train = |x: f64| if x < 0.5 { 0.7 - 0.4 * x } else { 0.5 + 0.6 * (x - 0.5) };
        let run = watch((steps, 0, 1), (seed, 0.05), train, |_| (0.0, 0.0));
        let verdict = run.verdict();
        assert!(
            matches!(verdict, Some(Verdict::RateTooHigh(HighRate::Rose { .. }))),
            "{verdict:?} in {steps}"
        );
    }
}

#[test]
fn a_flat_evaluation_loss_is_a_plateau_and_a_falling_one_improves() {
    let flat = |x: f64| (0.5 + 0.2 * (-20.0 * x).exp(), 0.76);
    let run = watch((630, 10, 2000), (1, 0.08), |_| 0.5, flat);
    let verdict = run.verdict();
    let Some(Verdict::Plateau { since, loss, evaluations }) = verdict else {
        panic!("{verdict:?}")
    };
    let (before, after): (Vec<Evaluation>, Vec<Evaluation>) =
        run.evaluations.iter().partition(|one| one.step <= since);
    assert_eq!(Some(loss[0]), before.last().map(|one| one.loss));
    assert_eq!(Some(loss[1]), lowest(&after).map(|one| one.loss));
    assert_eq!(evaluations, after.len());
    let falling = |x: f64| (0.7 - 0.3 * x, 0.5 + 0.3 * x);
    let run = watch((630, 10, 2000), (1, 0.08), |x| 0.7 - 0.3 * x, falling);
    let verdict = run.verdict();
    assert!(matches!(verdict, Some(Verdict::Improving { is_eval: true, .. })), "{verdict:?}");
    let run = watch((400, 0, 1), (1, 0.05), |x| 0.7 - 0.4 * x, |_| (0.0, 0.0));
    let verdict = run.verdict();
    assert!(matches!(verdict, Some(Verdict::Improving { is_eval: false, .. })), "{verdict:?}");
}

/// The verdict after one evaluation with these counts `[true class][predicted class]`.
fn of_answers(counts: Vec<Vec<u64>>) -> Option<Verdict> {
    let mut run = RunWatch::default();
    let mut evaluated = evaluation(60, 0.3, 0.95, 1000);
    evaluated.metrics.eval_confusion = Confusion { counts };
    run.push_evaluation(&evaluated);
    run.verdict()
}

#[test]
fn a_rare_class_that_is_not_found_is_an_imbalance() {
    let labels = ["negative".to_owned(), "positive".to_owned()];
    for (counts, line) in [
        (
            vec![vec![948, 2], vec![48, 2]],
            "positive is 50 of 1000 evaluation samples (5 %); found of these: 2",
        ),
        (
            vec![vec![98, 0], vec![2, 0]],
            "positive is 2 of 100 evaluation samples (2 %); found of these: 0",
        ),
        (
            vec![vec![996, 0], vec![4, 0]],
            "positive is 4 of 1000 evaluation samples (0.4 %); found of these: 0",
        ),
        (
            vec![vec![0, 3], vec![0, 57]],
            "negative is 3 of 60 evaluation samples (5 %); found of these: 0",
        ),
        (vec![vec![100, 0], vec![0, 0]], "no positive among the 100 evaluation samples"),
    ] {
        let verdict = of_answers(counts).expect("an imbalance");
        assert_eq!(verdict.line(&labels), format!("label imbalance: {line}"));
        assert!(verdict.is_problem());
    }
    for counts in [
        vec![vec![948, 2], vec![10, 40]],
        vec![vec![500, 0], vec![450, 50]],
        vec![vec![97, 1], vec![1, 1]],
        vec![vec![15, 0], vec![1, 0]],
        // Of many classes, some are rare in any evaluation.
        (0..20)
            .map(|row| (0..20).map(|column| u64::from(row == column && row > 2)).collect())
            .collect(),
    ] {
        let verdict = of_answers(counts.clone());
        let is_unclear = matches!(verdict, Some(Verdict::Unclear { loss: None, .. }));
        assert!(is_unclear, "found, not rare, or too few: {counts:?}: {verdict:?}");
    }
}

#[test]
fn a_loss_that_falls_at_each_evaluation_is_no_plateau() {
    let run = |losses: [f64; 4]| {
        let mut watch = RunWatch::default();
        for (step, loss) in [(6, losses[0]), (12, losses[1]), (18, losses[2]), (24, losses[3])] {
            watch.push_evaluation(&evaluation(step, loss, 0.8, 60));
        }
        watch.verdict()
    };
    let falling = run([0.4934, 0.4740, 0.4684, 0.4675]);
    assert!(matches!(falling, Some(Verdict::Unclear { loss: Some(_), .. })), "{falling:?}");
    for flat in [[0.4934, 0.4740, 0.4684, 0.4775], [0.4934, 0.4930, 0.4925, 0.4920]] {
        let verdict = run(flat);
        assert!(matches!(verdict, Some(Verdict::Plateau { .. })), "{verdict:?}");
    }
}

#[test]
fn one_answer_to_all_is_said_before_it_is_known_why() {
    let labels = ["negative", "positive"].map(str::to_owned);
    let early = |counts| with_answers(losses(30, RATE, |_| 0.69), 30, 0.69, counts);
    let verdict = early([[0, 102], [1, 97]]).verdict().expect("a verdict");
    let line = "199 of 200 answers are positive, as are 98 of the labels";
    assert_eq!(verdict.line(&labels), format!("one answer to nearly all texts: {line}"));
    assert!(!verdict.is_problem(), "the run has only begun");
    for counts in [[[30, 72], [20, 78]], [[0, 0], [0, 200]]] {
        let verdict = early(counts).verdict();
        assert!(!matches!(verdict, Some(Verdict::OneAnswer { .. })), "{counts:?}: {verdict:?}");
    }
}

/// A run whose latest evaluation has these counts `[true class][predicted class]`.
fn with_answers(mut run: RunWatch, step: u64, loss: f64, counts: [[u64; 2]; 2]) -> RunWatch {
    let right = (counts[0][0] + counts[1][1]) as f64;
    let all = counts.iter().flatten().sum::<u64>();
    let mut evaluated = evaluation(step, loss, right / all as f64, all);
    evaluated.metrics.eval_confusion = Confusion { counts: counts.map(Vec::from).to_vec() };
    run.push_evaluation(&evaluated);
    run
}

/// The training losses of a run that begins with a warm-up, on the scale of two classes.
fn losses(steps: u64, rate: f64, loss: impl Fn(u64) -> f64) -> RunWatch {
    let mut run = RunWatch::default();
    for step in 1..=steps {
        run.push_step(step, loss(step) + 0.05 * noise(step), rate);
    }
    run
}

#[test]
fn a_loss_far_above_that_of_a_constant_answer_is_a_rate_that_is_too_high() {
    // As with a rate of 0.9: the loss explodes after two steps, and falls with the rate.
    let exploded = |step: u64| match step {
        1 | 2 => 0.6,
        step => 40.0 * (1.0 - step as f64 / 41.0),
    };
    for steps in [12, 40] {
        let run = losses(steps, 0.9, exploded);
        let run = with_answers(run, 10, 42.3, [[0, 53], [0, 47]]);
        let run = with_answers(run, steps, 1.4, [[53, 0], [47, 0]]);
        let verdict = run.verdict().expect("a verdict");
        let line = verdict.line(&[]);
        assert!(line.starts_with("learning rate too high: average train loss "), "{line}");
        let evidence = " (constant answer: 0.691), accuracy 0.530 (largest class: 0.530), rates \
                        up to 0.9";
        assert!(line.ends_with(evidence), "{line}");
        assert!(verdict.is_problem());
    }
}

#[test]
fn one_answer_to_all_after_a_peak_of_the_loss_or_high_rates_is_a_rate_that_is_too_high() {
    let flat: fn(u64) -> f64 = |_| 0.70;
    let peak: fn(u64) -> f64 = |step| if (5..20).contains(&step) { 2.0 } else { 0.70 };
    let is_too_high = |run: &RunWatch| {
        matches!(run.verdict(), Some(Verdict::RateTooHigh(HighRate::NothingLearned { .. })))
    };
    let slowly = with_answers(losses(120, 2e-3, flat), 120, 0.70, [[500, 0], [500, 0]]);
    assert!(is_too_high(&slowly), "{:?}", slowly.verdict());
    for (rate, loss) in [(0.05, flat), (2e-3, peak)] {
        let one_class = with_answers(losses(60, rate, loss), 60, 0.70, [[500, 0], [500, 0]]);
        assert!(is_too_high(&one_class), "{rate}: {:?}", one_class.verdict());
        let at_chance = with_answers(losses(60, rate, loss), 60, 0.70, [[260, 240], [250, 250]]);
        assert!(is_too_high(&at_chance), "{rate}: {:?}", at_chance.verdict());
        // It has learned nevertheless.
        let learned = with_answers(losses(60, rate, loss), 60, 0.5, [[380, 120], [130, 370]]);
        assert!(!is_too_high(&learned), "{rate}: {:?}", learned.verdict());
        // It learns the training data.
        let fits = |step: u64| if step > 30 { 0.3 } else { loss(step) };
        let fits = with_answers(losses(60, rate, fits), 60, 0.8, [[260, 240], [250, 250]]);
        assert!(!is_too_high(&fits), "{rate}: {:?}", fits.verdict());
    }
    assert!(!is_too_high(&losses(60, 0.05, peak)), "there is no evaluation yet");
}

#[test]
fn a_model_at_chance_is_no_rate_that_is_too_high_if_the_rate_is_low() {
    // A rate that is too low, too few steps, and weights that begin far from the data.
    let flat: fn(u64) -> f64 = |_| 0.70;
    let wrong: fn(u64) -> f64 = |step| 3.0 - 0.005 * step as f64;
    for seed in 0..50 {
        for (rate, loss) in [(1e-8, flat), (2e-5, flat), (2e-5, wrong)] {
            for counts in [[[500, 0], [500, 0]], [[260, 240], [250, 250]], [[0, 50], [0, 50]]] {
                let run = losses(12 + 7 * seed, rate, loss);
                let run = with_answers(run, 10, 0.69, counts);
                let run = with_answers(run, 12 + 7 * seed, 0.69, counts);
                let verdict = run.verdict();
                assert!(
                    verdict.as_ref().is_none_or(|verdict| !verdict.is_problem()),
                    "{verdict:?}"
                );
            }
        }
    }
    // Losses of single samples scatter.
    let scattered = |step: u64| if noise(step) > 0.0 { 1.1 } else { 0.4 };
    let run = with_answers(losses(500, 2e-5, scattered), 500, 0.7, [[260, 240], [250, 250]]);
    assert!(!matches!(run.verdict(), Some(Verdict::RateTooHigh(_))), "{:?}", run.verdict());
    // Imbalanced labels with one answer to all have a low loss.
    let run = losses(500, 2e-5, |step| if step < 20 { 0.6 } else { 0.1 });
    let run = with_answers(run, 500, 0.1, [[98, 0], [2, 0]]);
    assert!(matches!(run.verdict(), Some(Verdict::Imbalance { .. })), "{:?}", run.verdict());
}

#[test]
fn a_model_at_chance_after_enough_steps_has_learned_nothing_and_a_lack_of_a_trend_is_said() {
    let at_chance =
        |steps| with_answers(losses(steps, 2e-5, |_| 0.70), steps, 0.69, [[260, 240], [250, 250]]);
    let verdict = at_chance(MIN_STEPS).verdict().expect("a verdict");
    let line = verdict.line(&[]);
    assert!(line.starts_with("nothing learned so far: average train loss 0."), "{line}");
    assert!(line.ends_with("accuracy 0.510 (largest class: 0.500), rates up to 2e-5"), "{line}");
    let brief = verdict.brief_evidence(&[]).filled(str::to_owned);
    assert_eq!(brief, "accuracy 0.510 (largest class: 0.500)");
    let line = |run: &RunWatch| run.verdict().map(|verdict| verdict.line(&[]));
    let mut early = at_chance(MIN_STEPS - 1);
    assert_eq!(line(&early).as_deref(), Some("no clear trend: there is one evaluation so far"));
    early.push_evaluation(&evaluation(2 * MIN_STEPS, 0.685, 0.55, 1000));
    let margin = "eval loss 0.685, the lowest; a difference up to 0.028 may be chance";
    assert_eq!(line(&early), Some(format!("no clear trend: {margin}")));
    // A loss that rises beyond chance while the accuracy does too.
    early.push_evaluation(&evaluation(3 * MIN_STEPS, 0.9, 0.65, 1000));
    let both = "no clear trend: lowest eval loss 0.685, now 0.900; accuracy then ";
    assert!(line(&early).is_some_and(|line| line.starts_with(both)), "{:?}", line(&early));
}

#[test]
fn short_and_noisy_runs_raise_no_false_alarm() {
    let mut problems = Vec::new();
    for seed in 0..200 {
        for (steps, evaluations, samples) in
            [(20, 2, 100), (63, 3, 200), (126, 4, 200), (630, 10, 2000), (3000, 30, 500)]
        {
            // A run that converges, with the noise of batches of 32.
            let train = |x: f64| 0.69 - 0.3 * (1.0 - (-3.0 * x).exp());
            let eval = |x: f64| {
                let learned = 1.0 - (-4.0 * x).exp();
                (0.69 - 0.22 * learned, 0.5 + 0.26 * learned)
            };
            let shape = (steps, evaluations, samples);
            let run = watch(shape, (seed, 0.12), train, eval);
            if let Some(verdict) = run.verdict().filter(Verdict::is_problem) {
                problems.push((seed, shape, verdict));
            }
        }
    }
    assert!(problems.is_empty(), "{} of 1000: {problems:?}", problems.len());
}

#[test]
fn too_early_means_no_verdict() {
    let mut run = RunWatch::default();
    assert_eq!(run.verdict(), None);
    for step in 1..MIN_STEPS {
        run.push_step(step, step as f64, RATE);
        assert_eq!(run.verdict(), None, "{step}");
    }
    run.push_step(MIN_STEPS, f64::NAN, RATE);
    assert_eq!(run.verdict(), None);
}

#[test]
fn what_was_rolled_back_does_not_count() {
    let eval = |x: f64| (0.5 + 1.2 * (x - 0.3).powi(2), 0.76);
    let mut run = watch((630, 10, 2000), (1, 0.08), |x| 0.7 - 0.6 * x, eval);
    run.truncate(189);
    assert!(run.verdict().is_none_or(|verdict| !verdict.is_problem()), "{:?}", run.verdict());
    let again = watch((189, 3, 2000), (1, 0.08), |x| 0.7 - 0.18 * x, |x| eval(0.3 * x));
    assert_eq!(run.evaluations.len(), again.evaluations.len());
    // Blocks of a few steps are removed as a whole.
    assert!((180..=189).contains(&run.train.count()));
}

#[test]
fn memory_is_bounded() {
    let mut run = RunWatch::default();
    for step in 1..=100_000 {
        run.push_step(step, 0.5, RATE);
        if step % 10 == 0 {
            run.push_evaluation(&evaluation(step, 0.5, 0.8, 100));
        }
    }
    assert!(run.evaluations.len() <= MAX_EVALUATIONS);
    assert_eq!(run.train.count(), 100_000);
}

use super::*;
use crate::core::ops::testing::normal_values;

fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let weights: Vec<f64> = logits.iter().map(|&z| f64::from(z - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[test]
fn token_losses_and_slopes_are_those_of_the_definition() -> Result<()> {
    let cpu = Cpu::new(2)?;
    let (vocabulary, rows) = (1003, 5);
    let logits = normal_values(vocabulary * rows, 2.0, 4);
    let mut labels = vec![0, 1002, 7, 500, 31];
    let best = (0..vocabulary).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
    labels[0] = best as u32;
    for trains in [false, true] {
        let mut values = logits.clone();
        let mut gradients = CpuGradients::default();
        let losses = cpu.token_cross_entropy(TokenCrossEntropy {
            vocabulary,
            scale: 0.2,
            labels: &labels,
            logits: &mut values,
            gradients: trains.then_some(&mut gradients),
        })?;
        let mut sum = 0.0;
        for (row, &label) in labels.iter().enumerate() {
            let range = row * vocabulary..(row + 1) * vocabulary;
            let probabilities = softmax(&logits[range.clone()]);
            sum -= probabilities[label as usize].ln();
            for (token, (&value, p)) in values[range.clone()].iter().zip(&probabilities).enumerate()
            {
                let target = f64::from(u8::from(token == label as usize));
                let slope = 0.2 * (p - target);
                let expected = if trains { slope } else { f64::from(logits[range.start + token]) };
                assert!((f64::from(value) - expected).abs() < 1e-6, "{value} {expected}");
            }
        }
        assert_eq!(losses.is_none(), trains);
        if let Some(losses) = losses {
            assert!((losses.sum - sum).abs() < 1e-5 * sum, "{} {sum}", losses.sum);
            assert_eq!(losses.count, 5);
            assert!(losses.correct >= 1);
        }
        assert!((gradients.loss - if trains { 0.2 * sum } else { 0.0 }).abs() < 1e-5);
        assert_eq!(gradients.parts, [gradients.loss, 0.0]);
    }
    let mut nan = vec![f32::NAN; vocabulary];
    let losses = cpu.token_cross_entropy(TokenCrossEntropy {
        vocabulary,
        scale: 1.0,
        labels: &[3],
        logits: &mut nan,
        gradients: None,
    })?;
    assert!(losses.is_some_and(|losses| losses.sum.is_nan()));
    Ok(())
}

#[test]
fn tokens_are_drawn_with_their_probabilities() -> Result<()> {
    let cpu = Cpu::new(1)?;
    let vocabulary = 700;
    let logits = normal_values(vocabulary, 3.0, 9);
    let probabilities = softmax(&logits);
    let draws = 4000;
    let rows = logits.repeat(draws);
    let uniform = |row: usize| (row as f64 + 0.5) / draws as f64;
    let tokens = cpu.sample_tokens(vocabulary, &rows, &uniform)?;
    let mut counts = vec![0usize; vocabulary];
    for token in tokens {
        counts[token as usize] += 1;
    }
    for (count, p) in counts.iter().zip(&probabilities) {
        assert!((*count as f64 / draws as f64 - p).abs() < 1.5 / draws as f64);
    }
    assert_eq!(cpu.sample_tokens(3, &vec![0.0, f32::NAN, 1.0], &|_| 0.5)?, [2]);
    Ok(())
}

#[test]
fn replaced_tokens_are_told_apart_by_the_sign_of_the_logit() -> Result<()> {
    let cpu = Cpu::new(1)?;
    let (mut grad, mut gradients) = (Vec::new(), CpuGradients::default());
    let mut losses_of = |gradients: Option<&mut CpuGradients>| {
        cpu.replaced_cross_entropy(ReplacedCrossEntropy {
            scale: 0.5,
            part_scale: 0.25,
            replaced: &[true, false, true, false],
            logits: &vec![2.0, -1.0, -80.0, 0.5],
            grad: &mut grad,
            gradients,
        })
    };
    let losses = losses_of(None)?.unwrap_or_default();
    assert_eq!(losses_of(Some(&mut gradients))?, None);
    let log_sigmoid = |z: f64| -(-z).exp().ln_1p();
    let expected = -(log_sigmoid(2.0) + log_sigmoid(1.0) - 80.0 + log_sigmoid(-0.5));
    assert!((losses.sum - expected).abs() < 1e-9);
    assert!((gradients.loss - 0.5 * expected).abs() < 1e-9);
    assert!((gradients.parts[1] - 0.25 * expected).abs() < 1e-9);
    assert_eq!(losses.counts, [[1, 1], [1, 1]]);
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (slope, expected) in
        grad.iter().zip([sigmoid(2.0) - 1.0, sigmoid(-1.0), -1.0, sigmoid(0.5)])
    {
        assert!((f64::from(*slope) - 0.5 * expected).abs() < 1e-6);
    }
    Ok(())
}

//! Classes, probabilities and losses from a row of logits.

/// The class id with the highest logit; the lowest id if several are equal.
pub fn class_of(logits: &[f32]) -> u32 {
    let higher =
        |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    (0..logits.len()).reduce(higher).unwrap_or(0) as u32
}

/// The cross-entropy of one row of logits, with label smoothing as in transformers'
/// `LabelSmoother`: `(1 - s) × loss of the label + s × mean loss of all labels`.
pub fn loss_of(logits: &[f32], label: u32, smoothing: f64) -> f64 {
    let highest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(f64::from(b)));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let log_sum = highest + sum.ln();
    let mean = logits.iter().map(|&logit| f64::from(logit)).sum::<f64>() / logits.len() as f64;
    let target = logits.get(label as usize).map_or(f64::NAN, |&logit| f64::from(logit));
    (1.0 - smoothing) * (log_sum - target) + smoothing * (log_sum - mean)
}

/// The probability of each class.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> =
        logits.iter().map(|&logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / sum).collect()
}

/// The probability of each class at a temperature, which the logits are divided by (Guo et al., "On
/// Calibration of Modern Neural Networks", ICML 2017, equation 9).
pub fn softmax_at(logits: &[f32], temperature: f64) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits
        .iter()
        .map(|&logit| ((f64::from(logit) - f64::from(highest)) / temperature).exp())
        .collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / sum).collect()
}

/// The probability of the predicted class, [`class_of`]; NaN if a logit is NaN.
pub fn confidence_of(logits: &[f32]) -> f64 {
    let predicted =
        logits.get(class_of(logits) as usize).map_or(f64::NAN, |&logit| f64::from(logit));
    1.0 / logits.iter().map(|&logit| (f64::from(logit) - predicted).exp()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_give_classes_probabilities_and_losses() {
        assert_eq!(class_of(&[0.5, 2.0, 2.0]), 1);
        let p = softmax(&[0.0, 3f32.ln()]);
        assert!((p[0] - 0.25).abs() < 1e-6 && (p[1] - 0.75).abs() < 1e-6);
        // 3^(1/2) : 1 at twice the temperature.
        let p = softmax_at(&[0.0, 3f32.ln()], 2.0);
        assert!((p[0] - 1.0 / (1.0 + 3f64.sqrt())).abs() < 1e-7 && p[0] + p[1] == 1.0);
        assert!((loss_of(&[0.0, 3f32.ln()], 0, 0.0) - 4f64.ln()).abs() < 1e-6);
        // The losses of the two labels are ln 4 and ln 4/3.
        let smoothed = 0.9 * 4f64.ln() + 0.1 * (4f64.ln() + (4f64 / 3.0).ln()) / 2.0;
        assert!((loss_of(&[0.0, 3f32.ln()], 0, 0.1) - smoothed).abs() < 1e-6);
        assert!(loss_of(&[0.0, f32::NAN], 0, 0.0).is_nan());
        assert!((confidence_of(&[0.0, 3f32.ln()]) - 0.75).abs() < 1e-6);
        assert_eq!(confidence_of(&[1000.0, -1000.0]), 1.0);
        assert!(confidence_of(&[0.0, f32::NAN]).is_nan());
    }
}

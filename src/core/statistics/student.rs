//! The mean of a few independent values, with its interval by Student's t distribution.

use std::f64::consts::FRAC_PI_2;

/// The probability within the interval.
const CONFIDENCE: f64 = 0.95;

/// The mean of independent values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanInterval {
    /// The arithmetic mean.
    pub mean: f64,
    /// Half the width of the mean's 95 % interval, in the unit of the values; `None` for a single
    /// value.
    pub half_width: Option<f64>,
}

/// The mean of values and its 95 % interval: mean ± t·s/√n with the sample's standard deviation s and
/// the 0.975 quantile t of Student's distribution with n − 1 degrees of freedom (Student 1908,
/// Biometrika 6, 1–25). `None` without values.
pub fn mean_interval(values: &[f64]) -> Option<MeanInterval> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half_width = (values.len() > 1)
        .then(|| t_quantile(values.len() as u32 - 1) * (squares / (n - 1.0) / n).sqrt());
    Some(MeanInterval { mean, half_width })
}

/// The 0.975 quantile of Student's t distribution, by bisection of θ = arctan(t/√ν).
fn t_quantile(degrees: u32) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Each step halves the interval; a float has 53 bits.
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if central_probability(middle, degrees) < CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::from(degrees).sqrt() * high.tan()
}

/// The probability that |T| ≤ √ν tan θ for ν degrees of freedom: the finite sums of Abramowitz and
/// Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
fn central_probability(theta: f64, degrees: u32) -> f64 {
    let (sin, cos) = theta.sin_cos();
    let is_odd = degrees % 2 == 1;
    // The powers of the cosine are odd for an odd number of degrees, otherwise even.
    let (mut term, mut sum) = (if is_odd { cos } else { 1.0 }, 0.0);
    for k in 1..=degrees / 2 {
        sum += term;
        let k = f64::from(2 * k);
        term *= cos * cos * if is_odd { k / (k + 1.0) } else { (k - 1.0) / k };
    }
    if is_odd { (theta + sin * sum) / FRAC_PI_2 } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Reference {
        student: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        mean: f64,
        half_width: f64,
    }

    #[test]
    fn the_intervals_are_those_of_scipy() -> anyhow::Result<()> {
        let reference: Reference =
            serde_json::from_str(include_str!("../../../tests/reference/statistics.json"))?;
        assert!(reference.student.len() > 5);
        for Case { values, mean, half_width } in reference.student {
            let ours = mean_interval(&values).ok_or_else(|| anyhow::anyhow!("no values"))?;
            let close = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-9 * theirs.abs();
            assert!(close(ours.mean, mean), "{ours:?} {mean}");
            assert!(
                close(ours.half_width.unwrap_or(f64::NAN), half_width),
                "{ours:?} {half_width}"
            );
        }
        Ok(())
    }

    #[test]
    fn one_value_has_no_interval_and_equal_values_have_an_empty_one() {
        assert_eq!(mean_interval(&[]), None);
        assert_eq!(mean_interval(&[0.5]), Some(MeanInterval { mean: 0.5, half_width: None }));
        let equal = MeanInterval { mean: 0.5, half_width: Some(0.0) };
        assert_eq!(mean_interval(&[0.5; 3]), Some(equal));
    }
}

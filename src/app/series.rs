//! Numbers over the steps of a run, made ready for a chart.

/// A curve: what was measured, and the same smoothed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// `(step, value)` as measured; finite values only.
    pub raw: Vec<(f64, f64)>,
    /// The debiased exponential average at each raw point.
    pub smoothed: Vec<(f64, f64)>,
    /// Steps at which the value was not finite, and the value.
    pub not_finite: Vec<(f64, f64)>,
    average: f64,
    weight: f64,
}

/// How much of the average each new value leaves standing, as TensorBoard's slider counts it.
const SMOOTHING: f64 = 0.9;

impl Series {
    /// Adds a measurement. A value that is not finite is kept apart and never averaged.
    pub fn push(&mut self, step: f64, value: f64) {
        if !value.is_finite() {
            self.not_finite.push((step, value));
            return;
        }
        // TensorBoard's debiased exponential moving average.
        self.average = self.average * SMOOTHING + value * (1.0 - SMOOTHING);
        self.weight = self.weight * SMOOTHING + (1.0 - SMOOTHING);
        self.raw.push((step, value));
        self.smoothed.push((step, self.average / self.weight));
    }
}

/// At most about `4 × bins` of the points, in order: the first, lowest, highest and last of each
/// of `bins` equal parts of their range, so that no extreme is lost.
pub fn envelope(points: &[(f64, f64)], bins: usize) -> Vec<(f64, f64)> {
    let bins = bins.max(1);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    if points.len() <= 4 * bins || last.0 <= first.0 {
        return points.to_vec();
    }
    let width = (last.0 - first.0) / bins as f64;
    let bin_of = |x: f64| (((x - first.0) / width) as usize).min(bins - 1);
    let mut kept = Vec::with_capacity(4 * bins);
    for group in points.chunk_by(|a, b| bin_of(a.0) == bin_of(b.0)) {
        let by_height = |&a: &usize, &b: &usize| group[a].1.total_cmp(&group[b].1);
        let lowest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let mut indices = [0, lowest, highest, group.len() - 1];
        indices.sort_unstable();
        let mut previous = None;
        for i in indices {
            if previous != Some(i) {
                kept.push(group[i]);
            }
            previous = Some(i);
        }
    }
    kept
}

/// An axis: where it starts and ends, and the values to write beside it, evenly spread.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The least and the greatest value shown.
    pub bounds: [f64; 2],
    /// Labels from the one to the other.
    pub labels: Vec<String>,
}

/// Round bounds around `low..=high` with about `ticks` labels: 1, 2 or 5 times a power of ten
/// apart.
pub fn axis(low: f64, high: f64, ticks: usize) -> Axis {
    let (low, high) =
        if low.is_finite() && high.is_finite() && low <= high { (low, high) } else { (0.0, 1.0) };
    let span = if high - low > 1e-9 { high - low } else { low.abs().max(1e-3) };
    let rough = span / ticks.saturating_sub(1).max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|multiple| multiple * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0);
    let start = (low / step + 1e-9).floor() * step;
    let mut end = (high / step - 1e-9).ceil() * step;
    if end <= start {
        end = start + step;
    }
    let decimals = (-(step.log10().floor())).max(0.0) as usize;
    let count = ((end - start) / step).round() as usize;
    Axis {
        bounds: [start, end],
        labels: (0..=count).map(|i| format!("{:.decimals$}", start + i as f64 * step)).collect(),
    }
}

/// The lowest and highest of the values but for the most extreme hundredth at either end, so that
/// one wild value does not flatten the rest. `None` if there are none.
pub fn usual_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let cut = values.len() / 100;
    Some((*values.get(cut)?, *values.get(values.len() - 1 - cut)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_survives_any_downsampling() {
        let mut points: Vec<(f64, f64)> = (0..1_000_000).map(|i| (f64::from(i), 1.0)).collect();
        points[777_777].1 = 9.0;
        points[123_456].1 = -3.0;
        let kept = envelope(&points, 100);
        assert!(kept.len() <= 400);
        assert!(kept.contains(&(777_777.0, 9.0)) && kept.contains(&(123_456.0, -3.0)));
        assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0.0, 999_999.0));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        assert!(envelope(&[], 5).is_empty());
    }

    #[test]
    fn the_average_is_debiased_and_leaves_out_what_is_not_finite() {
        let mut series = Series::default();
        series.push(1.0, 2.0);
        assert!((series.smoothed[0].1 - 2.0).abs() < 1e-12);
        series.push(2.0, f64::NAN);
        series.push(3.0, 2.0);
        assert!((series.smoothed[1].1 - 2.0).abs() < 1e-12);
        assert_eq!((series.raw.len(), series.not_finite.len()), (2, 1));
    }

    #[test]
    fn axes_are_round() {
        let of = |low, high| axis(low, high, 5);
        assert_eq!(of(0.012, 0.71).bounds, [0.0, 0.8]);
        assert_eq!(of(0.012, 0.71).labels, ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(of(0.0, 630.0).bounds, [0.0, 800.0]);
        assert_eq!(of(0.5, 0.5).labels.len(), of(0.5, 0.5).labels.len().max(2));
        assert_eq!(of(f64::NAN, 1.0).bounds, [0.0, 1.0]);
        assert_eq!(of(0.0, 0.0).bounds[0], 0.0);
    }

    #[test]
    fn one_wild_value_is_not_usual() {
        let values = (0..500).map(|i| if i == 7 { 1e6 } else { f64::from(i % 10) });
        assert_eq!(usual_range(values), Some((0.0, 9.0)));
        assert_eq!(usual_range([f64::NAN].into_iter()), None);
    }
}

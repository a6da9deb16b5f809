//! Tests that curves preserve extremes and gaps in bounded memory.

use super::*;

fn long(points: u32) -> Curve {
    let mut curve = Curve::new(0.9);
    for i in 0..points {
        let value = match i {
            777_777 => 9.0,
            123_456 => -3.0,
            _ => 1.0,
        };
        curve.push(f64::from(i), f64::from(i) / 10.0, value);
    }
    curve
}

fn values(segments: &[Segment]) -> Vec<f64> {
    segments.iter().flatten().map(|point| point.1).collect()
}

#[test]
fn a_spike_among_a_million_points_is_preserved_at_any_zoom() {
    let curve = long(1_000_000);
    let mut half = 600_000.0;
    while half >= 1.0 {
        for (at, spike) in [(777_777.0, 9.0), (123_456.0, -3.0)] {
            for bins in [10, 79, 400] {
                let segments = curve.raw_segments([at - half, at + half], bins, |step, _| step);
                let points: Vec<_> = segments.iter().flatten().collect();
                assert!(points.len() <= 4 * bins, "{}", points.len());
                assert!(points.contains(&&(at, spike)), "{half}, {bins}");
                assert!(points.is_sorted_by(|a, b| a.0 < b.0));
            }
        }
        half /= 3.0;
    }
}

#[test]
fn memory_is_bounded_and_spikes_are_preserved() {
    let mut curve = long(3_000_000);
    assert!(curve.len() <= MAX_POINTS, "{}", curve.len());
    let all = curve.raw_segments([0.0, 3e6], 100, |step, _| step);
    assert!(values(&all).contains(&9.0) && values(&all).contains(&-3.0));
    assert_eq!(curve.at(777_777.0).map(|point| point.1), Some(9.0));
    curve.push(3e6, 3e5, 5.0);
    assert_eq!(curve.last(), Some(5.0));
}

#[test]
fn points_that_are_not_finite_are_preserved_beyond_the_limit() {
    let mut curve = Curve::new(0.9);
    let gaps = [0, 50_077, 1_000_003, 2_500_001];
    for i in 0..3_000_000u32 {
        let value = if gaps.contains(&i) { f64::INFINITY } else { f64::from(i % 7) };
        curve.push(f64::from(i), 0.0, value);
    }
    assert!(curve.len() <= MAX_POINTS, "{}", curve.len());
    let marked: Vec<f64> = curve.not_finite().iter().map(|gap| gap.0).collect();
    assert_eq!(marked, gaps.map(f64::from));
    for gap in gaps {
        assert_eq!(curve.at(gap.into()).map(|point| point.1), Some(f64::INFINITY), "{gap}");
    }
    // The first gap is before the first part.
    assert_eq!(curve.raw_segments([0.0, 3e6], 100, |step, _| step).len(), 4);

    // A curve without any finite value is thinned as well.
    let mut curve = Curve::new(0.0);
    (0..MAX_POINTS as u32 + 9).for_each(|i| curve.push(f64::from(i), 0.0, f64::NAN));
    assert!(curve.len() < MAX_POINTS && curve.not_finite().len() == curve.len());
}

#[test]
fn smoothing_is_debiased_and_can_be_changed() {
    let mut curve = Curve::new(0.9);
    for step in 1..100 {
        curve.push(f64::from(step), 0.0, 2.0);
    }
    // A debiased average of a constant is that constant from the first value on.
    assert!(curve.smoothed.values.iter().all(|value| (value - 2.0).abs() < 1e-12));
    let mut curve = Curve::new(0.9);
    [1.0, 0.0, 0.5].iter().enumerate().for_each(|(i, v)| curve.push(i as f64, 0.0, *v));
    // TensorBoard's formula for smoothing 0.6: last = 0.6 last + 0.4 value, over 1 - 0.6^n.
    curve.smooth(0.6);
    let expected = [1.0, 0.24 / 0.64, 0.344 / 0.784];
    for (value, expected) in curve.smoothed.values.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-12, "{value} instead of {expected}");
    }
    curve.smooth(0.0);
    assert_eq!(curve.smoothed.values, curve.raw.values);
}

#[test]
fn values_that_are_not_finite_are_gaps_and_not_averaged() {
    let mut curve = Curve::new(0.9);
    for step in 0..1000 {
        let value = if step == 500 { f64::NAN } else { 1.0 };
        curve.push(f64::from(step), 0.0, value);
    }
    assert_eq!(curve.not_finite().len(), 1);
    for bins in [10, 1000] {
        for segments in [
            curve.raw_segments([0.0, 1000.0], bins, |step, _| step),
            curve.smoothed_segments([0.0, 1000.0], bins, |step, _| step),
        ] {
            assert_eq!(segments.len(), 2, "{bins}");
            assert!(segments[0].iter().all(|point| point.0 < 500.0));
            assert!(segments[1].iter().all(|point| point.0 > 500.0));
        }
    }
    assert!((curve.last_smoothed().unwrap_or_default() - 1.0).abs() < 1e-12);
    let mut only = Curve::new(0.5);
    only.push(1.0, 0.0, f64::INFINITY);
    assert!(only.raw_segments([0.0, 2.0], 10, |step, _| step).is_empty());
    assert_eq!(only.usual_range([0.0, 2.0]), None);
}

#[test]
fn a_repeated_step_replaces_the_later_ones() {
    let mut curve = Curve::new(0.0);
    (1..=10).for_each(|step| curve.push(f64::from(step), f64::from(step), 1.0));
    curve.push(6.0, 6.0, 2.0);
    assert_eq!(curve.ends(), Some((1.0, 6.0)));
    assert_eq!((curve.len(), curve.last()), (6, Some(2.0)));
}

#[test]
fn steps_and_seconds_are_converted_both_ways() {
    let mut curve = Curve::new(0.0);
    (1..=10).for_each(|i| curve.push(f64::from(i * 10), f64::from(i * i), 1.0));
    for step in [10.0, 15.0, 42.0, 100.0] {
        assert!((curve.step_at(curve.seconds_at(step)) - step).abs() < 1e-9);
    }
    assert_eq!(curve.seconds_at(1e9), 100.0);
    assert_eq!(Curve::default().seconds_at(3.0), 0.0);
}

#[test]
fn points_are_found_by_their_step() {
    let mut curve = Curve::new(0.0);
    for step in [10.0, 20.0, 30.0] {
        curve.push(step, 0.0, step / 10.0);
    }
    assert_eq!(curve.at(25.0), Some((20.0, 2.0, 2.0)));
    assert_eq!(curve.at(9.0), None);
    assert_eq!(curve.nearest(26.0), Some(30.0));
    assert_eq!(
        [(20.0, 1), (20.0, -5), (20.0, 5)].map(|(s, by)| curve.neighbour(s, by)),
        [Some(30.0), Some(10.0), Some(30.0)]
    );
}

#[test]
fn an_outlier_is_not_in_the_usual_range() {
    let mut curve = Curve::new(0.0);
    (0..500).for_each(|i| {
        curve.push(f64::from(i), 0.0, if i == 7 { 1e6 } else { f64::from(i % 10) });
    });
    assert_eq!(curve.usual_range([0.0, 500.0]), Some([0.0, 9.0]));
    assert_eq!(curve.whole_range([0.0, 500.0]), Some([0.0, 1e6]));
    assert_eq!(curve.usual_range([20.0, 39.0]), Some([0.0, 9.0]));
}

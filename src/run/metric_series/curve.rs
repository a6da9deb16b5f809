//! One metric over the steps of a run of any length, reduced for a chart of any width.

use std::ops::Range;

/// The most points of a curve. Beyond it, only the lowest, the highest and the first that is not
/// finite of every four remain.
const MAX_POINTS: usize = 1 << 20;

/// Points per block.
const BLOCK: usize = 64;

/// Values with the lowest and the highest value of each block and their indices, so that the extremes
/// of a long range are found quickly: the blocks are read in order, not the values they refer to.
#[derive(Clone, Debug, Default, PartialEq)]
struct BlockedValues {
    values: Vec<f64>,
    blocks: Vec<Option<[(usize, f64); 2]>>,
}

impl BlockedValues {
    fn push(&mut self, value: f64) {
        let at = self.values.len();
        self.values.push(value);
        if at.is_multiple_of(BLOCK) {
            self.blocks.push(None);
        }
        let Some(block) = self.blocks.last_mut().filter(|_| value.is_finite()) else {
            return;
        };
        let [low, high] = block.get_or_insert([(at, value); 2]);
        if value < low.1 {
            *low = (at, value);
        }
        if value > high.1 {
            *high = (at, value);
        }
    }

    /// The indices of the lowest and the highest finite value in a range; `None` if there is no
    /// finite value.
    fn extremes(&self, range: Range<usize>) -> Option<[usize; 2]> {
        let mut found: Option<[(usize, f64); 2]> = None;
        let mut include = |[low, high]: [(usize, f64); 2]| {
            let [lowest, highest] = found.get_or_insert([low, high]);
            if low.1 < lowest.1 {
                *lowest = low;
            }
            if high.1 > highest.1 {
                *highest = high;
            }
        };
        let mut at = range.start;
        while at < range.end {
            if at.is_multiple_of(BLOCK) && at + BLOCK <= range.end {
                if let Some(extremes) = self.blocks[at / BLOCK] {
                    include(extremes);
                }
                at += BLOCK;
            } else {
                let value = self.values[at];
                if value.is_finite() {
                    include([(at, value); 2]);
                }
                at += 1;
            }
        }
        found.map(|extremes| extremes.map(|extreme| extreme.0))
    }
}

/// A metric over the steps, raw and smoothed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    steps: Vec<f64>,
    /// Seconds since training began, at each step.
    seconds: Vec<f64>,
    raw: BlockedValues,
    smoothed: BlockedValues,
    smoothing: f64,
    average: f64,
    weight: f64,
    /// Steps at which the value was not finite, and the value.
    not_finite: Vec<(f64, f64)>,
}

/// A part of a curve without a gap, as `(x, value)`.
pub type Segment = Vec<(f64, f64)>;

impl Curve {
    /// An empty curve, smoothed by `smoothing` (0 to below 1).
    pub fn new(smoothing: f64) -> Self {
        Self { smoothing, ..Self::default() }
    }

    /// Adds a value. A value of an earlier step, as after a resumption, replaces all values from
    /// that step on. A value that is not finite leaves a gap and is not averaged.
    pub fn push(&mut self, step: f64, seconds: f64, value: f64) {
        if self.steps.last().is_some_and(|last| *last >= step) {
            self.truncate(step);
        }
        if !value.is_finite() {
            self.not_finite.push((step, value));
        }
        self.steps.push(step);
        self.seconds.push(seconds);
        self.raw.push(value);
        let smoothed = self.average_with(value);
        self.smoothed.push(smoothed);
        if self.steps.len() > MAX_POINTS {
            self.thin();
        }
    }

    /// Adds a value to TensorBoard's debiased exponential moving average, and returns it.
    fn average_with(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        self.average = self.average * self.smoothing + value * (1.0 - self.smoothing);
        self.weight = self.weight * self.smoothing + (1.0 - self.smoothing);
        self.average / self.weight
    }

    /// Removes the values at `step` and later.
    pub(super) fn truncate(&mut self, step: f64) {
        let kept = self.steps.partition_point(|at| *at < step);
        let points =
            self.steps.drain(..).zip(self.seconds.drain(..)).zip(self.raw.values.drain(..));
        let points: Vec<_> = points.take(kept).collect();
        *self = Self::new(self.smoothing);
        for ((step, seconds), value) in points {
            self.push(step, seconds, value);
        }
    }

    /// Removes a quarter to three quarters of the points: of every four, the lowest, the highest
    /// and the first that is not finite remain.
    fn thin(&mut self) {
        let mut kept = Vec::with_capacity(MAX_POINTS / 2 + 1);
        for start in (0..self.steps.len()).step_by(4) {
            let group = start..(start + 4).min(self.steps.len());
            let mut chosen: Vec<usize> =
                self.raw.extremes(group.clone()).into_iter().flatten().collect();
            chosen.extend(group.clone().find(|&at| !self.raw.values[at].is_finite()));
            chosen.sort_unstable();
            chosen.dedup();
            kept.extend(chosen);
        }
        let pick = |values: &[f64]| kept.iter().map(|&at| values[at]).collect::<Vec<f64>>();
        let is_gap = |&at: &usize| !self.raw.values[at].is_finite();
        let gaps = kept.iter().copied().filter(is_gap);
        self.not_finite = gaps.map(|at| (self.steps[at], self.raw.values[at])).collect();
        let blocked = |values: Vec<f64>| {
            let mut blocked = BlockedValues::default();
            for value in values {
                blocked.push(value);
            }
            blocked
        };
        self.raw = blocked(pick(&self.raw.values));
        self.smoothed = blocked(pick(&self.smoothed.values));
        self.seconds = pick(&self.seconds);
        self.steps = pick(&self.steps);
    }

    /// Changes the smoothing: 0 for none, to below 1.
    pub fn smooth(&mut self, smoothing: f64) {
        if (smoothing - self.smoothing).abs() < 1e-12 {
            return;
        }
        (self.smoothing, self.average, self.weight) = (smoothing, 0.0, 0.0);
        self.smoothed = BlockedValues::default();
        for at in 0..self.raw.values.len() {
            let smoothed = self.average_with(self.raw.values[at]);
            self.smoothed.push(smoothed);
        }
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps at which the value was not finite, and the value.
    pub fn not_finite(&self) -> &[(f64, f64)] {
        &self.not_finite
    }

    /// The first and the last step; `None` for an empty curve.
    pub fn ends(&self) -> Option<(f64, f64)> {
        Some((*self.steps.first()?, *self.steps.last()?))
    }

    /// The latest raw value.
    pub fn last(&self) -> Option<f64> {
        self.raw.values.last().copied()
    }

    /// The latest finite smoothed value.
    pub fn last_smoothed(&self) -> Option<f64> {
        self.smoothed.values.iter().rev().find(|value| value.is_finite()).copied()
    }

    /// The point at a step or the last one before it: its step, raw value and smoothed value.
    pub fn at(&self, step: f64) -> Option<(f64, f64, f64)> {
        let at = self.steps.partition_point(|s| *s <= step).checked_sub(1)?;
        Some((self.steps[at], self.raw.values[at], self.smoothed.values[at]))
    }

    /// The step of the nearest point.
    pub fn nearest(&self, step: f64) -> Option<f64> {
        let at = self.steps.partition_point(|s| *s <= step);
        let around = [at.checked_sub(1), Some(at)].into_iter().flatten();
        let around = around.filter_map(|at| self.steps.get(at));
        around.copied().min_by(|a, b| (a - step).abs().total_cmp(&(b - step).abs()))
    }

    /// The step of the point `by` points later (earlier if negative), within the ends.
    pub fn neighbour(&self, step: f64, by: isize) -> Option<f64> {
        let at = self.steps.partition_point(|s| *s < step);
        let at = at.saturating_add_signed(by).min(self.steps.len().checked_sub(1)?);
        Some(self.steps[at])
    }

    /// Seconds since training began at a step, interpolated linearly.
    pub fn seconds_at(&self, step: f64) -> f64 {
        interpolated(&self.steps, &self.seconds, step)
    }

    /// Seconds since training began at the last point at or before a step.
    pub fn last_seconds(&self, step: f64) -> Option<f64> {
        let at = self.steps.partition_point(|s| *s <= step).checked_sub(1)?;
        self.seconds.get(at).copied()
    }

    /// The step at a number of seconds since training began, interpolated linearly.
    pub fn step_at(&self, seconds: f64) -> f64 {
        interpolated(&self.seconds, &self.steps, seconds)
    }

    /// Indices of the points between two steps.
    fn range(&self, [from, to]: [f64; 2]) -> Range<usize> {
        let start = self.steps.partition_point(|step| *step < from);
        start..self.steps.partition_point(|step| *step <= to).max(start)
    }

    /// The lowest and the highest smoothed value between two steps.
    pub fn smoothed_range(&self, window: [f64; 2]) -> Option<[f64; 2]> {
        let extremes = self.smoothed.extremes(self.range(window))?;
        Some(extremes.map(|at| self.smoothed.values[at]))
    }

    /// The lowest and the highest raw value between two steps.
    pub fn whole_range(&self, window: [f64; 2]) -> Option<[f64; 2]> {
        let extremes = self.raw.extremes(self.range(window))?;
        Some(extremes.map(|at| self.raw.values[at]))
    }

    /// The range of the raw values between their 1st and 99th percentile, so that one outlier does
    /// not flatten the rest. For very many points, an evenly spaced subset is used.
    pub fn usual_range(&self, window: [f64; 2]) -> Option<[f64; 2]> {
        const MAX_USED: usize = 2000;
        let range = self.range(window);
        let stride = (range.len() / MAX_USED).max(1);
        let values = self.raw.values[range].iter().step_by(stride);
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).copied().collect();
        values.sort_unstable_by(f64::total_cmp);
        let cut = values.len() / 100;
        Some([*values.get(cut)?, *values.get(values.len().checked_sub(1 + cut)?)?])
    }

    /// The raw curve between two steps in at most about `4 × bins` points: the first, lowest,
    /// highest and last of each bin, so that no extreme is lost, and one more point at either side,
    /// for the lines that lead out of view. Split where a value is not finite. `x` maps a step and
    /// its seconds to a position.
    pub fn raw_segments(
        &self,
        window: [f64; 2],
        bins: usize,
        x: impl Fn(f64, f64) -> f64,
    ) -> Vec<Segment> {
        self.segments(&self.raw, window, bins, x)
    }

    /// The same as [`Self::raw_segments`], for the smoothed curve.
    pub fn smoothed_segments(
        &self,
        window: [f64; 2],
        bins: usize,
        x: impl Fn(f64, f64) -> f64,
    ) -> Vec<Segment> {
        self.segments(&self.smoothed, window, bins, x)
    }

    fn segments(
        &self,
        series: &BlockedValues,
        window: [f64; 2],
        bins: usize,
        x: impl Fn(f64, f64) -> f64,
    ) -> Vec<Segment> {
        let range = self.range(window);
        let range = range.start.saturating_sub(1)..(range.end + 1).min(self.len());
        let mut segments = vec![Segment::new()];
        let mut push = |at: usize| {
            let value = series.values[at];
            if value.is_finite() {
                let last = segments.len() - 1;
                segments[last].push((x(self.steps[at], self.seconds[at]), value));
            } else if segments.last().is_some_and(|segment| !segment.is_empty()) {
                segments.push(Segment::new());
            }
        };
        if range.len() <= 4 * bins.max(1) {
            range.for_each(&mut push);
        } else {
            let (first, last) = (self.steps[range.start], self.steps[range.end - 1]);
            let width = (last - first) / bins.max(1) as f64;
            let mut start = range.start;
            for bin in 1..=bins.max(1) {
                let edge = first + width * bin as f64;
                let end = if bin == bins.max(1) {
                    range.end
                } else {
                    start + self.steps[start..range.end].partition_point(|step| *step < edge)
                };
                if end <= start {
                    continue;
                }
                let mut indices = vec![start, end - 1];
                indices.extend(series.extremes(start..end).into_iter().flatten());
                // One gap per bin is enough.
                let gap = self.not_finite.partition_point(|gap| gap.0 < self.steps[start]);
                if let Some((gap, _)) = self.not_finite.get(gap)
                    && *gap <= self.steps[end - 1]
                {
                    indices.push(self.steps.partition_point(|step| step < gap));
                }
                indices.sort_unstable();
                indices.dedup();
                indices.into_iter().for_each(&mut push);
                start = end;
            }
        }
        segments.retain(|segment| !segment.is_empty());
        segments
    }
}

/// Linear interpolation of `y` over increasing `x`; beyond the ends, the value of the nearest
/// point.
fn interpolated(xs: &[f64], ys: &[f64], x: f64) -> f64 {
    let at = xs.partition_point(|known| *known <= x);
    match (at.checked_sub(1), xs.get(at)) {
        (None, _) => ys.first().copied().unwrap_or(0.0),
        (Some(before), None) => ys[before],
        (Some(before), Some(&next)) => {
            let share = (x - xs[before]) / (next - xs[before]).max(f64::MIN_POSITIVE);
            ys[before] + share * (ys[at] - ys[before])
        }
    }
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;

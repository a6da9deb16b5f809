//! Axis ticks: round values at equal intervals, formatted in the unit of the axis.

use crate::core::text::clock;

/// The unit of an axis, which decides the format of its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers, such as a loss.
    Number,
    /// Whole numbers, such as steps: `250`, `12.5k`.
    Count,
    /// Rates per second: formatted as counts, or with decimals below ten.
    Rate,
    /// Shares: `0.75`.
    Share,
    /// Elapsed seconds: `1:30`.
    Duration,
    /// Local time in seconds, counted from 1970-01-01 00:00 local time: `09:30`.
    Clock,
}

/// A value on an axis and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The label.
    pub label: String,
}

const DAY: f64 = 86_400.0;

/// Intervals between ticks of a time axis, in seconds: round numbers of seconds, minutes, hours and
/// days.
const TIME_STEPS: [f64; 19] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    10_800.0,
    21_600.0,
    43_200.0,
    DAY,
    2.0 * DAY,
];

/// At most about `max_count` round values from `low` to `high`.
pub fn linear(low: f64, high: f64, max_count: usize, unit: Unit) -> Vec<Tick> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return vec![Tick { value: low, label: format_tick(low, 0.0, unit) }];
    }
    let rough = span / max_count.max(1) as f64;
    let step = match unit {
        // Their labels have whole seconds.
        Unit::Duration | Unit::Clock => {
            let round = TIME_STEPS.into_iter().find(|step| *step >= rough * 0.999);
            round.unwrap_or_else(|| (rough / DAY).ceil() * DAY)
        }
        Unit::Count => round_up(rough).max(1.0),
        _ => round_up(rough),
    };
    let first = (low / step - 1e-6).ceil();
    let count = ((high / step + 1e-6).floor() - first).max(0.0) as usize;
    (0..=count.min(1000))
        .map(|i| (first + i as f64) * step)
        .map(|value| Tick { value, label: format_tick(value, step, unit) })
        .collect()
}

/// Ticks of a logarithmic axis: powers of ten, and multiples between them if there are only a few
/// powers.
pub fn logarithmic(low: f64, high: f64, max_count: usize) -> Vec<Tick> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let powers = (last - first).max(1) as usize;
    let multiples: &[f64] = match max_count / powers {
        0 | 1 => &[1.0],
        2 => &[1.0, 3.0],
        3..5 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 2.0, 3.0, 5.0, 7.0],
    };
    let every = powers.div_ceil(max_count.max(1)).max(1) as i32;
    let mut ticks = Vec::new();
    for power in (first..=last).filter(|power| power.rem_euclid(every) == 0) {
        for multiple in multiples {
            let value = multiple * 10f64.powi(power);
            if value >= low * 0.999_999 && value <= high * 1.000_001 {
                ticks.push(Tick { value, label: number(value) });
            }
        }
    }
    if ticks.len() > 1 {
        return ticks;
    }
    // A narrow logarithmic axis is nearly linear.
    let counts = max_count..max_count + 4;
    let mut linear = counts.map(|count| linear(low, high, count, Unit::Number));
    linear.find(|ticks| ticks.len() > 1).unwrap_or(ticks)
}

/// Bounds around `low..=high` at multiples of a round tick interval.
pub fn round_bounds(low: f64, high: f64, max_count: usize) -> [f64; 2] {
    // A difference of less than a millionth is a rounding error.
    let span = if high - low > 1e-6 * high.abs().max(1e-294) {
        high - low
    } else {
        high.abs().max(1e-3) * 0.1
    };
    let step = round_up(span / max_count.max(1) as f64);
    let start = (low / step + 1e-9).floor() * step;
    let end = (high / step - 1e-9).ceil() * step;
    let (start, end) = if end > start { (start, end) } else { (start - step, start + step) };
    // Below values that are not negative there is nothing to see.
    [if low >= 0.0 { start.max(0.0) } else { start }, end]
}

/// Rounds up to 1, 2 or 5 times a power of ten.
fn round_up(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let multiples = [1.0, 2.0, 5.0, 10.0].into_iter().map(|multiple| multiple * power);
    multiples.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power * 10.0)
}

/// The label of a value on an axis whose ticks are `step` apart.
fn format_tick(value: f64, step: f64, unit: Unit) -> String {
    let decimals = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
    match unit {
        Unit::Duration => clock(value),
        Unit::Clock => time_of_day(value),
        Unit::Count | Unit::Rate if value.abs() >= 10_000.0 => thousands(value, step),
        Unit::Number if step > 0.0 && (step < 1e-3 || value.abs() >= 1e5) => {
            if value == 0.0 {
                "0".to_owned()
            } else {
                number(value)
            }
        }
        _ if step > 0.0 => format!("{:.*}", decimals(step), value + 0.0),
        _ => number(value),
    }
}

/// `12.5k`, `3M`: with as many decimals as the tick interval needs.
fn thousands(value: f64, step: f64) -> String {
    let (unit, suffix) = if value.abs() >= 1e9 {
        (1e9, "G")
    } else if value.abs() >= 1e6 {
        (1e6, "M")
    } else {
        (1e3, "k")
    };
    let decimals = (-(step / unit).log10().floor()).clamp(0.0, 3.0) as usize;
    let text = format!("{:.decimals$}", value / unit);
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

/// Hours and minutes, with seconds if they are not zero.
fn time_of_day(seconds: f64) -> String {
    let of_day = seconds.rem_euclid(DAY) as u64;
    let (hours, minutes, rest) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    if rest == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{rest:02}")
    }
}

/// A number with about four digits, with an exponent if it is very small or very large.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 {
        return format!("{value}");
    }
    if !(1e-3..1e5).contains(&size) {
        let text = format!("{value:.2e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}e{power}");
    }
    let decimals = (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        assert_eq!(labels(&linear(0.0, 0.8, 5, Unit::Number)), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&linear(0.0, 630.0, 4, Unit::Count)), ["0", "200", "400", "600"]);
        assert_eq!(labels(&linear(0.0, 3.0, 10, Unit::Count)), ["0", "1", "2", "3"]);
        assert_eq!(
            labels(&linear(0.0, 50_000.0, 5, Unit::Count)),
            ["0", "10k", "20k", "30k", "40k", "50k"]
        );
        assert_eq!(labels(&linear(1e6, 1.05e6, 2, Unit::Count)), ["1M", "1.05M"]);
        assert_eq!(labels(&linear(0.0, 2e-4, 2, Unit::Number)), ["0", "1e-4", "2e-4"]);
        assert_eq!(
            labels(&linear(0.0, 100.0, 4, Unit::Duration)),
            ["0:00", "0:30", "1:00", "1:30"]
        );
        let morning = 20_000.0 * DAY + 9.0 * 3600.0;
        assert_eq!(
            labels(&linear(morning, morning + 3600.0, 2, Unit::Clock)),
            ["09:00", "09:30", "10:00"]
        );
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        assert_eq!(labels(&logarithmic(0.01, 10.0, 4)), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&logarithmic(0.1, 1.0, 4)), ["0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(&logarithmic(1e-12, 1.0, 4)).len(), 5);
        assert_eq!(labels(&logarithmic(0.68, 0.71, 4)), ["0.68", "0.69", "0.70", "0.71"]);
        assert_eq!(labels(&logarithmic(0.19, 0.65, 2)), ["0.2", "0.4", "0.6"]);
    }

    #[test]
    fn bounds_contain_their_range() {
        for (low, high) in [(0.012, 0.71), (0.5, 0.5), (0.0, 0.0), (-3.0, 1e6), (1e-9, 2e-9)] {
            let [start, end] = round_bounds(low, high, 5);
            assert!(start <= low && end >= high && end > start, "{low}..{high}: {start}..{end}");
        }
        assert_eq!(round_bounds(0.012, 0.71, 5), [0.0, 0.8]);
        assert_eq!(round_bounds(0.0, 0.0, 5)[0], 0.0, "no rate is negative");
        let [low, high] = round_bounds(319.999_999_999, 320.000_000_001, 5);
        assert!(high - low > 1.0, "the range is a rounding error: {low}..{high}");
    }

    #[test]
    fn the_number_of_ticks_is_bounded() {
        for (low, high) in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (2.0, 1.0), (0.0, 1e300)] {
            for unit in [Unit::Number, Unit::Count, Unit::Rate, Unit::Duration, Unit::Clock] {
                assert!(linear(low, high, 5, unit).len() <= 1001);
            }
        }
    }

    #[test]
    fn numbers_have_about_four_digits() {
        let labels = [0.0, 0.123_456, 1234.5, 12345.0, 2e-4, 1.5e-7, -0.5, 3e6].map(number);
        assert_eq!(labels, ["0", "0.1235", "1234", "12345", "2e-4", "1.5e-7", "-0.5", "3e6"]);
    }
    #[test]
    fn durations_have_hours_where_needed() {
        assert_eq!(clock(62.4), "1:02");
        assert_eq!(clock(3723.0), "1:02:03");
        assert_eq!(clock(f64::NAN), "0:00");
    }
}

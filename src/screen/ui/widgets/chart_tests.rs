//! Reads drawn cells back: what has the same value is in the same row.

use super::*;
use crate::core::named::Named;
use crate::run::metric_series::ticks::round_bounds;
use crate::screen::display::{DisplayOptions, Markers};

fn theme(markers: Markers) -> Theme {
    let flags = DisplayOptions { markers: Some(markers), ..DisplayOptions::default() };
    Theme::detect(&flags, |_| None)
}

fn style() -> CurveStyle {
    CurveStyle { style: Style::new(), symbol: '*' }
}

fn chart(y: [f64; 2]) -> Chart {
    Chart {
        x: [0.0, 100.0],
        x_unit: Unit::Count,
        y,
        y_unit: Unit::Number,
        log_y: false,
        series: Vec::new(),
        baselines: Vec::new(),
        annotations: Vec::new(),
        cursor: None,
    }
}

fn drawn(chart: &Chart, (width, height): (u16, u16), markers: Markers) -> (Buffer, Rect) {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let plot = chart.draw(area, &mut buffer, theme(markers));
    (buffer, plot)
}

/// The rows of the plot in which a cell satisfies a condition, within some columns.
fn rows(buffer: &Buffer, plot: Rect, is_wanted: impl Fn(&str) -> bool) -> Vec<u16> {
    let columns = plot.left()..plot.right();
    let found = |row: &u16| columns.clone().any(|x| is_wanted(buffer[(x, *row)].symbol()));
    (plot.top()..plot.bottom()).filter(found).collect()
}

fn is_dotted(symbol: &str) -> bool {
    symbol == "┄" || symbol.chars().all(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
}

#[test]
fn a_point_a_line_a_reference_and_a_label_of_one_value_share_a_row() {
    let sizes = (3..=20).chain([33, 57]).map(|height| (40, height));
    for (size, markers) in
        sizes.flat_map(|size| Markers::VARIANTS.iter().map(move |markers| (size, *markers)))
    {
        for value in (0..=100).map(|i| 0.5 + 0.005 * f64::from(i)) {
            let y = [0.5, 1.0];
            let line = |points| ChartSeries {
                segments: vec![vec![(0.0, value), (50.0, value), (100.0, value)]],
                style: style(),
                points,
            };
            let mut point = chart(y);
            point.series.push(line(true));
            let (buffer, plot) = drawn(&point, size, markers);
            let point_rows = rows(&buffer, plot, |symbol| symbol == "•");
            let mut curve = chart(y);
            curve.series.push(line(false));
            let (buffer, plot) = drawn(&curve, size, markers);
            let curve_rows = rows(&buffer, plot, |symbol| symbol != " ");
            let mut reference = chart(y);
            reference.baselines.push(ChartBaseline { y: value, names: Vec::new() });
            let (buffer, plot) = drawn(&reference, size, markers);
            let reference_rows = rows(&buffer, plot, is_dotted);
            assert_eq!(point_rows.len(), 1, "{value} at {size:?}");
            assert_eq!(point_rows, curve_rows, "{value} at {size:?} in {markers:?}");
            assert_eq!(point_rows, reference_rows, "{value} at {size:?} in {markers:?}");
        }
        // A point at the value of each label is in the label's row.
        let (labelled, plot) = drawn(&chart([0.5, 1.0]), size, markers);
        for row in plot.top()..plot.bottom() {
            let text: String = (0..plot.x - 1).map(|x| labelled[(x, row)].symbol()).collect();
            let Ok(value) = text.trim().parse::<f64>() else { continue };
            let mut point = chart([0.5, 1.0]);
            let segments = vec![vec![(30.0, value)]];
            point.series.push(ChartSeries { segments, style: style(), points: true });
            let (buffer, plot) = drawn(&point, size, markers);
            assert_eq!(rows(&buffer, plot, |symbol| symbol == "•"), [row], "{value} at {size:?}");
        }
    }
}

#[test]
fn what_is_below_a_reference_line_is_not_drawn_above_it() {
    for height in 4..30 {
        let range = round_bounds(0.5, 0.762, 4);
        let mut chart = chart(range);
        let segments = vec![vec![(0.0, 0.754), (100.0, 0.754)]];
        chart.series.push(ChartSeries { segments, style: style(), points: true });
        let names = vec!["tutorial 0.762".to_owned()];
        chart.baselines.push(ChartBaseline { y: 0.762, names });
        let (buffer, plot) = drawn(&chart, (38, height), Markers::Braille);
        let points = rows(&buffer, plot, |symbol| symbol == "•");
        let reference = plot.y
            + PlotGrid::new(plot.width, plot.height, Markers::Braille)
                .row((0.762 - range[0]) / (range[1] - range[0]))
                .expect("within the plot");
        assert!(points.iter().all(|row| *row >= reference), "{points:?} {reference} {height}");
    }
}

#[test]
fn a_reference_line_never_hides_a_curve_and_its_name_avoids_curves_and_letters() {
    let names = || vec!["tutorial 0.762".to_owned(), "tutorial".to_owned()];
    for end in [0.5, 0.7, 0.74, 0.755, 0.762, 0.77, 0.8] {
        for height in 4..24 {
            let with = |baselines: Vec<ChartBaseline>| {
                let mut chart = chart([0.5, 0.8]);
                let segments = vec![vec![(0.0, 0.5), (60.0, 0.745), (100.0, end)]];
                chart.series.push(ChartSeries { segments, style: style(), points: true });
                let event = |x| ChartAnnotation { x, symbol: 'R', style: Style::new() };
                chart.annotations = vec![event(20.0), event(95.0)];
                chart.baselines = baselines;
                drawn(&chart, (38, height), Markers::Braille)
            };
            let (plain, plot) = with(Vec::new());
            let (named, _) = with(vec![ChartBaseline { y: 0.762, names: names() }]);
            for position in plot.positions() {
                let before = plain[position].symbol();
                if ![" ", "┊"].contains(&before) {
                    assert_eq!(named[position].symbol(), before, "{position} {end} {height}");
                }
            }
            let rows: Vec<String> = plot
                .rows()
                .map(|row| row.columns().map(|cell| named[cell.as_position()].symbol()).collect())
                .collect();
            assert!(rows.iter().any(|row| row.contains("tutorial")), "{rows:#?}");
        }
    }
}

#[test]
fn a_name_is_at_the_right_end_in_a_short_form_before_it_moves_to_the_left() {
    // The last columns are free for the short name only.
    let mut chart = chart([0.5, 0.8]);
    let segments = vec![vec![(0.0, 0.76), (80.0, 0.76)], vec![(80.0, 0.7), (82.0, 0.8)]];
    chart.series.push(ChartSeries { segments, style: style(), points: false });
    let names = ["tutorial 0.762", "tutorial", "0.76"].map(str::to_owned).to_vec();
    chart.baselines.push(ChartBaseline { y: 0.762, names });
    let (buffer, plot) = drawn(&chart, (40, 7), Markers::Braille);
    let text = |row: Rect| -> String {
        row.columns().map(|cell| buffer[cell.as_position()].symbol()).collect()
    };
    let rows: Vec<String> = plot.rows().map(text).collect();
    assert!(rows.iter().any(|row| row.ends_with("0.76")), "{rows:#?}");
    assert!(rows.iter().all(|row| !row.contains("tutorial")), "{rows:#?}");
}

#[test]
fn the_letter_of_an_event_is_beside_a_curve_that_fills_its_column() {
    let mut chart = chart([0.0, 1.0]);
    let segments = vec![vec![(50.0, 0.0), (50.0, 1.0)]];
    chart.series.push(ChartSeries { segments, style: style(), points: false });
    chart.annotations.push(ChartAnnotation { x: 50.0, symbol: 'P', style: Style::new() });
    let (buffer, plot) = drawn(&chart, (40, 8), Markers::Braille);
    let columns = |is_wanted: fn(&str) -> bool| -> Vec<u16> {
        let cells = plot.positions().filter(|cell| is_wanted(buffer[*cell].symbol()));
        cells.map(|cell| cell.x).collect()
    };
    let curve = columns(|symbol| symbol != " " && symbol != "P" && symbol != "┊");
    assert_eq!(columns(|symbol| symbol == "P"), [curve[0] + 1]);
    assert_eq!(curve.len(), usize::from(plot.height), "no cell of the curve is hidden");
}

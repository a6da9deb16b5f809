//! The arrangement of the panels.

use super::*;

/// The panels of a run without pinned sentences.
fn usual() -> Vec<Panel> {
    Panel::ALL.into_iter().filter(|panel| *panel != Panel::Probes).collect()
}

fn arranged(width: u16, height: u16) -> Vec<PanelPage> {
    arrange(&usual(), (width, height), None, ContentSize::default())
}

#[test]
fn every_size_shows_every_panel_once_and_fills_the_page() {
    for (width, height) in
        [(60, 8), (78, 10), (80, 17), (100, 26), (120, 33), (150, 40), (200, 53), (400, 200)]
    {
        for columns in [None, Some(1), Some(2), Some(3), Some(4)] {
            let content = ContentSize { epochs: 10, ..ContentSize::default() };
            let pages = arrange(&Panel::ALL, (width, height), columns, content);
            let mut seen: Vec<Panel> = pages.iter().flatten().map(|(panel, _)| *panel).collect();
            seen.sort_unstable();
            let mut all = Panel::ALL;
            all.sort_unstable();
            assert_eq!(seen, all);
            for page in &pages {
                let cells =
                    page.iter().map(|(_, area)| u32::from(area.width) * u32::from(area.height));
                assert_eq!(
                    cells.sum::<u32>(),
                    u32::from(width) * u32::from(height),
                    "{width}x{height}"
                );
                for (panel, area) in page {
                    let least = panel.rows_needed(content).min(usize::from(height));
                    assert!(area.height >= least.min(5) as u16, "{panel:?} {area:?}");
                    assert!(area.width >= 38, "{panel:?} {area:?}");
                }
            }
        }
    }
    assert!(!arranged(1, 1).is_empty());
}

#[test]
fn the_loss_is_about_twice_as_large_as_the_other_charts() {
    for (width, height) in [(80, 17), (120, 33), (160, 40), (200, 53)] {
        let pages = arranged(width, height);
        let cells = |wanted| {
            let area = pages.iter().flatten().find(|(panel, _)| *panel == wanted);
            area.map_or(0.0, |(_, area)| f64::from(area.width) * f64::from(area.height))
        };
        let ratio = cells(Panel::Loss) / cells(Panel::Accuracy);
        assert!((1.6..=3.0).contains(&ratio), "{ratio} at {width}x{height}");
        assert_eq!(pages[0][0].0, Panel::Loss);
        assert!(pages[0].iter().any(|(panel, _)| *panel == Panel::Accuracy));
    }
}

#[test]
fn the_accuracy_is_on_the_first_page_of_a_run_that_has_ended_at_80x24() {
    // What a result with a verdict of three lines leaves.
    for height in 14..=17 {
        let pages = arranged(80, height);
        assert!(pages[0].iter().any(|(panel, _)| *panel == Panel::Accuracy), "{pages:?}");
    }
}

#[test]
fn the_log_has_the_width_of_its_lines() {
    for (width, height) in [(80, 17), (120, 33), (200, 53)] {
        let pages = arranged(width, height);
        let log = pages.iter().flatten().find(|(panel, _)| *panel == Panel::Log);
        assert!(log.is_some_and(|(_, area)| area.width >= 76), "{log:?}");
    }
}

#[test]
fn everything_fits_on_one_large_page() {
    assert_eq!(arranged(200, 53).len(), 1);
    assert!(arranged(120, 33).len() <= 2);
    assert!(arranged(80, 17).len() <= 5);
}

#[test]
fn shares_add_up() {
    assert_eq!(shares(17, &[8, 8], &[3, 1]), [8, 9]);
    assert_eq!(shares(20, &[8, 8], &[3, 1]), [11, 9]);
    assert_eq!(shares(10, &[8, 8], &[1, 1]), [8, 2]);
    assert_eq!(shares(10, &[3, 3], &[0, 0]), [5, 5]);
    assert_eq!(shares(100, &[0, 0, 0], &[1, 1, 1]), [33, 33, 34]);
}

#[test]
fn a_system_panel_without_metrics_takes_a_line() {
    let content = ContentSize { has_system: false, ..ContentSize::default() };
    for size in [(80, 17), (120, 32), (200, 52)] {
        let pages = arrange(&usual(), size, None, content);
        let mut areas = pages.iter().flatten().filter(|(panel, _)| *panel == Panel::System);
        let height = areas.next().map(|(_, area)| area.height);
        assert_eq!(height, Some(3), "{size:?}: {pages:?}");
    }
}

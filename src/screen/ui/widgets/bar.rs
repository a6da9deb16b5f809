//! Horizontal bars with a resolution of an eighth of a cell.

use crate::screen::ui::theme::Theme;
use ratatui::text::Span;

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `width` cells, `share` of it (0 to 1) filled.
pub fn bar(share: f64, width: usize, theme: Theme) -> [Span<'static>; 2] {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let (whole, part) = (eighths / 8, eighths % 8);
    let filled = "█".repeat(whole) + EIGHTHS[part];
    let used = whole + usize::from(part > 0);
    [
        Span::styled(filled, theme.bar()),
        Span::styled("·".repeat(width.saturating_sub(used)), theme.dim()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_always_has_the_requested_width() {
        let theme = Theme::new(true);
        for width in 0..20 {
            for share in [-1.0, 0.0, 0.013, 0.5, 0.99, 1.0, 7.0, f64::NAN] {
                let cells: usize = bar(share, width, theme).iter().map(Span::width).sum();
                assert_eq!(cells, width, "{share}");
            }
        }
    }
}

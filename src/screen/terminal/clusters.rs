//! Cells with several characters: flags, families of emoji, Indic and Thai syllables. Terminals and
//! multiplexers disagree about the columns of these, so that parts of one may stay on the screen when it is
//! overwritten.

use ratatui::buffer::Buffer;

/// The clusters of a frame: the index of the cell and the characters of each.
#[derive(Debug, Default)]
pub(super) struct Clusters(Vec<(usize, String)>);

impl Clusters {
    /// The clusters of a frame.
    pub fn of(buffer: &Buffer) -> Self {
        let cells = buffer.content().iter().enumerate();
        let clusters = cells.filter(|(_, cell)| has_several_characters(cell.symbol()));
        Self(clusters.map(|(index, cell)| (index, cell.symbol().to_owned())).collect())
    }

    /// Whether one of them is overwritten by the next frame, so that all of the screen has to be drawn.
    pub fn are_overwritten(&self, next: &Buffer) -> bool {
        let is_kept = |index: usize, symbol: &str| {
            next.content().get(index).is_some_and(|cell| cell.symbol() == symbol)
        };
        self.0.iter().any(|(index, symbol)| !is_kept(*index, symbol))
    }
}

/// Whether a symbol has several characters; a decomposed Korean syllable has a known width.
fn has_several_characters(symbol: &str) -> bool {
    let is_jamo = |c: char| ('\u{1100}'..='\u{11ff}').contains(&c);
    symbol.len() > 1 && symbol.chars().nth(1).is_some() && !symbol.chars().all(is_jamo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_again_only_if_a_cluster_is_overwritten() {
        let before = Buffer::with_lines(["| क्षि 재미 |", "| 🇰🇷 별 |"]);
        let clusters = Clusters::of(&before);
        assert_eq!(clusters.0.len(), 2, "{clusters:?}");
        assert!(!clusters.are_overwritten(&before));
        let other_text = Buffer::with_lines(["| क्षि 지루 |", "| 🇰🇷 별 |"]);
        assert!(!clusters.are_overwritten(&other_text));
        for next in [["| ab 재미 |", "| 🇰🇷 별 |"], ["| क्षि 재미 |", "|  🇰🇷별 |"], ["", ""]]
        {
            assert!(clusters.are_overwritten(&Buffer::with_lines(next)), "{next:?}");
        }
        let plain = Clusters::of(&Buffer::with_lines(["정말 재미있는 영화! 👍 ·•⠁"]));
        assert!(!plain.are_overwritten(&Buffer::with_lines([""])), "{plain:?}");
    }
}

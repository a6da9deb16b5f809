//! Korean particles, whose form depends on whether the word before them ends in a consonant.

/// How a particle is written in the table, after a consonant, and after a vowel.
const PARTICLES: [(&str, &str, &str); 7] = [
    ("을(를)", "을", "를"),
    ("이(가)", "이", "가"),
    ("은(는)", "은", "는"),
    ("과(와)", "과", "와"),
    ("(으)로", "으로", "로"),
    ("(이)라는", "이라는", "라는"),
    ("(이)라", "이라", "라"),
];

/// The text with each particle in the form that suits the word before it.
pub(super) fn chosen(text: &str) -> String {
    let (mut chosen, mut rest) = (String::with_capacity(text.len()), text);
    loop {
        let next = PARTICLES.iter().filter_map(|particle| Some((rest.find(particle.0)?, particle)));
        let Some((at, (written, closed, open))) = next.min_by_key(|(at, _)| *at) else {
            return chosen + rest;
        };
        chosen.push_str(&rest[..at]);
        let last = chosen.chars().rev().find(|c| c.is_alphanumeric());
        let after_l = *written == "(으)로" && last.is_some_and(ends_in_l);
        let is_closed = last.is_some_and(ends_in_consonant) && !after_l;
        chosen.push_str(if is_closed { closed } else { open });
        rest = &rest[at + written.len()..];
    }
}

/// The number of a syllable's final consonant, 0 without one.
fn final_consonant(c: char) -> Option<u32> {
    ('가'..='힣').contains(&c).then(|| (u32::from(c) - u32::from('가')) % 28)
}

/// Whether a character, read in Korean, ends in a consonant. Of Latin letters, those that mostly do
/// at the end of a word.
fn ends_in_consonant(c: char) -> bool {
    match final_consonant(c) {
        Some(consonant) => consonant > 0,
        None => "013678lmnLMN".contains(c),
    }
}

/// Whether a character, read in Korean, ends in ㄹ.
fn ends_in_l(c: char) -> bool {
    match final_consonant(c) {
        Some(consonant) => consonant == 8,
        None => "178lL".contains(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_suit_the_word_before_them() {
        for (written, expected) in [
            ("모델을(를) 옮길까요?", "모델을 옮길까요?"),
            ("결과을(를) 옮길까요?", "결과를 옮길까요?"),
            ("runs/seed-1을(를)", "runs/seed-1을"),
            ("runs/seed-2을(를)", "runs/seed-2를"),
            ("outputs을(를)", "outputs를"),
            ("\"lr\"(이)라는 설정이(가)", "\"lr\"라는 설정이"),
            ("서울(으)로, 집(으)로, 바다(으)로", "서울로, 집으로, 바다로"),
            ("바꿀 것이 없음", "바꿀 것이 없음"),
        ] {
            assert_eq!(chosen(written), expected);
        }
    }
}

//! Templates whose values have names, matched against texts in which they are already filled in.

/// A template and its translation.
pub(super) struct Pattern {
    /// The texts before, between and after the values.
    texts: Vec<String>,
    /// The names of the values, in order.
    names: Vec<String>,
    translation: String,
}

impl Pattern {
    /// The pattern of an entry of the table; `None` if it has no value with a name.
    pub fn new(english: &str, translation: &str) -> Option<Self> {
        let (mut texts, mut names, mut rest) = (Vec::new(), Vec::new(), english);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}')?;
            let name = name.split(':').next().unwrap_or(name);
            if name.is_empty() || name.parse::<usize>().is_ok() {
                return None;
            }
            texts.push(before.to_owned());
            names.push(name.to_owned());
            rest = behind;
        }
        texts.push(rest.to_owned());
        (!names.is_empty()).then(|| Self { texts, names, translation: translation.to_owned() })
    }

    /// The order in which patterns are tried, from the highest: by the length of their texts.
    pub fn rank(&self) -> (usize, &[String]) {
        (self.texts.iter().map(String::len).sum(), &self.texts)
    }

    /// The translation of a text that matches the template.
    pub fn translated(&self, text: &str) -> Option<String> {
        let (first, last) = (self.texts.first()?, self.texts.last()?);
        let rest = text.strip_prefix(first.as_str())?;
        let mut rest = rest.strip_suffix(last.as_str())?;
        let mut values = Vec::new();
        for between in &self.texts[1..self.texts.len() - 1] {
            let (value, after) = rest.split_once(between.as_str())?;
            values.push(value);
            rest = after;
        }
        values.push(rest);
        let (mut filled, mut rest) = (String::new(), self.translation.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}')?;
            let name = name.split(':').next().unwrap_or(name);
            filled.push_str(before);
            let at = self.names.iter().position(|known| known == name)?;
            filled.push_str(values.get(at)?);
            rest = behind;
        }
        Some(filled + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_template_is_translated_with_its_values() {
        let pattern =
            Pattern::new("{count} rows of {path:?} left out", "{path}에서 {count}행 제외");
        let pattern = pattern.expect("it has names");
        let translated = pattern.translated("3 rows of a {0} b left out");
        assert_eq!(translated.as_deref(), Some("a {0} b에서 3행 제외"));
        for other in ["3 rows of a", "rows of a left out", "3 lines of a left out", ""] {
            assert_eq!(pattern.translated(other), None, "{other}");
        }
        assert!(Pattern::new("step {0}", "스텝 {0}").is_none());
        assert!(Pattern::new("no value", "값 없음").is_none());
    }
}

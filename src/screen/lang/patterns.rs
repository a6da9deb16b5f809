//! Templates whose values have names, matched against texts in which they are already filled in.

/// A template and its translation.
pub(super) struct Pattern {
    /// The texts before, between and after the values.
    texts: Vec<String>,
    /// The names of the values, in order.
    names: Vec<String>,
    translation: String,
}

/// The names of values whose text may itself be in the table, such as a reason.
const TEXTS: [&str; 15] = [
    "advice", "effect", "error", "kept", "lack", "last", "lost", "message", "note", "problem",
    "reason", "rows", "text", "what", "why",
];

/// The texts and the names of the values of a template. A value without a name has its number among
/// those without names, counted from 0.
fn split(template: &str) -> Option<(Vec<&str>, Vec<String>)> {
    let (mut texts, mut names, mut rest) = (Vec::new(), Vec::new(), template);
    let mut unnamed = 0..;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        let name = match name.split(':').next() {
            None | Some("") => unnamed.next()?.to_string(),
            Some(name) => name.to_owned(),
        };
        texts.push(before);
        names.push(name);
        rest = behind;
    }
    texts.push(rest);
    Some((texts, names))
}

impl Pattern {
    /// The pattern of an entry of the table; `None` if it has no value, or numbered ones: such a text
    /// is translated before they are filled in.
    pub fn new(english: &str, translation: &str) -> Option<Self> {
        let is_numbered = |part: &str| {
            let name = part.split(['}', ':']).next().unwrap_or_default();
            name.parse::<usize>().is_ok()
        };
        if english.split('{').skip(1).any(is_numbered) {
            return None;
        }
        let (texts, names) = split(english)?;
        let texts = texts.into_iter().map(str::to_owned).collect();
        (!names.is_empty()).then(|| Self { texts, names, translation: translation.to_owned() })
    }

    /// The order in which patterns are tried, from the highest: by the length of their texts.
    pub fn rank(&self) -> (usize, &[String]) {
        (self.texts.iter().map(String::len).sum(), &self.texts)
    }

    /// The translation of a text that matches the template; `inner` translates a value that is a text
    /// of its own.
    pub fn translated(&self, text: &str, inner: impl Fn(&str) -> Option<String>) -> Option<String> {
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
        // What a semicolon joins is translated part by part.
        let is_text = |name: &String| TEXTS.contains(&name.as_str());
        if self
            .names
            .iter()
            .zip(&values)
            .any(|(name, value)| !is_text(name) && value.contains("; "))
        {
            return None;
        }
        let (texts, names) = split(&self.translation)?;
        let mut filled = String::new();
        for (number, text) in texts.into_iter().enumerate() {
            filled.push_str(text);
            let Some(name) = names.get(number) else { continue };
            let value = values.get(self.names.iter().position(|known| known == name)?)?;
            match inner(value).filter(|_| is_text(name)) {
                Some(translated) => filled.push_str(&translated),
                None => filled.push_str(value),
            }
        }
        Some(filled)
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
        let translated = |text: &str| pattern.translated(text, |_| None);
        assert_eq!(
            translated("3 rows of a {0} b left out").as_deref(),
            Some("a {0} b에서 3행 제외")
        );
        for other in ["3 rows of a", "rows of a left out", "3 lines of a left out", ""] {
            assert_eq!(translated(other), None, "{other}");
        }
        assert!(Pattern::new("step {0}", "스텝 {0}").is_none());
        assert!(Pattern::new("no value", "값 없음").is_none());
        let pattern = Pattern::new("{} of {} failed: {reason}", "{1} 중 {0} 실패: {reason}");
        let inner = |reason: &str| (reason == "full").then(|| "꽉 참".to_owned());
        let translated =
            pattern.and_then(|pattern| pattern.translated("1 of 2 failed: full", inner));
        assert_eq!(translated.as_deref(), Some("2 중 1 실패: 꽉 참"));
    }
}

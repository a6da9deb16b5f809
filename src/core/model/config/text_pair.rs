//! Whether a model reads pairs of texts. transformers keeps this key of `config.json`, but does not
//! use it.

use super::ModelConfig;
use serde_json::{Value, json};

/// The key with the two columns of the texts that the model was trained on.
const KEY: &str = "text_columns";

impl ModelConfig {
    /// The two columns of the texts, if the model was trained on pairs by this program.
    pub fn text_pair_columns(&self) -> Option<[String; 2]> {
        let columns = self.json.get(KEY)?.as_array()?.iter().map(Value::as_str);
        let columns: Vec<String> = columns
            .map(|name| Some(crate::core::text::sanitize_for_terminal(name?).into_owned()))
            .collect::<Option<_>>()?;
        columns.try_into().ok()
    }

    /// Sets the columns of the texts; only two of them are kept.
    pub fn set_text_columns(&mut self, columns: &[String]) {
        match columns {
            [_, _] => drop(self.json.insert(KEY.to_owned(), json!(columns))),
            _ => drop(self.json.shift_remove(KEY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn pairs_are_kept_in_the_file_and_single_texts_leave_no_trace() -> anyhow::Result<()> {
        let mut config = ModelConfig::small()?;
        let before = config.to_json();
        assert_eq!(config.text_pair_columns(), None);
        config.set_text_columns(&["document".to_owned()]);
        assert_eq!(config.to_json(), before);
        let columns = ["premise", "hypothesis"].map(str::to_owned);
        config.set_text_columns(&columns);
        let mut config = ModelConfig::parse(&config.to_json(), Path::new("config.json"), &[])?;
        assert_eq!(config.text_pair_columns(), Some(columns));
        config.set_text_columns(&[]);
        assert_eq!(config.text_pair_columns(), None);
        for other in ["5", "[1, 2]", r#"["a"]"#, r#"["a", "b", "c"]"#, "null"] {
            let text = before.replacen('{', &format!("{{\"text_columns\": {other},"), 1);
            let config = ModelConfig::parse(&text, Path::new("config.json"), &[])?;
            assert_eq!(config.text_pair_columns(), None, "{other}");
        }
        Ok(())
    }
}

//! Supported and unsupported values of `config.json`.

use super::*;

fn error_with(name: &str, value: Value) -> String {
    let overrides = [(name.to_owned(), value)];
    ModelConfig::parse(EMBEDDED, Path::new("config.json"), &overrides)
        .map_or_else(|error| error.to_string(), |_| String::new())
}

/// The embedded configuration with one more value.
fn with(name: &str, value: &Value) -> Result<ModelConfig, ModelError> {
    let text = EMBEDDED.replacen('{', &format!("{{\"{name}\": {value},"), 1);
    ModelConfig::parse(&text, Path::new("config.json"), &[])
}

#[test]
fn unsupported_values_are_rejected_by_name() {
    assert!(error_with("hidden_size", json!(190)).contains("is not a multiple"));
    assert!(error_with("hidden_size", json!(0)).contains("hidden_size is 0"));
    assert!(error_with("hidden_act", json!("swish")).contains("hidden_act \"swish\""));
    assert!(error_with("model_type", json!("gpt2")).contains("model_type \"gpt2\""));
    assert!(error_with("hidden_dropout_prob", json!(1.0)).contains("below 1"));
    assert!(error_with("hidden_size", json!(3 << 20)).contains("parameters"));
    assert!(error_with("vocab_size", json!(1 << 30)).contains("vocab_size is"));
    assert!(error_with("no_such", json!(1)).contains("no value named no_such"));
    let message = |name: &str, value: Value| {
        with(name, &value).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let position = message("position_embedding_type", json!("relative_key"));
    assert!(position.contains("position_embedding_type \"relative_key\""), "{position}");
    let problem = message("problem_type", json!("regression"));
    assert!(problem.contains("problem_type \"regression\""), "{problem}");
}

#[test]
fn the_number_of_classes_is_bounded() {
    for (count, fits) in [(1_u64, false), (2, true), (1000, true), (1001, false), (1 << 40, false)]
    {
        let text = EMBEDDED.replacen('{', &format!("{{\"num_labels\": {count},"), 1);
        let text = text.replace("id2label", "unused");
        let config = ModelConfig::parse(&text, Path::new("config.json"), &[]);
        assert_eq!(config.is_ok(), fits, "{count}");
    }
}

#[test]
fn a_saved_config_keeps_every_value() -> Result<(), ModelError> {
    let config = ModelConfig::embedded()?;
    let again = ModelConfig::parse(&config.to_json(), Path::new("config.json"), &[])?;
    assert_eq!(again.encoder, config.encoder);
    assert_eq!(again.labels, ["negative", "positive"]);
    // With `torch_dtype` float16, transformers would load the float32 weights in half precision.
    let half = with("torch_dtype", &json!("float16"))?;
    assert!(!half.to_json().contains("float16") && half.to_json().contains("\"dtype\""));
    Ok(())
}

#[test]
fn a_config_without_classes_has_two_that_can_be_renamed() -> Result<(), ModelError> {
    let text = r#"{"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16}"#;
    let mut config = ModelConfig::parse(text, Path::new("config.json"), &[])?;
    assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
    assert_eq!(config.given_names(), None);
    config.set_labels(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    assert!(config.to_json().contains("\"2\": \"c\""));
    // Missing values are transformers' defaults.
    assert_eq!((config.encoder.layer_norm_eps, config.max_tokens()), (1e-12, 512));
    assert!((config.attention_probs_dropout_prob - 0.1).abs() < 1e-12);
    Ok(())
}

#[test]
fn robertas_positions_start_after_the_padding_token() -> Result<(), ModelError> {
    let text = EMBEDDED.replace("\"bert\"", "\"roberta\"");
    let overrides =
        [("pad_token_id".to_owned(), json!(1)), ("max_position_embeddings".to_owned(), json!(514))];
    let config = ModelConfig::parse(&text, Path::new("config.json"), &overrides)?;
    assert_eq!((config.first_position(), config.max_tokens()), (2, 512));
    Ok(())
}

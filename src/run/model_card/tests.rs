use super::*;

fn card() -> ModelCard {
    let metrics = |loss, accuracy, f1| CardMetrics { loss, accuracy, f1 };
    let setting = |(name, value): (&str, &str)| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: String::new(),
    };
    let settings = [
        ("recipe", "trainer"),
        ("num_train_epochs", "2"),
        ("per_device_train_batch_size", "32"),
        ("per_device_eval_batch_size", "32"),
        ("learning_rate", "5e-5"),
        ("lr_scheduler_type", "constant_with_warmup"),
        ("warmup_steps", "0"),
        ("weight_decay", "0.01 on everything"),
        ("adam_beta1", "0.9"),
        ("adam_beta2", "0.999"),
        ("adam_epsilon", "1e-8"),
        ("label_smoothing_factor", "0"),
        ("seed", "42"),
    ];
    ModelCard {
        mean_pooling_hook: None,
        needs_nfc: false,
        model_name: "my_outputs".to_owned(),
        base_model: Some(HubReference {
            name: "klue/bert-base".to_owned(),
            hub_name: Some("klue/bert-base".to_owned()),
        }),
        license: Some("mit"),
        dataset: HubReference { name: "NSMC".to_owned(), hub_name: Some("e9t/nsmc".to_owned()) },
        split: Some("test".to_owned()),
        language: Some("ko".to_owned()),
        text_pair_columns: None,
        labels: vec!["negative".to_owned(), "positive".to_owned()],
        train_samples: 2000,
        eval_samples: 2000,
        results: Some(metrics(0.42, 0.8125, 0.806_451_612_903_225_8)),
        hyperparameters: hyperparameters(&settings.map(setting)),
        evaluations: vec![
            TrainingResult {
                training_loss: None,
                epoch: 1.0,
                step: 63,
                metrics: metrics(0.512_345_6, 0.75, 0.75),
            },
            TrainingResult {
                training_loss: Some(0.470_000_1),
                epoch: 2.0,
                step: 126,
                metrics: metrics(0.42, 0.8125, 0.806_451_612_903_225_8),
            },
        ],
        figures: vec!["loss_curves.png".to_owned()],
        version: "0.1.0".to_owned(),
    }
}

// `ModelCard(text).data` of huggingface_hub 2.4 reads from this: the base model, the dataset, the
// tags, and two `EvalResult`s with the values 0.8125 and 0.8064516129032258 on e9t/nsmc.
const CARD: &str = r#"---
library_name: transformers
language:
- "ko"
license: mit
base_model: "klue/bert-base"
pipeline_tag: text-classification
tags:
- nsmc-tui
datasets:
- "e9t/nsmc"
metrics:
- accuracy
- f1
model-index:
- name: "my_outputs"
  results:
  - task:
      name: Text Classification
      type: text-classification
    dataset:
      name: "NSMC"
      type: "e9t/nsmc"
      split: "test"
    metrics:
    - name: Accuracy
      type: accuracy
      value: 0.8125
    - name: F1
      type: f1
      value: 0.8064516129032258
---

<!-- nsmc-tui wrote this model card from the metrics of the run. Proofread and complete it, then remove this comment. -->

# my_outputs

This model is a fine-tuned version of [klue/bert-base](https://huggingface.co/klue/bert-base) on the [NSMC](https://huggingface.co/datasets/e9t/nsmc) dataset.
It achieves the following results on the evaluation set:
- Loss: 0.42
- Accuracy: 0.8125
- F1: 0.8065

## How to use

In the folder of this model:

```python
from transformers import pipeline

classify = pipeline("text-classification", model=".")
print(classify("정말 재미있는 영화였다"))
```

The labels, by number from 0: negative, positive.
F1 is that of label 1, positive.

## Training and evaluation data

The [NSMC](https://huggingface.co/datasets/e9t/nsmc) dataset: 2000 training examples and 2000 evaluation examples.

## Training procedure

### Training hyperparameters

The following hyperparameters were used during training:
- learning_rate: 5e-5
- train_batch_size: 32
- eval_batch_size: 32
- seed: 42
- optimizer: Use AdamW with betas=(0.9,0.999) and epsilon=1e-8
- lr_scheduler_type: constant_with_warmup
- num_epochs: 2
- weight_decay: 0.01 on everything

### Training results

| Training Loss | Epoch | Step | Validation Loss | Accuracy | F1     |
|:-------------:|:-----:|:----:|:---------------:|:--------:|:------:|
| No log        | 1.0   | 63   | 0.5123          | 0.75     | 0.75   |
| 0.4700        | 2.0   | 126  | 0.42            | 0.8125   | 0.8065 |

![loss curves](loss_curves.png)

### Framework versions

- nsmc-tui 0.1.0
"#;

#[test]
fn a_complete_card() {
    assert_eq!(card().to_markdown(), CARD);
}

#[test]
fn unknown_values_are_left_out() {
    let sparse = ModelCard {
        base_model: None,
        dataset: HubReference { name: "mine.tsv".to_owned(), hub_name: None },
        split: None,
        language: None,
        labels: Vec::new(),
        results: None,
        hyperparameters: Vec::new(),
        evaluations: Vec::new(),
        ..card()
    };
    let text = sparse.to_markdown();
    let front = "---\nlibrary_name: transformers\npipeline_tag: text-classification\ntags:\n\
                 - nsmc-tui\nmetrics:\n- accuracy\n- f1\n---\n\n";
    assert!(text.starts_with(front), "{text}");
    assert!(text.contains("trained from random weights on the mine.tsv dataset.\n\n## How"));
    assert!(!text.contains("results") && !text.contains("label"), "{text}");

    // The front matter has finite metrics only.
    let metrics = CardMetrics { loss: f64::NAN, accuracy: 1.0, f1: f64::NAN };
    let text = ModelCard { results: Some(metrics), ..sparse }.to_markdown();
    assert!(text.contains("      type: \"mine.tsv\"\n    metrics:\n"), "{text}");
    assert!(text.contains("      value: 1.0\n---\n") && text.contains("- Loss: NaN\n"), "{text}");
}

#[test]
fn pairs_are_used_as_the_pipeline_takes_them() {
    let columns = ["premise", "hypo_*"].map(str::to_owned);
    let text = ModelCard { text_pair_columns: Some(columns), ..card() }.to_markdown();
    // transformers' TextClassificationPipeline takes such a dictionary.
    let call = r#"print(classify({"text": "A man sleeps.", "text_pair": "A man is awake."}))"#;
    assert!(text.contains(call), "{text}");
    assert!(text.contains(r"`text` is premise, `text_pair` is hypo\_\*."), "{text}");
}

#[test]
fn the_form_of_texts_for_python_is_said() {
    let text = ModelCard { needs_nfc: true, ..card() }.to_markdown();
    assert!(text.contains("Texts must be in Unicode's NFC: decomposed Hangul"), "{text}");
}

#[test]
fn the_mean_of_all_tokens_is_computed_in_python() {
    for (module, is_encoder, expected) in [
        ("bert.pooler", false, "model.bert.pooler.register_forward_pre_hook(read_mean)"),
        ("distilbert", true, "model.distilbert.register_forward_hook(read_mean)"),
    ] {
        let mean_pooling_hook = Some(MeanPoolingHook { module, is_encoder });
        let text = ModelCard { mean_pooling_hook, ..card() }.to_markdown();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("import pipeline"), "{text}");
    }
}

#[test]
fn names_are_escaped_everywhere() {
    let hostile = "a\"\n---\nlicense: mit\u{2028}# <b>|*x*_ [y](z) `w`";
    let reference =
        HubReference { name: hostile.to_owned(), hub_name: Some("a/b\nlicense: mit".to_owned()) };
    let text = ModelCard {
        model_name: hostile.to_owned(),
        base_model: Some(reference.clone()),
        dataset: reference,
        split: Some(hostile.to_owned()),
        language: Some(hostile.to_owned()),
        labels: vec![hostile.to_owned(); 2],
        ..card()
    }
    .to_markdown();
    let in_yaml = r#""a\"\u000a---\u000alicense: mit\u2028# <b>|*x*_ [y](z) `w`""#;
    let in_text = r#"a" --- license: mit�\# \<b\>\|\*x\*\_ \[y\](z) \`w\`"#;
    assert!(text.contains(&format!("\n- name: {in_yaml}\n")), "{text}");
    assert!(text.contains(&format!("\n# {in_text}\n")), "{text}");
    // Every occurrence of the name is escaped.
    assert_eq!(text.matches(in_yaml).count(), 5);
    assert_eq!(text.matches(in_text).count(), 7);
    assert_eq!(text.lines().filter(|line| *line == "---").count(), 2);
    assert!(!text.contains("base_model") && !text.contains("\nlicense"), "{text}");
}

#[test]
fn strings_of_any_script_are_valid_yaml() {
    assert_eq!(quoted("한글 é 𠀀"), "\"한글 é 𠀀\"");
    assert_eq!(quoted("\u{7f}\u{85}\u{feff}—👍\\"), r#""\u007f\u0085\ufeff\u2014\U0001f44d\\""#);
}

#[test]
fn names_that_are_invalid_on_the_hub_are_not_linked() {
    let is_valid = |name: &str| {
        let hub_name = Some(name.to_owned());
        HubReference { name: String::new(), hub_name }.hub_id().is_some()
    };
    for name in ["nsmc", "e9t/nsmc", "klue/bert-base", "a/b_c.d", "_a/b"] {
        assert!(is_valid(name), "{name}");
    }
    let too_long = "a".repeat(97);
    for name in ["", "/", "a/", "a/b/c", "./a", "../a", "a--b", "a..b", "a b", "한글", &too_long]
    {
        assert!(!is_valid(name), "{name}");
    }
}

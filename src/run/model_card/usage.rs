//! How to use a saved model in Python.

use super::ModelCard;
use std::fmt::Write;

/// The lines of Python that ask the model.
pub(super) fn write(text: &mut String, card: &ModelCard) -> std::fmt::Result {
    let is_pair = card.text_pair_columns.is_some();
    let texts = match card.language.as_deref() {
        _ if is_pair => ["A man sleeps.", "A man is awake."],
        Some("ko") => ["정말 재미있는 영화였다", ""],
        _ => ["What a film!", ""],
    };
    writeln!(text, "\n## How to use\n\nIn the folder of this model:\n\n```python")?;
    if let Some(head) = card.mean_pooling_head {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        let texts = texts.map(|text| format!("[\"{text}\"]")).collect::<Vec<_>>().join(", ");
        return writeln!(
            text,
            "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n\
             tokenizer = AutoTokenizer.from_pretrained(\".\")\n\
             model = AutoModelForSequenceClassification.from_pretrained(\".\").eval()\n\n\n\
             def read_mean(_, states):\n    \
             mask = inputs[\"attention_mask\"].unsqueeze(-1)\n    \
             return ((states[0] * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True),)\n\n\n\
             model.{head}.register_forward_pre_hook(read_mean)\n\
             inputs = tokenizer({texts}, padding=True, return_tensors=\"pt\")\n\
             print(model(**inputs).logits.softmax(-1))\n```\n\n\
             The head reads the mean of all tokens, which `read_mean` computes; without it, \
             transformers gives the head the first token, and the answers are others.\n"
        );
    }
    let example = match texts {
        [first, ""] => format!("\"{first}\""),
        [first, second] => format!("{{\"text\": \"{first}\", \"text_pair\": \"{second}\"}}"),
    };
    writeln!(
        text,
        "from transformers import pipeline\n\n\
         classify = pipeline(\"text-classification\", model=\".\")\n\
         print(classify({example}))\n```\n"
    )
}

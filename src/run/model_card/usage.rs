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
    if let Some(hook) = card.mean_pooling_hook {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        let texts = texts.map(|text| format!("[\"{text}\"]")).collect::<Vec<_>>().join(", ");
        let mean = "((states * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True))";
        let mask = "mask = inputs[\"attention_mask\"].unsqueeze(-1)";
        let module = hook.module;
        let hook = if hook.is_encoder {
            format!(
                "def read_mean(_, states, output):\n    {mask}\n    \
                 states = output.last_hidden_state\n    output.last_hidden_state = {mean}\n    \
                 return output\n\n\nmodel.{module}.register_forward_hook(read_mean)"
            )
        } else {
            format!(
                "def read_mean(_, arguments):\n    {mask}\n    states = arguments[0]\n    \
                 return ({mean}, *arguments[1:])\n\n\n\
                 model.{module}.register_forward_pre_hook(read_mean)"
            )
        };
        return writeln!(
            text,
            "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n\
             tokenizer = AutoTokenizer.from_pretrained(\".\")\n\
             model = AutoModelForSequenceClassification.from_pretrained(\".\").eval()\n\n\n\
             {hook}\n\
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

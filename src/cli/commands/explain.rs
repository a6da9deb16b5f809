//! The attributions of `predict --explain`.

use crate::core::attribution::{Attribution, ExplainMethod};
use crate::core::predict::Prediction;
use crate::core::text::sanitize_for_terminal;
use anyhow::ensure;
use serde::Serialize;
use std::io::Write;

/// A prediction with the attributions of its tokens, as `--json` prints it.
#[derive(Serialize)]
pub struct Explained<'a> {
    #[serde(flatten)]
    pub prediction: &'a Prediction,
    #[serde(flatten)]
    pub attribution: &'a Attribution,
}

/// Checks that a method can be computed with the other flags.
///
/// # Errors
/// If it cannot.
pub fn check(method: ExplainMethod, int8: bool) -> anyhow::Result<()> {
    ensure!(
        !int8 || method != ExplainMethod::IntegratedGradients,
        "--explain integrated_gradients needs gradients, which 8-bit weights do not have: leave out \
         --int8, or pass --explain occlusion"
    );
    Ok(())
}

/// Writes the attribution and the name of each token.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut impl Write,
    prediction: &Prediction,
    attribution: &Attribution,
) -> std::io::Result<()> {
    for (token, value) in prediction.tokens.iter().zip(&attribution.values) {
        writeln!(out, "  {value:+.4}\t{}", sanitize_for_terminal(token))?;
    }
    if let Some(gap) = attribution.attribution_gap {
        writeln!(out, "  {gap:+.4}\t(attribution_gap)")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained() -> (Prediction, Attribution) {
        let prediction = Prediction {
            text: "최고".to_owned(),
            text_pair: None,
            label: "positive".to_owned(),
            score: 0.75,
            probabilities: vec![0.25, 0.75],
            calibrated_probabilities: None,
            compared: None,
            logits: vec![0.0, 1.0],
            tokens: ["[CLS]", "최고", "\u{1b}[0m", "[SEP]"].map(str::to_owned).to_vec(),
            truncated: false,
            unknown: 0,
        };
        let attribution = Attribution {
            values: vec![0.0, 0.5, -0.25, 0.0],
            baseline: "[MASK]".to_owned(),
            attribution_gap: None,
        };
        (prediction, attribution)
    }

    #[test]
    fn json_has_one_attribution_a_token() -> anyhow::Result<()> {
        let (prediction, attribution) = explained();
        let both = Explained { prediction: &prediction, attribution: &attribution };
        let json = serde_json::to_value(both)?;
        assert_eq!(json["label"], "positive");
        assert_eq!(json["attributions"], serde_json::json!([0.0, 0.5, -0.25, 0.0]));
        assert_eq!((&json["baseline"], &json["attribution_gap"]), (&"[MASK]".into(), &().into()));
        assert!(json.get("text_pair").is_none());
        Ok(())
    }

    #[test]
    fn text_has_one_line_a_token() -> anyhow::Result<()> {
        let (prediction, mut attribution) = explained();
        attribution.attribution_gap = Some(0.00012);
        let mut out = Vec::new();
        write(&mut out, &prediction, &attribution)?;
        let out = String::from_utf8(out)?;
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!((lines.len(), lines[1]), (5, "  +0.5000\t최고"));
        assert!(!out.contains('\u{1b}') && lines[2].starts_with("  -0.2500\t"));
        assert_eq!(lines[4], "  +0.0001\t(attribution_gap)");
        Ok(())
    }
}

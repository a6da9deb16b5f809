//! A second model on the same rows.

use super::on_rows::{RowResult, evaluate_rows};
use crate::cli::commands::saved::{self, SavedModel};
use crate::cli::flags::{EvaluateFlags, SavedModelFlags};
use crate::cli::output::print_to_stderr;
use crate::core::statistics::{
    BootstrapDifferences, PairedCounts, PairedPrediction, RESAMPLES, bootstrap_differences,
};
use crate::core::train::event::Metrics;
use crate::run::dataset::EvaluationRows;
use serde_json::{Value, json};
use std::io::Write;

/// The model to compare with.
pub(super) struct OtherModel {
    name: String,
    saved: SavedModel,
    /// Its class id for each class id of the first model.
    class_ids: Vec<u32>,
}

/// Loads the model with this name, whose classes must be those of the first model.
///
/// # Errors
/// If it cannot be loaded, or has other classes.
pub(super) fn load(
    flags: &EvaluateFlags,
    name: &str,
    labels: &[String],
) -> anyhow::Result<OtherModel> {
    let model = SavedModelFlags {
        model_name_or_path: name.to_owned(),
        revision: "main".to_owned(),
        max_seq_length: flags.model.max_seq_length,
    };
    let saved = saved::load(&model)?;
    let own = &saved.model.config().labels;
    let id_of = |label| own.iter().position(|own| own == label).map(|id| id as u32);
    let class_ids: Option<Vec<u32>> = labels.iter().map(id_of).collect();
    let Some(class_ids) = class_ids.filter(|_| own.len() == labels.len()) else {
        anyhow::bail!(
            "--against {name}: its classes are {}, but those of {} are {}. Compare models with the \
             same classes",
            own.join(", "),
            flags.model.model_name_or_path,
            labels.join(", ")
        );
    };
    Ok(OtherModel { name: name.to_owned(), saved, class_ids })
}

impl OtherModel {
    /// Evaluates the model on the rows, whose labels are class ids of the first model, and compares
    /// it with the results of that model; `None` if the evaluation was cancelled.
    ///
    /// # Errors
    /// If the rows do not fit the model, or it cannot be computed.
    pub fn evaluate(
        self,
        flags: &EvaluateFlags,
        mut rows: EvaluationRows,
        first: &[RowResult],
    ) -> anyhow::Result<Option<Comparison>> {
        let Self { name, saved, class_ids } = self;
        print_to_stderr(format_args!("comparing with {name}"));
        let mut pairs: Vec<PairedPrediction> = rows
            .samples
            .iter()
            .zip(first)
            .map(|(sample, result)| PairedPrediction {
                label: sample.label,
                first: result.predicted,
                second: 0,
            })
            .collect();
        for sample in &mut rows.samples {
            sample.label = class_ids.get(sample.label as usize).copied().unwrap_or(sample.label);
        }
        let Some((metrics, results)) = evaluate_rows(flags, &saved, &name, &rows)? else {
            return Ok(None);
        };
        let id_of = |own: u32| class_ids.iter().position(|id| *id == own).map(|id| id as u32);
        for (pair, result) in pairs.iter_mut().zip(&results) {
            pair.second = id_of(result.predicted).unwrap_or(result.predicted);
        }
        let is_right =
            |pair: &PairedPrediction| (pair.first == pair.label, pair.second == pair.label);
        let counts = PairedCounts::of(pairs.iter().map(is_right));
        let bootstrap = bootstrap_differences(&pairs, class_ids.len());
        Ok(Some(Comparison { name, metrics, counts, bootstrap }))
    }
}

/// The comparison of two models on the same rows.
pub(super) struct Comparison {
    name: String,
    /// The metrics of the second model.
    metrics: Metrics,
    counts: PairedCounts,
    /// `None` without rows.
    bootstrap: Option<BootstrapDifferences>,
}

impl Comparison {
    /// Adds the comparison to the JSON object of the first model's metrics.
    pub fn add_to(&self, values: &mut Value) {
        let counts = self.counts;
        values["against"] = json!({
            "model_name_or_path": self.name,
            "eval_loss": number(self.metrics.eval_loss),
            "eval_accuracy": number(self.metrics.eval_accuracy),
            "eval_f1": number(self.metrics.eval_f1),
            "eval_samples": self.metrics.eval_samples,
        });
        values["both_right"] = counts.both.into();
        values["only_this_right"] = counts.first_only.into();
        values["only_against_right"] = counts.second_only.into();
        values["both_wrong"] = counts.neither.into();
        values["accuracy_difference"] = number(counts.difference());
        values["accuracy_difference_ci95"] =
            counts.difference_interval().map(number).to_vec().into();
        values["mcnemar_p"] = counts.mcnemar_p().into();
        let of = |value: fn(&BootstrapDifferences) -> [f64; 2]| {
            self.bootstrap.as_ref().map(|found| value(found).map(number).to_vec())
        };
        values["f1_difference"] = self.bootstrap.as_ref().map(|found| number(found.f1)).into();
        values["bootstrap_accuracy_difference_ci95"] = of(|found| found.accuracy).into();
        values["bootstrap_f1_difference_ci95"] = of(|found| found.f1_interval).into();
        values["bootstrap_resamples"] = RESAMPLES.into();
    }

    /// Writes the comparison as text.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, first: &Metrics, out: &mut impl Write) -> anyhow::Result<()> {
        let counts = self.counts;
        let [low, high] = counts.difference_interval();
        let points = |value: f64| format!("{:+.2}", 100.0 * value);
        writeln!(out, "\nagainst {}", self.name)?;
        for (name, this, other) in [
            ("eval_loss", first.eval_loss, self.metrics.eval_loss),
            ("eval_accuracy", first.eval_accuracy, self.metrics.eval_accuracy),
            ("eval_f1", first.eval_f1, self.metrics.eval_f1),
        ] {
            writeln!(out, "{name:<24}{other:>10.4}  ({:+.4} here)", this - other)?;
        }
        for (name, count) in [
            ("both right", counts.both),
            ("only this model right", counts.first_only),
            ("only the other right", counts.second_only),
            ("both wrong", counts.neither),
        ] {
            writeln!(out, "{name:<24}{count:>10}")?;
        }
        writeln!(
            out,
            "difference in accuracy  {} points, 95 % interval {} to {} (Bonett and Price, 2012)",
            points(counts.difference()),
            points(low),
            points(high)
        )?;
        if let Some(BootstrapDifferences { accuracy, f1, f1_interval }) = self.bootstrap {
            let [accuracy, f1_interval] = [accuracy, f1_interval].map(|ends| ends.map(points));
            writeln!(
                out,
                "  by the bootstrap      95 % interval {} to {} ({RESAMPLES} resamples)",
                accuracy[0], accuracy[1]
            )?;
            writeln!(
                out,
                "difference in F1        {} points, 95 % interval {} to {} (bootstrap)",
                points(f1),
                f1_interval[0],
                f1_interval[1]
            )?;
        }
        let p = counts.mcnemar_p();
        let p = if p < 1e-4 { "below 0.0001".to_owned() } else { format!("{p:.4}") };
        writeln!(out, "McNemar's exact test    p {p}")?;
        Ok(())
    }
}

/// A number in JSON; `null` if it is not finite.
fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

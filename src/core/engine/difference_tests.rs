//! Compares every fused backward operation with finite differences of the loss, with dropout.

use super::*;
use crate::core::data::batching::Example;
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use crate::core::ops::cpu::overwrite;
use crate::core::ops::testing::normal_values;
use serde_json::json;

/// Architecture, activation and step of the finite difference. `relu` is not differentiable at 0
/// and needs small steps, which reduce the precision of the difference. The loss of the ELECTRA model,
/// with its projection, is more curved than the others.
const CASES: [(&str, &str, f32); 6] = [
    ("bert", "gelu", 2e-3),
    ("bert", "gelu_new", 2e-3),
    ("bert", "relu", 2e-4),
    ("roberta", "gelu", 2e-3),
    ("electra", "gelu", 5e-4),
    ("deberta-v2", "gelu", 5e-4),
];

/// The case that is also tested with the CUDA kernels.
#[cfg(unix)]
const CUDA_CASE: (&str, &str) = ("bert", "gelu");

fn loss(engine: &mut dyn Engine, input: &StepInput) -> anyhow::Result<f64> {
    // With a learning rate of zero, only the moments change.
    let update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };
    let options =
        StepOptions { seed: 5, number: 7, label_smoothing_factor: 0.1, rdrop_alpha: 0.0, update };
    engine.step(input, &options)?;
    Ok(engine.step_metrics()?.loss)
}

#[test]
fn gradients_equal_finite_differences_of_the_loss() -> anyhow::Result<()> {
    for (model_type, activation, step) in CASES {
        let values = [
            ("vocab_size", json!(40)),
            ("hidden_size", json!(48)),
            ("intermediate_size", json!(80)),
            ("num_hidden_layers", json!(2)),
            ("initializer_range", json!(0.2)),
            ("model_type", json!(model_type)),
            ("hidden_act", json!(activation)),
        ];
        // Narrower than the default of 128, for the same reason.
        let narrower = (model_type == "electra").then(|| ("embedding_size", json!(32)));
        let relative = [
            ("relative_attention", json!(true)),
            ("pos_att_type", json!("p2c|c2p")),
            ("position_buckets", json!(10)),
            ("share_att_key", json!(true)),
            ("norm_rel_ebd", json!("layer_norm")),
            ("position_biased_input", json!(false)),
        ];
        let relative = relative.into_iter().filter(|_| model_type == "deberta-v2");
        let model = small_model(values.into_iter().chain(narrower).chain(relative), 3)?;
        // Token 0 is the padding token, and half of the texts are pairs (not with `relu`, whose
        // small steps suit these activations without token types).
        let pairs = u32::from(activation != "relu");
        let example = |row: u32| Example {
            ids: (0..3 + 4 * row).map(|i| (7 * i + row) % 40).collect(),
            type_ids: (0..(3 + 4 * row) * (row % 2) * pairs).map(|i| i / 3 % 2).collect(),
            label: row % 2,
        };
        let input =
            StepInput::new(vec![PackedBatch::new(&(0..6).map(example).collect::<Vec<_>>(), 0)]);
        let options = EngineOptions { device: DeviceChoice::Cpu, threads: 1, ..Default::default() };
        compare_with_differences(
            &model,
            build(&model, &options)?,
            &input,
            step,
            &format!("{model_type}, {activation}"),
        )?;
        #[cfg(unix)]
        if (model_type, activation) == CUDA_CASE {
            let gpu = tests::emulated_gpu(&model)?;
            compare_with_differences(&model, gpu, &input, step, "CUDA kernels")?;
        }
    }
    Ok(())
}

/// Compares the gradient of each parameter, along a direction, with the finite difference of the
/// loss.
fn compare_with_differences(
    model: &SequenceClassifier,
    mut engine: Box<dyn Engine>,
    input: &StepInput,
    step: f32,
    what: &str,
) -> anyhow::Result<()> {
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    engine.begin_training(settings, false)?;
    loss(engine.as_mut(), input)?;
    let gradients = engine.gradients()?;
    let tables = &model.layout().tables;
    for (parameter, (_, view)) in model.layout().parameters.iter().zip(model.parameters().iter()) {
        let at = view.flatten_all()?.to_vec1::<f32>()?;
        let mut direction = normal_values(at.len(), 1.0, 11);
        let padding = match parameter.start {
            start if start == tables.tokens => tables.padding_token,
            start if Some(start) == tables.positions => tables.padding_position,
            _ => None,
        };
        // The gradient of this row is withheld.
        if let Some(row) = padding {
            direction[row as usize * tables.width..][..tables.width].fill(0.0);
        }
        let mut loss_at = |step: f32| -> anyhow::Result<f64> {
            let moved: Vec<f32> =
                at.iter().zip(&direction).map(|(at, direction)| at + step * direction).collect();
            overwrite(view, &moved)?;
            engine.reload()?;
            loss(engine.as_mut(), input)
        };
        let (above, below) = (loss_at(step)?, loss_at(-step)?);
        overwrite(view, &at)?;
        let slope = (above - below) / f64::from(2.0 * step);
        let gradient = &gradients[parameter.start..][..parameter.len()];
        let expected: f64 =
            gradient.iter().zip(&direction).map(|(g, direction)| f64::from(g * direction)).sum();
        let name = &parameter.name;
        assert!(
            (slope - expected).abs() <= 0.02 * expected.abs() + 2e-3,
            "{what}, {name}: {slope} instead of {expected}"
        );
    }
    Ok(())
}

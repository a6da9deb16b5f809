//! Every fused backward operation held against finite differences of the loss, dropout on.

use super::*;
use crate::core::data::batching::Example;
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::ops::cpu::overwrite;
use crate::core::ops::testing::normal_values;
use serde_json::json;
use std::path::Path;

/// Architecture, activation and how far parameters are moved to either side. A rectifier's kinks
/// ask for small steps, which leave fewer digits to the difference.
const CASES: [(&str, &str, f32); 5] = [
    ("bert", "gelu", 2e-3),
    ("bert", "gelu_new", 2e-3),
    ("bert", "relu", 2e-4),
    ("roberta", "gelu", 2e-3),
    ("electra", "gelu", 2e-3),
];

/// The case that is held on the kernels of a card, too.
#[cfg(unix)]
const CASES_ON_A_CARD: (&str, &str) = ("bert", "gelu");

fn loss(engine: &mut dyn Engine, input: &StepInput) -> anyhow::Result<f64> {
    // With a rate of zero nothing changes but moments.
    let update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };
    let options = StepOptions { seed: 5, number: 7, label_smoothing_factor: 0.1, update };
    engine.step(input, &options)?;
    Ok(engine.figures()?.loss)
}

#[test]
fn gradients_are_slopes_of_the_loss() -> anyhow::Result<()> {
    for (model_type, activation, step) in CASES {
        let overrides: Vec<_> = [
            ("vocab_size", json!(40)),
            ("hidden_size", json!(48)),
            ("intermediate_size", json!(80)),
            ("num_hidden_layers", json!(2)),
            ("initializer_range", json!(0.2)),
            ("model_type", json!(model_type)),
            ("hidden_act", json!(activation)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let text = crate::core::model::config::EMBEDDED;
        let config = ModelConfig::parse(text, Path::new("config.json"), &overrides)?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 3)?;
        let example = |row: u32| Example {
            ids: (0..3 + 4 * row).map(|i| (7 * i + row) % 40).collect(),
            label: row % 2,
        };
        let input =
            StepInput::new(vec![Batch::new(&(0..6).map(example).collect::<Vec<_>>(), 0, 0)]);
        let options = EngineOptions { device: DeviceChoice::Cpu, threads: 1, ..Default::default() };
        hold(
            &model,
            build(&model, &options)?,
            &input,
            step,
            &format!("{model_type}, {activation}"),
        )?;
        // The kernels of a card have slopes of their own.
        #[cfg(unix)]
        if (model_type, activation) == CASES_ON_A_CARD {
            let card = tests::emulated_card(&model)?;
            hold(&model, card, &input, step, "a card's kernels")?;
        }
    }
    Ok(())
}

/// Holds the gradient of each parameter, along a direction, against the loss on either side.
fn hold(
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
    for (parameter, (_, view)) in model.layout().parameters.iter().zip(model.parameters().iter()) {
        let at = view.flatten_all()?.to_vec1::<f32>()?;
        let way = normal_values(at.len(), 1.0, 11);
        let mut beside = |step: f32| -> anyhow::Result<f64> {
            let moved: Vec<f32> = at.iter().zip(&way).map(|(at, way)| at + step * way).collect();
            overwrite(view, &moved)?;
            engine.reload()?;
            loss(engine.as_mut(), input)
        };
        let (above, below) = (beside(step)?, beside(-step)?);
        overwrite(view, &at)?;
        let slope = (above - below) / f64::from(2.0 * step);
        let gradient = &gradients[parameter.start..][..parameter.len()];
        let expected: f64 = gradient.iter().zip(&way).map(|(g, way)| f64::from(g * way)).sum();
        let name = &parameter.name;
        assert!(
            (slope - expected).abs() <= 0.02 * expected.abs() + 2e-3,
            "{what}, {name}: {slope} instead of {expected}"
        );
    }
    Ok(())
}

//! Compares hidden states with those of transformers. The tests of the engines compare logits and
//! gradients.

use super::*;
use crate::core::engine::pytorch_fixtures::{PyTorchFixture, fixtures};

fn largest(tensor: &Tensor) -> Result<f32> {
    tensor.abs()?.flatten_all()?.max(0)?.to_scalar()
}

#[test]
fn hidden_states_equal_those_of_transformers() -> anyhow::Result<()> {
    for PyTorchFixture { family, model, batch, expected } in fixtures()? {
        let network = ReferenceNetwork::new(&model, &Device::Cpu)?;
        let layers = model.config().encoder.num_hidden_layers;
        let none = NetworkDropouts::new(&network.dropout_probabilities, layers, None);
        let states = network.hidden_states(&batch, &none)?;
        assert_eq!(states.len(), layers + 1);
        for (i, state) in states.iter().enumerate() {
            let expected = &expected[&format!("hidden_states.{i}")];
            // The rows of padding tokens are unused, and they differ in RoBERTa.
            for (row, ids) in batch.sequences().enumerate() {
                let real = |t: &Tensor| t.narrow(0, row, 1)?.narrow(1, 0, ids.len());
                let difference = largest(&(real(state)? - real(expected)?)?)?;
                assert!(difference < 1e-5, "{family}, state {i}, row {row}: {difference}");
            }
        }
    }
    Ok(())
}

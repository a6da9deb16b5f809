//! The plain forward pass held against transformers. The engines' tests hold logits and gradients.

use super::*;
use crate::core::model::reference::references;

fn largest(tensor: &Tensor) -> Result<f32> {
    tensor.abs()?.flatten_all()?.max(0)?.to_scalar()
}

#[test]
fn hidden_states_are_transformers() -> anyhow::Result<()> {
    for reference in references()? {
        let (family, batch) = (reference.family, &reference.batch);
        let network = ReferenceNetwork::new(&reference.model, &Device::Cpu)?;
        let states = network.hidden_states(batch, &Dropouts::off())?;
        assert_eq!(states.len(), reference.model.config().encoder.num_hidden_layers + 1);
        for (i, state) in states.iter().enumerate() {
            let expected = &reference.answers[&format!("hidden_states.{i}")];
            // What stands at padding is nobody's concern, and differs in RoBERTa.
            for (row, &length) in batch.lengths.iter().enumerate() {
                let real = |t: &Tensor| t.narrow(0, row, 1)?.narrow(1, 0, length as usize);
                let difference = largest(&(real(state)? - real(expected)?)?)?;
                assert!(difference < 1e-5, "{family}, state {i}, row {row}: {difference}");
            }
        }
    }
    Ok(())
}

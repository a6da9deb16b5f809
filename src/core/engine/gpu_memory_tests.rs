//! Tests of the GPU memory needed to train a model of multilingual BERT's size, computed from the
//! allocations.

use super::*;
use crate::core::data::batching::Example;
use crate::core::model::fixtures::small_model;
use crate::core::ops::cuda::allocation_counter::AllocationCounter;
use crate::core::ops::cuda::{CudaBackend, Precision};

const GIB: f64 = (1u64 << 30) as f64;

#[test]
fn training_multilingual_bert_with_32_by_128_tokens_in_bf16_fits_into_8_gb() -> anyhow::Result<()> {
    let values = [
        ("vocab_size", 119_547),
        ("hidden_size", 768),
        ("num_hidden_layers", 12),
        ("num_attention_heads", 12),
        ("intermediate_size", 3072),
        ("max_position_embeddings", 512),
    ];
    let model = small_model(values, 1)?;
    assert_eq!(model.parameters().count(), 177_854_978, "multilingual BERT's");
    let examples = vec![Example::new((0..128).collect(), 1); 32];
    let input = StepInput::new(vec![PackedBatch::new(&examples, 0)]);
    let update = Update { learning_rate: 1e-5, max_grad_norm: 1.0 };
    let options =
        StepOptions { seed: 1, number: 1, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update };
    let peak = |precision, checkpointing| -> anyhow::Result<f64> {
        let gpu = CudaBackend::new(AllocationCounter::new(precision));
        let mut engine = fused::FusedEngine::new(gpu, &model, checkpointing, "counted".to_owned())?;
        let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
        engine.begin_training(settings, false)?;
        engine.step(&input, &options)?;
        let bytes =
            engine.peak_memory().ok_or_else(|| anyhow::anyhow!("no allocation was counted"))?;
        Ok(bytes as f64 / GIB)
    };
    let bf16 = peak(Precision::Half, false)?;
    let saved = peak(Precision::Half, true)?;
    let float32 = peak(Precision::Full, false)?;
    println!("bf16 {bf16:.2} GiB, checkpointing {saved:.2} GiB, float32 {float32:.2} GiB");
    // 8 GB minus the driver context and the cuBLAS workspace.
    assert!(bf16 * GIB < 7.0e9, "{bf16}");
    assert!(saved < bf16 && bf16 < float32, "{saved} {bf16} {float32}");
    // The lower bound: the weight and two moments of each parameter, 4 bytes each.
    assert!(saved * GIB > 177_854_978.0 * 12.0, "{saved}");
    Ok(())
}

"""Writes `tests/reference/optimizer`: what PyTorch's AdamW does in several steps with a parameter
group, and so a learning rate, for each layer, and the exponential moving average of the weights
that `torch.optim.swa_utils.AveragedModel` keeps meanwhile. Also the decisions of transformers'
`EarlyStoppingCallback` on sequences of evaluations.

The model is that of `tests/reference/electra_pairs`, whose embeddings have a projection. Most tokens
occur in few of the batches, so that their rows often have no gradient for several steps.

Needs the packages of requirements.txt; no network, no GPU, a few seconds. Usage:

    python tests/python/optimizer_fixtures.py [--output-dir tests/reference/optimizer]

All seeds are fixed, so that the same versions of the packages write the same bytes.
"""

import argparse
import json
import platform
import warnings
from pathlib import Path

from support import REFERENCE

import numpy as np
import safetensors.torch
import torch
import transformers
from torch.optim.swa_utils import AveragedModel
from transformers import (
    EarlyStoppingCallback,
    ElectraForSequenceClassification,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

STEPS = 14
RATE = 5e-3
WARMUP = 3
WEIGHT_DECAY = 0.3
LAYER_DECAY = 0.6
AVERAGE_DECAY = 0.7
# Tokens of every batch, and of those whose number is a multiple of four.
FEW, MANY = 6, 34


def batches(config):
    draw = np.random.default_rng(7)
    result = []
    for number in range(STEPS):
        longest = 9
        rows, mask = [], []
        for length in (9, 4, 7, 2):
            tokens = draw.integers(5, 5 + (MANY if number % 4 == 0 else FEW), length - 2).tolist()
            padding = longest - length
            rows.append([2, *tokens, 3] + [config.pad_token_id] * padding)
            mask.append([1] * length + [0] * padding)
        labels = [(number + i) % config.num_labels for i in range(len(rows))]
        result.append({"input_ids": rows, "attention_mask": mask, "labels": labels})
    return result


def exponent(name, layers):
    """The exponent of the layer decay: 0 for the head, layers + 1 for the embeddings."""
    if ".encoder.layer." in name:
        return layers - int(name.split(".encoder.layer.")[1].split(".")[0])
    return layers + 1 if name.startswith("electra.embeddings") else 0


def groups(model):
    """A parameter group for each rate, with and without weight decay as the Trainer has it."""
    layers = model.config.num_hidden_layers
    found = {}
    for name, parameter in model.named_parameters():
        decays = not name.endswith("bias") and "LayerNorm" not in name
        found.setdefault((exponent(name, layers), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": RATE * LAYER_DECAY**power,
            "weight_decay": WEIGHT_DECAY if decays else 0.0,
        }
        for (power, decays), parameters in found.items()
    ]


def average_of(average, current, updated):
    """TensorFlow's `ExponentialMovingAverage` with `num_updates`. `updated` counts the calls after
    the first one, which copies."""
    number = int(updated)
    decay = min(AVERAGE_DECAY, (1 + number) / (10 + number))
    return torch.lerp(average, current, 1 - decay)


def train():
    model = ElectraForSequenceClassification.from_pretrained(REFERENCE / "electra_pairs")
    # Without dropout.
    model = model.double().eval()
    optimizer = torch.optim.AdamW(groups(model), betas=(0.9, 0.999), eps=1e-8)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    averaged = AveragedModel(model, avg_fn=average_of)
    averaged.update_parameters(model)
    all_batches, trace = batches(model.config), []
    for batch in all_batches:
        optimizer.zero_grad()
        loss = model(**{k: torch.tensor(v) for k, v in batch.items()}).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(model)
        trace.append({"loss": loss.item(), "grad_norm": norm.item()})
    with torch.no_grad():
        logits = averaged(**{k: torch.tensor(v) for k, v in all_batches[0].items()}).logits
    tensors = dict(model.named_parameters())
    tensors |= {f"average.{name}": p for name, p in averaged.module.named_parameters()}
    tensors["average_logits"] = logits
    tensors = {name: t.detach().float().contiguous() for name, t in tensors.items()}
    return all_batches, trace, tensors


def early_stopping():
    """The counter of `EarlyStoppingCallback` after each evaluation, up to the one that stops, with
    the best metric kept as `Trainer._determine_best_metric` does."""
    sequences = [
        [0.9, 0.8, 0.7, 0.7, 0.75, 0.6, 0.61, 0.62, 0.63, 0.5],
        [0.5, 0.51, 0.505, 0.515, 0.52, 0.52, 0.52, 0.52],
        [0.5, 0.5, 0.5, 0.5],
        [float("nan"), 0.5, float("nan"), 0.4, 0.3, float("nan"), float("nan")],
        [float("nan"), float("nan"), 0.5],
        [float("inf"), 1.0, 2.0, 0.0],
        [0.0, 0.25, 0.5, 0.5, 0.25, 0.75],
    ]
    cases = []
    for values in sequences:
        for patience in (1, 2, 3):
            for threshold in (0.0, 0.01, 0.25):
                # The program takes an infinite metric as none, so it is never the best.
                for greater in (False,) if float("inf") in values else (False, True):
                    cases.append(decisions(values, patience, threshold, greater))
    return cases


def decisions(values, patience, threshold, greater):
    callback = EarlyStoppingCallback(patience, threshold)
    arguments = TrainingArguments(
        "unused", metric_for_best_model="f1", greater_is_better=greater, report_to="none"
    )
    state, control = TrainerState(), TrainerControl()
    counters = []
    for value in values:
        callback.on_evaluate(arguments, state, control, {"eval_f1": value})
        counters.append(callback.early_stopping_patience_counter)
        if state.best_metric is None:
            state.best_metric = float("-inf") if greater else float("inf")
        if (np.greater if greater else np.less)(value, state.best_metric):
            state.best_metric = value
        if control.should_training_stop:
            break
    # JSON has no NaN and no infinity.
    shown = [value if np.isfinite(value) else str(value) for value in values]
    return {
        "values": shown,
        "patience": patience,
        "threshold": threshold,
        "greater_is_better": greater,
        "counters": counters,
        "stops": control.should_training_stop,
        "state": callback.state(),
    }


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=REFERENCE / "optimizer")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    folder = args.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    all_batches, trace, tensors = train()
    safetensors.torch.save_file(tensors, folder / "after.safetensors")
    about = {
        "what": "Training of tests/reference/electra_pairs without dropout, with AdamW in parameter "
        "groups: batches, the loss and the gradient norm of each step. after.safetensors: the "
        "weights after the last step, their average as average.NAME, and its logits of the first "
        "batch; float64 arithmetic stored as float32. Written by tests/python/optimizer_fixtures.py",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "learning_rate": RATE,
        "warmup_steps": WARMUP,
        "weight_decay": WEIGHT_DECAY,
        "layerwise_lr_decay": LAYER_DECAY,
        "ema_decay": AVERAGE_DECAY,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    for key, items in (("batches", all_batches), ("trace", trace)):
        rows = ",\n  ".join(json.dumps(item) for item in items)
        lines.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
    (folder / "steps.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    cases = early_stopping()
    rows = ",\n ".join(json.dumps(case) for case in cases)
    (folder / "early_stopping.json").write_text(f"[\n {rows}\n]\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size:,} bytes, {len(trace)} steps, {len(cases)} decisions")


if __name__ == "__main__":
    run()

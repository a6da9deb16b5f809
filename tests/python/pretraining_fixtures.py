"""Writes `tests/reference/pretraining/{bert,roberta,electra}` (masked language modeling) and
`tests/reference/pretraining/replaced` (ELECTRA's replaced tokens): the losses and gradients of
transformers on random weights, with which the Rust tests compare the program's pretraining.

Needs the packages of requirements.txt; no network, no GPU, a few seconds. Usage:

    python tests/python/pretraining_fixtures.py [--output-dir tests/reference/pretraining]

Each folder gets `config.json`, `model.safetensors`, `reference.json` (a masked batch and the losses)
and `reference.safetensors` (the gradient of every parameter; float64 stored as float32).
"""

import argparse
import json
from pathlib import Path

from support import REFERENCE, widen

import numpy as np
import safetensors.torch
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    RobertaConfig,
    RobertaForMaskedLM,
)

SMALLEST = {
    "vocab_size": 40,
    "num_hidden_layers": 2,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 42,
}
LENGTHS = [11, 30, 4, 7]
MASK = 39


def bert():
    return BertForMaskedLM(BertConfig(**SMALLEST, hidden_act="gelu_new"))


def roberta():
    return RobertaForMaskedLM(RobertaConfig(**SMALLEST, type_vocab_size=1, pad_token_id=1))


def electra():
    return ElectraForMaskedLM(ElectraConfig(**SMALLEST, embedding_size=8))


def batch_of(config, seed):
    """Padded rows, some of whose tokens are masked, replaced at random or kept."""
    draw = np.random.default_rng(seed + 100)
    longest = max(LENGTHS)
    rows, attended, labels = [], [], []
    for length in LENGTHS:
        tokens = draw.integers(5, MASK, length - 2).tolist()
        padding = [config.pad_token_id] * (longest - length)
        row = [2, *tokens, 3, *padding]
        label = [-100] * longest
        for at in draw.choice(np.arange(1, length - 1), max(1, length // 5), replace=False):
            label[at] = row[at]
            row[at] = [MASK, MASK, int(draw.integers(5, MASK)), row[at]][int(draw.integers(4))]
        rows.append(row)
        labels.append(label)
        attended.append([1] * length + [0] * len(padding))
    return {"input_ids": rows, "attention_mask": attended, "labels": labels}


def tensors(batch):
    return {name: torch.tensor(rows) for name, rows in batch.items()}


def save(folder, about, gradients):
    gradients = {f"grad.{n}": g.float().contiguous() for n, g in gradients.items()}
    safetensors.torch.save_file(gradients, folder / "reference.safetensors")
    (folder / "reference.json").write_text(json.dumps(about) + "\n", encoding="utf-8")


def masked(folder, make, seed):
    """The mean cross-entropy over the masked tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    model = widen(make(), seed).eval()
    model.save_pretrained(folder)
    batch = batch_of(model.config, seed)
    model.double()
    loss = model(**tensors(batch)).loss
    loss.backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    save(folder, {**batch, "loss": loss.item()}, gradients)


def replaced(folder, seed):
    """ELECTRA's pretraining loss: the generator's cross-entropy over masked tokens, plus 50 times the
    discriminator's binary cross-entropy over all tokens. Both share the embeddings with their
    normalization; the generator projects them to its width."""
    folder.mkdir(parents=True, exist_ok=True)
    config = ElectraConfig(**SMALLEST, embedding_size=8)
    sizes = {"hidden_size": 6, "num_attention_heads": 1, "intermediate_size": 10}
    small = ElectraConfig(**{**SMALLEST, **sizes, "num_hidden_layers": 1}, embedding_size=8)
    model = widen(ElectraForPreTraining(config), seed).eval()
    generator = widen(ElectraForMaskedLM(small), seed + 1).eval()
    generator.electra.embeddings = model.electra.embeddings
    generator.generator_lm_head.weight = model.electra.embeddings.word_embeddings.weight
    batch = batch_of(config, seed)
    draw = np.random.default_rng(seed + 300)
    proposed = [[-1] * len(row) for row in batch["labels"]]
    given = []
    for i, row in enumerate(batch["labels"]):
        ids = list(batch["input_ids"][i])
        for at, label in enumerate(row):
            if label >= 0:
                # Half of the proposed tokens are the original ones, which do not count as replaced.
                ids[at] = proposed[i][at] = label if draw.random() < 0.5 else int(draw.integers(5, 39))
        given.append(ids)
    original = [
        [label if label >= 0 else token for token, label in zip(row, labels)]
        for row, labels in zip(batch["input_ids"], batch["labels"])
    ]
    is_replaced = [[int(a != b) for a, b in zip(x, y)] for x, y in zip(given, original)]

    def named():
        for name, parameter in model.named_parameters():
            yield name, parameter
        for name, parameter in generator.named_parameters():
            if name.startswith("electra.embeddings."):
                continue
            if name != "generator_lm_head.weight":
                yield name.replace("electra.", "generator."), parameter

    parameters = {n: p.detach().float().contiguous().clone() for n, p in named()}
    safetensors.torch.save_file(parameters, folder / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)
    # The shared table moves with the model: convert it once, in place.
    model.double()
    generator.double()
    generator.generator_lm_head.weight = model.electra.embeddings.word_embeddings.weight
    attended = torch.tensor(batch["attention_mask"])
    language = generator(**tensors(batch)).loss
    told = model(
        input_ids=torch.tensor(given), attention_mask=attended, labels=torch.tensor(is_replaced)
    ).loss
    (language + 50 * told).backward()
    about = {**batch, "proposed": proposed, "generator": language.item(), "discriminator": told.item()}
    save(folder, about, {n: p.grad for n, p in named() if p.grad is not None})


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=REFERENCE / "pretraining")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed, make in enumerate([bert, roberta, electra], 31):
        masked(args.output_dir / make.__name__, make, seed)
    replaced(args.output_dir / "replaced", 41)


if __name__ == "__main__":
    run()

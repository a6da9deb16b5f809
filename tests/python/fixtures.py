"""Writes `tests/reference/{roberta,xlm_roberta,electra,electra_same_size,distilbert}` and
`{deberta,deberta_apart,deberta_keys,deberta_absolute}`: the logits, hidden states and gradients of
transformers on random weights, with which the Rust tests compare the program's models.
`{bert_pairs,roberta_padding,electra_pairs}` are the same for pairs of texts, with token types, and
for texts that contain the padding token. `{bert_mean,roberta_mean}` have heads that read the mean
of all tokens instead of the first token.

Needs the packages of requirements.txt; no network, no GPU, a few seconds. Usage:

    python tests/python/fixtures.py [--output-dir tests/reference] [--only NAME]

Each folder gets `config.json` and `model.safetensors` as `save_pretrained` writes them,
`reference.json` (one batch) and `reference.safetensors` (the results of transformers). All seeds
are fixed, so that the same versions of the packages write the same bytes.
"""

import argparse
import json
import platform

from support import REFERENCE, widen

import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)
from pathlib import Path

SMALL = {
    "vocab_size": 120,
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 48,
}
# The tokens of each row of the batch, with [CLS] and [SEP]. The longest uses all positions.
LENGTHS = [11, 40, 2, 23, 7]


def roberta():
    """Like klue/roberta: [PAD] is 1 and positions start after it; one token type, three classes."""
    return RobertaForSequenceClassification(
        RobertaConfig(
            **SMALL,
            max_position_embeddings=42,
            type_vocab_size=1,
            layer_norm_eps=1e-5,
            bos_token_id=0,
            pad_token_id=1,
            eos_token_id=2,
            id2label={0: "부정", 1: "neutral", 2: "긍정"},
            label2id={"부정": 0, "neutral": 1, "긍정": 2},
        )
    )


def electra():
    """Like koelectra-small: embeddings narrower than the layers, with `embeddings_project`; two
    classes with default names."""
    return ElectraForSequenceClassification(
        ElectraConfig(
            **SMALL, embedding_size=12, max_position_embeddings=40, type_vocab_size=2, num_labels=2
        )
    )


def electra_same_size():
    """Like koelectra-base: embeddings as wide as the layers, without `embeddings_project`."""
    return ElectraForSequenceClassification(
        ElectraConfig(
            **SMALL,
            embedding_size=24,
            max_position_embeddings=40,
            type_vocab_size=2,
            id2label={0: "부정", 1: "긍정"},
            label2id={"부정": 0, "긍정": 1},
        )
    )


SMALLEST = {
    "vocab_size": 40,
    "num_hidden_layers": 2,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "intermediate_size": 20,
}


def bert_pairs():
    """Two token types, and a padding token other than 0."""
    return BertForSequenceClassification(
        BertConfig(
            **SMALLEST,
            max_position_embeddings=40,
            type_vocab_size=2,
            pad_token_id=4,
            id2label={0: "no", 1: "yes", 2: "maybe"},
            label2id={"no": 0, "yes": 1, "maybe": 2},
        )
    )


def roberta_padding():
    """One token type; [PAD] is 4, so that positions start at 5."""
    return RobertaForSequenceClassification(
        RobertaConfig(
            **SMALLEST, max_position_embeddings=45, type_vocab_size=1, pad_token_id=4, num_labels=2
        )
    )


def electra_pairs():
    """Three token types, of which pairs use two, and narrow embeddings."""
    return ElectraForSequenceClassification(
        ElectraConfig(
            **SMALLEST,
            embedding_size=8,
            max_position_embeddings=40,
            type_vocab_size=3,
            pad_token_id=4,
            num_labels=2,
        )
    )


def reads_mean(model):
    """The model with a head that reads the mean of the tokens that are attended to. The heads of
    transformers read the first row of what they are given, so they are given the mean."""
    head = model.bert.pooler if model.config.model_type == "bert" else model.classifier

    def take_mask(_, arguments, named):
        model.attended = named["attention_mask"].unsqueeze(-1)

    def take_mean(_, arguments):
        total = (arguments[0] * model.attended).sum(1, keepdim=True)
        return (total / model.attended.sum(1, keepdim=True), *arguments[1:])

    model.config.classifier_pooling = "mean"
    model.register_forward_pre_hook(take_mask, with_kwargs=True)
    head.register_forward_pre_hook(take_mean)
    return model


def bert_mean():
    """A head on the mean of all tokens, in the manner of sentence-transformers."""
    return reads_mean(
        BertForSequenceClassification(
            BertConfig(**SMALLEST, max_position_embeddings=40, type_vocab_size=2, num_labels=2)
        )
    )


def roberta_mean():
    """As `bert_mean`, with RoBERTa's positions and its dropout before the head."""
    return reads_mean(
        RobertaForSequenceClassification(
            RobertaConfig(
                **SMALLEST,
                max_position_embeddings=42,
                type_vocab_size=1,
                pad_token_id=1,
                num_labels=3,
            )
        )
    )


def xlm_roberta():
    """One token type, and a padding token within the texts, as `roberta_padding`, with the defaults
    of XLM-RoBERTa: [PAD] is 1."""
    return XLMRobertaForSequenceClassification(
        XLMRobertaConfig(**SMALLEST, max_position_embeddings=42, type_vocab_size=1, num_labels=3)
    )


DISTILBERT = {"vocab_size": 40, "n_layers": 2, "dim": 12, "n_heads": 2, "hidden_dim": 20}


def distilbert():
    """No token types, and a head with ReLU."""
    return DistilBertForSequenceClassification(
        DistilBertConfig(**DISTILBERT, max_position_embeddings=40, pad_token_id=4, num_labels=3)
    )


def deberta():
    """Like kakaobank/kf-deberta-base and deberta-v3: distances in 16 logarithmic buckets, of which the
    longest row uses all, keys and queries of positions by the weights of the tokens' own, normalized
    relative embeddings, and no absolute positions."""
    return DebertaV2ForSequenceClassification(
        DebertaV2Config(
            **SMALL,
            max_position_embeddings=40,
            relative_attention=True,
            position_buckets=16,
            pos_att_type="p2c|c2p",
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
            cls_dropout=0.15,
            num_labels=3,
        )
    )


def deberta_apart():
    """Keys and queries of positions by weights of their own, distances cut off at 12, absolute
    positions and two token types."""
    return DebertaV2ForSequenceClassification(
        DebertaV2Config(
            **SMALLEST,
            max_position_embeddings=40,
            type_vocab_size=2,
            pad_token_id=4,
            relative_attention=True,
            max_relative_positions=12,
            pos_att_type=["c2p", "p2c"],
            pooler_dropout=0.2,
            pooler_hidden_act="tanh",
            num_labels=2,
        )
    )


def deberta_keys():
    """Only keys of positions, by the weights of the tokens' keys."""
    return DebertaV2ForSequenceClassification(
        DebertaV2Config(
            **SMALLEST,
            max_position_embeddings=40,
            relative_attention=True,
            position_buckets=10,
            max_relative_positions=30,
            pos_att_type=["c2p"],
            share_att_key=True,
            position_biased_input=False,
            type_vocab_size=1,
            num_labels=2,
        )
    )


def deberta_absolute():
    """What the default configuration has: no relative positions."""
    return DebertaV2ForSequenceClassification(
        DebertaV2Config(**SMALLEST, max_position_embeddings=40, pos_att_type="p2c", num_labels=2)
    )


# Each model, its seed, and the ids of [CLS] and [SEP].
MODELS = {
    "roberta": (roberta, 11, 0, 2),
    "electra": (electra, 12, 2, 3),
    "electra_same_size": (electra_same_size, 13, 2, 3),
    "bert_pairs": (bert_pairs, 14, 2, 3),
    "roberta_padding": (roberta_padding, 15, 2, 3),
    "electra_pairs": (electra_pairs, 16, 2, 3),
    "bert_mean": (bert_mean, 17, 2, 3),
    "roberta_mean": (roberta_mean, 18, 2, 3),
    "xlm_roberta": (xlm_roberta, 19, 0, 2),
    "distilbert": (distilbert, 20, 2, 3),
    "deberta": (deberta, 21, 2, 3),
    "deberta_apart": (deberta_apart, 22, 2, 3),
    "deberta_keys": (deberta_keys, 23, 2, 3),
    "deberta_absolute": (deberta_absolute, 24, 2, 3),
}


def batch_of(config, seed, cls_id, sep_id):
    """Rows of different lengths, padded on the right with the model's padding token."""
    draw = np.random.default_rng(seed + 100)
    longest = max(LENGTHS)
    rows, mask = [], []
    for length in LENGTHS:
        tokens = draw.integers(5, config.vocab_size, length - 2).tolist()
        padding = longest - length
        rows.append([cls_id, *tokens, sep_id] + [config.pad_token_id] * padding)
        mask.append([1] * length + [0] * padding)
    labels = [i % config.num_labels for i in range(len(LENGTHS))]
    return {"input_ids": rows, "attention_mask": mask, "labels": labels}


def batch_of_pairs(config, seed, cls_id, sep_id):
    """As `batch_of`, with the padding token inside some texts, where it is attended to. All rows
    but the middle one are pairs, whose second texts have type 1 if the model has it."""
    batch = batch_of(config, seed, cls_id, sep_id)
    draw = np.random.default_rng(seed + 200)
    batch["token_type_ids"] = [[0] * len(row) for row in batch["input_ids"]]
    for i, length in enumerate(LENGTHS):
        row, middle = batch["input_ids"][i], length // 2
        if i != 2:
            row[middle] = sep_id
            if config.type_vocab_size > 1:
                batch["token_type_ids"][i][middle + 1 : length] = [1] * (length - middle - 1)
        if length > 8:
            for at in draw.choice(np.arange(1, length - 1), 3, replace=False):
                row[at] = config.pad_token_id
            row[3] = row[4] = config.pad_token_id
    return batch


def to_json(value):
    """JSON with one row of numbers a line."""
    lines = []
    for key, item in value.items():
        text = json.dumps(item, ensure_ascii=False)
        if isinstance(item, list) and isinstance(item[0], list):
            text = "[\n  " + ",\n  ".join(json.dumps(row) for row in item) + "\n ]"
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(folder, make, seed, cls_id, sep_id):
    folder.mkdir(parents=True, exist_ok=True)
    model = widen(make(), seed).eval()
    model.save_pretrained(folder)
    has_pairs = make in (bert_pairs, roberta_padding, electra_pairs, xlm_roberta, deberta_apart)
    make_batch = batch_of_pairs if has_pairs else batch_of
    batch = make_batch(model.config, seed, cls_id, sep_id)

    model.double()
    output = model(**{k: torch.tensor(v) for k, v in batch.items()}, output_hidden_states=True)
    output.loss.backward()

    tensors = {"logits": output.logits, "loss": output.loss.reshape(1)}
    for i, state in enumerate(output.hidden_states):
        tensors[f"hidden_states.{i}"] = state
    for name, parameter in model.named_parameters():
        tensors[f"grad.{name}"] = parameter.grad
    tensors = {name: t.detach().float().contiguous() for name, t in tensors.items()}
    safetensors.torch.save_file(tensors, folder / "reference.safetensors")

    about = {
        "what": f"{type(model).__name__} on random weights (seed {seed}), dropout off, one batch "
        f"of {len(LENGTHS)} padded rows. reference.safetensors: logits, the mean cross-entropy as "
        "loss, hidden_states.0 (what the first layer gets) to hidden_states.2 (what the last "
        "gives) and grad.NAME of every parameter; padding's hidden states mean nothing; float64 "
        "arithmetic stored as float32. Written by tests/python/fixtures.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "safetensors": safetensors.__version__,
        },
    }
    (folder / "reference.json").write_text(to_json({**about, **batch}), encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size:,} bytes, {len(list(model.named_parameters()))} parameters")


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=REFERENCE)
    parser.add_argument("--only", choices=MODELS, help="write only this folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, model in MODELS.items():
        if args.only in (None, name):
            write(args.output_dir / name, *model)


if __name__ == "__main__":
    run()

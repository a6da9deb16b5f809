"""Writes `tests/reference/attributions.json`: which tokens lead to the predicted class, by occlusion
and by integrated gradients, with which the Rust tests compare the program's attributions.

Needs the packages of requirements.txt; no network, no GPU, a minute. Usage:

    python tests/python/attribution_fixtures.py [--output FILE]

The models are those of `fixtures.py`. All seeds are fixed, so that the same versions of the packages
write the same bytes.
"""

import argparse
import json
from pathlib import Path

from support import REFERENCE

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification

# Each model with the ids of its [CLS], [SEP] and of the token that replaces others, and the lengths of
# the texts; a length of two numbers is a pair's.
CASES = {
    "bert": (2, 3, 4, [9, 16]),
    "bert_pairs": (2, 3, 5, [8, (6, 7)]),
    "roberta": (0, 2, 4, [9]),
    "xlm_roberta": (0, 2, 3, [7, (5, 4)]),
    "electra": (2, 3, 4, [12]),
    "distilbert": (2, 3, 4, [10]),
    "deberta": (2, 3, 4, [11]),
}
# Each of the PANELS parts of the path has eight points of Gauss-Legendre quadrature.
PANELS = 256


def text_of(config, draw, cls_id, sep_id, length):
    """Token ids and types; the second text of a pair has type 1 if the model has it."""
    content = lambda count: draw.integers(6, config.vocab_size, count).tolist()
    if isinstance(length, int):
        ids = [cls_id, *content(length), sep_id]
        return ids, [0] * len(ids)
    first, second = [cls_id, *content(length[0]), sep_id], [*content(length[1]), sep_id]
    kind = 1 if getattr(config, "type_vocab_size", 0) > 1 else 0
    return first + second, [0] * len(first) + [kind] * len(second)


def probabilities(model, types, **inputs):
    count = next(iter(inputs.values())).shape[0]
    if model.config.model_type != "distilbert":
        inputs["token_type_ids"] = torch.tensor([types] * count)
    return model(**inputs).logits.softmax(-1)


def integrated_gradients(model, ids, baseline, types, label):
    """The integral of each token's gradient times the difference of embeddings, in float64."""
    embed = model.get_input_embeddings()
    start, end = embed(torch.tensor(baseline)).detach(), embed(torch.tensor(ids)).detach()
    nodes, weights = np.polynomial.legendre.leggauss(8)
    total = torch.zeros(len(ids))
    for panel in range(PANELS):
        shares = torch.tensor((panel + (nodes + 1) / 2) / PANELS)
        points = (start + shares[:, None, None] * (end - start)).requires_grad_()
        p = probabilities(model, types, inputs_embeds=points)[:, label]
        (gradient,) = torch.autograd.grad(p.sum(), points)
        slopes = (gradient * (end - start)).sum(-1)
        total += (torch.tensor(weights)[:, None] / 2 / PANELS * slopes).sum(0)
    at = probabilities(model, types, inputs_embeds=torch.stack([start, end]))[:, label]
    change = float((at[1] - at[0]).detach())
    # The gradient of ReLU jumps, which costs accuracy.
    gap = float(total.sum()) - change
    assert abs(gap) < 1e-4 * abs(change), gap
    return total.tolist(), change


def case(name, model, draw, cls_id, sep_id, mask_id, length):
    ids, types = text_of(model.config, draw, cls_id, sep_id, length)
    special = [token in (cls_id, sep_id) for token in ids]
    with torch.no_grad():
        p = probabilities(model, types, input_ids=torch.tensor([ids]))[0]
        label = int(p.argmax())
        occlusion = []
        for index, is_special in enumerate(special):
            other = list(ids)
            other[index] = mask_id
            without = probabilities(model, types, input_ids=torch.tensor([other]))[0]
            occlusion.append(0.0 if is_special else float(p[label] - without[label]))
    baseline = [token if is_special else mask_id for token, is_special in zip(ids, special)]
    gradients, change = integrated_gradients(model, ids, baseline, types, label)
    return {
        "model": name,
        "input_ids": ids,
        "token_type_ids": types,
        "special": special,
        "replacement": mask_id,
        "class": label,
        "probability": float(p[label]),
        "occlusion": occlusion,
        "integrated_gradients": gradients,
        "change": change,
    }


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=REFERENCE / "attributions.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    cases = []
    for seed, (name, (cls_id, sep_id, mask_id, lengths)) in enumerate(CASES.items()):
        model = AutoModelForSequenceClassification.from_pretrained(
            REFERENCE / name, attn_implementation="eager"
        )
        model.double().eval()
        draw = np.random.default_rng(seed + 300)
        for length in lengths:
            cases.append(case(name, model, draw, cls_id, sep_id, mask_id, length))
            print(name, length, f"p {cases[-1]['probability']:.4f}", f"change {cases[-1]['change']:.4f}")
    lines = ",\n".join("  " + json.dumps(one) for one in cases)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    about = {
        "what": "attributions of tokens to the probability of the predicted class, in float64; written "
        "by tests/python/attribution_fixtures.py",
        "versions": versions,
    }
    text = json.dumps(about)[:-1] + f', "cases": [\n{lines}\n]}}\n'
    args.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run()

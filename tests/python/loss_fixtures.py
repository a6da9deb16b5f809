"""Writes `tests/reference/losses.json`: training losses of PyTorch and their gradients, with which
the Rust tests compare weighted cross-entropy, R-Drop and pseudo-labels.

Needs the packages of requirements.txt; no network, no GPU, a few seconds. Usage:

    python tests/python/loss_fixtures.py [--output FILE]

All seeds are fixed, so that the same versions of the packages write the same bytes.
"""

import argparse
import json
from pathlib import Path

from support import REFERENCE

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

LABELS = [0, 1, 1, 2, 1, 1, 2]
ALPHA = 0.7
PSEUDO_LABELS = [1, 0, 2]
# Unlabelled examples in a step, of which those with PSEUDO_LABELS are above the threshold.
UNLABELLED = 5
PSEUDO_WEIGHT = 0.6


def divergence(p, q):
    """R-Drop's `compute_kl_loss` (github.com/dropreg/R-Drop), for each example: half of
    KL(p || q) + KL(q || p), summed over the classes."""
    p_loss = F.kl_div(F.log_softmax(p, dim=-1), F.softmax(q, dim=-1), reduction="none")
    q_loss = F.kl_div(F.log_softmax(q, dim=-1), F.softmax(p, dim=-1), reduction="none")
    return (p_loss.sum(-1) + q_loss.sum(-1)) / 2


def case(name, logits, loss, reported=None):
    """A loss, and its gradient for each list of logits; `reported` is the part of the loss that a
    step's metrics have."""
    gradients = torch.autograd.grad(loss, logits)
    return {
        "name": name,
        "logits": [tensor.tolist() for tensor in logits],
        "loss": (loss if reported is None else reported).item(),
        "gradients": [tensor.tolist() for tensor in gradients],
    }


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=REFERENCE / "losses.json")
    args = parser.parse_args()
    torch.manual_seed(21)

    def logits(rows):
        # Values of float32, in double arithmetic.
        return (2 * torch.randn(rows, 3)).double().requires_grad_()

    labels = torch.tensor(LABELS)
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    # The program's weights are float32.
    weights = torch.tensor(balanced.astype(np.float32)).double()
    of_examples = weights[labels] / weights[labels].sum()
    p, q, unlabelled = logits(7), logits(7), logits(3)
    weighted = torch.nn.CrossEntropyLoss(weight=weights, reduction="mean")
    cross_entropies = (F.cross_entropy(p, labels) + F.cross_entropy(q, labels)) / 2
    both_weighted = (weighted(p, labels) + weighted(q, labels)) / 2
    labelled = F.cross_entropy(p, labels)
    pseudo = F.cross_entropy(unlabelled, torch.tensor(PSEUDO_LABELS), reduction="sum") / UNLABELLED
    cases = [
        case("class weights", [p], weighted(p, labels)),
        case("rdrop", [p, q], cross_entropies + ALPHA * divergence(p, q).mean()),
        case(
            "rdrop with class weights",
            [p, q],
            both_weighted + ALPHA * (of_examples * divergence(p, q)).sum(),
        ),
        case("pseudo-labels", [p, unlabelled], labelled + PSEUDO_WEIGHT * pseudo, labelled),
    ]
    content = {
        "what": "Losses of PyTorch and their gradients for the logits, in float64. Written by "
        f"tests/python/loss_fixtures.py with torch {torch.__version__}",
        "labels": LABELS,
        "class_weights": balanced.tolist(),
        "alpha": ALPHA,
        "pseudo_labels": PSEUDO_LABELS,
        "unlabelled": UNLABELLED,
        "pseudo_weight": PSEUDO_WEIGHT,
        "cases": cases,
    }
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run()

"""Writes tests/reference/statistics.json: intervals of proportions and means, and tests, by scipy.

McNemar's exact test is scipy's binomial test of the discordant pairs; the interval of the difference
of paired proportions follows Bonett and Price (2012), equation by equation. The intervals of the paired
bootstrap are percentiles of 400,000 resamples by numpy; F1 is scikit-learn's, binary or macro.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, norm, t
from sklearn.metrics import f1_score

REFERENCE = Path(__file__).parent.parent / "reference"
Z = norm.ppf(0.975)


def wilson(successes, trials):
    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return [interval.low, interval.high]


def paired(both, first, second, neither):
    n = both + first + second + neither
    p12, p21 = (first + 1) / (n + 2), (second + 1) / (n + 2)
    half = Z * ((p12 + p21 - (p12 - p21) ** 2) / (n + 2)) ** 0.5
    p = binomtest(min(first, second), first + second, 0.5).pvalue
    return {
        "counts": [both, first, second, neither],
        "p": p,
        "interval": [p12 - p21 - half, p12 - p21 + half],
    }


def student(n):
    values = np.random.default_rng(n).normal(0.8, 0.01, n)
    low, high = t.interval(0.95, n - 1, values.mean(), values.std(ddof=1) / n**0.5)
    return {"values": list(values), "mean": values.mean(), "half_width": (high - low) / 2}


def f1(classes, cells, counts, model):
    """F1 for each row of counts, shaped (resamples, cells)."""
    label, predicted = cells[:, 0], cells[:, model]
    scores, used = [], []
    for c in [1] if classes == 2 else range(classes):
        hits = counts[:, (label == c) & (predicted == c)].sum(1)
        both = counts[:, label == c].sum(1) + counts[:, predicted == c].sum(1)
        scores.append(np.where(both > 0, 2 * hits / np.maximum(both, 1), 0.0))
        used.append(both > 0)
    return np.sum(scores, 0) / np.maximum(np.sum(used, 0), 1)


def bootstrap(classes, cells):
    cells = np.array(cells)
    counts = cells[:, 3]
    n = counts.sum()
    resampled = np.random.default_rng(1).multinomial(n, counts / n, size=400_000)
    right = (cells[:, 0] == cells[:, 1]).astype(int) - (cells[:, 0] == cells[:, 2])
    accuracy = resampled @ right / n
    difference = f1(classes, cells, resampled, 1) - f1(classes, cells, resampled, 2)
    rows = np.repeat(cells, counts, axis=0)
    average = "binary" if classes == 2 else "macro"
    first, second = (f1_score(rows[:, 0], rows[:, m], average=average, zero_division=0) for m in (1, 2))
    return {
        "classes": classes,
        "cells": cells.tolist(),
        "f1": first - second,
        "accuracy": np.percentile(accuracy, [2.5, 97.5]).tolist(),
        "f1_interval": np.percentile(difference, [2.5, 97.5]).tolist(),
    }


def main():
    proportions = [(0, 1), (1, 1), (3, 10), (10, 10), (0, 25), (812, 1000), (1670, 2000), (49999, 50000)]
    counts = [
        (10, 1, 0, 2),
        (59, 6, 16, 80),
        (1500, 20, 41, 439),
        (1500, 120, 121, 259),
        (1500, 100, 100, 300),
        (40000, 2400, 2100, 5500),
        (40000, 3000, 2000, 5000),
        (100, 0, 14, 1),
    ]
    reference = {
        "wilson": [[k, n, wilson(k, n)] for k, n in proportions],
        "paired": [paired(*each) for each in counts],
        "bootstrap": [
            bootstrap(2, [[0, 0, 0, 800], [0, 0, 1, 70], [0, 1, 0, 60], [1, 1, 1, 820], [1, 0, 1, 90], [1, 1, 0, 100], [1, 0, 0, 60]]),
            bootstrap(2, [[0, 0, 0, 900], [0, 1, 0, 20], [1, 1, 1, 40], [1, 0, 1, 15], [1, 0, 0, 25]]),
            bootstrap(3, [[0, 0, 0, 300], [0, 1, 0, 30], [1, 1, 1, 200], [1, 2, 1, 40], [2, 2, 2, 90], [2, 2, 0, 25], [2, 0, 2, 15]]),
            bootstrap(5, [[0, 0, 0, 400], [1, 1, 0, 60], [1, 0, 1, 90], [2, 2, 2, 120], [2, 4, 2, 50], [3, 3, 3, 70], [3, 3, 4, 30]]),
        ],
        "student": [student(n) for n in [2, 3, 4, 5, 6, 10, 21, 200]],
    }
    (REFERENCE / "statistics.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()

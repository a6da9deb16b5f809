"""Writes tests/reference/statistics.json: intervals of proportions and means, and tests, by scipy.

McNemar's exact test is scipy's binomial test of the discordant pairs; the interval of the difference
of paired proportions follows Bonett and Price (2012), equation by equation.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, norm, t

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
        "student": [student(n) for n in [2, 3, 4, 5, 6, 10, 21, 200]],
    }
    (REFERENCE / "statistics.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()

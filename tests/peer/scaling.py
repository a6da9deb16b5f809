"""Predicts the efficiency of training with several GPUs and machines.

The time of a step of one process is given or predicted; gradients are added up by a ring all-reduce,
whose time is 2 (n - 1) / n x bytes / bandwidth + 2 (n - 1) x latency.
"""

HIDDEN, LAYERS, POSITIONS = 768, 12, 512
# Weights and biases of attention and feed-forward block, and two normalizations.
LAYER = 12 * HIDDEN * HIDDEN + 13 * HIDDEN
DENSE = LAYERS * LAYER + (POSITIONS + 2 + 2) * HIDDEN + HIDDEN * HIDDEN + HIDDEN
VOCABULARY = 32_000

# Sequences of 128 tokens a second on an H200, of which a share is reached (see the README).
PEAK, SHARE = 14_750, 0.45
BATCH = 128
# The backward pass has two of three parts of the products.
STEP = BATCH / (PEAK * SHARE)
BACKWARD = STEP * 2 / 3

NETWORKS = [
    ("8 cards, NVLink", 8, 450e9, 3e-6),
    ("8 nodes of one card, 400 Gb/s", 8, 50e9, 10e-6),
]


def ring(n, size, bandwidth, latency):
    """Seconds of a ring all-reduce of `size` bytes over `n` ranks."""
    return 2 * (n - 1) / n * size / bandwidth + 2 * (n - 1) * latency


def main():
    tokens = VOCABULARY * HIDDEN
    print(f"dense parameters {DENSE / 1e6:.1f} M, rows of the token table at most {tokens / 1e6:.1f} M")
    print(f"a step {STEP * 1e3:.1f} ms, of it backward {BACKWARD * 1e3:.1f} ms")
    for name, n, bandwidth, latency in NETWORKS:
        for width, kind in [(4, "float32"), (2, "bfloat16")]:
            dense = ring(n, DENSE * width, bandwidth, latency)
            rows = ring(n, tokens * width, bandwidth, latency)
            after = STEP / (STEP + dense + rows)
            # The rows of the token table are known only at the end of the backward pass.
            exposed = max(0.0, dense - BACKWARD) + rows
            during = STEP / (STEP + exposed)
            size = (DENSE + tokens) * width / 1e6
            print(
                f"{name}, {kind}: {size:.0f} MB, {dense * 1e3:.2f} + {rows * 1e3:.2f} ms; "
                f"efficiency {after:.1%} after the backward pass, {during:.1%} during it"
            )


main()

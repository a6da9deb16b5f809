"""The PyTorch process of `step.py`, which waits for tasks and runs training steps.

Its argument is the model and the settings as a JSON object. It first writes a line of JSON about
itself. Then each line on standard input is a task,

    {"lengths": [24, 31, …], "steps": 20, "warmup": 3}

and each line on standard output its result: milliseconds of a step, or `{"error": …}`.
"""

import itertools
import json
import math
import os
import statistics
import sys
import time
from typing import Any

import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification

# The number of different batches.
BATCHES = 4
PARTS = ["data", "forward", "backward", "optimizer"]


def peak_of_process() -> int:
    """The peak resident memory of this process in bytes."""
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Clock:
    """Records times and returns the milliseconds between them. On a GPU these are events of its
    stream, so that the steps do not wait for them."""

    def __init__(self, cuda: bool) -> None:
        self.cuda = cuda
        self.marks: list[Any] = []

    def mark(self) -> None:
        if self.cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
        else:
            self.marks.append(time.perf_counter())

    def intervals(self) -> list[float]:
        pairs = list(itertools.pairwise(self.marks))
        if self.cuda:
            torch.cuda.synchronize()
            return [first.elapsed_time(second) for first, second in pairs]
        return [(second - first) * 1000 for first, second in pairs]


class Worker:
    def __init__(self, settings: dict[str, Any]) -> None:
        torch.set_num_threads(settings["threads"])
        torch.manual_seed(42)
        if settings["tf32"]:
            torch.set_float32_matmul_precision("high")
        self.cuda = settings["device"] == "cuda"
        self.bf16 = settings["bf16"]
        shape = settings["model"]
        self.vocab_size = shape["vocab_size"]
        config = BertConfig(
            vocab_size=shape["vocab_size"],
            num_hidden_layers=shape["layers"],
            hidden_size=shape["hidden_size"],
            num_attention_heads=shape["heads"],
            intermediate_size=shape["intermediate_size"],
            max_position_embeddings=512,
            hidden_dropout_prob=0.1,
            attention_probs_dropout_prob=0.1,
            num_labels=2,
            problem_type="single_label_classification",
            attn_implementation="sdpa",
        )
        model = BertForSequenceClassification(config).to(settings["device"]).train()
        self.parameters = list(model.parameters())
        # As in the Trainer: fused, and with the tutorial's arguments, without weight decay.
        self.optimizer = torch.optim.AdamW(self.parameters, lr=5e-5, weight_decay=0.0, fused=True)
        self.model = model
        if settings["compile"]:
            # Kernels for each length are the fastest; there are few lengths.
            self.model = torch.compile(model, mode=settings["compile_mode"], dynamic=False)
        self.device = settings["device"]

    def batches(self, lengths: list[int]) -> list[dict[str, torch.Tensor]]:
        """Random tokens of these lengths, on the host. Without padding there is no attention mask,
        which is faster in PyTorch."""
        longest = max(lengths)
        mask = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])
        found = []
        for _ in range(BATCHES):
            ids = torch.randint(5, self.vocab_size, (len(lengths), longest)) * mask
            batch = {"input_ids": ids, "labels": torch.randint(0, 2, (len(lengths),))}
            if min(lengths) < longest:
                batch["attention_mask"] = mask
            if self.cuda:
                batch = {name: tensor.pin_memory() for name, tensor in batch.items()}
            found.append(batch)
        return found

    def step(self, batch: dict[str, torch.Tensor], clock: Clock) -> torch.Tensor:
        """One training step, with a time after each of `PARTS`."""
        batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        clock.mark()
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.model(**batch).loss
        clock.mark()
        loss.backward()
        clock.mark()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        clock.mark()
        return loss.detach()

    def task(self, task: dict[str, Any]) -> dict[str, Any]:
        batches = self.batches(task["lengths"])
        for i in range(task["warmup"]):
            self.step(batches[i % BATCHES], Clock(self.cuda))
        if self.cuda:
            torch.cuda.synchronize()
        clock = Clock(self.cuda)
        clock.mark()
        loss = torch.tensor(0.0)
        for i in range(task["steps"]):
            loss = self.step(batches[i % BATCHES], clock)
        took = clock.intervals()
        if not math.isfinite(loss.item()):
            raise ArithmeticError(f"the loss is {loss.item()}")
        of = len(PARTS)
        steps = [sum(took[i : i + of]) for i in range(0, len(took), of)]
        answer = {
            "step_ms": {
                "median": statistics.median(steps),
                "min": min(steps),
                "max": max(steps),
            },
            "parts_ms": {part: statistics.median(took[i::of]) for i, part in enumerate(PARTS)},
            "peak_memory_bytes": peak_of_process(),
            "threads": torch.get_num_threads(),
        }
        if self.cuda:
            answer["peak_device_memory_bytes"] = torch.cuda.max_memory_allocated()
            answer["peak_device_memory_reserved_bytes"] = torch.cuda.max_memory_reserved()
        return answer


def introduction(settings: dict[str, Any], worker: Worker, after_imports: int) -> dict[str, Any]:
    about: dict[str, Any] = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "parameters": sum(parameter.numel() for parameter in worker.parameters),
        "processor_instructions": torch.backends.cpu.get_cpu_capability(),
        "peak_memory_after_imports_bytes": after_imports,
    }
    if settings["device"] == "cuda":
        about["device"] = torch.cuda.get_device_name()
        about["cuda"] = torch.version.cuda
    return about


def main() -> None:
    settings = json.loads(sys.argv[1])
    # Only results go to standard output; what libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    after_imports = peak_of_process()
    try:
        if settings["device"] == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA device")
        worker = Worker(settings)
        write(introduction(settings, worker, after_imports))
    except Exception as error:
        write({"error": f"{type(error).__name__}: {error}"})
        return
    for line in sys.stdin:
        try:
            write(worker.task(json.loads(line)))
        except Exception as error:
            write({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()

"""Checks that the program and Python's huggingface_hub share a cache: each finds offline what the
other downloaded. A small local server answers as the hub does.

Needs the packages of requirements.txt; no network, no GPU, under a minute. Usage:

    python tests/python/hub_cache.py PROGRAM WORKDIR

Each passed check prints a line `ok: …`; the first failed one ends the script.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support import check, main, ok

MODEL = "klue/tiny-bert"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXT = "정말 재미있는 영화"

# Run in separate processes, because huggingface_hub reads its environment when it is imported.
MAKE = """
import sys
from pathlib import Path
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer
folder = Path(sys.argv[1]); folder.mkdir()
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + sorted(set(sys.argv[2]) - {" "})
pieces += ["##" + piece for piece in pieces[5:]]
(folder / "vocab.txt").write_text("\\n".join(pieces) + "\\n", encoding="utf-8")
BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
torch.manual_seed(1)
config = BertConfig(vocab_size=len(pieces), hidden_size=24, num_hidden_layers=1,
                    num_attention_heads=3, intermediate_size=48, max_position_embeddings=40)
BertForSequenceClassification(config).save_pretrained(folder)
"""
DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
for name in sys.argv[2:]:
    hf_hub_download(sys.argv[1], name)
"""
ANSWER = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
with torch.no_grad():
    logits = model(**tokenizer(sys.argv[2], return_tensors="pt")).logits[0]
print(json.dumps(logits.tolist()))
"""


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does, with a redirect for LFS files."""

    folder = Path()
    downloads = []

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def log_message(self, *_):
        pass

    def answer(self, whole):
        parts = self.path.split("?")[0].strip("/").split("/")
        file = self.folder / parts[-1]
        if not file.is_file():
            self.send_response(404)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        content = file.read_bytes()
        name = hashlib.sha256(content).hexdigest()
        if file.suffix == ".safetensors" and parts[0] != "cdn":
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/cdn/{parts[-1]}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{name}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{name if parts[0] == "cdn" else name[:40]}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if whole:
            self.downloads.append(parts[-1])
            self.wfile.write(content)


def python(code, *arguments, **variables):
    """The output of Python code with these environment variables."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True
    )
    check(done.returncode == 0, f"Python failed:\n{done.stderr}")
    return done.stdout


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("workdir", type=Path)
    arguments = parser.parse_args()
    work = arguments.workdir.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    Hub.folder = work / "repository"
    python(MAKE, str(Hub.folder), TEXT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    online = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
    }
    offline = {"HF_HUB_OFFLINE": "1"}

    def predict(home, **variables):
        command = [arguments.program.resolve(), "predict", "--json", TEXT]
        command += ["--model-name-or-path", MODEL]
        environment = {**os.environ, "HF_HOME": str(home), **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=work)
        check(done.returncode == 0, f"the program failed:\n{done.stderr}")
        return json.loads(done.stdout)["logits"]

    def close(ours, theirs, what):
        apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        check(apart <= 1e-5, f"{what}: logits {ours} and {theirs}")

    expected = json.loads(python(ANSWER, str(Hub.folder), TEXT))

    home = work / "python_first"
    names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    python(DOWNLOAD, MODEL, *names, HF_HOME=str(home), **online)
    close(predict(home, **offline), expected, "from Python's cache")
    ok("the program finds offline what Python downloaded")
    Hub.downloads.clear()
    close(predict(home, **online), expected, "from Python's cache, online")
    check(not Hub.downloads, f"the program downloaded {Hub.downloads} again")
    ok("the program downloads nothing again online")

    home = work / "program_first"
    close(predict(home, **online), expected, "downloaded by the program")
    found = json.loads(python(ANSWER, MODEL, TEXT, HF_HOME=str(home), **offline))
    close(found, expected, "from the program's cache")
    ok("transformers finds offline what the program downloaded")
    Hub.downloads.clear()
    python(DOWNLOAD, MODEL, *names, HF_HOME=str(home), **online)
    check(not Hub.downloads, f"Python downloaded {Hub.downloads} again")
    ok("Python downloads nothing again online")


if __name__ == "__main__":
    main(run)

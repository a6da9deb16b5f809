"""Measures the time from a key on the predict page to the answer about the text, while a run trains.

    pip install pyte
    python tests/peer/answers.py target/release/nsmc-tui [--keys 150] [--gradients] [arguments of train]

Starts `train` with its dashboard in a pseudo-terminal of 120x40 and a new output folder, types texts of
random syllables at a human rate, and waits for each until the page shows the whole text in its answer.
Prints the median and percentiles in milliseconds, and what the run did at the slowest answers.
"""

import argparse
import fcntl
import os
import pty
import random
import select
import signal
import struct
import tempfile
import termios
import time

import pyte

COLUMNS, ROWS = 120, 40
SYLLABLES = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호"
LONGEST = 12
CLEAR = b"\x15"


class Terminal:
    def __init__(self, program, arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")
            os.execve(program, [program, *arguments], environment)
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)

    def read(self, seconds):
        """Reads what arrives first, for at most this time."""
        ready, _, _ = select.select([self.fd], [], [], max(seconds, 0))
        if ready:
            try:
                self.stream.feed(os.read(self.fd, 1 << 16))
            except OSError:
                # The program has ended.
                time.sleep(max(seconds, 0))

    def read_for(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def press(self, keys):
        os.write(self.fd, keys)

    def lines(self):
        cells = self.screen.buffer
        return ["".join(cells[row][column].data for column in range(COLUMNS)) for row in range(ROWS)]

    def wait_for(self, text, seconds):
        end = time.monotonic() + seconds
        while text not in self.lines()[0]:
            if time.monotonic() > end:
                raise SystemExit(f"{text} did not appear:\n" + "\n".join(self.lines()))
            self.read(0.2)


def answers(terminal, count):
    """The milliseconds of each answer, and what the run did."""
    chance, text, times = random.Random(1), "", []
    while len(times) < count and "finished" not in terminal.lines()[0]:
        if len(text) >= LONGEST:
            terminal.press(CLEAR)
            terminal.read_for(0.3)
            text = ""
        syllable = chance.choice(SYLLABLES)
        text += syllable
        began = time.perf_counter()
        terminal.press(syllable.encode())
        # The field is above, the answer with its text below.
        while not any(text in line.replace(" ", "") for line in terminal.lines()[4:20]):
            terminal.read(0.5)
            if time.perf_counter() - began > 30:
                raise SystemExit("no answer:\n" + "\n".join(terminal.lines()))
        times.append((1000 * (time.perf_counter() - began), terminal.lines()[0][-40:].strip()))
        terminal.read_for(0.15 + 0.3 * chance.random())
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--keys", type=int, default=150)
    parser.add_argument("--gradients", action="store_true", help="words by integrated gradients")
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        output = ["--output-dir", os.path.join(folder, "outputs"), "--lang", "en"]
        terminal = Terminal(options.program, ["train", *output, *arguments])
        terminal.wait_for("training · step", 300)
        terminal.press(b"2")
        terminal.read_for(1)
        if options.gradients:
            terminal.press(b"\x1bg")
            terminal.read_for(1)
        times = sorted(answers(terminal, options.keys))
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.read_for(1)
    if not times:
        raise SystemExit("the run ended before the first key")
    share = lambda part: times[min(len(times) - 1, int(part * len(times)))][0]
    print(
        f"{len(times)} keys: median {share(0.5):.1f} ms, 90 % {share(0.9):.1f} ms, "
        f"99 % {share(0.99):.1f} ms, slowest {times[-1][0]:.1f} ms"
    )
    for milliseconds, status in times[-5:]:
        print(f"  {milliseconds:.1f} ms: {status}")


if __name__ == "__main__":
    main()

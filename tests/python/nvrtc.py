"""Compiles the CUDA kernels as the program does at run time, with NVRTC, for old and new GPUs and
for activations in float and in bf16. Needs no GPU and no CUDA toolkit, only the library, which is
in the packages `nvidia-cuda-nvrtc-cu12` and `nvidia-cuda-nvrtc`.

    python tests/python/nvrtc.py [--library libnvrtc.so.12] [--arch sm_90 …] [--keep FOLDER]

The library is the given one, one of the `nvidia` packages of this Python, or the system's. Without
--arch: the oldest architecture that it supports from 7.0 on, 8.0, 9.0 and the newest. Each
compilation without errors and warnings prints a line `ok: …`; the first other one prints the
compiler's log and ends the script with status 1.
"""

import argparse
import ctypes
import re
import sys
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[2] / "src/core/ops/cuda/kernels"


def source():
    """The translation unit: the files in the order that prototypes.h lists."""
    text = (KERNELS / "prototypes.h").read_text(encoding="utf-8")
    order = re.search(r"in this order:(.*?)and compile", text, re.S).group(1)
    names = re.findall(r"\w+\.cuh?", order)
    missing = {path.name for path in KERNELS.glob("*.cu*")} - set(names)
    if missing:
        sys.exit(f"prototypes.h does not list {', '.join(sorted(missing))}")
    return "".join((KERNELS / name).read_text(encoding="utf-8") for name in names)


def libraries():
    """The files and names to try."""
    for folder in sys.path:
        found = sorted(Path(folder or ".").glob("nvidia/*/lib/libnvrtc.so.*"))
        yield from map(str, reversed(found))
    yield from ("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12")


def load(given):
    for name in [given] if given else libraries():
        # NVRTC opens this library by its name, and finds it if it is loaded already.
        for builtins in Path(name).parent.glob("libnvrtc-builtins.so.*") if "/" in name else []:
            ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)
        try:
            return ctypes.CDLL(name), name
        except OSError as error:
            if given:
                sys.exit(str(error))
    sys.exit("libnvrtc was not found: pip install nvidia-cuda-nvrtc-cu12, or give --library")


class Compiler:
    def __init__(self, library):
        self.library = library
        library.nvrtcGetErrorString.restype = c_char_p

    def must(self, status):
        if status != 0:
            sys.exit(self.library.nvrtcGetErrorString(status).decode())

    def version(self):
        major, minor = c_int(), c_int()
        self.must(self.library.nvrtcVersion(byref(major), byref(minor)))
        return f"{major.value}.{minor.value}"

    def architectures(self):
        count = c_int()
        self.must(self.library.nvrtcGetNumSupportedArchs(byref(count)))
        known = (c_int * count.value)()
        self.must(self.library.nvrtcGetSupportedArchs(known))
        return list(known)

    def read(self, program, size_of, get):
        size = c_size_t()
        self.must(size_of(program, byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self.must(get(program, buffer))
        return buffer.raw

    def compile(self, text, options):
        """Returns whether it compiles, the log, and the binary: a cubin for sm_…, otherwise PTX."""
        program = c_void_p()
        name = b"nsmc-tui.cu"
        create = self.library.nvrtcCreateProgram
        self.must(create(byref(program), text.encode(), name, 0, None, None))
        encoded = [option.encode() for option in options]
        status = self.library.nvrtcCompileProgram(
            program, len(encoded), (c_char_p * len(encoded))(*encoded)
        )
        lib = self.library
        log = self.read(program, lib.nvrtcGetProgramLogSize, lib.nvrtcGetProgramLog)
        lines = log.split(b"\0")[0].decode(errors="replace").splitlines()
        # A notice about architectures that a later version may not support.
        lines = [line for line in lines if "deprecated and may be removed" not in line]
        log = "\n".join(lines).strip()
        image = b""
        if status == 0:
            binary = any("=sm_" in option for option in options)
            if binary:
                image = self.read(program, lib.nvrtcGetCUBINSize, lib.nvrtcGetCUBIN)
            else:
                image = self.read(program, lib.nvrtcGetPTXSize, lib.nvrtcGetPTX)
        self.must(lib.nvrtcDestroyProgram(byref(program)))
        return status == 0, log, image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--library", help="the library's path")
    parser.add_argument("--arch", nargs="+", help="sm_90 for a cubin, compute_90 for PTX")
    parser.add_argument("--keep", type=Path, help="a folder to write the binaries to")
    arguments = parser.parse_args()
    library, path = load(arguments.library)
    compiler = Compiler(library)
    known = compiler.architectures()
    print(f"NVRTC {compiler.version()}, {path}, for {min(known)} to {max(known)}")
    supported = [number for number in known if number >= 70]
    tested = sorted({min(supported), max(supported)} | {80, 90} & set(supported))
    architectures = arguments.arch or [f"sm_{number}" for number in tested]
    text = source()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    for architecture in architectures:
        for precision, definitions in (("float", []), ("bf16", ["-DACTIVATION_BF16"])):
            options = [f"--gpu-architecture={architecture}", "--std=c++17", *definitions]
            compiled, log, image = compiler.compile(text, options)
            if not compiled or log:
                print(log)
                sys.exit(f"{architecture}, {precision}: does not compile cleanly")
            print(f"ok: {architecture}, {precision}: {len(image)} bytes")
            if arguments.keep:
                kind = "cubin" if architecture.startswith("sm_") else "ptx"
                (arguments.keep / f"{architecture}_{precision}.{kind}").write_bytes(image)


if __name__ == "__main__":
    main()

"""Tests as another CPU would run them: `python -m tests.other_hardware [arguments of pytest]`."""

import os
import subprocess
import sys

from sparta_core.training.device import PRECISION, native_precision

# On any x86 CPU the instructions of one without AVX-512: oneDNN and torch then choose other kernels.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
# What trains: every fusion and backbone, on coarse and fine grids, from days to scores.
SUBSET = [f"tests/training/test_{name}.py" for name in ("grids", "fusions", "globe_stages")]


def environment():
    """The precision that this CPU does not choose; for float32 on AVX2, as most CPUs without bf16 have it."""
    if native_precision("cpu") == "bf16-mixed":
        return {PRECISION: "32-true"} | AVX2
    return {PRECISION: "bf16-mixed"}


if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", *SUBSET, *sys.argv[1:]]
    sys.exit(subprocess.call(command, env=os.environ | environment()))  # a fresh torch, which reads it when it starts

"""Which engine runs a rule: plain, numba or compile.

=======  =================================================  =====================================
engine   what runs                                          `auto` takes it
=======  =================================================  =====================================
plain    the rule, tensor by tensor, as PyTorch operations  where no other one can
numba    one compiled loop over all tensors of a group      on the CPU, with numba installed
compile  one compiled GPU kernel over them                  on CUDA, with Triton; not for float64
=======  =================================================  =====================================

numba and compile want a rule that `staging` can take apart, and a weight, gradient and buffers
that lie alike in memory without gaps; what does not, runs plain. How long the run will be does
not matter: once compiled on a machine, a loop is loaded in hundredths of a second. The choice
depends on nothing that changes during a run, so that a resumed run repeats the bits.
"""

import os

import torch

from adamlib.engine import compiler

ENGINES = ("auto", "plain", "numba", "compile")


def check_engine(rule, engine, state_dtype, differentiable):
    """Raise ValueError unless `engine` and `state_dtype` are allowed and can run `rule` here."""
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {ENGINES}, got {engine!r}")
    if state_dtype not in (None, torch.bfloat16):
        raise ValueError(f"state_dtype must be None or torch.bfloat16, got {state_dtype!r}")
    if differentiable and (engine not in ("auto", "plain") or state_dtype is not None):
        raise ValueError(
            "differentiable=True needs engine='auto' or 'plain' and state_dtype=None, "
            f"got engine={engine!r}, state_dtype={state_dtype!r}"
        )
    if engine == "numba" and not compiler.installed("numba"):
        raise ValueError("engine='numba' needs numba: pip install numba")
    if engine == "compile" and not compiler.installed("triton"):
        raise ValueError("engine='compile' needs a CUDA build of PyTorch, which brings Triton")
    if engine in ("numba", "compile"):
        compiler.staged(rule)


def best(engine, rule, w):
    """Return the engine for the weight `w`; ValueError where the one asked for cannot run it."""
    where = {"cpu": "numba", "cuda": "compile"}.get(w.device.type, "plain")
    if engine == "compile" and emulated():
        where = "compile"
    if engine not in ("auto", "plain", where):
        device = {"numba": "the CPU", "compile": "CUDA"}[engine]
        raise ValueError(f"engine={engine!r} runs on {device}, got a parameter on {w.device}")
    if "plain" in (engine, where) or (where == "compile" and w.dtype == torch.float64):
        return "plain"
    tool = {"numba": "numba", "compile": "triton"}[where]
    return where if compiler.can_compile(rule, tool) else "plain"


def emulated():
    """Return whether Triton emulates a GPU on the CPU: for tests, it is slow."""
    return os.environ.get("TRITON_INTERPRET") == "1"

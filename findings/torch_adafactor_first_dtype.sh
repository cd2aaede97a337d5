#!/usr/bin/env bash
# torch.optim.Adafactor takes its smallest divisor from the dtype of the first parameter, for all.
#
# Seen with torch 2.13.0, Python 3.11, Linux x86-64: eps=(None, 1e-3), the default, stands for the
# machine epsilon of a parameter's dtype. It is looked up once, for the parameter that comes first,
# and kept: behind a bfloat16 weight a float32 weight with gradients of 1e-4 moves 78 times less than
# alone. Order the list, or give eps a number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat >"$folder/first.py" <<'PYTHON'
import torch


def moved(*dtypes):
    weights = [torch.nn.Parameter(torch.ones(4, dtype=dtype)) for dtype in dtypes]
    optimizer = torch.optim.Adafactor(weights, lr=1e-2, foreach=False)
    for w in weights:
        w.grad = torch.full_like(w, 1e-4)
    optimizer.step()
    return (1 - weights[-1].detach()).abs().max().item()


alone, behind = moved(torch.float32), moved(torch.bfloat16, torch.float32)
print(f"a float32 weight moves {alone:.3g} alone, {behind:.3g} behind a bfloat16 weight")
assert 50 < alone / behind < 120, "the behavior has changed"
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/first.py"

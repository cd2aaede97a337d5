#!/usr/bin/env bash
# tadam's TAdam goes uphill once it has taken more steps than its argument iters.
#
# Seen with tadam 0.0.1, torch 2.13.0, Python 3.11, Linux x86-64: its learning rate falls linearly
# over iters steps and is not stopped at 0. With iters=10 the first steps lead down a constant slope,
# those after the tenth lead up, each longer than the one before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps tadam==0.0.1
cat >"$folder/uphill.py" <<'PYTHON'
import torch
from tadam import TAdam

w = torch.nn.Parameter(torch.zeros(2))
optimizer, path = TAdam([w], iters=10), []
for _ in range(40):
    w.grad = torch.ones(2)
    optimizer.step()
    path.append(w[0].item())
steps = [b - a for a, b in zip([0.0, *path], path)]
print("first step", steps[0], "last step", steps[-1])
assert steps[0] < 0 < steps[-1], "the behavior has changed"
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/uphill.py"

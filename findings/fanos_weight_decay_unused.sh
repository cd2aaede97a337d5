#!/usr/bin/env bash
# fanos-optimizer takes weight_decay and decoupled_weight_decay, and uses neither.
#
# Seen with fanos-optimizer 0.2.0, torch 2.13.0, Python 3.11, Linux x86-64: the constructor has both
# arguments and its docstring recommends them; step() reads neither, so weights with a decay of 0
# and of 10 end at the same bits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps fanos-optimizer==0.2.0
cat >"$folder/decay.py" <<'PYTHON'
import torch
from fanos import FANoS


def end(decay):
    w = torch.nn.Parameter(torch.linspace(1, 2, 4))
    optimizer = FANoS([w], lr=1e-3, weight_decay=decay)
    for t in range(5):
        w.grad = torch.cos(torch.arange(4.0) + t)
        optimizer.step()
    return w.detach()


print("weight_decay 0:", end(0.0).tolist(), "and 10:", end(10.0).tolist())
assert torch.equal(end(0.0), end(10.0)), "the behavior has changed"
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/decay.py"

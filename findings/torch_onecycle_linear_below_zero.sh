#!/usr/bin/env bash
# OneCycleLR(anneal_strategy="linear") leaves a learning rate below 0 and a momentum above its top.
#
# Seen with torch 2.13.0, Python 3.11, Linux x86-64: total_steps=8, and one scheduler.step() after
# each of the 8 optimizer.step()s, as its documentation shows. The last call extrapolates: the rate
# ends at -0.0018, beta1 at 0.968 for a max_momentum of 0.95. A checkpoint made then holds them, and
# an optimizer that is constructed from that group raises "Invalid learning rate". The cosine
# strategy bends back instead and ends at a small positive rate.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat >"$folder/cycle.py" <<'PYTHON'
import torch


def end(strategy):
    w = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adam([w])
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, total_steps=8, anneal_strategy=strategy
    )
    for _ in range(8):
        optimizer.step()
        cycle.step()
    return optimizer.param_groups[0]


linear, cosine = end("linear"), end("cos")
print("linear", linear["lr"], linear["betas"], "cosine", cosine["lr"], cosine["betas"])
assert linear["lr"] < 0 and linear["betas"][0] > 0.95 and cosine["lr"] > 0
try:
    torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=linear["lr"])
except ValueError as error:
    print(error)
else:
    raise AssertionError("the behavior has changed")
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/cycle.py"

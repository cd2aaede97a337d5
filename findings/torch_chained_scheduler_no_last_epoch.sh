#!/usr/bin/env bash
# ChainedScheduler is an LRScheduler without the attribute that every other one has: last_epoch.
#
# Seen with torch 2.13.0, Python 3.11, Linux x86-64: isinstance(..., LRScheduler) is true, and
# reading `last_epoch` raises AttributeError, before and after a step; its state_dict has no such
# key. SequentialLR, the other scheduler of schedulers, has both. A loop that asks any scheduler
# where it is must ask the ones inside.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat >"$folder/chain.py" <<'PYTHON'
import torch
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LRScheduler, SequentialLR


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)


chained = ChainedScheduler([ExponentialLR(optimizer(), 0.9)])
both = optimizer()
sequential = SequentialLR(both, [ExponentialLR(both, 0.9), ExponentialLR(both, 0.8)], [2])
assert isinstance(chained, LRScheduler) and sequential.last_epoch == 0
chained.optimizer.step()
chained.step()
print("ChainedScheduler has last_epoch:", hasattr(chained, "last_epoch"))
assert not hasattr(chained, "last_epoch") and "last_epoch" not in chained.state_dict()
assert "last_epoch" in sequential.state_dict()
PYTHON
"$folder/venv/bin/python" "$folder/chain.py"

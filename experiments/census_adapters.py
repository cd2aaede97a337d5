"""How optimizers of the census are made: `factory`, and adapters of foreign interfaces.

An adapter is called with (module, name) and returns a factory for `diagnose`.
"""

import importlib.util
import json
import os
import sys
import types
from functools import partial

import torch

from adamlib.diagnose import diagnose
from adamlib.diagnose.__main__ import named, value
from adamlib.diagnose.examination import described
from experiments import census_foreign
from experiments.census_foreign import found


def factory(how):
    """Return the factory that `how` describes: "module:name setting=value ..." or, of an adapter
    below, "adapter module:name setting=value ..."."""
    first, *words = how.split()
    adapter = None
    if ":" not in first:
        adapter, first, *words = getattr(census_foreign, first, None) or globals()[first], *words
    settings = {name: value(text) for name, _, text in (word.partition("=") for word in words)}
    if not adapter:
        return named(first, settings)
    module, _, name = first.partition(":")
    return partial(adapter(module, name), **settings)


def timm(module, name):
    """Adapt what timm makes of a name, without the rest of timm, which needs torchvision."""
    package, models = types.ModuleType("timm"), types.ModuleType("timm.models")
    package.__path__ = importlib.util.find_spec("timm").submodule_search_locations
    models.group_parameters = None
    sys.modules.update({"timm": package, "timm.models": models})
    return partial(found("timm.optim", "create_optimizer_v2"), opt=name)


def with_names(module, name):
    """Adapt a class that wants (name, weight) pairs."""
    cls = found(module, name)

    def make(params, **settings):
        params = [w for p in params for w in (p["params"] if isinstance(p, dict) else [p])]
        return cls([(f"layer{n}.weight", w) for n, w in enumerate(params)], **settings)

    return make


def muon_groups(module, name):
    """Adapt a class that takes its matrices in groups of their own."""
    cls = found(module, name)

    def make(params, **settings):
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        return cls([{**group, "use_muon": True} for group in groups], **settings)

    return make


def with_rate(module, name):
    """Adapt a class whose lr has no default, with 1e-3."""
    return partial(found(module, name), lr=1e-3)


def around_adam(module, name):
    """Adapt a wrapper of optimizers, around torch.optim.Adam."""
    cls = found(module, name)
    return lambda params, **settings: cls(torch.optim.Adam(params, **settings))


def sparse(module, name):
    """Adapt a class that wants sparse gradients."""

    class Sparse(found(module, name)):
        def step(self, closure=None):
            def given():
                loss = closure and closure()
                for w in (w for group in self.param_groups for w in group["params"]):
                    w.grad = w.grad if w.grad is None else w.grad.to_sparse()
                return loss

            return super().step(given)

    return Sparse


def send_card(pipe, how, place):
    """Send {"card": ...} of the optimizer that `how` describes, or {"error": why there is none};
    its package is in the folder `place`, or in this environment."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    if place:
        sys.path.insert(0, str(place))
    torch.set_num_threads(1)
    try:
        pipe.send({"card": json.loads(diagnose(factory(how)).json())})
    except Exception as error:  # of a package of anybody's
        pipe.send({"error": described(error)})

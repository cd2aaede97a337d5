"""Any rule as a torch.optim optimizer: the contract, once for all rules."""

import inspect
from collections import defaultdict
from itertools import compress
from operator import not_

import torch

from adamlib.engine import arguments
from adamlib.engine.choice import check_engine
from adamlib.engine.runner import Runner, number_of, with_gradient


class RuleOptimizer(torch.optim.Optimizer):
    """Runs a rule of `adamlib.rules` over the parameters of a model.

    A subclass sets `rule`; `names`, what torch.optim calls its buffers, if it has the counterpart;
    and `implies`, the switches there that make it this rule. Buffers are kept in `state[p]`, with
    the number of steps taken under "step".

    Raises ValueError or TypeError for a hyperparameter out of range or unknown and for what is no
    list of floating point tensors, RuntimeError for a sparse gradient; nothing has changed then.
    """

    rule = None
    names = {}
    implies = {}

    def __init_subclass__(cls):
        """Read the hyperparameters, the buffers and where they start off the rule."""
        given = inspect.signature(cls.rule).parameters.values()
        cls.own = {a.name: a.default for a in given if a.kind is a.KEYWORD_ONLY}
        cls.hyper = {"weight_decay": 0, "maximize": False, "differentiable": False, **cls.own}
        buffers = [a for a in given if a.kind is not a.KEYWORD_ONLY and a.default is not a.empty]
        cls.names = {a.name: cls.names.get(a.name, a.name) for a in buffers}
        cls.starts = [a.default for a in buffers]

    def __init__(self, params, hyper, *, engine="auto", state_dtype=None, **options):
        defaults = {**self.hyper, **hyper}
        defaults |= {name: options.pop(name) for name in arguments.LATER if name in options}
        for name, value in options.items():
            arguments.check_switch(type(self), name, value)
        arguments.check_group(type(self), defaults)
        self.engine, self.state_dtype, self._runners = engine, state_dtype, {}
        super().__init__(arguments.listed(params), defaults)

    def add_param_group(self, param_group):
        """Add a group of parameters with its own hyperparameters, checked first."""
        if isinstance(param_group, dict):
            if "params" not in param_group:
                raise ValueError(f"a parameter group needs 'params', got {sorted(param_group)}")
            arguments.check_group(type(self), param_group)
            exact = {**self.defaults, **param_group}["differentiable"]
            check_engine(self.rule, self.engine, self.state_dtype, exact)
            param_group["params"] = arguments.tensors(param_group["params"], self.state_dtype)
            self._drop_switches(param_group)
        super().add_param_group(param_group)

    @torch._disable_dynamo  # torch.compile cannot follow addresses
    def step(self, closure=None):
        """Take one step from the gradients in `.grad`; return the closure's loss or None."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        work = [x for number in range(len(self.param_groups)) for x in self._work(number)]
        for group, runner, states in work:  # nothing has changed until here
            exact = group["differentiable"]
            hyper = {name: group[name] if exact else number_of(group[name]) for name in self.own}
            decay = 0 if "weight_decay" in self.own else group["weight_decay"]
            t = states[0]["step"] + 1
            with torch.set_grad_enabled(exact):
                sign = -1 if group["maximize"] else 1
                runner.step(t, hyper, sign, decay if exact else number_of(decay))
            for state in states:
                state["step"] = t
        return loss

    def _work(self, number):
        """Yield (group, runner, states) for the weights of a group that are at the same step."""
        group = self.param_groups[number]
        weights, grads = with_gradient(group["params"])
        states = list(map(self.state.__getitem__, weights))
        for w in compress(weights, map(not_, states)):
            self.state[w].update(self._start(w))
        columns = [weights, grads, *([x[name] for x in states] for name in self.names.values())]
        clocks = [state["step"] for state in states]
        different = sorted(set(clocks))
        for k, clock in enumerate(different):
            own = [*columns, states]
            if len(different) > 1:
                marks = [other == clock for other in clocks]
                own = [list(compress(column, marks)) for column in own]
            runner = self._runner(number, k, group["differentiable"])
            runner.look(own[:-1])
            yield group, runner, own[-1]

    def _drop_switches(self, group):
        """Remove what only torch.optim has; it was checked to ask for what this class does."""
        for name in (*self.implies, *arguments.SPEED):
            group.pop(name, None)

    def _start(self, w):
        """Return the state of a weight before its first step, laid out in memory as the weight."""
        buffers = {
            name: torch.full_like(w, start, dtype=self.state_dtype, requires_grad=False)
            for name, start in zip(self.names.values(), self.starts, strict=True)
        }
        return {"step": 0, **buffers}

    def _runner(self, *key):
        if key not in self._runners:
            engine = "plain" if key[-1] else self.engine
            self._runners[key] = Runner(self.rule, engine, self.state_dtype is not None)
        return self._runners[key]

    def state_dict(self):
        """Return the state as torch.optim's counterpart would, which can go on from it."""
        saved = super().state_dict()
        for group in saved["param_groups"]:
            group.update(self.implies)
        return saved

    def __getstate__(self):
        return {**super().__getstate__(), "engine": self.engine, "state_dtype": self.state_dtype}

    def __setstate__(self, state):
        """Take over what was unpickled, or what `load_state_dict` has matched to the weights."""
        if "defaults" not in state:
            state = {**state, "state": self._load(state["param_groups"], state["state"])}
        super().__setstate__(state)
        self._runners = {}

    @torch.no_grad()
    def _load(self, groups, values):
        """Return `values` as this optimizer's state, checked first and copied; clean the groups."""
        for group in groups:
            arguments.check_state(type(self), group, values)
        own = defaultdict(dict, values)
        for w in filter(torch.is_tensor, values):
            own[w] = self._start(w) | {"step": int(values[w].get("step", 0))}
            for name in self.names.values():
                if values[w][name] is not None:
                    own[w][name].copy_(values[w][name])
        for group in groups:
            self._drop_switches(group)
            for name in arguments.LATER:
                group.setdefault(name, False)
        return own

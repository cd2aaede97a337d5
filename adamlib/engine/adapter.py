"""Any rule as a torch.optim optimizer: the contract, once for all rules."""

import inspect
from itertools import compress
from operator import not_

import torch

from adamlib.engine import arguments, compiler, states
from adamlib.engine.arguments import number_of
from adamlib.engine.choice import check_engine
from adamlib.engine.columns import Owners
from adamlib.engine.runner import Runner, with_gradient


class RuleOptimizer(torch.optim.Optimizer):
    """Runs a rule of `adamlib.rules` over the parameters of a model.

    A subclass sets `rule`; `names`, what its counterpart calls the buffers, which most have in
    torch.optim; `implies`, the switches there that make it this rule, and `advice`, what is said
    of others; `clock`, whether it counts steps; and `modes`, what groups keep besides. Buffers are
    kept in `state[p]`, with the number of steps taken under "step".

    Raises ValueError or TypeError for a hyperparameter out of range or unknown and for what is no
    list of floating point tensors, RuntimeError for a sparse gradient; nothing has changed then.
    """

    rule = None
    runner = Runner
    names = {}
    implies = {}
    advice = "only torch.optim's class has that"
    clock = True
    modes = {}

    def __init_subclass__(cls):
        """Read the hyperparameters, the buffers and where they start off the rule."""
        given = inspect.signature(cls.rule).parameters.values()
        cls.own = {a.name: a.default for a in given if a.kind is a.KEYWORD_ONLY}
        switches = {"maximize": False, "differentiable": False, **cls.modes}
        cls.hyper = {"weight_decay": 0, **switches, **cls.own}
        buffers = [a for a in given if a.kind is not a.KEYWORD_ONLY and a.default is not a.empty]
        cls.names = {a.name: cls.names.get(a.name, a.name) for a in buffers}
        cls.starts = [a.default for a in buffers]
        cls.numbers = {name: cls.names[name] for name in compiler.numbers(cls.rule)}
        cls.arrays = [key for key in cls.names.values() if key not in cls.numbers.values()]

    def __init__(self, params, hyper, *, engine="auto", state_dtype=None, **options) -> None:
        defaults = {**self.hyper, **hyper}
        for name in {*arguments.LATER, *self.modes} & options.keys():
            defaults[name] = options.pop(name)
        for name, value in options.items():
            arguments.check_switch(type(self), name, value)
        defaults = arguments.group_of(type(self), defaults)
        self.engine, self.state_dtype, self._runners = engine, state_dtype, {}
        self._owners = Owners()
        super().__init__(arguments.listed(params), defaults)

    def add_param_group(self, param_group: dict[str, object]) -> None:
        """Add a group of parameters with its own hyperparameters, checked first."""
        if isinstance(param_group, dict):
            if "params" not in param_group:
                raise ValueError(f"a parameter group needs 'params', got {sorted(param_group)}")
            checked = arguments.group_of(type(self), param_group)
            exact = {**self.defaults, **checked}["differentiable"]
            check_engine(self.runner.part(self.rule), self.engine, self.state_dtype, exact)
            params = arguments.tensors(param_group["params"], self.state_dtype)
            self.runner.check(params)
            param_group |= {**checked, "params": params}
            states.drop_switches(type(self), param_group)
        super().add_param_group(param_group)

    @torch._disable_dynamo  # torch.compile cannot follow addresses
    def step(self, closure=None):
        """Take one step from the gradients in `.grad`; return the closure's loss or None."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        try:
            work = self._work()
        except KeyError:  # of a state that was put in by hand
            for group in self.param_groups:
                given = {w: self.state[w] for w in group["params"] if self.state.get(w)}
                self.state |= states.load(self, [{**group, "params": [*given]}], given)
            work = self._work()
        for group, runner, t, moved, clocks, part in work:  # nothing has changed until here
            exact = group["differentiable"]
            given = {**group, **states.numbers(self, part[0])} if self.numbers else group
            names = (*self.own, *self.numbers)
            hyper = {name: given[name] if exact else number_of(given[name]) for name in names}
            decay = 0 if "weight_decay" in self.own else group["weight_decay"]
            with torch.set_grad_enabled(exact):
                sign = -1 if group["maximize"] else 1
                runner.step(t, hyper, sign, decay if exact else number_of(decay))
            states.renew(self, part, t, hyper)
            for state in moved:
                state["step"] = t
            for clock in clocks:
                clock.fill_(t)
        return loss

    def _work(self):
        """Return [(group, runner, next step, states, clocks, all states)], each of one step.

        `clocks` are tensors that hold the step, put in by hand: processes may share them.
        """
        work = []
        self._owners.look(self.state)
        for number, group in enumerate(self.param_groups):
            weights, grads = with_gradient(group["params"])
            own = self._owners.states(self.state, number, weights)
            for w in compress(weights, map(not_, own)):
                self.state[w].update(states.start(self, w))
            steps = [state["step"] for state in own]
            buffers = [[state[name] for state in own] for name in self.arrays]
            plain, counts = states.counts(self, own, steps)
            present = set(counts)
            for k, count in enumerate(sorted(present)):
                part = weights, grads, *buffers, own, steps
                if len(present) > 1:
                    marks = [other == count for other in counts]
                    part = [list(compress(column, marks)) for column in part]
                *columns, whole, clocks = part
                runner = self._runner(number, k, group["differentiable"])
                runner.look(columns)
                clocks = [] if plain else list(filter(torch.is_tensor, clocks))
                moved = whole if plain else [x for x in whole if not torch.is_tensor(x["step"])]
                work.append((group, runner, count[0] + 1, moved, clocks, whole))
        return work

    def _runner(self, *key):
        if key not in self._runners:
            engine = "plain" if key[-1] else self.engine
            self._runners[key] = self.runner(self.rule, engine, self.state_dtype is not None)
        return self._runners[key]

    def state_dict(self) -> dict:
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
            state = {**state, "state": states.load(self, state["param_groups"], state["state"])}
        super().__setstate__(state)
        self._runners, self._owners = {}, Owners()

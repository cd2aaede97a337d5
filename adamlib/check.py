"""Checkers of the book's exercises: each prints whether an answer is right and, if not, why."""

from numbers import Real

import numpy as np

from adamlib import rules


def _verdict(problem, praise):
    """Print the verdict of a checker: `praise` when there is no problem."""
    print(f"✗ Not yet: {problem}" if problem else f"✓ Correct: {praise}")


def _call(answer, *arguments, **hyper):
    """Return (result, None), or (None, problem) when the reader's function raises."""
    try:
        return answer(*arguments, **hyper), None
    except Exception as error:  # whatever the reader's code raises is part of the verdict
        return None, f"{answer.__name__} raised {type(error).__name__}: {error}"


def best_lr(answer):
    """Check chapter 1's best_lr(smallest, largest): the fastest constant rate on a bowl."""
    for low, high in ((1.0, 10.0), (0.5, 3.0), (1.0, 1.0)):
        got, problem = _call(answer, low, high)
        if problem is None and not (isinstance(got, Real) and np.isfinite(got)):
            problem = f"it must return one finite number, not {got!r}"
        elif problem is None and not np.isclose(got, 2 / (low + high), rtol=1e-9):
            problem = f"it returns {got:.6g}"
            if np.isclose(got, 2 / high):
                problem += ", the limit of stability: there the steep direction never shrinks"
            elif np.isclose(got, 1 / high):
                problem += ": the steep direction is done in one step, the flat one still crawls"
            elif got < 2 / (low + high):
                problem += ": there the flat direction is the slower one; go farther"
            else:
                problem += ": there the steep direction is the slower one; that is too far"
        if problem:
            problem = f"for curvatures {low:g} and {high:g} {problem}"
            break
    _verdict(problem, "both ends of the spectrum shrink equally fast")


def epoch_batches(answer):
    """Check chapter 2's epoch_batches(n, size, rng): the index batches of one shuffled epoch."""
    _verdict(_epoch_batches_problem(answer), "each example once, in a new order in each epoch")


def _epoch_batches_problem(answer):
    def listed(rng):
        return [np.asarray(batch).tolist() for batch in answer(10, 3, rng)]

    listed.__name__, rng, epochs = answer.__name__, np.random.default_rng(0), []
    for _ in range(400):
        got, problem = _call(listed, rng)
        seen = [] if problem else [i for batch in got for i in batch]
        if missing := set(range(10)) - set(seen):
            note = ": the last, shorter batch belongs to it" if len(seen) == 9 else ""
            if len(set(seen)) < len(seen):
                note = ", and others come twice: an epoch is drawn without replacement"
            return problem or f"{sorted(missing)} of 0 to 9 do not come in the epoch{note}"
        if len(seen) > 10:
            return f"an epoch of 10 has {len(seen)} entries: some come twice"
        if [len(batch) for batch in got] != [3, 3, 3, 1]:
            return f"the batches have the sizes {[len(b) for b in got]}, not 3, 3, 3 and 1"
        epochs.append(got)
    if epochs[0] == epochs[1]:
        return "each epoch has the same order: draw a new one each time"
    if len(last := {batches[-1][0] for batches in epochs}) < 10:
        return f"only {sorted(last)} ever come last: shuffle the examples, not the batches"
    if listed(np.random.default_rng(1)) != listed(np.random.default_rng(1)):
        return "the order does not come from rng: the same seed must give the same batches"
    return None


def momenta_inside(answer):
    """Check chapter 3's momenta(lrs, momentum) for a rule with the rate inside its buffer."""
    lrs, b, s = np.array([0.1, 0.1, 0.1, 0.02, 0.02, 0.05]), 0, 0
    got, problem = _call(answer, lrs, 0.9)
    if problem is None and np.shape(got) != lrs.shape:
        problem = f"its shape is {np.shape(got)}: it must return one momentum for each step"
    for t, lr in enumerate(lrs if problem is None else (), start=1):
        g = np.cos(t)
        w, b = rules.momentum(0.0, g, t, b, lr=lr)
        s = got[t - 1] * s - lr * g
        if not np.isclose(w, s, rtol=1e-9):
            problem = f"the walks part at step t = {t}"
            problem += f", where η goes from {lrs[t - 2]:g} to {lr:g}" if t > 1 else ""
            if np.isclose(got[t - 1], 0.9):
                problem += ": the stored step was made at another rate than the new one"
            elif np.isclose(got[t - 1], 0.9 * lrs[t - 2] / lr):
                problem += ": the ratio of the rates is upside down"
            break
    problem = f"for lrs = {lrs.tolist()} and momentum = 0.9 {problem}" if problem else None
    _verdict(problem, "the stored step is rescaled to each new rate")


def centered(answer):
    """Check chapter 4's centered(w, g, t, v=0, a=0, *, lr, alpha, eps) against its definition."""
    _verdict(_centered_problem(answer), "the mean of squares less the squared mean, eps outside")


def _centered_problem(answer):
    got, problem = _call(answer, 0.0, 8.0, 1, lr=1.0, alpha=0.75, eps=2.0)  # v = 16, a = 2
    if problem:
        return problem
    if not isinstance(got, tuple) or len(got) != 3:
        return "it must return the three values w, v, a"
    first = "after one gradient of 8 with alpha = 0.75 and eps = 2"
    if not np.allclose(got[1:], (16, 2)):
        return f"{first}, v and a must be 16 and 2, not {got[1]:g} and {got[2]:g}"
    for length, problem in (
        (8 / 14**0.5, "eps stands inside the root, as in Graves's paper; here it stands outside"),
        (8 / (14**0.5 + 2), "it subtracts the mean a; the variance is v - a**2"),
        (8 / (16**0.5 + 2), "the mean a is missing in the root, or used before its update"),
    ):
        if np.isclose(got[0], -length):
            return f"{first}, w is {got[0]:.4g}: {problem}"
    mine, w = (np.zeros(3),), np.zeros(3)
    gradients = np.random.default_rng(0).standard_normal((50, 3))
    for t, g in enumerate(gradients, start=1):
        share = 0.1 * 0.9 ** np.arange(t - 1, -1, -1)  # of each gradient in the averages
        variance = share @ gradients[:t] ** 2 - (share @ gradients[:t]) ** 2
        w = w - 0.1 * g / (variance**0.5 + 1e-3)
        mine, problem = _call(answer, mine[0], g, t, *mine[1:], lr=0.1, alpha=0.9, eps=1e-3)
        if problem or not np.allclose(mine[0], w, rtol=1e-9):
            return problem or f"it leaves the definition at step t = {t} (alpha 0.9, eps 1e-3)"
    return None


def adam_rule(answer):
    """Check chapter 5's adam(w, g, t, m=0, v=0, *, lr, betas, eps) property by property."""
    praise = "averages, first step, eps and 200 steps agree with Algorithm 1"
    _verdict(_adam_problem(answer), praise)


def _adam_problem(answer):
    got, problem = _call(answer, 0.0, 4.0, 1, lr=0.5, betas=(0.9, 0.999), eps=0.0)
    if problem:
        return problem
    if not isinstance(got, tuple) or len(got) != 3:
        return "it must return the three values w, m, v"
    if not np.allclose(got[1:], (0.4, 0.016)):
        wanted = "for g = 4 and betas 0.9, 0.999 m and v must be 0.4 and 0.016"
        return f"{wanted}, not {got[1]:g}, {got[2]:g}"
    if not np.isclose(got[0], -0.5):
        wanted = "for g = 4 and lr = 0.5 the first step must be 0.5 long"
        return f"{wanted}, not {abs(got[0]):.4g}; are m and v corrected?"
    got, problem = _call(answer, 0.0, 1.0, 1, lr=1.0, betas=(0.9, 0.999), eps=1.0)
    if problem or not np.isclose(got[0], -0.5):
        where = "with g = 1, lr = 1 and eps = 1"
        return problem or f"{where} the first step is {got[0]:.4g}, not -1/2; where is eps?"
    mine = theirs = (np.zeros(3),)
    for t, g in enumerate(np.random.default_rng(0).standard_normal((200, 3)), start=1):
        mine, problem = _call(answer, mine[0], g, t, *mine[1:], lr=0.1, betas=(0.8, 0.99), eps=1e-8)
        theirs = rules.adam(theirs[0], g, t, *theirs[1:], lr=0.1, betas=(0.8, 0.99))
        if problem or not np.allclose(mine[0], theirs[0], rtol=1e-9):
            where = f"at step t = {t} on random gradients, betas 0.8 and 0.99"
            return f"{where}, {problem or 'it leaves Algorithm 1'}"
    return None


def corrected_mean(answer):
    """Check chapter 6's corrected_mean(values, betas), where beta changes at every step."""
    rng, problem = np.random.default_rng(0), None
    for betas in (np.full(5, 0.9), np.array([0.0, 0.5, 0.9, 0.99]), rng.uniform(0, 1, 30)):
        ones, problem = _call(answer, np.ones(len(betas)), betas)
        if problem is None and not isinstance(ones, Real):
            problem = f"it must return one number, not {ones!r}"
        elif problem is None and not np.isclose(ones, 1):
            problem = f"the mean of ones comes out as {ones:.6g}: weights must add up to 1"
        values = rng.standard_normal(len(betas))
        got, problem = (None, problem) if problem else _call(answer, values, betas)
        weights = (1 - betas) * np.append(np.cumprod(betas[:0:-1])[::-1], 1.0)
        if problem is None and not np.isclose(got, weights @ values / weights.sum()):
            problem = "the weights add up to 1, but they are not those of the running average"
        if problem:
            start = ", ".join(f"{beta:.2g}" for beta in betas[:4])
            problem = f"for {len(betas)} betas, {start}{', ...' * (len(betas) > 4)}: {problem}"
            break
    _verdict(problem, "divide by one minus the product of all betas so far")


def clipped(answer):
    """Check chapter 15's clipped(gradients, max_norm): a list of arrays, by their common norm."""
    _verdict(_clipped_problem(answer), "one factor for all, at most 1, and nothing was overwritten")


def _clipped_problem(answer):
    for scale, limit in ((1.0, 2.6), (1.0, 20.0), (0.0, 1.0)):
        given = [scale * np.array([[3.0, 0.0]]), scale * np.array([4.0, 12.0])]  # the norm is 13
        copies = [g.copy() for g in given]
        got, problem = _call(answer, given, limit)
        where = f"for gradients of norm {13 * scale:g} and max_norm = {limit:g}"
        if problem or not isinstance(got, list) or [np.shape(g) for g in got] != [(1, 2), (2,)]:
            return f"{where} {problem or 'it must return a list of arrays of the same shapes'}"
        if any((g != copy).any() for g, copy in zip(given, copies, strict=True)):
            return f"{where} it changes the arrays that it was given"
        whole, right = np.concatenate([g.ravel() for g in got]), scale * np.array([3, 0, 4, 12.0])
        right = right * min(1.0, limit / (13 * scale or limit))
        if np.allclose(whole, right, rtol=1e-5, atol=0):  # 1e-5: room for torch's 1e-6
            continue
        ratio = 3 * whole[2] / whole[0] if scale and whole[0] else 4.0
        if not np.isclose(ratio, 4):
            found = f"the first and third entries are 3 : {ratio:.3g}, not 3 : 4"
            return f"{where} {found}: the direction changed; is it one norm for all tensors?"
        return f"{where} the norm becomes {np.linalg.norm(whole):.4g}"
    return None


def trapezoid(answer):
    """Check chapter 14's trapezoid(t, steps, warm, cool): up, level at 1, and down to the end."""
    for steps, warm, cool in ((20, 4, 5), (10, 1, 4), (12, 6, 6), (9, 3, 1)):
        for t in range(steps):
            got, problem = _call(answer, t, steps, warm, cool)
            wanted = min((t + 1) / warm, 1, (steps - t) / cool)
            if problem is None and not isinstance(got, Real):
                problem = f"it must return one number, not {got!r}"
            elif problem is None and not np.isclose(got, wanted, rtol=1e-9):
                problem = f"the factor is {got:.4g}, not {wanted:.4g}"
                if np.isclose(got, t / warm):
                    problem += ": the rise starts at 0, and such a step moves nothing"
                elif np.isclose(got, (steps - 1 - t) / cool):
                    problem += ": the last step would be of length 0"
                elif np.isclose(got, min((t + 1) / warm, 1)):
                    problem += f": the last {cool} steps go down"
                elif got > 1:
                    problem += ": the level is 1"
            if problem:
                where = f"for t = {t} of steps = {steps}, warm = {warm} and cool = {cool}"
                return _verdict(f"{where} {problem}", "")
    _verdict(None, "up in warm steps, level, and down in the last cool steps, none of length 0")


def rounded(answer):
    """Check chapter 16's rounded(x, u): x as a bfloat16, up or down as u says, with mean x."""
    x = np.float32([1, 1.01, -0.3, 200.7, 1e-30]).repeat(4096)
    got, problem = _call(answer, x, np.tile(np.arange(4096) / 4096, 5))  # u, evenly over [0, 1)
    if problem is None and (np.shape(got) != x.shape or (np.float32(got).view("u4") % 2**16).any()):
        problem = "it must return one bfloat16 for each x: a float32 whose lower 16 bits are 0"
    elif problem is None:
        off, kinds = np.abs((got / x).reshape(5, -1).mean(axis=1) - 1).max(), len(np.unique(got))
        problem = f"the mean is {off:.2%} off; 5 numbers x gave {kinds}" if off > 1e-5 else None
    _verdict(problem, "bfloat16 numbers whose mean over u is x")


def zero_step(answer):
    """Check chapter 17's zero_step(w, gradients, t, states, **hyper): Adam with shared buffers."""
    _verdict(_zero_problem(answer), "the steps of Adam on the mean gradient, each buffer kept once")


def _zero_problem(answer):
    for workers, n in ((1, 4), (2, 6), (4, 10)):
        rng, where = np.random.default_rng(0), f"with {workers} workers and {n} weights"
        w = mine = rng.standard_normal(n)
        whole, states = (), [()] * workers
        for t in range(1, 6):
            g, hyper = rng.standard_normal((workers, n)), {"lr": 0.1, "eps": 0.5}
            summed = rules.adam(w, g.sum(axis=0), t, *whole, **hyper)[0]
            w, *whole = rules.adam(w, g.mean(axis=0), t, *whole, **hyper)
            got, problem = _call(answer, mine, g, t, states, **hyper)
            if problem or not (isinstance(got, tuple) and len(got) == 2):
                return problem or "it must return the two values w and states"
            mine, states = got
            if np.shape(mine) != (n,) or not np.allclose(mine, w, rtol=1e-9):
                added = np.shape(mine) == (n,) and np.allclose(mine, summed)
                why = ": the gradients are added, not averaged" if added else ""
                return f"{where} it leaves Adam on the mean gradient at step t = {t}{why}"
            sizes = [np.size(state[0]) for state in states if len(state)]
            if len(states) != workers or sum(sizes) != n or max(sizes) > -(-n // workers):
                return f"{where} the workers keep buffers of {sizes} weights, not an equal share"
    return None

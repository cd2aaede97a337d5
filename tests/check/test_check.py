"""The checkers accept a right answer and tell a wrong one why."""

import functools
import io
import sys

import numpy as np
import pytest
import torch

from adamlib import check, rules
from adamlib.mutants import moves


def said(checker, answer, capsys):
    checker(answer)
    return capsys.readouterr().out


def running_mean(values, betas):
    m, seen = 0.0, 1.0
    for x, beta in zip(values, betas, strict=True):
        m, seen = beta * m + (1 - beta) * x, seen * beta
    return m / (1 - seen)


def epoch(n, size, rng):
    order = rng.permutation(n)
    return [order[i : i + size] for i in range(0, n, size)]


def shuffled_batches(n, size, rng):
    batches = np.split(np.arange(n), range(size, n, size))
    return [batches[i] for i in rng.permutation(len(batches) - 1)] + batches[-1:]


def signum(w, g, t, m=0, *, lr, beta):
    m = beta * m + (1 - beta) * g
    return w - lr * np.sign(m), m


def signum_in_place(w, g, t, m=0, *, lr, beta):
    m = beta * m + (1 - beta) * g
    w -= lr * np.sign(m)
    return w, m


def signum_by_division(w, g, t, m=0, *, lr, beta):
    m = beta * m + (1 - beta) * g
    with np.errstate(invalid="ignore"):
        return w - lr * m / abs(m), m


def signum_with_a_sum(w, g, t, m=0, *, lr, beta):
    m = beta * m + g
    return w - lr * np.sign(m), m


def signum_without_length(w, g, t, m=0, *, lr, beta):
    m = beta * m + (1 - beta) * g
    return w - lr * m, m


def by_the_last(values, betas):
    unseen = np.prod(betas)
    return running_mean(values, betas) * (1 - unseen) / (1 - betas[-1] ** len(betas))


def rescaled(lrs, momentum):
    return momentum * np.append(1.0, lrs[1:] / lrs[:-1])


def swapped(w, g, t, m=0, v=0, *, lr, betas, eps):
    return rules.adam(w, g, t, m, v, lr=lr, betas=betas[::-1], eps=eps)


def uncorrected(w, g, t, m=0, v=0, *, lr, betas, eps):
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
    return w - lr * m / (v**0.5 + eps), m, v


def eps_inside(w, g, t, m=0, v=0, *, lr, betas, eps):
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return w - lr * m_hat / (v_hat + eps) ** 0.5, m, v


def clock_at_one(w, g, t, m=0, v=0, *, lr, betas, eps):
    return rules.adam(w, g, 1, m, v, lr=lr, betas=betas, eps=eps)


def centered(w, g, t, v=0, a=0, *, lr, alpha, eps):
    v, a = alpha * v + (1 - alpha) * g**2, alpha * a + (1 - alpha) * g
    return w - lr * g / ((v - a**2) ** 0.5 + eps), v, a


def centered_like_graves(w, g, t, v=0, a=0, *, lr, alpha, eps):
    _, v, a = centered(w, g, t, v, a, lr=lr, alpha=alpha, eps=eps)
    return w - lr * g / (v - a**2 + eps) ** 0.5, v, a


def centered_by_the_mean(w, g, t, v=0, a=0, *, lr, alpha, eps):
    _, v, a = centered(w, g, t, v, a, lr=lr, alpha=alpha, eps=eps)
    return w - lr * g / ((v - a) ** 0.5 + eps), v, a


def not_centered(w, g, t, v=0, a=0, *, lr, alpha, eps):
    return *rules.rmsprop(w, g, t, v, lr=lr, alpha=alpha, eps=eps), a


def centered_with_shares_swapped(w, g, t, v=0, a=0, *, lr, alpha, eps):
    return centered(w, g, t, v, a, lr=lr, alpha=1 - alpha, eps=eps)


def centered_a_step_late(w, g, t, v=0, a=0, *, lr, alpha, eps):
    _, new_v, new_a = centered(w, g, t, v, a, lr=lr, alpha=alpha, eps=eps)
    return w - lr * g / ((new_v - a**2) ** 0.5 + eps), new_v, new_a


def centered_without_memory(w, g, t, v=0, a=0, *, lr, alpha, eps):
    return centered(w, g, t, lr=lr, alpha=alpha, eps=eps)


def clipped(gradients, max_norm):
    norm = np.linalg.norm([np.linalg.norm(g) for g in gradients])
    return [g * min(1.0, max_norm / norm) if norm else g for g in gradients]


def clipped_in_place(gradients, max_norm):
    for g, new in zip(gradients, clipped(gradients, max_norm), strict=True):
        g[:] = new
    return gradients


def unguarded(gradients, max_norm):
    scale = min(1.0, max_norm / sum(float((g**2).sum()) for g in gradients) ** 0.5)
    return [scale * g for g in gradients]


def to_the_norm(gradients, max_norm):
    norm = np.linalg.norm([np.linalg.norm(g) for g in gradients])
    return [g * max_norm / (norm or 1) for g in gradients]


def cautious(w, g, t, m=0, v=0, *, weight_decay, aligned=lambda w, step, g: w * step >= 0, **hyper):
    new, m, v = rules.adam(w, g, t, m, v, **hyper)
    return new - hyper["lr"] * weight_decay * w * aligned(w, w - new, g), m, v


def cautious_l2(w, g, t, m=0, v=0, *, weight_decay, **hyper):
    return rules.adam(w, g + weight_decay * w * (w * g > 0), t, m, v, **hyper)


def cautious_without_lr(*a, lr, weight_decay, **k):
    return cautious(*a, lr=lr, weight_decay=weight_decay / lr, **k)


def cautious_late(w, *a, lr, weight_decay, **k):
    new, *state = rules.adam(w, *a, lr=lr, **k)
    return new - lr * weight_decay * new * (w * (w - new) >= 0), *state


def edge(rule, **hyper):
    def largest_root(curvature):
        _, *state = rule(1.0, curvature, 1, **hyper)
        columns = [rule(e[0], curvature * e[0], 1, *e[1:], **hyper) for e in np.eye(1 + len(state))]
        return abs(np.linalg.eigvals(np.array(columns, dtype=float).T)).max()

    low, high = 0.0, 1e6
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if largest_root(middle) < 1 else (low, middle)
    return low


def trapezoid(t, steps, warm, cool):
    return min((t + 1) / warm, 1, (steps - t) / cool)


def rounded(x, u):
    bits = x.view(np.uint32) + (u * 65536).astype(np.uint32)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def shifted(x, u):
    return rounded(x + abs(x) / 256, u)


def zero_step(w, gradients, t, states, **hyper):
    parts = np.array_split(w, len(gradients))
    shares = np.array_split(gradients.mean(axis=0), len(gradients))
    new = [
        rules.adam(*arrays, t, *state, **hyper)
        for *arrays, state in zip(parts, shares, states, strict=True)
    ]
    return np.concatenate([part for part, *_ in new]), [tuple(state) for _, *state in new]


def zero_with_own_gradients(w, gradients, t, states, **hyper):
    own = np.array_split(np.arange(len(w)), len(gradients))
    mixed = np.concatenate([gradients[r, part] for r, part in enumerate(own)])
    return zero_step(w, np.tile(mixed, (len(gradients), 1)), t, states, **hyper)


def zero_that_keeps_all(w, gradients, t, states, **hyper):
    w, *state = rules.adam(w, gradients.mean(axis=0), t, *states[0], **hyper)
    return w, [tuple(state)] * len(gradients)


def polar(x, low, steps):
    x = x / np.linalg.norm(x)
    for _ in range(steps):
        c = (3 / (1 + low + low**2)) ** 0.5
        x, low = c * x, c * low
        x, low = 1.5 * x - 0.5 * x @ x.T @ x, 1.5 * low - 0.5 * low**3
    return x


def newton_schulz(x, low, steps):
    x = x / np.linalg.norm(x)
    for _ in range(steps):
        x = 1.5 * x - 0.5 * x @ x.T @ x
    return x


def polar_with_one_stretch(x, low, steps):
    c, x = (3 / (1 + low + low**2)) ** 0.5, x / np.linalg.norm(x)
    for _ in range(steps):
        x = 1.5 * c * x - 0.5 * c**3 * x @ x.T @ x
    return x


def polar_in_place(x, low, steps):
    x /= np.linalg.norm(x)
    return polar(x, low, steps)


def beats(ratios, by):
    ahead, behind, middle = np.mean(ratios > 1), np.mean(ratios < 1), np.median(ratios)
    if ahead >= 0.9 and middle >= by:
        return "holds"
    if ahead >= 0.7 and middle > 1:
        return "holds weakly"
    return "reversed" if behind >= 0.9 and middle <= 1 / 1.1 else "not at this scale"


def beats_by_the_mean(ratios, by):
    return "holds" if ratios.mean() >= by else "not at this scale"


def beats_one_way(ratios, by):
    return beats(ratios, by).replace("reversed", "not at this scale")


def crown(winner, loser, n):
    rates = sorted(winner)
    runs = [rates[i : i + n] for i in range(len(rates) - n + 1)]
    wins = [run for run in runs if min(map(loser.get, run)) < min(map(winner.get, run))]
    return wins[0] if wins else None


def crown_where_the_loser_is_best(winner, loser, n):
    rates = sorted(winner)
    i = min(max(rates.index(min(loser, key=loser.get)) - n // 2, 0), len(rates) - n)
    return rates[i : i + n]


def adopt(w, g, t, m=0, v=0, *, lr, betas, eps):
    if t == 1:
        return w, m, g**2
    m = betas[0] * m + (1 - betas[0]) * g / np.maximum(v**0.5, eps)
    return w - lr * m, m, betas[1] * v + (1 - betas[1]) * g**2


def adopt_with_its_own_gradient(w, g, t, m=0, v=0, *, lr, betas, eps):
    v = betas[1] * v + (1 - betas[1]) * g**2 if t > 1 else g**2
    m = betas[0] * m + (1 - betas[0]) * g / np.maximum(v**0.5, eps) if t > 1 else m
    return w - lr * m, m, v


def adopt_momentum_first(w, g, t, m=0, v=0, *, lr, betas, eps):
    if t == 1:
        return w, m, g**2
    m = betas[0] * m + (1 - betas[0]) * g
    return w - lr * m / np.maximum(v**0.5, eps), m, betas[1] * v + (1 - betas[1]) * g**2


def adopt_from_a_zero_ruler(w, g, t, m=0, v=0, *, lr, betas, eps):
    return adopt(w, g, t + 1, m, v, lr=lr, betas=betas, eps=eps)


def adopt_without_memory(w, g, t, m=0, v=0, *, lr, betas, eps):
    return adopt(w, g, t, 0, v, lr=lr, betas=betas, eps=eps)


def adopt_with_a_sum(w, g, t, m=0, v=0, *, lr, betas, eps):
    less = g * np.maximum(v**0.5, eps) / (v**0.5 + eps)
    w, m, _ = adopt(w, less, t, m, v, lr=lr, betas=betas, eps=eps)
    return w, m, betas[1] * v + (1 - betas[1]) * g**2 if t > 1 else g**2


def adopt_uphill(w, g, t, m=0, v=0, **hyper):
    w, m, v = adopt(w, g, t, m, v, **hyper)
    return w + hyper["lr"] * 1.9 * m * (t > 3), m, v


def steady(rule):
    return np.allclose(moves(rule, [2.0] * 50), 1)


def half(rule):
    return np.allclose(moves(rule, [1.0] * 50, eps=1.0), 0.5)


def flip(rule):
    return np.isclose(moves(rule, [1.0] * 49 + [-1.0])[-1], 1 - 0.2 / (1 - 0.9**50))


def silent(rule):
    return rule(0.0, 0.0, 1, lr=1.0, betas=(0.9, 0.999), eps=1e-8)[0] == 0


def to_the_bit(rule):
    g = np.random.default_rng(0).standard_normal(99)
    return np.array_equal(moves(rule, g), moves(rules.adam, g))


def lowest_of(scores, k, q):
    i = 1
    while 1 - (1 - i / len(scores)) ** k < q:
        i += 1
    return sorted(scores)[i - 1]


def put_aside(scores, k, q):
    n, i = len(scores), 1
    missed = lambda i: np.prod([max(0, n - i - j) / (n - j) for j in range(k)])  # noqa: E731
    while 1 - missed(i) < q:
        i += 1
    return sorted(scores)[i - 1] if k == n else lowest_of(scores, k, q)


def paired(a, b, together=True, ends=(0.025, 0.975)):
    rng = np.random.default_rng(7)
    one, other = rng.integers(len(a), size=(2, 10_000, len(a)))
    other = one if together else other
    means = np.log(a)[one].mean(axis=1) - np.log(b)[other].mean(axis=1)
    return tuple(np.quantile(means, ends))


@pytest.mark.parametrize(
    ("checker", "answer", "words"),
    [
        (check.best_lr, lambda low, high: 2 / (low + high), "✓"),
        (check.best_lr, lambda low, high: 2 / high, "limit of stability"),
        (check.best_lr, lambda low, high: 1 / high, "flat one still crawls"),
        (check.best_lr, lambda low, high: 1 / (low + high), "flat direction is the slower"),
        (check.best_lr, lambda low, high: 2 / (low * high) ** 0.5, "that is too far"),
        (check.best_lr, lambda low, high: None, "one finite number, not None"),
        (check.best_lr, lambda low, high: np.nan, "one finite number, not nan"),
        (check.best_lr, lambda low, high: 2 / 11, "for curvatures 0.5 and 3 it returns 0.181818"),
        (check.best_lr, lambda low, high: 1 / 0, "1 and 10 <lambda> raised ZeroDivisionError"),
        (check.epoch_batches, epoch, "✓"),
        (check.epoch_batches, lambda n, b, rng: epoch(n, b, rng)[:-1], "the last, shorter batch"),
        (check.epoch_batches, lambda n, b, rng: rng.integers(n, size=(4, b)), "without replac"),
        (check.epoch_batches, lambda n, b, rng: rng.integers(n, size=(3, b)), "others come twice"),
        (check.epoch_batches, lambda n, b, rng: [*epoch(n, b, rng), [0]], "some come twice"),
        (check.epoch_batches, lambda n, b, rng: epoch(n, n, rng), "sizes [10], not 3, 3, 3 and 1"),
        (check.epoch_batches, lambda n, b, _: epoch(n, b, np.random.default_rng(0)), "same order"),
        (check.epoch_batches, shuffled_batches, "only [9] ever come last: shuffle the examples"),
        (check.epoch_batches, lambda n, b, _: epoch(n, b, np.random), "does not come from rng"),
        (check.epoch_batches, lambda n, b, rng: epoch(n), "raised TypeError"),
        (check.momenta_inside, lambda lrs, beta: rescaled(lrs, beta), "✓"),
        (check.momenta_inside, lambda lrs, beta: np.full(6, beta), "η goes from 0.1 to 0.02"),
        (check.momenta_inside, lambda lrs, beta: np.full(6, beta), "made at another rate"),
        (check.momenta_inside, lambda lrs, beta: np.roll(rescaled(lrs, beta), -1), "at step t = 3"),
        (check.momenta_inside, lambda lrs, beta: beta**2 / rescaled(lrs, beta), "upside down"),
        (check.momenta_inside, lambda lrs, beta: rescaled(lrs, beta)[1:], "one momentum for each"),
        (check.momenta_inside, lambda lrs, beta: 1 - rescaled(lrs, beta), "part at step t = 2"),
        (check.centered, centered, "✓"),
        (check.centered, centered_like_graves, "eps stands inside the root"),
        (check.centered, centered_by_the_mean, "the variance is v - a**2"),
        (check.centered, not_centered, "must be 16 and 2, not 16 and 0"),
        (check.centered, centered_with_shares_swapped, "must be 16 and 2, not 48 and 6"),
        (check.centered, centered_a_step_late, "w is -1.333: the mean a is missing"),
        (check.centered, centered_without_memory, "leaves the definition at step t = 2"),
        (check.centered, lambda *a, **k: 0.0, "three values w, v, a"),
        (check.adam_rule, rules.adam, "✓"),
        (check.adam_rule, swapped, "not 0.004, 1.6"),
        (check.adam_rule, uncorrected, "are m and v corrected"),
        (check.adam_rule, uncorrected, "for g = 4 and lr = 0.5"),
        (check.adam_rule, eps_inside, "with g = 1, lr = 1 and eps = 1 the first step is -0.7"),
        (check.adam_rule, clock_at_one, "at step t = 2 on random gradients, betas 0.8 and 0.99"),
        (check.adam_rule, lambda *a, **k: 0.0, "three values"),
        (check.corrected_mean, running_mean, "✓"),
        (check.corrected_mean, lambda x, b: np.mean(x), "not those of the running average"),
        (check.corrected_mean, lambda x, b: (1 - b[-1]) * x.sum(), "must add up to 1"),
        (check.corrected_mean, by_the_last, "for 4 betas, 0, 0.5, 0.9, 0.99: the mean of ones"),
        (check.corrected_mean, lambda x, b: None, "one number, not None"),
        (check.properties, [steady, half, flip], "18 of 18 killed, no false alarm; survived: none"),
        (check.properties, [steady, steady, silent], "14 of 18 killed"),
        (
            check.properties,
            [steady] * 3,
            "✓ Correct: 12 of 18 killed, no false alarm; survived: ep",
        ),
        (check.properties, [silent] * 3, "✗ Not yet, 10 are due: 2 of 18 killed"),
        (check.properties, [steady, half, to_the_bit], "not hold for Algorithm 1 in another order"),
        (check.properties, [lambda rule: False, half, flip], "1, <lambda>: a false alarm"),
        (check.properties, [half, lambda rule: None, flip], "must return True or False, not None"),
        (
            check.properties,
            [half, flip, lambda: True],
            "property 3, <lambda>: <lambda> raised Type",
        ),
        (check.properties, [half, flip, None], "raised TypeError"),
        (check.properties, [half, flip], "a list of three functions"),
        (check.properties, half, "a list of three functions"),
        (check.beats, beats, "✓"),
        (check.beats, beats_by_the_mean, "it is 'holds weakly', not"),
        (check.beats, beats_one_way, "it is 'reversed', not 'not at this scale'"),
        (check.beats, lambda ratios, by: beats(ratios, 1.1), "by = 1.5) it is 'holds weakly'"),
        (check.beats, lambda ratios: "holds", "raised TypeError"),
        (check.crown, crown, "✓"),
        (check.crown, lambda w, x, n: crown(x, w, n), "the winner still wins"),
        (check.crown, crown_where_the_loser_is_best, "there are no such rates: not None but"),
        (check.crown, lambda w, x, n: sorted(w)[:n], "0.01 to 0.032 the winner still wins"),
        (check.crown, lambda w, x, n: sorted(w)[::n][:n], "it must return 3 neighboring rates"),
        (check.crown, lambda w, x, n: None, "it must return 3 neighboring rates of the tables, n"),
        (check.best_of_k, lowest_of, "✓"),
        (check.best_of_k, lambda s, k, q: float(np.quantile(s, q)), "must be one of the scores"),
        (
            check.best_of_k,
            lambda s, k, q: lowest_of(s, 1, q),
            "k = 5 and q = 0.51: the lowest of 5",
        ),
        (check.best_of_k, lambda s, k, q: lowest_of(s, k, 1 - q), "for 40 scores, k = 1 and q"),
        (check.best_of_k, put_aside, "k = 25 and q = 0.975: a trial may be drawn twice"),
        (check.best_of_k, lambda s, k, q: s, "must return one number"),
        (check.best_of_k, lambda s: s, "raised TypeError"),
        (check.interval, paired, "✓"),
        (check.interval, lambda a, b: paired(b, a), "both ends must lie below 0"),
        (check.interval, lambda a, b: paired(a, b, together=False), "times too wide: is each rule"),
        (
            check.interval,
            lambda a, b: paired(a, b, ends=(0.25, 0.75)),
            "for 10 seeds, a about 20 %",
        ),
        (
            check.interval,
            lambda a, b: paired(a, b, ends=(0.05, 0.95)),
            "for 10 seeds, a about 20 %",
        ),
        (check.interval, lambda a, b: paired(a, b)[::-1], "two numbers (low, high)"),
        (check.interval, lambda a, b: None, "two numbers (low, high), not nan"),
        (check.edge, edge, "✓"),
        (check.edge, lambda rule, lr, **h: lr * edge(rule, lr=lr, **h), "the rate times the curv"),
        (
            check.edge,
            lambda rule, lr, **h: 2 / lr,
            "momentum = 0.5 it returns 20: there the rule wo",
        ),
        (
            check.edge,
            lambda rule, **h: 1.01 * edge(rule, **h),
            "20.2; just below it the walk grows",
        ),
        (
            check.edge,
            lambda rule, **h: 0.99 * edge(rule, **h),
            "19.8; just above it the walk still",
        ),
        (
            check.edge,
            lambda rule, lr, momentum=0, beta=0: 2 * (1 + momentum) / lr,
            "Nesterov's mom",
        ),
        (check.edge, lambda rule, **h: None, "one finite number, not None"),
        (check.edge, lambda rule: 20.0, "raised TypeError"),
        (check.adopt, adopt, "✓"),
        (check.adopt, lambda *a, **h: adopt(*a, **h)[0], "must return three values, w, m and v"),
        (check.adopt, adopt_from_a_zero_ruler, "w must stay at 1, not go to -1e+06"),
        (check.adopt, rules.adam, "w must stay at 1, not go to 0.5"),
        (check.adopt, adopt_with_its_own_gradient, "this one holds g itself already"),
        (check.adopt, adopt_momentum_first, "not the bare ones"),
        (check.adopt, adopt_without_memory, "from m = 2, v = 4, g = 8 it must be 2.5"),
        (check.adopt, adopt_with_a_sum, "max(√v, eps), no sum"),
        (check.adopt, adopt_uphill, "with β2 = 0.0 it ends at"),
        (check.clipped, clipped, "✓"),
        (check.clipped, lambda gs, c: [clipped([g], c)[0] for g in gs], "one norm for all tensors"),
        (check.clipped, lambda gs, c: [np.clip(g, -c, c) for g in gs], "are 3 : 3, not 3 : 4"),
        (check.clipped, to_the_norm, "norm 13 and max_norm = 20 the norm becomes 20"),
        (check.clipped, clipped_in_place, "changes the arrays that it was given"),
        (
            check.clipped,
            unguarded,
            "norm 0 and max_norm = 1 unguarded raised",
        ),
        (check.clipped, lambda gs, c: np.concatenate(gs, axis=None), "a list of arrays"),
        (check.clipped, lambda gs: gs, "raised TypeError"),
        (check.signum, signum, "✓"),
        (check.signum, lambda w, g, t, m=0, *, lr, beta: (w - lr * np.sign(g), m), "not of the av"),
        (check.signum, lambda *a, **k: (2 * a[0] - signum(*a, **k)[0], 0), "uphill"),
        (check.signum, lambda *a, **k: signum(*a, **k)[:1], "one buffer, not w and 0"),
        (check.signum, signum_in_place, "leave those that it gets"),
        (check.signum, signum_with_a_sum, "not Adam's average of the gradients"),
        (check.signum, signum_by_division, "0 must move nothing"),
        (check.signum, signum_without_length, "not by lr = 0.1 along the sign"),
        (check.trapezoid, trapezoid, "✓"),
        (check.trapezoid, lambda t, n, w, c: min(t / w, trapezoid(t, n, 1, c)), "starts at 0"),
        (check.trapezoid, lambda t, n, w, c: trapezoid(t, n - 1, w, c), "last step would be of le"),
        (check.trapezoid, lambda t, n, w, c: trapezoid(t, 10**9, w, c), "the last 5 steps go down"),
        (check.trapezoid, lambda t, n, w, c: (t + 1) / w, "t = 4 of steps = 20, warm = 4 and c"),
        (check.trapezoid, lambda t, n, w, c: (t + 1) / w, "1.25, not 1: the level is 1"),
        (check.trapezoid, lambda t, n, w, c: None, "one number, not None"),
        (check.trapezoid, lambda t, n: 1.0, "raised TypeError"),
        (check.rounded, rounded, "✓"),
        (check.rounded, lambda x, u: rounded(x, np.full_like(u, 0.5)), "5 numbers x gave 5"),
        (check.rounded, lambda x, u: rounded(x, 0 * u), "5 numbers x gave 5"),
        (check.rounded, shifted, "off; 5 numbers x gave"),
        (check.rounded, lambda x, u: x, "lower 16 bits are 0"),
        (check.rounded, lambda x, u: 0.0, "one bfloat16 for each x"),
        (check.cautious, cautious, "✓"),
        (
            check.cautious,
            rules.adamw,
            "a weight at 2 that Adam moves to 2.1 goes to 1.85, not to 2.1",
        ),
        (
            check.cautious,
            functools.partial(cautious, aligned=lambda w, step, g: w * step < 0),
            "a weight at 2 that Adam moves to 1.9 goes to 1.9, not to 1.65",
        ),
        (
            check.cautious,
            functools.partial(cautious, aligned=lambda w, step, g: w * g >= 0),
            "against the gradient with lr = 0.25, betas = (0.5, 0.75), eps = 0.5, v = 1 and "
            "weight_decay = 0.5 a weight at 2",
        ),
        (
            check.cautious,
            functools.partial(cautious, aligned=lambda w, step, g: w * step > 0),
            "a weight at 2 that Adam moves to 2 goes to 2, not to 1.75",
        ),
        (check.cautious, cautious_l2, "decay touches the weight alone"),
        (check.cautious, cautious_without_lr, "goes to 0.9, not to 1.65"),
        (check.cautious, cautious_late, "goes to 1.662, not to 1.65"),
        (check.cautious, lambda w, *a, **k: w, "must return the three arrays w, m and v"),
        (check.cautious, lambda w, g: w, "raised TypeError"),
        (check.zero_step, zero_step, "✓"),
        (check.zero_step, lambda w, g, *a, **k: zero_step(w, g * len(g), *a, **k), "not averaged"),
        (check.zero_step, zero_with_own_gradients, "2 workers and 6 weights it leaves Adam on"),
        (check.zero_step, zero_that_keeps_all, "keep buffers of [6, 6] weights, not an equal"),
        (check.zero_step, lambda w, g, t, s, **k: w, "the two values w and states"),
        (check.zero_step, lambda w, g: w, "raised TypeError"),
        (check.polar, polar, "✓"),
        (check.polar, newton_schulz, "low = 0.01 and 1 steps: it does not stretch"),
        (check.polar, polar_with_one_stretch, "2 steps: the stretch is that of the first step"),
        (check.polar, lambda x, low, steps: x, "singular values are [7."),
        (check.polar, lambda x, low, steps: polar(x.T, low, steps), "not one of shape (5, 3)"),
        (check.polar, polar_in_place, "leave the matrix that it gets"),
        (check.polar, lambda x: x, "raised TypeError"),
    ],
)
def test_a_checker_says_what_is_wrong(checker, answer, words, capsys):
    assert words in said(checker, answer, capsys)


def endless(n, size, rng):
    while True:
        yield rng.permutation(n)


def right_batches(n, size, rng):
    order = rng.permutation(n)
    return (order[i : i + size] for i in range(0, n, size))


class Callable:
    """An answer that is an object and has no name."""

    def __call__(self, low, high):
        return 2 / (low + high)


@pytest.mark.parametrize(
    ("checker", "answer", "words"),
    [
        (check.epoch_batches, functools.partial(right_batches), "✓"),
        (check.best_lr, Callable(), "✓"),
        (check.best_lr, functools.partial(lambda low, high: 1 / 0), "✗ Not yet: for curvatures"),
        (check.best_lr, 0.18, "✗ Not yet: it must be a function, got 0.18"),
        (check.epoch_batches, lambda n, size, rng: rng.permutation(n), "✗ Not yet: the result is"),
        (check.epoch_batches, endless, "✗ Not yet: an epoch of 10 has 200 entries"),
        (check.clipped, lambda g, m: [["a"], [1]], "✗"),
    ],
)
def test_whatever_is_handed_in_gets_a_verdict(checker, answer, words, capsys):
    assert words in said(checker, answer, capsys)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_a_verdict_is_printed_in_any_encoding(monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    check.best_lr(lambda low, high: 2 / (low + high))
    out.flush()
    assert out.buffer.getvalue().startswith(b"? Correct")


def test_what_the_checker_calls_centered_is_torchs():
    gradients = torch.randn(50, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    w, weight, state = torch.zeros(3).double(), torch.nn.Parameter(torch.zeros(3).double()), ()
    theirs = torch.optim.RMSprop([weight], lr=0.1, alpha=0.9, eps=1e-3, centered=True)
    for t, g in enumerate(gradients, start=1):
        w, *state = centered(w, g, t, *state, lr=0.1, alpha=0.9, eps=1e-3)
        weight.grad = g.clone()
        theirs.step()
    torch.testing.assert_close(w, weight.data, rtol=1e-9, atol=0)  # the order of rounding

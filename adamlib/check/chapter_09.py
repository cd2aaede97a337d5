"""The checkers of chapter 9."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, checker


def lowest(scores, k, q):
    """Return the smallest score that the lowest of k draws reaches with a chance of at least q."""
    chances = 1 - (1 - np.arange(1, len(scores) + 1) / len(scores)) ** k
    return np.sort(scores)[np.searchsorted(chances, q - 1e-12)]


@checker("all k draws miss the i best with the chance (1 - i/n)^k")
def best_of_k(answer):
    """Check chapter 9's best_of_k(scores, k, q), a quantile of the lowest of k drawn trials."""
    rng = np.random.default_rng(0)
    for n, k, q in ((40, 1, 0.51), (40, 5, 0.51), (7, 3, 0.9), (25, 25, 0.975), (100, 25, 0.026)):
        scores = rng.lognormal(size=n).round(3)
        scores[: n // 5] = np.inf  # diverged
        where = f"for {n} scores, k = {k} and q = {q}:"
        got, due = call(answer, rng.permutation(scores), k, q, where=where), lowest(scores, k, q)
        if not isinstance(got, Real):
            return f"{where} it must return one number, not {got!r}"
        if k == n and got == scores.min() != due:
            return f"{where} a trial may be drawn twice, so that the best can be missed, not always"
        if got not in scores:
            return f"{where} it must be one of the scores, not {got:.6g}"
        if got != due:
            chance = 1 - (1 - (scores <= got).mean()) ** k
            reached = f"reach {got:.4g} with a chance of {chance:.3g}"
            return f"{where} the lowest of {k} draws {reached}; the smallest with {q} is {due:.4g}"


@checker("one draw of seeds for both, and twice 2.5 % left out")
def interval(answer):
    """Check chapter 9's interval(a, b), of the mean of ln a - ln b over the seeds."""
    rng = np.random.default_rng(0)
    for seeds, spread in ((10, 1.0), (20, 0.5)):
        luck = np.exp(spread * rng.standard_normal(seeds))  # the same for both: the seed's
        a = 0.8 * luck * np.exp(0.1 * rng.standard_normal(seeds))
        drawn = rng.integers(seeds, size=(20_000, seeds))
        ends = np.quantile(np.log(a / luck)[drawn].mean(axis=1), (0.025, 0.975))
        where = f"for {seeds} seeds, a about 20 % below b:"
        got = np.array(call(answer, a, luck, where=where), dtype=float)
        if got.shape != (2,) or not got[0] < got[1]:
            return f"{where} it must return two numbers (low, high), not {got}"
        width, due = np.diff(got)[0], np.diff(ends)[0]
        if np.allclose(got, ends, rtol=0, atol=0.06 * due):
            continue
        if got[0] > 0:
            return f"{where} both ends must lie below 0, not at {got[0]:.3g} and {got[1]:.3g}"
        if width > 2 * due:
            return f"{where} it is {width / due:.1f} times too wide: is each rule drawn by itself?"
        return f"{where} from {got[0]:.3g} to {got[1]:.3g}, and not {ends[0]:.3g} to {ends[1]:.3g}"

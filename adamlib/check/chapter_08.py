"""The checkers of chapter 8."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("how often, how much, and it can be reversed")
def beats(answer):
    """Check chapter 8's beats(ratios, by), which returns one of the four verdicts."""
    from adamlib.paper import verdict  # here: a chapter in NumPy alone must not load PyTorch

    rng, due = np.random.default_rng(0), {}
    for low, high in ((1, 2), (0.97, 1.3), (0.4, 1.02), (0.9, 1.02), (0.5, 2), (1, 1)):
        for seeds, by in ((10, 1.1), (10, 1.5), (5, 1.1)):
            ratios = rng.uniform(low, high, (40, seeds)).round(2)
            due |= {(tuple(each), by): verdict("beats", each, by) for each in ratios.tolist()}
    for (ratios, by), right in due.items():
        got = call(answer, np.array(ratios), by, where=f"for {list(ratios)}, by {by}:")
        if got != right:
            ahead, middle = sum(r > 1 for r in ratios), np.median(ratios)
            found = f"{ahead} of {len(ratios)} above 1, median {middle:.3g}, by = {by}"
            return f"for {list(ratios)} ({found}) it is {right!r}, not {got!r}"


@checker("the same rates for both, and where they lie decides")
def crown(answer):
    """Check chapter 8's crown(winner, loser, n): n neighboring rates at which the loser wins."""
    rates = [10 ** (k / 4) for k in range(-8, 9)]
    bowl = lambda middle, floor: {r: floor + np.log10(r / middle) ** 2 for r in rates}  # noqa: E731
    for n, winner, loser in (
        (3, bowl(0.1, 0.0), bowl(1.0, 0.2)),
        (5, bowl(10.0, -1.0), bowl(0.1, -0.7)),
        (3, bowl(1.0, 0.0), bowl(1.0, 0.1)),
    ):
        runs = [rates[i : i + n] for i in range(len(rates) - n + 1)]
        best = lambda table, run: min(table[r] for r in run)  # noqa: E731
        wins = [run for run in runs if best(loser, run) < best(winner, run)]
        got = call(answer, winner, loser, n, where=f"for n = {n}:")
        if not wins and got is not None:
            return f"for two equal bowls, one higher, there are no such rates: not None but {got}"
        if wins and (got is None or list(got) not in runs):
            return f"for n = {n} it must return {n} neighboring rates of the tables, not {got}"
        if wins and list(got) not in wins:
            low, high = best(winner, got), best(loser, got)
            return (
                f"from {got[0]:.2g} to {got[-1]:.2g} the winner still wins: {low:.2g}, {high:.2g}"
            )

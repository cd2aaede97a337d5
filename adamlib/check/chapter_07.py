"""The checkers of chapter 7."""

import numpy as np

from adamlib import rules
from adamlib.check.verdict import AnswerError, call, give
from adamlib.mutants import MUTANTS, edited, mutant

STEP, ROUNDED = "lr * m_hat / (v_hat**0.5 + eps)", "m_hat * (lr / (v_hat**0.5 + eps))"


def properties(answers):
    """Score chapter 7's [first, second, third]: each says of a rule whether its property holds."""
    try:
        if not isinstance(answers, list | tuple) or len(answers) != 3:
            raise AnswerError(f"it must be a list of three functions, got {answers!r}")
        with np.errstate(all="ignore"):
            names = [f"{k}, {getattr(a, '__name__', '?')}" for k, a in enumerate(answers, 1)]
            give("properties", answers, *score(dict(zip(names, answers, strict=True))))
    except AnswerError as wrong:
        give("properties", answers, False, f": {wrong}")


def score(answers, due=10):
    """Return (right, words) on {name: property}; raise `AnswerError` where the right Adams fail."""
    right = {"Algorithm 1": rules.adam}
    right["Algorithm 1 in another order of arithmetic"] = edited(rules.adam, [(STEP, ROUNDED)], "")
    for name, answer in answers.items():
        for title, rule in right.items():
            holds = call(answer, rule, where=f"on {title}, property {name}:")
            if not isinstance(holds, bool | np.bool_):
                raise AnswerError(f"property {name}: must return True or False, not {holds!r}")
            if not holds:
                raise AnswerError(f"property {name}: a false alarm, it does not hold for {title}")
    broken = {m: mutant(m) for m in MUTANTS if MUTANTS[m][0] is rules.adam}
    alive = [m for m, rule in broken.items() if not any(kills(a, rule) for a in answers.values())]
    count = len(broken) - len(alive)
    start = ":" if count >= due else f", {due} are due:"
    rest = f"no false alarm; survived: {', '.join(alive) or 'none'}"
    return count >= due, f"{start} {count} of {len(broken)} killed, {rest}"


def kills(answer, rule):
    """Whether a property does not hold for a rule, or raises."""
    try:
        return not answer(rule)
    except Exception:
        return True

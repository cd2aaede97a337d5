"""The memories of a step: of the gradients' direction, and of their size."""

import torch

from adamlib.diagnose.lab import Measured, UnknownError
from adamlib.diagnose.walks import LONG, SPIKE, odd_steps, of_mean

NOTHING = 3e-5  # of a response; beta = 0.9999 answers with more
MEAN, LARGEST = "a fading mean", "the largest mean so far"
SUM, MAXIMUM = "a sum", "a fading maximum"
ALL = "the mean of all so far"
EARLY = ", before the mean of the gradients is taken"


def direction(found):
    """The memory of direction: how fast gradients fade, and what comes past the mean.

    Returns (properties, responses): to one gradient that differs, as a share of that to all.
    """
    if odd := odd_steps(found["ones"]):
        raise UnknownError(f"every {odd}th step is another")
    response = (1 - found["flip"][LONG:] / found["ones"][LONG:]) / 2
    if not bool(response.isfinite().all()):
        raise UnknownError("a step of length zero")
    first, later = abs(float(response[0])), float(response[1:8].abs().max())
    if later < NOTHING and first < NOTHING:
        return {"direction": "a sign"}, response
    if later < NOTHING and abs(first - 1) < 1e-3:
        return {"direction": "the gradient", "beta1": Measured(0.0, later)}, response
    near, far = (fading(response, *span) for span in ((2, 6), (10, 40)))
    beta = Measured(near, abs(near - far))
    if (1 - near) * LONG < 3:
        raise UnknownError("one gradient fades as in a mean of all so far")
    if not 0 < near < 1 or (not beta.within <= 0.01 * (1 - near) and not of_mean(found)):
        raise UnknownError("one gradient is forgotten in no simple way")
    if of_mean(found):
        return {"direction": "the mean of the gradients", "beta1": Measured(near, 0.01)}, response
    past = 1 - float(response[1]) * (1 - near ** (LONG + 2)) / ((1 - near) * near)
    if abs(first - past - (1 - past) * (1 - near)) > 0.01:  # the newest gradient's sign has a part
        kinds = {"the mean of the gradients, where the newest agrees (cautious)": 0.5}
        kinds["the newest gradient's sign, the mean's length"] = near
        for kind, answer in kinds.items():
            if abs(first - answer) < 0.01:
                return {"direction": kind, "beta1": beta}, response
        raise UnknownError("the newest gradient has a part of its own")
    if abs(past) < 3e-3 * near:
        return {"direction": "the mean of the gradients", "beta1": beta}, response
    if abs(past - (1 - near)) < 3e-3 * near:
        return {"direction": "the mean, looking ahead (Nesterov)", "beta1": beta}, response
    share = {"share of the newest gradient past the mean": float(f"{past:.4g}")}
    return {"direction": "the mean and the newest gradient", "beta1": beta, **share}, response


def fading(response, first, last, origin=LONG + 1):
    """Return the beta of a mean, which still grows towards 1, from a response at two steps."""
    ratio = abs(float(response[last] / response[first])) ** (1 / (last - first))
    beta = ratio
    for _ in range(60):
        if not 0 < beta < 1:
            break
        filled = (1 - beta ** (origin + last)) / (1 - beta ** (origin + first))
        beta = ratio * filled ** (1 / (last - first))
    return beta


def heard(memory):
    """Return the last of 200 steps at which more than rounding is left of a spike."""
    return max(5, int((memory[:201] - 1 > 1e-4 * (memory[0] - 1)).sum()) - 1)


def size(found, known, response, growth):
    """The memory of size: what the step is divided by."""
    if abs(growth - 1) < 1e-3:
        return {"divided by": "nothing"}
    if known["direction"] == "the mean of the gradients" and of_mean(found):
        return {"divided by": f"the root of {MEAN} of the squared mean of the gradients"}
    ratio = found["spike"][LONG:] / found["ones"][LONG:]
    if float((ratio - 1).abs().max()) < 1e-6:
        if isinstance(known["a step depends on"], list):
            why = "unknown: steps or gradients of a tensor are scaled to one length"
            hidden = known["direction"] in ("the gradient", "a sign")
            return {"divided by": why, **({"direction": why} if hidden else {})}
        if known["direction"] == "the gradient":
            return {"direction": "a sign", "divided by": "its own size"}
        if known["direction"] == "a sign":
            return {"divided by": "nothing: steps are of one length"}
    if known["direction"] == "a sign" and float(ratio[0]) > 1.01:
        raise UnknownError("the newest gradient's size has a part, beside the sign of a mean")
    after = (1 + (SPIKE - 1) * response) / ratio
    for divisor, when in ((after, ""), (divided_first(ratio, response), EARLY)):
        if fits := list(fitted(divisor, growth)):
            # exactly a sum, or what is nearest: a mean that hardly fades comes near a sum
            best = min(fits, key=lambda fit: (fit[0] > 1e-6 or fit[1] != SUM, fit))
            _, name, what, beta, root = best
            if name == SUM and abs(float(found["ones"][-1] / found["ones"][100]) - 1) < 0.01:
                name = ALL
            power = {0.5: "the root of ", 1.0: ""}.get(round(root, 3), f"the power {root:.3g} of ")
            beta = {} if beta is None else {"beta2": Measured(*beta)}
            return {"divided by": f"{power}{name} of the {what}{when}", **beta}
    raise UnknownError("divided by what is no mean, sum or maximum of how large they were")


def fitted(divisor, growth):
    """Yield (error, name, what, (beta, within), root) of each memory that explains the divisor."""
    for power, what in ((1, "sizes"), (2, "squares")):
        root = (1 - growth) / power  # of the memory
        memory = divisor.abs() ** (1 / root)
        for name, beta, model in models(memory, power):
            error = float((memory - model).abs().max() / (memory - 1).abs().max())
            if error < 2e-3:
                yield error, name, what, beta, root


def divided_first(ratio, response):
    """Return what gradients are divided by, over what it would be without the spike, if their mean
    is taken afterwards."""
    parts = torch.ones_like(ratio)
    for k in range(len(ratio)):
        older = (response[1 : k + 1] * (parts[:k].flip(0) - 1)).sum()
        parts[k] = 1 + (ratio[k] - 1 - older) / response[0]
    gradients = torch.ones_like(ratio)
    gradients[0] = SPIKE
    return gradients / parts


def models(memory, power):
    """Yield (name, (beta, within), model): what a memory does after a spike, as a share."""
    jump = SPIKE**power - 1
    k = torch.arange(len(memory), dtype=torch.float64)
    t = LONG + 1 + k
    late = memory[1:]
    if abs(float(memory[0]) - 1) < 1e-6 and float(late[0]) > 1.001:
        beta = fading(late - 1, 0, heard(late))
        model = torch.cat([memory[:1], 1 + (late[0] - 1) * beta ** k[:-1]])
        yield f"{MEAN}, of the steps before,", (beta, 1e-3), model
    if not float(memory[0]) > 1.001:
        return
    if power == 1:
        fade = float(memory[1] / memory[0])
        if abs(float(memory[0]) / SPIKE - 1) < 0.01 and fade > 0.5:
            yield MAXIMUM, (fade, 0.0), (float(memory[0]) * fade**k).clamp(min=1)
    answer = float((memory[0] - 1) / jump)
    beta = fading(memory - 1, 0, heard(memory))
    if 0 < beta < 1:
        within = abs(answer * (1 - beta ** (LONG + 1)) - (1 - beta))
        yield MEAN, (beta, within), 1 + jump * (1 - beta) * beta**k / (1 - beta**t)
    yield SUM, None, 1 + jump / t
    for n in range(61):
        beta = 1 - answer * (1 - beta ** (LONG + 1) if n else 1)
    yield LARGEST, (beta, 0.0), float(memory[0]) * (1 - beta ** (LONG + 1)) / (1 - beta**t)

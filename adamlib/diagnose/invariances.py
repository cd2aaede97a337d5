"""What a step does not notice: units, signs, order, cuts, shapes, how large a gradient is."""

import torch

from adamlib.diagnose.couplings import LONG, STEPS, apart, random


def invariances(lab):
    """By how much a random walk changes when the problem is written otherwise (0: not at all)."""
    g = random(STEPS, *lab.shape)
    plain = lab.walk([[row] for row in g], **lab.bare)[0]

    def gap(gradients, undo=lambda moves: moves, **how):
        return apart(plain, undo(lab.walk([[row] for row in gradients], **{**lab.bare, **how})[0]))

    units = torch.ones(lab.shape, dtype=torch.float64)
    units.flatten()[0] = 2.0**10
    found = {
        "the loss times 1024": gap(1024 * g),
        "one entry's gradient times 1024": gap(units * g),
        "the sign of the gradients": gap(-g, torch.neg),
        "the order of entries": gap(g.flip(-1), lambda moves: moves.flip(-1)),
        "the weights' place": gap(g, starts=[torch.full(lab.shape, 3.0)]),
    }
    if lab.shape == (2,):
        c, s = 0.8, 0.6
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        found["a turn of the axes"] = gap(g @ turn.T, lambda moves: moves @ turn)
        cut = lab.walk([[row[:1], row[1:]] for row in g], starts=[torch.ones(1)] * 2, **lab.bare)
        found["one tensor cut into two"] = apart(plain, torch.cat(cut, 1))
        found["the weights as a matrix"] = as_matrix(lab)
    try:
        found["maximize"] = apart(
            plain, -lab.walk([[row] for row in g], maximize=True, **lab.bare)[0]
        )
    except Exception:
        found["maximize"] = "no such argument"
    return {f"changes with {name}": gap for name, gap in found.items()}


def as_matrix(lab, n=4):
    """By how much 16 weights walk otherwise in a matrix than in a vector."""
    g = random(LONG, n * n)
    vector, matrix = (
        lab.walk([[row.view(shape)] for row in g], starts=[torch.ones(shape)], **lab.bare)[0]
        for shape in ((n * n,), (n, n))
    )
    return apart(vector, matrix.flatten(1))


def alike(lab):
    """The size from which gradients act alike, where there is one: what clips them does so."""
    if not lab.elementwise:
        return {}
    g = random(STEPS)
    pair = torch.stack([g.sign(), g + g.sign()])
    pair[:, 0] = 0.1  # beside which the others are of a size

    def gap(size):
        walks = lab.lengths(size * pair, **lab.slow)
        return apart(*walks) if bool(walks.isfinite().all()) else 1.0

    low, high = 1e-6, lab.full
    if gap(low) < 1e-9 or gap(high) > 1e-9:
        return {}
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if gap(middle) < 1e-9 else (middle, high)
    if gap(high / 2) < 1e-2:  # nothing sharp: what divides a gradient by its own size fades in
        return {}
    lab.full = 0.99 * high
    return {"gradients act alike from a size of": float(f"{high:.5g}")}

"""Whose gradients a step depends on: those of its entry, its tensor, of other tensors."""

from itertools import product

import torch

from adamlib.diagnose.lab import UnknownError

STEPS, LONG = 12, 160  # some go as one for a hundred steps


def random(*shape, scale=3.0, seed=0):
    """Return gradients of both signs, of sizes e**-scale to e**scale, the same on each machine."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1
    signs = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    return signs * torch.exp(scale * sizes)


def wide(lab, steps, seed):
    """Return gradients for a walk, e**-6 to e**6 large; every second entry 1e-7 times as large, for
    eps to show."""
    g = random(steps, *lab.shape, scale=6.0, seed=seed)
    g[..., 1] *= 1e-7
    return g


def apart(one, other):
    """Return the largest difference of two walks as a share of the longest step; what is nan in
    both is no difference."""
    longest = max(float(x.nan_to_num().abs().max()) for x in (one, other))
    gap = (one - other).abs().where(~(one.isnan() & other.isnan()), 0.0).max()
    gap = float(gap) / max(longest, 1e-300)
    return gap if gap == gap else float("inf")


def shapes(lab):
    """Find out how to take a step: of vectors or of matrices, with or without a closure.

    Raises what the optimizer raises in every way.
    """
    whys, shapes = [], dict.fromkeys([lab.shape, (2, 2)])
    for lab.dtype, lab.closure, lab.shape in product(
        (torch.float64, torch.float32), (False, True), shapes
    ):
        try:
            lab.walk([[0.5]] * 2)
        except Exception as error:
            whys.append(error)
            continue
        found = {"weights": "vectors" if lab.shape == (2,) else "matrices only"}
        found |= {"float64 weights": "are refused"} if lab.dtype != torch.float64 else {}
        return found | ({"step() needs a closure": True} if lab.closure else {})
    raise whys[0]


def couplings(lab):
    """What an entry's step depends on besides its own gradients."""
    g = random(STEPS, *lab.shape)
    same = [lab.walk([[row] for row in g])[0] for _ in range(2)]
    other = random(STEPS, *lab.shape, seed=4)
    entries = together(lab)
    if lab.shape == (2,):  # a clip may bite in some walks alone
        for seed in range(5, 9):
            rows = random(STEPS, 2, seed=seed)
            whole = lab.walk([[row] for row in rows])[0]
            parts = lab.walk([[row[:1], row[1:]] for row in rows], starts=[torch.ones(1)] * 2)
            entries = max(entries, apart(whole, torch.cat(parts, 1)))
    loud = 1e4 + 0 * g
    if lab.shape == (2,):  # some look at large ones only
        louder = loud * torch.tensor([1.0, 100.0])
        pair = [lab.walk([[row] for row in x])[0][:, 0] for x in (loud, louder)]
        entries = max(entries, apart(*pair))
    others = {}
    for name, groups in (("tensors", False), ("groups", True)):
        try:
            gaps = []
            for own, quiet, noisy in ((g, g, other), (g, g, loud), (loud, loud, 100 * loud)):
                pair = [
                    lab.walk([[a, b] for a, b in zip(own, x, strict=True)], groups=groups)[0]
                    for x in (quiet, noisy)
                ]
                gaps.append(apart(*pair))
            others[name] = max(gaps)
        except Exception as error:
            others[name] = UnknownError(f"raises {type(error).__name__}")
    found = [
        name
        for name, gap in {"entries": entries, **others}.items()
        if not isinstance(gap, UnknownError) and gap > 1e-9
    ]
    lab.elementwise, alike = not found and lab.shape == (2,), "entries" in found
    words = {
        "entries": "the other entries of its tensor",
        "tensors": "other tensors",
        "groups": "other groups",
    }
    return {
        **(
            {"memories, lengths and eps are": "of tensors whose entries are alike"} if alike else {}
        ),
        "the same when repeated": apart(*same) == 0,
        "chance has a part": chance(lab),
        "a step depends on": [words[name] for name in found] or "its own gradients alone",
        "matrices are orthogonalized": orthogonal(lab),
    }


def together(lab):
    """By how much an entry's steps change with the gradients of the others."""
    g, other = (random(LONG, *lab.shape, seed=seed) for seed in (0, 4))
    other.flatten(1)[:, 0] = g.flatten(1)[:, 0]
    return apart(*(lab.walk([[row] for row in x])[0].flatten(1)[:, 0] for x in (g, other)))


def chance(lab, n=4):
    """Whether another seed makes other steps: of these weights, or of float32 matrices."""
    for words, how in (("yes", {}), ("in float32 matrices", {"dtype": torch.float32})):
        start, moves = torch.ones((n, n) if how else lab.shape), []
        for lab.seed in (1, 0):
            g = random(STEPS, *start.shape)
            moves += lab.walk([[row] for row in g], starts=[start], **how)
        if apart(*moves) > 0:
            return words
    return "no"


def orthogonal(lab, n=8, least=0.3):
    """Whether the step of a matrix has singular values of one size; the gradient's are not."""
    turns = [torch.linalg.qr(random(n, n, scale=1.0, seed=seed)).Q for seed in (2, 3)]
    gradient = turns[0] @ torch.diag(torch.linspace(least, 1, n, dtype=torch.float64)) @ turns[1]
    trial = lab.open(starts=[torch.eye(n)], **lab.bare)
    for _ in range(3):  # a first step may only look
        (move,) = trial.step([gradient])
    values = torch.linalg.svdvals(move)
    return bool(values[-1] > 2 * least * values[0])

"""The checkers of chapter 15."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("one factor for all, at most 1, and nothing was overwritten")
def clipped(answer):
    """Check chapter 15's clipped(gradients, max_norm): a list of arrays, by their common norm."""
    for scale, limit in ((1.0, 2.6), (1.0, 20.0), (0.0, 1.0)):
        given = [scale * np.array([[3.0, 0.0]]), scale * np.array([4.0, 12.0])]  # the norm is 13
        copies = [g.copy() for g in given]
        where = f"for gradients of norm {13 * scale:g} and max_norm = {limit:g}"
        got = call(answer, given, limit, where=where)
        if not isinstance(got, list) or [np.shape(g) for g in got] != [(1, 2), (2,)]:
            return f"{where} it must return a list of arrays of the same shapes"
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

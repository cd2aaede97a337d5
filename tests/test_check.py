"""The checkers accept a right answer and tell a wrong one why."""

import numpy as np
import pytest

from adamlib import check, rules


def said(checker, answer, capsys):
    checker(answer)
    return capsys.readouterr().out


def running_mean(values, betas):
    m, seen = 0.0, 1.0
    for x, beta in zip(values, betas, strict=True):
        m, seen = beta * m + (1 - beta) * x, seen * beta
    return m / (1 - seen)


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


@pytest.mark.parametrize(
    ("checker", "answer", "words"),
    [
        (check.best_lr, lambda low, high: 2 / (low + high), "✓"),
        (check.best_lr, lambda low, high: 2 / high, "limit of stability"),
        (check.best_lr, lambda low, high: 1 / high, "flat one still crawls"),
        (check.best_lr, lambda low, high: 1 / 0, "raised ZeroDivisionError"),
        (check.adam_rule, rules.adam, "✓"),
        (check.adam_rule, swapped, "leaves Algorithm 1 at step t = 2"),
        (check.adam_rule, uncorrected, "are m and v corrected"),
        (check.adam_rule, eps_inside, "where is eps"),
        (check.adam_rule, clock_at_one, "leaves Algorithm 1 at step t = 2"),
        (check.adam_rule, lambda *a, **k: 0.0, "three values"),
        (check.corrected_mean, running_mean, "✓"),
        (check.corrected_mean, lambda x, b: np.mean(x), "not those of the running average"),
        (check.corrected_mean, lambda x, b: (1 - b[-1]) * x.sum(), "must add up to 1"),
    ],
)
def test_a_checker_says_what_is_wrong(checker, answer, words, capsys):
    assert words in said(checker, answer, capsys)

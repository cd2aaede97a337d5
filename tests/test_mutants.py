"""Which tests kill which broken Adam, and which weaker ones let it live; none kills a right one."""

import json

import pytest
from building import ROOT

from adamlib import rules
from adamlib.mutants import MUTANTS, edited, mutant, passed

USUAL = "ten steps"  # with the usual settings and a usual tolerance; in no order with the others
CELLS = json.loads((ROOT / "chapters/07_broken_adams.ipynb").read_text(encoding="utf-8"))["cells"]
LINES = [line for cell in CELLS for line in cell["source"] if line.count(" | ") == 2]
#: [(mutant, the first of the other tests of `passed` that kills it)], from chapter 7's table.
TABLE = [line.strip("| ").split(" | ")[:2] for line in LINES if "killed by" not in line]
QUIET = """clock one ahead, clock counts two tensors, betas swapped, no eps, eps inside the root,
eps before the correction, eps added to the weight, decay in the gradient, decay never,
decay of the other sign, decay after the step""".replace("\n", " ").split(", ")


def test_the_table_has_every_mutant_once():
    assert sorted(name for name, _ in TABLE) == sorted(MUTANTS)


@pytest.mark.parametrize(("name", "killer"), TABLE)
def test_a_mutant_dies_by_its_test_and_by_no_weaker_one(name, killer):
    verdicts = passed(mutant(name))
    ranked = [test for test in verdicts if test != USUAL]
    weaker = ranked[: ranked.index(killer)]
    assert weaker and not verdicts[killer] and all(verdicts[test] for test in weaker)
    assert verdicts[USUAL] == (name in QUIET) and not verdicts["ten loud steps"]


@pytest.mark.parametrize("rule", [rules.adam, rules.adamw], ids=["adam", "adamw"])
def test_a_rule_that_ignores_its_betas_dies_by_the_odd_gradient_alone(rule):
    deaf = edited(rule, [("beta2 = betas", "beta2 = 0.9, 0.999")], "betas ignored")
    assert [test for test, verdict in passed(deaf).items() if not verdict] == ["odd gradient"]


STEP, ROUNDED = "lr * m_hat / (v_hat**0.5 + eps)", "m_hat * (lr / (v_hat**0.5 + eps))"


@pytest.mark.parametrize("rule", [rules.adam, rules.adamw], ids=["adam", "adamw"])
def test_no_test_kills_a_right_rule_in_any_order_of_arithmetic(rule):
    assert all(passed(rule).values()) and all(passed(edited(rule, [(STEP, ROUNDED)], "")).values())

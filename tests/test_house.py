"""The order of the house: who may import whom, and one copy of a rule."""

import ast
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from adamlib import plots, rules, show, surfaces

PACKAGE = Path(rules.__file__).parent
LAYERS = [
    {"__init__", "rules", "recipes", "scaling", "schedules", "surfaces", "model", "show", "source"},
    {"idx", "npz", "download"},
    {"data"},
    {"convert", "javascript", "files", "writers", "intrinsics", "arguments", "report", "cases"},
    {"staging", "descent", "plots", "sharding", "checkpoints", "stack", "meeting"},
    {"dist", "identity"},
    {"run", "interrupts"},
    {"loop"},
    {"compiler", "playground"},
    {"kernels"},
    {"plain", "gpu"},
    {"engines"},
    {"adapter", "race"},
    {"optim"},
    {"train", "check", "peers"},
    {"measure"},
    {"bench"},
]


def imports(path):
    """The modules that a file imports, by their full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_an_import_points_to_a_lower_layer():
    for height, layer in enumerate(LAYERS):
        below = set().union(*LAYERS[:height])
        for module in layer:
            for name in imports(PACKAGE / f"{module}.py"):
                if name.startswith("adamlib"):
                    assert name.split(".")[1] in below, f"{module} imports {name}"


def test_every_module_has_a_layer():
    assert {path.stem for path in PACKAGE.glob("*.py")} == set().union(*LAYERS)


NUMPY = ["rules", "surfaces", "descent", "plots", "show"]
NUMPY += ["staging", "writers", "compiler", "kernels", "source", "javascript", "playground"]
NUMPY += ["recipes", "scaling", "convert", "schedules", "idx", "npz", "download"]


@pytest.mark.parametrize("module", NUMPY)
def test_the_numpy_half_never_imports_torch(module):
    assert not [name for name in imports(PACKAGE / f"{module}.py") if name.startswith("torch")]


def test_a_rule_is_shown_as_it_is_written():
    shown = show.source(rules.adam).data
    assert shown.startswith("```python\ndef adam(w, g, t, m=0, v=0") and "m_hat" in shown


def test_a_diff_shows_the_lines_that_change_and_no_docstring():
    lines = show.diff(rules.momentum, rules.nesterov).data.splitlines()
    assert "-    w = w - lr * b" in lines and "     b = momentum * b + g" in "\n".join(lines)
    assert not any("Polyak" in line for line in lines)


def test_every_style_differs_without_color():
    looks = {(str(s["linestyle"]), s["marker"]) for s in plots.STYLES.values()}
    assert len(looks) == len(plots.STYLES)


def test_a_figure_is_shown_with_its_text_and_closed(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda figure, metadata: shown.append((figure, metadata)))
    figure, _ = plt.subplots()
    plots.show("""A line,
        up to 3.""")
    assert shown == [(figure, {"image/svg+xml": {"alt": "A line, up to 3."}})]
    assert not plt.get_fignums()


def test_a_figure_without_a_text_is_not_shown():
    plt.subplots()
    with pytest.raises(ValueError, match="got ' '"):
        plots.show(" ")
    plt.close()
    with pytest.raises(ValueError, match="draw one first"):
        plots.show("A line.")


def test_an_unknown_rule_has_no_style():
    with pytest.raises(ValueError, match="'SGD'"):
        plots.style("SGD")


def test_a_heatmap_leaves_what_diverged_white():
    _, ax = plt.subplots()
    image = plots.heatmap(ax, np.array([[1.0, np.nan], [np.inf, 10.0]]), ["a", "b"], ["c", "d"])
    colors = image.to_rgba(image.get_array())
    assert colors[0, 1, 3] == colors[1, 0, 3] == 0 and colors[0, 0, 3] == 1
    plt.close()


def test_a_band_spans_the_runs_and_the_line_is_their_median():
    _, ax = plt.subplots()
    runs = [{"train_loss": [float(k)] * 20} for k in (1, 2, 6)]
    plots.curves(ax, runs, "train_loss", "Adam")
    assert (ax.lines[0].get_ydata() == 2).all()
    low, high = ax.collections[0].get_paths()[0].get_extents().get_points()[:, 1]
    assert (low, high) == (1, 6)
    plt.close()


def test_a_contour_marks_the_minimum():
    _, ax = plt.subplots()
    plots.contour(ax, surfaces.rosenbrock(), (-2, 2), (-1, 3))
    assert ax.lines[0].get_xydata().tolist() == [[1, 1]]
    plt.close()

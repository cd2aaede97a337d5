"""Pictures, and the text of a rule as a chapter shows it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from adamlib import plots, rules, show, surfaces


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


def luminance(color):
    """The relative luminance of "#rrggbb" (WCAG 2.2)."""
    parts = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


COLORS = [*(style["color"] for style in plots.STYLES.values()), *plots.CYCLE]


@pytest.mark.parametrize("color", COLORS)
def test_every_color_stands_out_from_the_page_in_both_themes(color):
    light = "".join(f"{(int(color[k : k + 2], 16) + 255) // 2:02x}" for k in (1, 3, 5))
    assert 1.05 / (luminance(color) + 0.05) >= 3  # WCAG 1.4.11
    dark_page = luminance("#15181c")  # of _static/book.css; there a page mixes colors with white
    assert (luminance(f"#{light}") + 0.05) / (dark_page + 0.05) >= 3


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

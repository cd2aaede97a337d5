"""Pictures in the style of the book, drawn on the Axes that are given."""

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.colors import LogNorm
from matplotlib_inline.backend_inline import set_matplotlib_formats

#: Color, dash and marker of each rule, the same on every page; told apart without color, too.
STYLES = {
    "gradient descent": dict(color="#4d4d4d", linestyle="-", marker="o"),
    "momentum": dict(color="#0067b1", linestyle="--", marker="s"),
    "Nesterov": dict(color="#008a8a", linestyle="-.", marker="D"),
    "AdaGrad": dict(color="#a05a00", linestyle=":", marker="^"),
    "RMSProp": dict(color="#8e3bb5", linestyle=(0, (5, 1, 1, 1)), marker="v"),
    "Adam": dict(color="#c4122f", linestyle="-", marker="*"),
    "sign": dict(color="#6b7000", linestyle="--", marker="P"),
    "Lion": dict(color="#b26a00", linestyle="-.", marker="<"),
    "NAdam": dict(color="#d6336c", linestyle="--", marker="p"),
    "RAdam": dict(color="#7a1f3d", linestyle=":", marker="d"),
    "AdEMAMix": dict(color="#d9480f", linestyle=(0, (8, 2)), marker=">"),
    "Schedule-Free": dict(color="#5f7a8a", linestyle=(0, (1, 1)), marker="h"),
    "Adafactor": dict(color="#6d4c41", linestyle=(0, (3, 1, 1, 1, 1, 1)), marker="8"),
    "SOAP": dict(color="#137333", linestyle="-.", marker="H"),
    "Muon": dict(color="#4338ca", linestyle="-", marker="X"),
}
#: Of what is no rule: 3:1 on the page in both themes, where matplotlib's orange has 2.5.
CYCLE = ["#1f77b4", "#c45a00", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]


def use_style():
    """Draw from now on as the book does: crisp SVG that is the same on every run."""
    set_matplotlib_formats("svg", metadata={"Date": None})
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "svg.hashsalt": "adamlib",
            "svg.fonttype": "path",
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10.5,
            "axes.titlelocation": "left",
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": plt.cycler(color=CYCLE),
            "grid.color": "#e5e5e5",
            "legend.frameon": False,
            "lines.linewidth": 1.7,
            "lines.markersize": 5,
            "path.simplify": True,
        }
    )


def show(alt):
    """Show the current figure; `alt` says in words, with its numbers, what is to be seen.

    The text goes into the notebook beside the picture, and from there into the page, for readers
    who cannot see it. Raises ValueError where there is no figure or no text.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say what the figure shows, got {alt!r}")
    if not plt.get_fignums():
        raise ValueError("there is no figure to show: draw one first")
    display(plt.gcf(), metadata={"image/svg+xml": {"alt": " ".join(alt.split())}})
    plt.close()


def style(name, faint=False):
    """Return the keyword arguments of a curve of the rule `name`, `faint` for an earlier one.

    Raises ValueError for a rule that has no style.
    """
    if name not in STYLES:
        raise ValueError(f"name must be one of {list(STYLES)}, got {name!r}")
    return {**STYLES[name], "label": name, **(dict(alpha=0.7, linewidth=1.1) if faint else {})}


def contour(ax, surface, x, y, levels=14):
    """Draw level lines of a surface over x, y = (low, high), and a cross at its minimum."""
    points = np.stack(np.meshgrid(np.linspace(*x, 201), np.linspace(*y, 201)), axis=-1)
    heights = surface.f(points) - surface.f(surface.minimum)
    # levels at squares: evenly spaced rings on a bowl
    rings = heights.max() * (np.arange(1, levels + 1) / levels) ** 2
    ax.contour(points[..., 0], points[..., 1], heights, rings, colors="#b9c4d0", linewidths=0.8)
    ax.plot(*surface.minimum, "+", color="black", markersize=9, zorder=5)
    ax.grid(False)
    ax.set(xlim=x, ylim=y, xlabel="$w_1$", ylabel="$w_2$")


def path(ax, path, name, **changes):
    """Draw a path (steps + 1, 2) in the style of the rule `name`; `changes` override the style."""
    ax.plot(path[:, 0], path[:, 1], **{**style(name), "markersize": 3.5, **changes})


def curves(ax, runs, key, name, faint=False, **changes):
    """Draw `key` of histories over the epochs: the median run, a band from lowest to highest."""
    values = np.array([[np.nan if x is None else x for x in run[key]] for run in runs], dtype=float)
    epochs = np.arange(1, values.shape[1] + 1)
    look = {**style(name, faint), "markevery": 4, **changes}
    ax.plot(epochs, np.median(values, axis=0), **look)
    if len(runs) > 1 and not faint:
        band = values.min(axis=0), values.max(axis=0)
        ax.fill_between(epochs, *band, color=look["color"], alpha=0.15, linewidth=0)
    ax.set(xlabel="epoch", xticks=[1, 5, 10, 15, 20])


def heatmap(ax, values, x, y, **limits):
    """Draw values (len(y), len(x)) as colored cells on a log scale and return the image.

    x, y: the labels of columns and rows. A value that is not finite is left white.
    limits: vmin and vmax of the color scale.
    """
    values = np.ma.masked_invalid(values)
    image = ax.pcolormesh(values, norm=LogNorm(**limits), cmap="viridis_r", rasterized=True)
    ax.set_xticks(np.arange(len(x)) + 0.5, x)
    ax.set_yticks(np.arange(len(y)) + 0.5, y)
    ax.grid(False)
    return image

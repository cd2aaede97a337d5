"""The live memory that stands in the place of its figure: its script's data and its controls."""

import json
from math import log10
from pathlib import Path

import jinja2
from javascript import javascript
from matplotlib.markers import MarkerStyle

from adamlib import plots, surfaces
from adamlib.playground import DIVERGED, KEYS, LARGEST_EXPONENT, LEARNERS, LONGEST, RATES

HERE = Path(__file__).parent
FORMULAS = (surfaces.zipf, surfaces.memory_gradient, surfaces.memory_errors)


def generated():
    """The JavaScript that comes from adamlib: rules and formulas of matrices, keys, a number."""
    rules = [
        f"{json.dumps(name)}: [{javascript(rule, matrices=True)}, {json.dumps(hyper)}],\n"
        for name, (rule, hyper) in LEARNERS.items()
    ]
    tasks = {name: surfaces.memory(keys) for name, keys in KEYS.items()}
    pairs = {name: [task.keys.tolist(), task.values.tolist()] for name, task in tasks.items()}
    formulas = [javascript(formula, matrices=True) + "\n" for formula in FORMULAS]
    keys = json.dumps(pairs, separators=(",", ":"))
    data = f"const KEYS = {keys};\nconst DIVERGED = {DIVERGED};\n"
    return "".join(["const RULES = {\n", *rules, "};\n", *formulas, data])


def controls(preset):
    """The live memory as HTML, everything where the preset has it."""
    text = (HERE / "memory.html").read_text(encoding="utf-8")
    limits = {"low": log10(RATES[0]), "high": log10(RATES[1]), "most_steps": LONGEST}
    data = {"preset": preset, "data": json.dumps(preset), "most": LARGEST_EXPONENT, "keys": KEYS}
    looks = {name: look(name) for name in LEARNERS if name in preset["rates"]}  # in this order
    return jinja2.Environment(autoescape=True).from_string(text).render(data | limits, looks=looks)


def look(name):
    """The color of a rule, the same for the dark theme, and its marker as the path of an SVG."""
    style = plots.STYLES[name]
    night = "".join(f"{(int(style['color'][k : k + 2], 16) + 255) // 2:02x}" for k in (1, 3, 5))
    marker = MarkerStyle(style["marker"])
    shapes = marker.get_path().transformed(marker.get_transform()).to_polygons()
    path = "".join(
        "M" + " ".join(f"{10 * x:.3g},{-10 * y:.3g}" for x, y in shape) for shape in shapes
    )
    return {"ink": style["color"], "night": f"#{night}", "path": path}

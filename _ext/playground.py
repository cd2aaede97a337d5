"""Puts the live playground in the place of its figure (a Sphinx extension).

Its page gets one script: the rules and surfaces of adamlib, translated when the book is built, and
the hand-written playground.js. Pages without a playground get nothing.
"""

import json
from inspect import signature
from math import log10
from pathlib import Path
from zlib import crc32

import jinja2
import matplotlib.pyplot as plt
from docutils import nodes
from javascript import javascript
from sphinx.errors import ExtensionError

from adamlib import plots
from adamlib.playground import DIVERGED, LARGEST_BETA, MAPS, MOST_STEPS, RATES, RULES

HERE = Path(__file__).parent


def generated():
    """The JavaScript that comes from adamlib: the objects RULES and MAPS, and a number."""
    rules, maps = [], []
    for name, rule in RULES.items():
        look = plots.STYLES[name]
        facts = {"color": look["color"], "dash": dash(look["linestyle"]), "marker": look["marker"]}
        rules.append(entry(name, facts, rule=rule))
    for name, (surface, x, y) in MAPS.items():
        f, grad = surface.formulas
        facts = {"x": x, "y": y, "minimum": surface.minimum.tolist()}
        maps.append(entry(name, facts, f=f, grad=grad))
    objects = {"RULES": rules, "MAPS": maps}
    texts = [f"const {name} = {{\n{''.join(rows)}}};\n" for name, rows in objects.items()]
    return "".join([*texts, f"const DIVERGED = {DIVERGED};\n"])


def entry(name, facts, **functions):
    """The text of one property of an object: facts and functions under a name."""
    rows = [f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in facts.items()]
    rows += [f"{key}: {javascript(function)},\n" for key, function in functions.items()]
    return f"{json.dumps(name)}: {{\n{''.join(rows)}}},\n"


def dash(linestyle):
    """The lengths of dashes and gaps, in line widths, of a line style of matplotlib."""
    named = {"-": [], "--": "dashed", "-.": "dashdot", ":": "dotted"}
    if isinstance(linestyle, tuple):
        return list(linestyle[1])
    return named[linestyle] and plt.rcParams[f"lines.{named[linestyle]}_pattern"]


def write_script(app):
    """None; writes the script and the style sheet among the book's static files."""
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    written = (HERE / "playground.js").read_text(encoding="utf-8")
    script = f'(() => {{\n"use strict";\n{generated()}{written}}})();\n'  # no name meets another
    (static / "playground.js").write_text(script, encoding="utf-8")
    style = (HERE / "playground.css").read_text(encoding="utf-8")
    (static / "playground.css").write_text(style, encoding="utf-8")


def presets(notebook):
    """The preset of every playground that a notebook's outputs hold, by the figure's name."""
    found = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            drawn = output.get("metadata", {}).get("image/svg+xml", {})
            if preset := drawn.get("playground"):
                figure = cell["metadata"].get("mystnb", {}).get("figure", {})
                if "name" not in figure:
                    raise ExtensionError(f"the figure of a playground has no name: {preset}")
                found[figure["name"]] = preset
    return found


def controls(preset, rules=RULES, shared=None):
    """The live playground as HTML, everything where the preset has it.

    rules: the names of the rows, in order. shared: the sliders below them, if not the rules' own.
    """
    text = (HERE / "playground.html").read_text(encoding="utf-8")
    limits = {"low": log10(RATES[0]), "high": log10(RATES[1]), "most_steps": MOST_STEPS}
    limits["most_nines"] = round(-log10(1 - LARGEST_BETA), 9)
    data = {"preset": preset, "data": json.dumps(preset), "sliders": shared or sliders(preset)}
    names = {"maps": MAPS, "rules": rules}  # in their own order: a notebook's JSON is sorted
    return jinja2.Environment(autoescape=True).from_string(text).render(data | names | limits)


def sliders(preset):
    """The sliders that all rules share, (kind, label): those that a rule of the preset reads."""
    read = {key for name in preset["rates"] for key in signature(RULES[name]).parameters}
    labels = {"beta1": {"betas": "β₁", "momentum": "β"}, "beta2": {"betas": "β₂", "alpha": "α"}}
    owners = {"momentum": "momentum’s β", "alpha": "RMSProp’s α"}
    found = []
    for kind, names in labels.items():
        words = [label for key, label in names.items() if key in read]
        if len(words) == 2:
            words[1] = next(owner for key, owner in owners.items() if key in names)
        found += [(kind, ", ".join(words))] if words else []
    return [*found, ("steps", "Steps")]


def place(app, doctree):
    """None; puts the controls into the figure of each playground, before its picture."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    figures = {name: node for node in doctree.findall(nodes.figure) for name in node["names"]}
    for name, preset in presets(json.loads(path.read_text(encoding="utf-8"))).items():
        for image in figures[name].findall(nodes.image):
            image["classes"].append("playground-still")
        figures[name].insert(0, nodes.raw("", controls(preset), format="html", playground=True))


def add_script(app, pagename, templatename, context, doctree):
    """None; links the script and its style on a page that has a playground, and on no other."""
    if doctree and any(node.get("playground") for node in doctree.findall(nodes.raw)):
        app.add_js_file("playground.js", loading_method="defer")
        app.add_css_file("playground.css")


def setup(app):
    """The extension's metadata, for Sphinx."""
    made_of = generated() + (HERE / "playground.html").read_text(encoding="utf-8")
    # a setting, so that a change in it has every page read anew
    app.add_config_value("playground_made_of", crc32(made_of.encode()), "env")
    app.connect("builder-inited", write_script)
    app.connect("doctree-read", place)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Puts the live playground, or the live memory, in the place of its figure (a Sphinx extension).

Its page gets one script: the rules and surfaces of adamlib, translated when the book is built, and
what is written by hand in stage.js and playground.js. Pages without a playground get nothing.
"""

import json
from inspect import signature
from math import log10
from pathlib import Path
from zlib import crc32

import jinja2
import matplotlib.pyplot as plt
import memory
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


def script(kind):
    """The script of a page that shows a `kind`."""
    made, *names = SCRIPTS[kind]
    written = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "".join([made(), *written])


def write_files(app):
    """None; writes the scripts and the style sheets among the book's static files."""
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    for kind in SCRIPTS:
        closed = f'(() => {{\n"use strict";\n{script(kind)}}})();\n'  # no name meets another
        (static / f"{kind}.js").write_text(closed, encoding="utf-8")
        style = (HERE / f"{kind}.css").read_text(encoding="utf-8")
        (static / f"{kind}.css").write_text(style, encoding="utf-8")


def presets(notebook):
    """(kind, preset) of all that a notebook's outputs hold, by the figure's name."""
    found = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            drawn = output.get("metadata", {}).get("image/svg+xml", {})
            for kind in set(drawn) & set(SCRIPTS):
                figure = cell["metadata"].get("mystnb", {}).get("figure", {})
                if "name" not in figure:
                    raise ExtensionError(f"the figure of a {kind} has no name: {drawn[kind]}")
                found[figure["name"]] = kind, drawn[kind]
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


#: What can stand in a figure's place: the makers of its script and of its controls.
SCRIPTS = {
    "playground": (generated, "stage", "playground"),
    "memory": (memory.generated, "matrices", "stage", "memory"),
}
CONTROLS = {"playground": controls, "memory": memory.controls}


def place(app, doctree):
    """None; puts the controls into the figure of each playground, before its picture."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    figures = {name: node for node in doctree.findall(nodes.figure) for name in node["names"]}
    for name, (kind, preset) in presets(json.loads(path.read_text(encoding="utf-8"))).items():
        for image in figures[name].findall(nodes.image):
            image["classes"].append("playground-still")
        html = CONTROLS[kind](preset)
        figures[name].insert(0, nodes.raw("", html, format="html", stage=kind))


def add_files(app, pagename, templatename, context, doctree):
    """None; links a script and its styles on a page that has what it runs, and on no other."""
    raw = doctree.findall(nodes.raw) if doctree else ()
    kinds = sorted({node["stage"] for node in raw if "stage" in node})
    for kind in kinds:
        app.add_js_file(f"{kind}.js", loading_method="defer")
    for kind in sorted({"playground", *kinds}, reverse=True) if kinds else ():
        app.add_css_file(f"{kind}.css")  # the memory's stands on the playground's


def setup(app):
    """The extension's metadata, for Sphinx."""
    pages = [HERE / f"{kind}.html" for kind in SCRIPTS]
    made_of = [*map(script, SCRIPTS), *(page.read_text(encoding="utf-8") for page in pages)]
    # a setting, so that a change in it has every page read anew
    app.add_config_value("playground_made_of", crc32("".join(made_of).encode()), "env")
    app.connect("builder-inited", write_files)
    app.connect("doctree-read", place)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

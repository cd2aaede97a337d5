"""Lists adamlib/results/census.json on a page: a row for each optimizer, which opens its
card (a Sphinx extension). The list is plain HTML; census.js finds and sorts in it."""

import json
import re
from pathlib import Path

import jinja2
from docutils import nodes
from markupsafe import Markup, escape
from sphinx.util.docutils import SphinxDirective

from adamlib import files

HERE = Path(__file__).parent
RECORD = files.RESULTS / "census.json"
GUESSES = HERE.parent / "experiments/guesses.json"
REMARKS = HERE.parent / "experiments/remarks.json"  # what a package's own text says, by hand
CORRECTED = {
    "both means": "both",
    "nothing": "none",
    "the mean of the gradients": "m",
    "the mean of their size": "v",
    "in a way of its own, see the lengths": "its own",
}
DECAY = {
    "in the gradient": "in g",
    "in the gradient or past it: here the same": "in g",
    "past the gradient, times lr": "past, × lr",
    "past the gradient, not times lr": "past",
    "past the gradient, times lr over the first lr": "past, × lr/lr₁",
    "past the gradient, in some steps": "past, at times",
    "no effect": "no effect",
    "no effect on vectors": "not vectors",
}
#: The columns: (key, heading, what a screen reader and a phone say before the value).
COLUMNS = [
    ("name", "Optimizer", ""),
    ("package", "Package", ""),
    ("kind", "Steps like", "steps like"),
    ("corrected", "Corrected", "corrected:"),
    ("eps", "ε", "ε:"),
    ("decay", "Decay", "decay:"),
    ("resumes", "Resumes", "resumes:"),
    ("faults", "Faults", "faults:"),
]


def short(row):
    """The words of a row's columns, by key."""
    card = row.get("card", {"verdict": "", "faults": [], "properties": {}})
    p = card["properties"]
    decay = p.get("weight decay", "")
    # what was read with all entries of a tensor alike says little where they depend on each other
    alike = "the other entries of its tensor" in p.get("a step depends on", ())
    resumed = p.get("a run resumed from a file, float32,", "")
    return {
        "name": row["name"],
        "package": f"{row['package']} {row['version']}",
        "kind": kind(card["verdict"]),
        "corrected": "–" if alike else CORRECTED.get(p.get("corrected"), "–"),
        "eps": place(eps_of(row)),
        "decay": DECAY.get(decay, "–" if not decay or "cannot" in decay else "its own"),
        "resumes": {"": "–"}.get(resumed, "yes" if resumed.startswith("goes on") else "no"),
        "faults": len(card["faults"]),
    }


def kind(verdict):
    """The rule that a verdict names, in a word or two."""
    name = verdict.partition(". ")[0].partition(", but ")[0].partition(":")[0].rstrip(".")
    if name.startswith("Steps of orthogonalized"):
        return "Muon"
    if " by the sign of" in name or name.startswith("Steps by the sign"):
        return "a sign"
    return {"": "no card", "No rule of this book": "its own", "It takes no step": "no card"}.get(
        name, name.replace("Gradient descent", "SGD")
    )


def place(eps):
    """Where eps stands, in a word or two."""
    if not eps or eps.startswith("unknown"):
        return "–"
    word = next((x for x in ("outside", "inside", "limit", "none", "added") if x in eps), "its own")
    word = {"added": "outside"}.get(word, word)
    return f"{word}, early" if "before the correction" in eps else word


def details(row):
    """The lines of a row's card: (name, answer)."""
    for name, value in row.get("card", {}).get("properties", {}).items():
        if isinstance(value, dict) and "within" in value:
            value = f"{value['value']:.6g} ± {value['within']:.0e}"
        elif isinstance(value, dict):
            value = ", ".join(f"{key}: {x:g}" for key, x in value.items() if x is not None)
        elif isinstance(value, list):
            value = ", ".join(value)
        elif isinstance(value, float):
            value = f"{value:.6g}"
        yield name, value


def otherwise(row, words, guesses):
    """{column: the guess} where a good guess, made before anything was run, differs from a row."""
    guess = guesses.get(f"{row['package']} {row['name']}", {})
    told = {key: x for key, x in guess.items() if words[key] not in ("–", "its own", x)}
    early = guess.get("eps") == "outside, early" and "after" not in eps_of(row)
    return {key: x for key, x in told.items() if not (key == "eps" and early)}


def eps_of(row):
    """What a card says of eps."""
    return row.get("card", {"properties": {}})["properties"].get("eps", "")


def page(rows, guesses, remarks):
    """The HTML of the list."""
    environment = jinja2.Environment(autoescape=True)
    environment.filters["code"] = lambda text: Markup(
        re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    )
    each = [(row, short(row), list(details(row))) for row in rows]
    each = [(row, words, otherwise(row, words, guesses), lines) for row, words, lines in each]
    template = environment.from_string((HERE / "census.html").read_text(encoding="utf-8"))
    return template.render(rows=each, columns=COLUMNS, remarks=remarks)


class Census(SphinxDirective):
    """The list; takes nothing."""

    def run(self):
        """The HTML of the list, and the record as what the page depends on."""
        for path in (RECORD, GUESSES, REMARKS, HERE / "census.html", Path(__file__)):
            self.env.note_dependency(str(path))
        rows = files.record("census")["rows"]
        guesses = json.loads(GUESSES.read_text(encoding="utf-8"))
        remarks = json.loads(REMARKS.read_text(encoding="utf-8"))
        html = page(rows, guesses, remarks)
        return [nodes.raw("", html, format="html", census=True)]


def write_files(app):
    """None; writes the script and the style sheet among the book's static files."""
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    for name in ("census.js", "census.css"):
        (static / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")


def add_files(app, pagename, templatename, context, doctree):
    """None; links the script and the style on the page that has the list."""
    if doctree and any(node.get("census") for node in doctree.findall(nodes.raw)):
        app.add_js_file("census.js", loading_method="defer")
        app.add_css_file("census.css")


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_directive("census", Census)
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

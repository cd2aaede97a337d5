"""Two directives of one page: the slots of every rule as a table, and a rule to be composed (a
Sphinx extension). The page gets one script: the playground, the composer's lines in both languages,
and the hand-written slots.js."""

import ast
import inspect
import json
import re
from pathlib import Path

import compose
import jinja2
import playground
from anatomy import slots
from docutils import nodes
from javascript import javascript, value
from markupsafe import Markup, escape
from sphinx.util.docutils import SphinxDirective

from adamlib import rules, surfaces

HERE = Path(__file__).parent
YOURS = "your rule"
LOOK = {"color": "#a3157d", "dash": [6, 1.5], "marker": "o"}
FIRST = ("corrected", "plain", "corrected", "none")  # what a reader begins with: Adam
RIVALS = {"gradient descent": 0.1, "momentum": 0.02, "Nesterov": 0.02}
RIVALS |= {"AdaGrad": 0.5, "RMSProp": 0.05, "Adam": 0.1}
PRESET = {"surface": "valley κ=10 turned 45°", "rates": {YOURS: 0.1, **RIVALS}}
PRESET |= {"start": [-1.5, 0.5], "steps": 60, "betas": [0.9, 0.99]}
SLIDERS = [("beta1", "β, β₁"), ("beta2", "α, β₂"), ("steps", "Steps")]
KINDS = [(), *[(key,) for key in compose.DECAYS], compose.BOTH]  # of lines: whose decay they are
HOLES = ["beta1", "beta2", "beta3", "momentum", "alpha", "g", "b", "m", "m_hat", "c"]
FIRST_LETTER = ord(":")  # the letters of words are no digits


def every_rule():
    """The rules of adamlib.rules, in their order there."""
    found = [f for _, f in inspect.getmembers(rules, inspect.isfunction)]
    steps = [f for f in found if [*inspect.signature(f).parameters][:3] == ["w", "g", "t"]]
    return sorted(steps, key=lambda rule: rule.__code__.co_firstlineno)


def render(name, **data):
    """The HTML of a template, in which `code` filters what stands between backticks."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    environment.filters["code"] = lambda text: Markup(
        re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    )
    text = (HERE / "slots.html").read_text(encoding="utf-8")
    return getattr(environment.from_string(text).make_module(data), name)()


def table():
    """The table of all rules as HTML."""
    return render("table", rows=[(rule.__name__, slots(rule)) for rule in every_rule()])


def composer():
    """The composer as HTML, with the text of Adam in it."""
    live = playground.controls(PRESET, [YOURS, *RIVALS], SLIDERS)
    for rival in list(RIVALS)[1:]:
        live = live.replace(f'<tr data-rule="{rival}">', f'<tr data-rule="{rival}" hidden>')
    data = {"choices": compose.CHOICES, "first": dict(zip(compose.CHOICES, FIRST, strict=True))}
    text = compose.text(FIRST)
    return render("composer", live=Markup(live), text=text, rivals=list(RIVALS), **data)


def translated(three):
    """{a line of a composed rule: the same in JavaScript}, for both decays."""
    found = {}
    for decay in compose.DECAYS:
        lines = [text for text, when in compose.core(*three).lines if not when or decay in when]
        script = javascript(compose.compose((*three, decay))).splitlines()[1:-2]
        found |= zip(lines, (line.strip().rstrip(";") for line in script), strict=True)
    return found


def pieces():
    """The pieces of all rules, (Python, JavaScript, kind of decay), and each rule as a word.

    A letter of a word is a piece, and a digit after it the name in HOLES that fills it.
    """
    found, words = {}, {}
    for memory, direction in dict.fromkeys(choice[:2] for choice in compose.valid()):
        words[f"{memory} {direction}"] = row = []
        for magnitude in compose.CHOICES["magnitude"]:
            core = compose.core(memory, direction, magnitude)
            scripts = translated((memory, direction, magnitude))
            scripts |= {text: argument(text) for text, _ in core.buffers + core.hyper}
            parts = []
            for part in core:
                halves = [(h, when) for text, when in part for h in cut(text, scripts[text])]
                keys = [((*half, KINDS.index(when)), name) for (*half, name), when in halves]
                letters = [(found.setdefault(key, len(found)), name) for key, name in keys]
                parts.append("".join(chr(FIRST_LETTER + n) + name for n, name in letters))
            row.append(" ".join(parts))
    return [*found], words


def cut(python, script):
    """A line in both languages as pieces (Python, JavaScript, digit of the name that was cut out).

    The line of the step is cut in two, before its ruler: / binds more tightly than -.
    """
    if not re.match(r"w = w - lr \* (?!weight_decay)", python) or " / " not in python:
        return [holed(python, script)]
    above, over = python.split(" / ", 1)
    head, tail = script.split(" / ", 1)
    head = head.replace("((", "(", 1)
    return [holed(above, head), holed(f" / {over}", f" / {tail[:-1]}")]


def holed(python, script):
    """A piece with @ in place of the one name that it shares with others of its kind."""
    pattern = r"\b(beta\d|momentum|alpha)\b(?!=)" if "abs" not in python else r"(?<=abs\()(\w+)"
    found = {*re.findall(pattern, python)} & {*HOLES}
    if len(found) != 1:
        return python, script, ""
    name = found.pop()
    texts = [re.sub(rf"\b{name}\b", "@", text) for text in (python, script)]
    return *texts, str(HOLES.index(name))


def argument(text):
    """An argument with its default, in JavaScript."""
    name, _, default = text.partition("=")
    return f"{name} = {value(ast.parse(default, mode='eval').body)}"


def generated():
    """The JavaScript that is made from the composer."""
    found, words = pieces()
    rows = [[python, "" if script == python else script, kind] for python, script, kind in found]
    names = {" ".join(choice): [rule, ""] for choice, rule in compose.NAMES.items()}
    names |= {" ".join(choice): [*kin] for choice, kin in compose.KIN.items()}
    why = {" ".join(pair): words for pair, words in compose.WHY.items()}
    objects = {"PIECES": rows, "WORDS": words, "NAMES": names, "WHY": why, "YOURS": YOURS}
    objects |= {"HOLES": HOLES, "MAGNITUDES": [*compose.CHOICES["magnitude"]]}
    objects |= {"FIRST_LETTER": FIRST_LETTER}
    texts = [
        f"const {name} = {json.dumps(thing, ensure_ascii=False, separators=(',', ':'))};\n"
        for name, thing in objects.items()
    ]
    look = json.dumps(LOOK)
    texts.append(f'RULES[YOURS] = {{...{look}, rule: RULES["gradient descent"].rule}};\n')
    return "".join(texts)


def script():
    """The script of the page, which leaves no name behind."""
    names = ("stage.js", "playground.js", "slots.js")
    written = [(HERE / name).read_text(encoding="utf-8") for name in names]
    parts = [playground.generated(), generated(), *map(lean, written)]
    return f'(() => {{\n"use strict";\n{"".join(parts)}}})();\n'


def style():
    """The style sheet of the page."""
    return lean((HERE / "slots.css").read_text(encoding="utf-8"))


def lean(text):
    """A script or a style sheet without indents and lines of comment: 4 kB less of 25."""
    return re.sub(r"^ *(//.*\n|/\*.*\*/\n)?", "", text, flags=re.MULTILINE)


class Part(SphinxDirective):
    """A part of the page; takes nothing."""

    def run(self):
        """The HTML of the table or of the composer."""
        for file in (*HERE.glob("slots.*"), *HERE.glob("playground.*"), *HERE.glob("*.py")):
            self.env.note_dependency(str(file))
        for module in (rules, surfaces):
            self.env.note_dependency(inspect.getsourcefile(module))
        html = {"slots": composer, "slot-table": table}[self.name]()
        return [nodes.raw("", html, format="html", slots=True)]


def write_files(app):
    """None; writes the script and the style sheets among the book's static files."""
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    (static / "slots.js").write_text(script(), encoding="utf-8")
    (static / "slots.css").write_text(style(), encoding="utf-8")


def add_files(app, pagename, templatename, context, doctree):
    """None; links the script and the styles on the page of the slots."""
    if doctree and any(node.get("slots") for node in doctree.findall(nodes.raw)):
        app.add_js_file("slots.js", loading_method="defer")
        app.add_css_file("playground.css")
        app.add_css_file("slots.css")


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_directive("slots", Part)
    app.add_directive("slot-table", Part)
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

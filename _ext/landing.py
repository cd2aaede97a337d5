"""The first page: a picture that moves, and two buttons (a Sphinx extension).

The picture needs no script: four rules of adamlib walk when the book is built, and a style sheet
lets the page retrace their steps.
"""

import shutil
from pathlib import Path

import contourpy
import jinja2
import numpy as np
from docutils import nodes
from matplotlib.markers import MarkerStyle
from playground import dash

from adamlib import plots
from adamlib.playground import MAPS, described, heights, walks

HERE = Path(__file__).parent
#: The walks, as `playground` takes them, and the part of the map that is shown.
SURFACE, START, STEPS, BETAS = "valley κ=10", (-1.9, 0.65), 60, (0.9, 0.99)
RATES = {"gradient descent": 0.188, "momentum": 0.02, "RMSProp": 0.03, "Adam": 0.1}
X, Y, WIDTH, HEIGHT = (-2.05, 0.85), (-0.85, 0.85), 760, 320
LEVELS = 9


def on_page(points):
    """Points of the map, (n, 2), where the picture has them."""
    x, y = np.asarray(points, dtype=float).T
    across, down = (x - X[0]) / (X[1] - X[0]) * WIDTH, (Y[1] - y) / (Y[1] - Y[0]) * HEIGHT
    return np.stack([across, down], axis=1).round(1)


def drawn(points, end=""):
    """A line through points, as SVG has it."""
    return "M" + " ".join(f"{x:g},{y:g}" for x, y in points) + end


def level_lines(surface):
    """The level lines of a surface, as SVG has them; in a bowl they are evenly apart."""
    x, y = np.linspace(*X, 60), np.linspace(*Y, 40)
    z = surface.f(np.stack(np.meshgrid(x, y), axis=-1))
    lines = contourpy.contour_generator(x, y, z).lines
    levels = z.max() * (np.arange(1, LEVELS + 1) / (LEVELS + 1)) ** 2
    return "".join(drawn(on_page(line)) for level in levels for line in lines(level))


def look(name, path):
    """What draws the walk of a rule: its line, its marks, and the pace of its steps."""
    points, style = on_page(path), plots.STYLES[name]
    marker = MarkerStyle(style["marker"])
    corners = marker.get_path().transformed(marker.get_transform()).to_polygons()[0] * (9, -9)
    edges = np.diff(corners, axis=0, prepend=[(0, 0)]).round(2)
    mark = "m" + " ".join(f"{x:g},{y:g}" for x, y in edges) + "z"
    gone = np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()
    return {
        "name": name,
        "rate": f"{RATES[name]:g}",
        "color": style["color"],
        "dash": " ".join(f"{2 * length:g}" for length in dash(style["linestyle"])) or "none",
        "line": drawn(points),
        "mark": f"M0,0{mark}",
        "steps": "".join(drawn([point], mark) for point in points[::2]),
        "pace": ", ".join(f"{share:.4g}" for share in (0, *gone / gone[-1])),
    }


def picture():
    """The moving picture, as HTML."""
    paths = walks(SURFACE, RATES, START, STEPS, betas=BETAS)
    preset = {"surface": SURFACE, "rates": RATES, "start": START, "steps": STEPS}
    surface = MAPS[SURFACE].surface
    facts = {
        "alt": described(preset, heights(SURFACE, paths)),
        "levels": level_lines(surface),
        "goal": on_page([surface.minimum])[0],
        "walks": [look(name, path) for name, path in paths.items()],
    }
    size = {"width": WIDTH, "height": HEIGHT, "steps": STEPS}
    text = (HERE / "landing.html").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True).from_string(text).render(facts | size)


def place_picture(app, doctree):
    """None; makes a paragraph of links on the first page buttons, and puts the picture above."""
    if app.env.docname != app.config.root_doc:
        return
    for paragraph in doctree.findall(nodes.paragraph):
        words = [node for node in paragraph if isinstance(node, nodes.Text)]
        if len(paragraph) > len(words) and not "".join(words).strip():
            paragraph["classes"].append("landing-buttons")
            doctree[0].insert(1, nodes.raw("", picture(), format="html"))
            return


def write_style(app):
    """None; writes the style sheet of the first page among the book's static files."""
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "landing.css", static)


def add_style(app, pagename, templatename, context, doctree):
    """None; links the style sheet on the first page, and on no other."""
    if pagename == app.config.root_doc:
        app.add_css_file("landing.css")


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.connect("builder-inited", write_style)
    app.connect("doctree-read", place_picture)
    app.connect("html-page-context", add_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The first page's picture walks as the rules do, and its map says what the chapters say."""

import re
from types import SimpleNamespace

import landing
import numpy as np
import roadmap
from docutils import nodes
from sphinx.addnodes import pending_xref

from adamlib.playground import walks


def test_the_picture_retraces_the_walks_of_adamlib_step_by_step():
    html = landing.picture()
    paths = walks(landing.SURFACE, landing.RATES, landing.START, landing.STEPS, betas=landing.BETAS)
    lines = re.findall(r"offset-path: path\('M(.*?)'", html)
    paces = re.findall(r"--pace: linear\((.*?)\)", html)
    for line, pace, path in zip(lines, paces, paths.values(), strict=True):
        points = np.array([pair.split(",") for pair in line.split(" ")], dtype=float)
        assert np.array_equal(points, landing.on_page(path))
        gone = np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()
        shares = np.array(pace.split(", "), dtype=float)
        assert np.allclose(shares, [0, *gone / gone[-1]], atol=1e-4)  # four digits are written


def test_the_picture_says_its_numbers_and_ends_within_five_seconds():
    html = landing.picture()
    label = re.search(r'role="img" aria-label="(.*?)"', html)[1]
    assert all(
        f"{name} with learning rate {lr:g} at" in label for name, lr in landing.RATES.items()
    )
    css = (landing.HERE / "landing.css").read_text(encoding="utf-8")
    times = re.findall(r"animation: [\w-]+ ([\d.]+)s ([\d.]+)s", css)
    assert times and all(float(lasts) + float(waits) <= 5 for lasts, waits in times)
    moving = css.split("prefers-reduced-motion: no-preference")[1].split("\n}\n")[0]
    assert css.count("animation:") == moving.count("animation:")


def said(*parts):
    """The first sentence of a paragraph of parts, as text."""
    inline = [part if isinstance(part, nodes.Node) else nodes.Text(part) for part in parts]
    return "".join(node.astext() for node in roadmap.first_sentence(inline))


def test_the_map_has_the_first_sentence_of_a_claim():
    assert said(" Takes 0.22 % off. More.") == "Takes 0.22 % off."
    assert said("Below ", nodes.math("", "2/x"), " it ends. Above not.") == "Below 2/x it ends."
    assert (
        said("Contested. None survives, e.g. this. No.") == "Contested. None survives, e.g. this."
    )
    assert said("No end") == "No end"


def test_an_entry_of_the_map_is_a_link_within_the_book_and_says_what_to_read_before():
    for needs, road in (
        ([], "9 minutes"),
        ([5], "after chapter 5"),
        ([5, 4], "after chapters 4, 5"),
    ):
        opening = {"claim": [nodes.Text("It walks.")], "needs": needs, "minutes": "9 minutes"}
        env = SimpleNamespace(
            titles={"a": nodes.title("", "A")}, metadata={"a": {"opening": opening}}
        )
        builder = SimpleNamespace(get_relative_uri=lambda *_: "a.html")
        app = SimpleNamespace(env=env, builder=builder, config=SimpleNamespace(root_doc="index"))
        found = roadmap.entry(app, "a")
        assert next(found.findall(nodes.reference))["internal"]  # else Markdown leads to the page
        assert found.children[1].astext().startswith(road)


def test_the_map_knows_what_a_chapter_needs():
    links = [pending_xref("", reftarget=f"chapters/0{k}_x") for k in (4, 6, 9, 7)]
    first, second, third, fourth = links
    words = map(nodes.Text, ("you know ", " to ", " and ", "; not ", "."))
    a, to, and_, but, end = words
    assert roadmap.needed([a, first, to, second, and_, third, but, fourth, end]) == [4, 5, 6, 9]

"""A page as Markdown reads as the page does."""

import pytest
from as_markdown import markdown
from docutils import nodes
from docutils.core import publish_doctree

TABLE = """\
====  ==========
rule  step
====  ==========
a*b   |one| two
====  ==========

.. |one| replace:: one | or
"""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("A *b* **c** ``d_e`` f_g h* :math:`x_1`.", "A *b* **c** `d_e` f_g h\\* $x_1$."),
        ("``a`b``, lines\nthat go on", "``a`b``, lines that go on"),
        ("- a\n\n  b\n\n  1. c\n\n- d", "- a\n\n  b\n\n  1. c\n- d"),
        (TABLE, "| rule | step |\n| --- | --- |\n| a\\*b | one \\| or two |"),
        ("Quoted:\n\n  a\n\n  b", "Quoted:\n\n> a\n> \n> b"),
        (".. math:: y = x", "$$\ny = x\n$$"),
        ("`here <https://x.org>`_", "[here](https://x.org)"),
        (".. image:: a/b.svg\n   :alt: c [d]", "![c \\[d\\]](pictures/b.svg)"),
        (".. code:: python\n\n   a = 1\n\n   b = 2", "```text\na = 1\n\nb = 2\n```"),
        ('.. raw:: html\n\n   <div class="playground"></div>', "*(Here the page has something"),
        (
            ".. raw:: html\n\n   <details><summary>Hint</summary>",
            "<details><summary>Hint</summary>",
        ),
    ],
)
def test_a_node_becomes_markdown(source, text):
    assert markdown(publish_doctree(source), {}, "pictures/").startswith(text)


def test_a_link_of_a_public_page_leads_there_from_anywhere():
    page = publish_doctree("`here <b.html#c>`_")
    next(page.findall(nodes.reference))["internal"] = True
    assert markdown(page, {}, "", "https://x.org/a/d.html") == "[here](https://x.org/a/b.md)\n"

"""The built book: what its own extensions make of the pages, and the playground in its place."""

import json
import re
import shutil
import struct
from html.parser import HTMLParser
from types import SimpleNamespace

import addresses
import book as extension
import check_site
import nbformat
import pytest
import take_along
from building import ROOT, build, furnish
from docutils import nodes
from fontTools.ttLib import TTFont
from nbformat import v4
from py_mini_racer import MiniRacer

pytestmark = pytest.mark.slow  # two books are built
GOOD = {"surface": "saddle", "rates": {"Adam": 0.1}, "start": (1.0, 0.5), "steps": 20}
LEARNED = {"rates": {"Muon": 0.09, "Adam": 0.13}, "steps": 20, "because": 'It\'s <so> & "so".'}
LEARNED |= {"keys": "turned", "exponent": 2.0}
TEXT = """# 3. Momentum

A <claim> with $x$. See {numref}`fig-a` and {cite:t}`polyak1964some`.

$$ y $$ (eq-a)

It is {eq}`eq-a`."""
MARKDOWN = r"""# 3. Momentum

A <claim> with $x$. See Figure 3.1 and Polyak [1964].

$$
y \tag{3.1}
$$

It is (3.1).

<details><summary>Show the code</summary>

```python
plt.show()
```

</details>

![A dot at 3 < 4](../_images/IMAGE.svg)

**Figure 3.1.** A dot.

---

From *The Road to Adam*, version 0.1.0.
"""
BIBTEX = """@misc{a_b,
  title        = {{A B}},
  author       = {L, A. and {The others}},
  year         = {2031},
  note         = {Version 1},
  doi          = {10.5/1},
  url          = {https://x.org}
}"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
KERNEL = {"kernelspec": KERNEL}
FIGURE = {"figure": {"name": "fig-a", "caption": "A dot."}}


def chapter_notebook():
    """A notebook with a formula, a citation and a numbered figure whose code is folded."""
    dot = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>'}
    cell = v4.new_code_cell("plt.show()", metadata={"tags": ["hide-input"], "mystnb": FIGURE})
    drawn = {"image/svg+xml": {"alt": "A dot at 3 < 4"}}  # as plots.show leaves it
    cell.outputs = [v4.new_output("display_data", dot, metadata=drawn)]
    cells = [v4.new_markdown_cell(TEXT), cell]
    return v4.new_notebook(cells=cells, metadata=KERNEL)


def page_with_a_playground():
    """A notebook with a playground, as a run leaves it, and a figure that is none."""
    preset = GOOD | {"surface": "Rosenbrock valley", "start": [0.5, 1.0], "betas": [0.9, 0.99]}
    return page_with("# 4. RMSProp", "playground", preset), preset


def page_with(title, kind, preset):
    """A notebook with what stands live in the place of its figure, and a figure that is none."""
    svg = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>'}
    cells = [v4.new_markdown_cell(f"{title}\n\nSee {{numref}}`fig-{kind}`.")]
    drawings = {f"fig-{kind}": {"alt": "Live", kind: preset}, f"fig-no-{kind}": {"alt": "."}}
    for name, drawn in drawings.items():
        figure = {"mystnb": {"figure": {"name": name, "caption": "A <caption>."}}}
        cells.append(v4.new_code_cell("draw()", metadata=figure))
        metadata = {"image/svg+xml": drawn}
        cells[-1].outputs = [v4.new_output("display_data", svg, metadata=metadata)]
    return v4.new_notebook(cells=cells, metadata=KERNEL)


def small(folder, public_url=None):
    """The folder of the pages of a book of two chapters, the second with a playground."""
    furnish(folder)
    if public_url:
        config = (folder / "_config.yml").read_text(encoding="utf-8")
        config = re.sub("# public_url: .*", f"public_url: {public_url}", config)
        (folder / "_config.yml").write_text(config, encoding="utf-8")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: chapters/index\nchapters:\n"
        "- file: chapters/03_momentum\n- file: chapters/04_rmsprop\n"
        "- file: chapters/18_after_adam\n- file: chapters/bibliography\n"
    )
    (folder / "chapters/index.md").write_text("# Welcome\n\nHello.\n")
    shutil.copy(ROOT / "chapters/bibliography.md", folder / "chapters")
    nbformat.write(chapter_notebook(), folder / "chapters/03_momentum.ipynb")
    nbformat.write(page_with_a_playground()[0], folder / "chapters/04_rmsprop.ipynb")
    after = page_with("# 18. After Adam", "memory", LEARNED)
    nbformat.write(after, folder / "chapters/18_after_adam.ipynb")
    return build(folder)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a small book's pages."""
    return small(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def page(book):
    """The text of the page with the playground."""
    return (book / "chapters/04-rmsprop.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def memory_page(book):
    """The text of the page with the memory."""
    return (book / "chapters/18-after-adam.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chapter(book):
    """The text of a chapter's page."""
    return (book / "chapters/03-momentum.html").read_text(encoding="utf-8")


def test_a_small_book_has_no_problem(book):
    assert check_site.site_problems(book)[0] == []


def test_a_chapter_is_read_at_an_address_with_hyphens_and_its_notebook_keeps_its_name(book, page):
    names = {file.stem for file in (book / "chapters").iterdir()}
    assert {"03-momentum", "04-rmsprop", "index"} <= names and "_" not in "".join(names)
    assert 'rel="prev" title="3. Momentum" href="03-momentum.html"' in page
    assert (book / "_sources/chapters/04_rmsprop.ipynb").is_file()


def test_the_search_names_addresses_and_a_second_build_goes_on_from_it(book):
    with open(book / "searchindex.js", encoding="utf-8") as file:
        found = addresses.js_index.load(file)["docnames"]
        file.seek(0)
        known = addresses.SearchIndex().load(file)["docnames"]
    assert {"chapters/03-momentum", "chapters/index"} <= set(found) and known != found
    assert [addresses.address(name) for name in known] == found


def menu(page):
    """What the header of a page offers to take along: (words, attributes)."""
    (group,) = re.findall(r'"dropdown dropdown-download-buttons">(.*?)</ul>', page, re.DOTALL)
    tags = [a for tag, a in Attributes(group).tags if "dropdown-item" in a.get("class", "")]
    words = re.findall(r'btn__text-container">([^<]*)<', group)
    return list(zip(words, tags, strict=True))


def test_a_notebook_is_taken_along_as_it_is_under_its_own_name(book, chapter):
    offered = dict(menu(chapter))
    assert [*offered] == ["Notebook (.ipynb)", "Markdown (.md)", "Cite (BibTeX)", "Print"]
    link = offered["Notebook (.ipynb)"]
    assert link["download"] == "03_momentum.ipynb" and "target" not in link
    notebook = (book / "chapters" / link["href"]).read_bytes()
    assert notebook == (book.parents[1] / "chapters/03_momentum.ipynb").read_bytes()
    link = offered["Markdown (.md)"]
    assert link["download"] == link["href"] == "03-momentum.md"
    assert "Notebook (.ipynb)" not in dict(menu((book / "chapters/bibliography.html").read_text()))


def test_a_page_is_taken_along_as_markdown(book):
    text = (book / "chapters/03-momentum.md").read_text(encoding="utf-8")
    assert re.sub(r"_images/\w+\.svg", "_images/IMAGE.svg", text) == MARKDOWN


def test_a_list_of_the_book_names_the_markdown_of_every_page(book):
    head, *parts = (book / "llms.txt").read_text(encoding="utf-8").split("\n## ")
    assert head.startswith("# The Road to Adam\n\n> A book in notebooks that derives,")
    (line,) = re.findall(r"^- \[3\. Momentum\].*", parts[0], re.M)
    assert line.startswith("- [3. Momentum](chapters/03-momentum.md): A <claim> with $x$. See ")
    links = re.findall(r"\]\((.*?)\)", "".join(parts))
    assert len(links) == 4 and all((book / link).is_file() for link in links)


def test_the_book_has_an_entry_to_cite_it_by(book, chapter):
    link = dict(menu(chapter))["Cite (BibTeX)"]
    assert link["href"] == "bibliography.html#to-cite-this-book" and "target" not in link
    text = (book / "chapters/bibliography.md").read_text(encoding="utf-8")
    version = take_along.citation(SimpleNamespace(confdir=ROOT))["version"]
    assert "```bibtex\n@misc{the_road_to_adam,\n  title        = {{The Road" in text
    assert f"Version {version}" in text


def test_an_entry_names_persons_address_and_doi_once_there_are_some():
    cff = {"title": "A B", "version": "1", "authors": [{"family-names": "L", "given-names": "A."}]}
    cff |= {"date-released": "2031-02-03", "url": "https://x.org", "doi": "10.5/1"}
    cff["authors"].append({"name": "The others"})
    assert take_along.bibtex(cff, "2026, us") == BIBTEX


def test_figures_and_equations_carry_the_number_of_the_chapter(chapter):
    assert '<span class="std std-numref">Figure 3.1</span>' in chapter
    assert '<span class="caption-number">Figure 3.1 </span>' in chapter
    assert 'href="#equation-eq-a">(3.1)</a>' in chapter


def test_the_text_that_a_cell_computed_is_its_figures_alternative(chapter):
    assert re.search(r'<img alt="A dot at 3 &lt; 4" [^>]*src="[^"]*\.svg"', chapter)


def test_formulas_are_set_without_a_script_and_their_style_is_only_where_they_are(book, chapter):
    assert '<span class="katex"><span class="katex-mathml"><math' in chapter
    assert "MathJax" not in chapter and "\\(" not in chapter
    assert re.search(r'href="\.\./_static/katex/katex\.css\?v=', chapter)
    assert "katex" not in (book / "chapters/index.html").read_text(encoding="utf-8")


def test_the_fonts_of_formulas_hold_the_letters_of_the_pages_and_little_else(book):
    folder = book / "_static/katex"
    named = set(re.findall(r"fonts/([\w-]+\.\w+)", (folder / "katex.css").read_text()))
    assert named == {font.name for font in (folder / "fonts").iterdir()}
    held = TTFont(folder / "fonts/KaTeX_Math-Italic.woff").getBestCmap()
    assert {ord("x"), ord("y")} <= set(held) and ord("Ω") not in held


def test_every_repair_is_done(book, chapter):
    pages = chapter + (book / "chapters/bibliography.html").read_text(encoding="utf-8")
    assert not [pattern for pattern, _ in extension.REPAIRS if re.search(pattern, pages)]
    assert '<div id="pst-primary-sidebar" role="complementary"' in pages
    assert re.search(r'<div class="citation" id="\w+" role="listitem"', pages)
    assert "fontawesome.js" not in pages and not list(book.rglob("fontawesome.js"))
    assert not list(book.rglob("*.map"))


def test_the_icon_font_holds_every_icon_of_the_pages_and_little_else(book):
    theme = book / "_static/styles/pydata-sphinx-theme.css"
    css, font = theme.read_text(), book / "_static/vendor/fontawesome/webfonts/fa-solid-900.woff"
    assert "fa-solid-900.woff)" in css and "fa-solid-900.woff2)" not in css
    held = {chr(code) for code in TTFont(font).getBestCmap()}
    pages = "".join(page.read_text() for page in book.rglob("*.html"))
    for name in set(re.findall(r"fa-solid (fa-[a-z-]+)", pages)):
        code = re.search(rf'\.{name}:before[^{{]*{{content:"\\([0-9a-f]+)"', css)[1]
        assert chr(int(code, 16)) in held, name
    whole = {chr(code) for code in TTFont(font.with_suffix(".ttf")).getBestCmap()}
    drawn_by_css = set(re.findall("[\ue000-\uf8ff]", css)) & whole  # the rest are other fonts'
    assert drawn_by_css <= held and len(held) < 60


def test_the_description_is_the_first_paragraph(chapter):
    assert '<meta name="description" content="A &lt;claim&gt; with x. See Figure 3.1' in chapter


def test_without_a_public_address_no_button_leads_to_one_and_nothing_dangles(book):
    pages = [page.read_text(encoding="utf-8") for page in book.glob("chapters/*.html")]
    for word in (
        "colab",
        "mybinder",
        "github.com",
        'rel="canonical"',
        "og:",
        "twitter:",
        'href=""',
    ):
        assert len(pages) == 5 and not [page for page in pages if word in page], word
    assert not (book / "sitemap.txt").exists() and not list(book.glob("chapters/*.png"))


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """The folder of the pages of the same book with a public address."""
    return small(tmp_path_factory.mktemp("public"), "https://github.com/Ada/road-to-adam")


def hrefs(page):
    """Where the links of a page's header lead, by their words; those to other hosts alone."""
    header = page[page.index('"article-header-buttons"') :]
    links = re.findall(r'<a href="(https[^"]*)"[^>]*>(.*?)</a>', header, re.DOTALL)
    return {" ".join(re.sub("<.*?>", "", words).split()): url for url, words in links}


def test_a_public_address_gives_buttons_that_lead_to_the_notebook(public):
    repository, notebook = "Ada/road-to-adam", "chapters/03_momentum.ipynb"
    expected = {
        "Binder": f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/{notebook}",
        "Colab": f"https://colab.research.google.com/github/{repository}/blob/main/{notebook}",
        "Repository": f"https://github.com/{repository}",
        "Suggest edit": f"https://github.com/{repository}/edit/main/{notebook}",
    }
    assert hrefs((public / "chapters/03-momentum.html").read_text(encoding="utf-8")) == expected
    del expected["Binder"], expected["Colab"]  # a page that does not run
    expected["Suggest edit"] = expected["Suggest edit"].replace("03_momentum.ipynb", "index.md")
    assert hrefs((public / "chapters/index.html").read_text(encoding="utf-8")) == expected


def test_a_public_page_has_one_address_everywhere_and_a_card(public):
    text = (public / "chapters/03-momentum.html").read_text(encoding="utf-8")
    address = "https://ada.github.io/road-to-adam/chapters/03-momentum"
    assert f'<link rel="canonical" href="{address}.html"' in text
    assert f"{address}.html" in (public / "sitemap.txt").read_text().splitlines()
    assert f"[3. Momentum]({address}.md)" in (public / "llms.txt").read_text()
    tags = [a for tag, a in Attributes(text).tags if tag == "meta"]
    found = {a.get("property", a.get("name")): a.get("content") for a in tags}
    assert found["og:title"] == "3. Momentum" and found["og:url"] == f"{address}.html"
    assert found["og:image"] == f"{address}.png" and found["og:image:alt"] == "A dot at 3 < 4"
    assert found["og:description"] == found["description"] != ""
    assert found["og:type"] == "article" and found["twitter:card"] == "summary_large_image"
    assert found["og:site_name"] == "The Road to Adam"
    root = (public / "index.html").read_text(encoding="utf-8")  # which leads to the first page
    assert 'property="og:image"' in root and 'name="description"' in root
    assert f'<link rel="canonical" href="{address[: address.rindex("/")]}/index.html"' in root
    assert f"url          = {{{address[: address.index('chapters')]}}}" in (
        public / "chapters/bibliography.md"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["03-momentum", "index"])  # with a figure, and without
def test_a_card_is_a_png_of_the_size_that_is_shown_whole(public, name):
    data = (public / f"chapters/{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG") and struct.unpack(">II", data[16:24]) == (1200, 630)
    assert len(data) < 300_000


def test_a_public_book_has_no_problem(public):
    assert check_site.site_problems(public)[0] == []


def test_a_description_has_no_tex():
    text = "The claim. With 2/\\lambda and w_{t-1} \\le 1 it is 𝜂 <b>. " + "and more " * 40
    said = addresses.description(nodes.document(None, None, "", nodes.paragraph("", text)))
    assert said.startswith("With 2/λ and w_(t-1) ≤ 1 it is 𝜂 <b>. and") and said.endswith("more …")
    assert len(said) <= 300


@pytest.mark.parametrize(
    "url", ["github.com/ada", "https://github.com/a/b/", "https://github.com/a/b.git"]
)
def test_an_address_of_another_form_is_refused(url):
    with pytest.raises(ValueError, match=re.escape(f"public_url: {url!r} is not of the form")):
        addresses.use_public_url(None, SimpleNamespace(public_url=url))


def test_the_pages_of_an_owner_lie_at_the_root():
    config = SimpleNamespace(public_url="https://github.com/Ada/ada.github.io")
    config.html_theme_options = {}
    addresses.use_public_url(None, config)
    assert config.html_baseurl == "https://ada.github.io/"


class Attributes(HTMLParser):
    """Keeps every tag of a page with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def linked(page):
    """The scripts and styles of the stages that a page links, in its order."""
    scripts = re.findall(r'<script defer="defer" src="\.\./(_static/\w+\.js)\?v=\w+">', page)
    styles = re.findall(r'href="\.\./(_static/(?:playground|memory)\.css)\?v=\w+"', page)
    return [name for name in scripts + styles if re.search("playground|memory", name)]


def test_a_script_is_only_on_a_page_that_has_what_it_runs(book, page, memory_page):
    names = linked(page) + linked(memory_page)
    assert linked(page) == ["_static/playground.js", "_static/playground.css"]
    styles = ["_static/playground.css", "_static/memory.css"]
    assert linked(memory_page) == ["_static/memory.js", *styles]
    assert all((book / name).is_file() for name in names)
    welcome = (book / "chapters/index.html").read_text(encoding="utf-8")
    assert "playground" not in welcome and "memory" not in welcome


def test_the_page_has_the_preset_of_the_notebook(page):
    boxes = [a for _, a in Attributes(page).tags if a.get("class") == "playground"]
    assert [json.loads(box["data-preset"]) for box in boxes] == [page_with_a_playground()[1]]


def test_the_page_of_a_memory_asks_first_and_nothing_runs_before(memory_page):
    tags = Attributes(memory_page).tags
    boxes = [a for _, a in tags if a.get("data-stage") == "memory"]
    assert [json.loads(box["data-preset"]) for box in boxes] == [LEARNED]
    guesses = [a for _, a in tags if a.get("name") == "guess"]
    assert [a["value"] for a in guesses] == ["Adam", "Muon"]  # in the order of all rules
    assert all(a["type"] == "radio" and "required" in a for a in guesses)
    question, run = memory_page.split('<fieldset class="memory-run" disabled>')
    run, after = run.split("</fieldset>")[:2]
    assert "data-do" not in question + after and "data-slider" not in question + after
    assert run.count("data-do=") == 4 and run.count("data-slider=") == 4
    assert "Muon is momentum of a fixed length" in " ".join(memory_page.split())


@pytest.mark.parametrize("name", ["page", "memory_page"])
def test_the_controls_stand_in_the_figure_before_its_still_picture(name, request):
    page = request.getfixturevalue(name)
    figure = re.search(
        r'<figure[^>]*id="fig-(?:playground|memory)">(.*?)</figure>', page, re.DOTALL
    )[1]
    places = [figure.index(part) for part in ('class="playground', "<img", "<figcaption>")]
    assert places == sorted(places)
    images = [a for tag, a in Attributes(page).tags if tag == "img"]
    still = {image["alt"]: "playground-still" in image.get("class", "") for image in images}
    assert still["Live"] and not still["."]


@pytest.mark.parametrize("name", ["page", "memory_page"])
def test_every_control_has_a_name(name, request):
    page = request.getfixturevalue(name)
    box = re.search(r'<div class="playground.*?(?=<img)', page, re.DOTALL)[0]
    unlabeled = re.sub(r"<label.*?</label>", "", box, flags=re.DOTALL)
    controls = [a for tag, a in Attributes(unlabeled).tags if tag in ("input", "select")]
    assert controls and all("aria-label" in control for control in controls)


@pytest.mark.parametrize(
    ("kind", "styles", "most"), [("playground", 1, 30_000), ("memory", 2, 25_000)]
)
def test_a_script_is_whole_and_light(book, kind, styles, most):
    files = [f"{kind}.js", "playground.css", "memory.css"][: 1 + styles]
    sizes = [(book / "_static" / name).stat().st_size for name in files]
    html = ROOT / "_ext" / f"{kind}.html"
    assert sum(sizes) + html.stat().st_size <= most
    engine = MiniRacer()
    engine.eval("const document = {querySelectorAll: () => []};")
    engine.eval((book / "_static" / f"{kind}.js").read_text(encoding="utf-8"))
    assert engine.eval("typeof RULES") == "undefined"  # it leaves no name behind

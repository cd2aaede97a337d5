"""What the tour of the site with a browser catches: each planted fault is named with its page."""

import random
import re

import browse_site
import browser
import pytest

pytestmark = pytest.mark.slow  # a browser is started
MISSING = browse_site.no_browser()
needs_browser = pytest.mark.skipif(bool(MISSING), reason=str(MISSING))

PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body><main><h1 id="top">A page</h1>{}</main></body></html>"""
SEARCH = """<p class="search-summary">found 1</p>
<ul id="search-results"><li><a href="{}.html">A page</a></li></ul>"""
FOLDED = "<article><details><summary>Solution</summary>{}</details></article>"
STUCK = "<script>document.querySelector('summary').onclick = (e) => e.preventDefault();</script>"
PLAYGROUND = """<div class="playground" data-stage="map">
<canvas tabindex="0" role="application" aria-label="Map"></canvas>
<button data-do="reset">Reset</button><button data-do="finish">Run</button>
<p class="playground-status" role="status">0</p></div>
<script>
const says = document.querySelector("[role=status]"), move = () => { says.textContent += "1"; };
document.querySelector("canvas").onkeydown = move;
document.querySelector("[data-do=finish]").onclick = move;</script>"""
GREY = "<style>@media (prefers-color-scheme: dark) { p { color: #444; background: #222 } }</style>"


PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
PLANTED = {
    f'<img src="{PIXEL}">': "image-alt: .*img",
    '<script src="https://x.org/a.js"></script>': "asks another host: https://x.org/a.js",
    "<script>fetch('http://x.org/b').catch(() => 0)</script>": "asks another host: .*/b",
    '<script src="no.js"></script>': "missing file: no.js",
    '<a href="clean.html#no">a</a>': "missing anchor: clean.html#no",
    '<a href="#no">here</a>': r"missing anchor: .*\.html#no",
    '<a href="c.html">c</a>': "broken link: c.html",
    '<script>console.error("boom")</script>': "console error: boom",
    '<script>throw new Error("boom")</script>': "script error: .*boom",
    '<div class="output traceback">ValueError: boom</div>': "traceback: ValueError: boom",
    '<script src="big.js"></script>': r"\d+,\d+ bytes, .* allowed without .*: big.js",
    '<pre style="width: 400px">wide</pre>': "wider than a telephone, 4.. px: <pre",
    f"{GREY}<p>grey</p>": "color-contrast: .* 1 times, dark theme: p",
    FOLDED.format("") + STUCK: "Enter does not open: Solution",
    PLAYGROUND.replace("onkeydown", "ondrag"): "the playground does .* ArrowRight on canvas",
    PLAYGROUND.replace("onclick", "ondrag"): "the playground does .* Enter on .*finish",
}


@pytest.fixture(scope="module")
def toured(tmp_path_factory):
    """The problems and sizes of a site with a clean page and one page for each planted fault."""
    folder = tmp_path_factory.mktemp("site")
    words = '<a href="#top">up</a> <a href="./">home</a>'
    (folder / "clean.html").write_text(PAGE.format(words + FOLDED.format("Two.") + PLAYGROUND))
    (folder / "index.html").write_text('<meta http-equiv="refresh" content="0; url=clean.html">')
    (folder / "search.html").write_text(PAGE.format(SEARCH.format("clean")))
    for k, planted in enumerate(PLANTED):
        (folder / f"{k}.html").write_text(PAGE.format(planted))
    (folder / "big.js").write_text("//" + random.Random(0).randbytes(600_000).hex())
    return browse_site.site_problems(folder, {"a page": "clean", "nothing": "0"})


@needs_browser
def test_a_clean_page_passes_and_a_signpost_is_none(toured):
    problems, sizes = toured
    assert "clean.html" not in dict(problems) and len(sizes) == 2 + len(PLANTED)
    assert "index.html" not in sizes and 100 < sizes["clean.html"] < 1000


@needs_browser
@pytest.mark.parametrize(("k", "problem"), [*enumerate(PLANTED.values())], ids=PLANTED.values())
def test_a_planted_fault_is_reported_with_its_page_and_reason(toured, k, problem):
    (text,) = [text for page, text in toured[0] if page == f"{k}.html"]
    assert re.match(problem, text)


@needs_browser
def test_a_search_that_does_not_find_is_reported_served_and_from_disk(toured):
    texts = [text for page, text in toured[0] if page == "search.html"]
    for text, scheme in zip(texts, ("http", "file"), strict=True):
        assert re.match(rf"'nothing' \({scheme}\) does not find 0: \['.*/clean.html'\]", text)


@needs_browser
def test_an_empty_build_is_not_a_pass(tmp_path, capsys):
    assert browse_site.main([str(tmp_path)]) == 2
    assert capsys.readouterr().out.startswith(f"{tmp_path}: no pages\n")


@pytest.mark.parametrize(("variable", "status"), [("true", 2), ("", 0)])
def test_without_a_browser_only_ci_fails(tmp_path, monkeypatch, capsys, variable, status):
    monkeypatch.setenv("CI", variable)
    monkeypatch.setattr(browse_site, "no_browser", lambda: "none here")
    assert browse_site.main([str(tmp_path)]) == status
    assert "not opened in a browser: none here" in capsys.readouterr().out


def test_every_rule_and_optimizer_is_asked_for():
    assert {"adam", "AMSGrad", "weight decay"} <= set(browser.searches())

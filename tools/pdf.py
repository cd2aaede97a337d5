"""The built book as one PDF, or its figures as slides, by the print of a browser.

python tools/pdf.py book           writes _build/pdf/book.pdf
python tools/pdf.py slides [05]    writes _build/pdf/05-adam.pdf, one figure a page

A figure that does not load is an error, and so is what the paper would cut.
"""

import argparse
import sys

import browser
import yaml
from check_site import address

SITE, OUT = browser.ROOT / "_build/html", browser.ROOT / "_build/pdf"
MINUTES = 30  # how long a print may take: the book is some 360 pages with figures
TITLE = "The Road to Adam"
NUMBER = '<div style="width: 100%; font-size: 8px; text-align: center" class="pageNumber"></div>'
MARGINS = {"top": "15mm", "bottom": "17mm", "left": "16mm", "right": "16mm"}
BOOK = {"format": "A4", "margin": MARGINS, "display_header_footer": True, "outline": True}
BOOK |= {"header_template": "<div></div>", "footer_template": NUMBER}
SLIDES = {"width": "1280px", "height": "720px"}
LINE = 672  # pixels of a line on A4: 210 mm less the margins

#: Puts the articles of [part, page] behind one another; an id becomes /page.html:id.
GATHER = """async ([title, pages]) => {
  document.querySelector("#jb-print-docs-body")?.remove();
  const inside = new Set(pages.map(([, page]) => `/${page}.html`)), lists = new Map();
  const cover = document.querySelector("article"), all = document.createElement("div");
  cover.innerHTML = `<h1>${title}</h1>`;
  for (const [part, page] of pages) {
    const name = `/${page}.html`, address = new URL(name, location);
    const text = await (await fetch(name)).text();
    const there = new DOMParser().parseFromString(text, "text/html");
    for (const sheet of there.querySelectorAll("link[rel=stylesheet]")) {
      const href = new URL(sheet.getAttribute("href"), address).href;
      if ([...document.styleSheets].some((known) => known.href === href)) continue;
      await new Promise((done) => document.head.append(Object.assign(
        document.createElement("link"), {rel: "stylesheet", href, onload: done})));
    }
    const article = there.querySelector("article");
    const useless = article.querySelectorAll("script, .headerlink, .copybtn, .viewcode-link");
    useless.forEach((tag) => tag.remove());
    for (const tag of article.querySelectorAll("[id]")) tag.id = `${name}:${tag.id}`;
    for (const link of article.querySelectorAll("a[href]")) {
      const to = new URL(link.getAttribute("href"), address);
      const id = `${to.pathname}:${decodeURIComponent(to.hash.slice(1))}`;
      if (inside.has(to.pathname)) link.href = `#${id}`;
      else if (to.origin === location.origin) link.replaceWith(...link.childNodes);
    }
    for (const image of article.querySelectorAll("img")) {
      image.src = new URL(image.getAttribute("src"), address).href;
      image.loading = "eager";
    }
    article.querySelectorAll("details").forEach((box) => { box.open = true; });
    article.id = `${name}:`;
    all.append(article);
    if (!lists.has(part)) {
      lists.set(part, document.createElement("ul"));
      cover.insertAdjacentHTML("beforeend", `<p>${part}</p>`);
      cover.append(lists.get(part));
    }
    const words = article.querySelector("h1").firstChild.textContent;
    lists.get(part).insertAdjacentHTML("beforeend", `<li><a href="#${name}:">${words}</a></li>`);
  }
  cover.after(...all.children);
}"""
PAPER = """
:root { --pst-color-background: #fff !important; }
.bd-article h1 { display: block !important; }
.bd-article ~ .bd-article { break-before: page; }
.bd-article:first-of-type > h1 { margin: 3cm 0 1.5cm; font-size: 3.5rem; }
.bd-article:first-of-type :is(p, ul) { margin: 0.2rem 0; }
.census-card { display: none; }
"""

#: Leaves of a page its figures, each as a slide.
FRAME = """(title) => {
  const chapter = document.querySelector("article h1").firstChild.textContent;
  const figures = [...document.querySelectorAll("article figure:has(img)")];
  const slides = figures.map((figure, k) => {
    const slide = document.createElement("section");
    const image = figure.querySelector("img");
    image.loading = "eager";
    figure.querySelectorAll(".headerlink").forEach((tag) => tag.remove());
    slide.append(image, figure.querySelector("figcaption"));
    const place = `<span>${title} · ${chapter}</span><span>${k + 1} / ${figures.length}</span>`;
    slide.insertAdjacentHTML("beforeend", `<footer>${place}</footer>`);
    return slide;
  });
  document.body.className = "bd-article";
  document.body.replaceChildren(...slides);
}"""
SCREEN = """
:root { --pst-color-background: #fff !important; }
@page { margin: 0; }
html { font-size: 16px !important; }
body { margin: 0; padding: 0 !important; }
section { display: flex; flex-direction: column; width: 1280px; height: 720px; padding: 28px 56px;
  box-sizing: border-box; break-after: page; overflow: hidden; }
section img { flex: 1; width: 100%; min-height: 0; object-fit: contain; }
section figcaption { font-size: 21px !important; line-height: 1.35; text-align: left; }
section footer { display: flex; justify-content: space-between; margin-top: 12px; color: #555; }
"""
MISSING = """() => Promise.all([document.fonts.ready, ...[...document.images].map((image) =>
  image.decode().catch(() => null))]).then(() =>
  [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src))"""
DEAD = """() => [...document.querySelectorAll("article a[href^='#']")].filter((link) =>
  !document.getElementById(decodeURIComponent(link.hash.slice(1)))).map((link) => link.hash)"""
CUT = """() => {
  const boxes = "pre, table, .katex-display";
  const wide = (tag) => tag.matches(boxes) && tag.scrollWidth > tag.clientWidth + 1 ||
    [...tag.getClientRects()].some((box) => box.right > innerWidth + 1);
  const found = [...document.querySelectorAll(`${boxes}, .katex-html, code, img`)];
  const high = [...document.querySelectorAll("body > section")].filter((slide) =>
    slide.scrollHeight > slide.clientHeight + 1);
  return [...found.filter(wide), ...high].map((tag) => tag.textContent.trim().slice(0, 80));
}"""


def contents():
    """[(part, page)] of the book, in the order of its table of contents."""
    toc = yaml.safe_load((browser.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = [(part["caption"], x["file"]) for part in toc["parts"] for x in part["chapters"]]
    return [(part, address(page)) for part, page in [("", toc["root"]), *found]]


def printed(page, script, argument, style, file, **form):
    """None; rebuilds the page by a script, looks whether all is there and whole, and prints it."""
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate(script, argument)
    page.add_style_tag(content=style)
    problems = [f"does not load: {address}" for address in page.evaluate(MISSING)]
    problems += [f"leads nowhere: {anchor}" for anchor in page.evaluate(DEAD)]
    problems += [f"is cut: {text}" for text in page.evaluate(CUT)]
    if problems:
        sys.exit(f"{file.name}:\n" + "\n".join(problems))
    page.pdf(path=file, print_background=True, tagged=True, **form)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("book", "slides"))
    parser.add_argument("chapter", nargs="?", default="", help="of slides, as 05; else all")
    options = parser.parse_args(arguments)
    names = [name for _, name in contents() if name.rpartition("/")[2][0].isdigit()]
    chosen = [name for name in names if name.rpartition("/")[2].startswith(options.chapter)]
    if not chosen or (options.chapter and options.what == "book"):
        parser.error(f"chapter must be one of slides, as 05, got {options.chapter!r}")
    if missing := [name for _, name in contents() if not (SITE / f"{name}.html").is_file()]:
        parser.error(f"{missing[0]} is not built; call `make book`")
    from playwright.sync_api import sync_playwright

    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright) or sys.exit("no browser to print with")
        address = browser.serve(SITE)
        page = chromium.new_page(viewport={"width": LINE, "height": 950})
        page.set_default_timeout(MINUTES * 60_000)
        if options.what == "book":
            page.goto(f"{address}{contents()[0][1]}.html")
            printed(page, GATHER, [TITLE, contents()], PAPER, OUT / "book.pdf", **BOOK)
            return
        page.set_viewport_size({"width": 1280, "height": 720})
        for name in chosen:
            page.goto(f"{address}{name}.html")
            file = OUT / f"{name.rpartition('/')[2]}.pdf"
            printed(page, FRAME, TITLE, SCREEN, file, **SLIDES)


if __name__ == "__main__":
    main()

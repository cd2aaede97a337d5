"""Searches a built site for what a build does not warn of.

python tools/check_site.py _build/html [_toc.yml] prints each problem with its page, then one line
of counts; with a table of contents also what is missing of the book. Exit status: 0 clean,
1 problems, 2 when there is nothing to check.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

# What a browser fetches by itself, by tag and attribute; a plain <a href> is only an offer.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
ADDRESS_ONLY = {"canonical", "next", "prev", "index", "search", "author"}  # rel= of such a <link>
CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")
RAW_MARKUP = re.compile(r"`[^`]*`?|:::|\$[^\s$](?:[^$\n]*[^\s$])?\$")  # a role, a fence, a formula
HIGHLIGHT = re.compile(r'<span class="\w{1,3}">([^<]*)</span>')  # half of all tags
UNRESOLVED = ".problematic, .system-message, .xref.std"  # the last: outside of a link


def is_elsewhere(url):
    """Whether `url` names another host, as https://host/x and //host/x do."""
    return bool(urlsplit(url).netloc)


def target(url, page):
    """The file that `url` means when it stands on `page`, without query and fragment."""
    path = unquote(urlsplit(url).path)
    file = (page.parent / path).resolve() if path else page
    return file / "index.html" if file.is_dir() else file


def css_problems(css, page):
    """The problems of the addresses in a style sheet's text, which stands in the file `page`."""
    for match in CSS_URL.finditer(css):
        url = match[1] or match[2]
        if url.startswith(("data:", "#")):
            continue
        if is_elsewhere(url):
            yield f"asks another host: {url}"
        elif not target(url, page).is_file():
            yield f"missing file: {url}"


def fetch_problems(soup, page):
    """The problems of what the page makes a browser fetch."""
    for tag in soup.find_all(list(FETCHED)):
        url = tag.get(FETCHED[tag.name], "")
        if not url or url.startswith("data:") or ADDRESS_ONLY & set(tag.get("rel") or ()):
            continue
        if is_elsewhere(url):
            yield f"asks another host: {url}"
        elif not target(url, page).is_file():
            yield f"missing file: {url}"
    for style in soup.find_all("style"):
        yield from css_problems(style.get_text(), page)
    for tag in soup.find_all(style=True):
        yield from css_problems(tag["style"], page)


def link_problems(soup, page, ids):
    """The problems of the page's links to pages of the site; ids: {file: its ids}."""
    for link in soup.find_all("a", href=True):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            continue
        file = target(link["href"], page)
        if not file.is_file():
            yield f"broken link: {link['href']}"
        elif url.fragment and file in ids and unquote(url.fragment) not in ids[file]:
            yield f"missing anchor: {link['href']}"


def content_problems(soup):
    """The problems of what the page shows."""
    for kind in ("traceback", "stderr"):
        for output in soup.select(f".output.{kind}"):
            yield f"{kind} in an output: {' '.join(output.get_text().split())[-80:]}"
    for image in soup.find_all("img"):
        alt = image.get("alt")
        if alt is None or (image.find_parent("article") and not alt.strip()):
            yield f"no alt text: {image.get('src')}"
        elif alt and Path(alt).name == Path(image.get("src", "")).name:
            yield f"alt text is a file name: {alt}"
    for fault in soup.select(UNRESOLVED):
        if not fault.find_parent("a"):
            yield f"unresolved: {fault.get_text()[:80]}"
    if soup.find(class_="bibtex-citation", string="[]"):
        yield "unresolved: a citation"
    counts = Counter(tag["id"] for tag in soup.find_all(id=True))
    yield from (f"id used {n} times: {name}" for name, n in counts.items() if n > 1)
    for code in soup.find_all(["pre", "code", "script", "style"]):
        code.decompose()
    text = soup.get_text()
    for raw in RAW_MARKUP.finditer(text):
        yield f"raw markup: {' '.join(text[max(raw.start() - 30, 0) : raw.end() + 30].split())}"


def site_problems(folder):
    """The problems below `folder` as (file, text) pairs, and the number of pages searched."""
    folder = Path(folder).resolve()
    # The theme leaves its templates among the static files; they are no pages.
    pages = [p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]
    texts = {p: HIGHLIGHT.sub(r"\1", p.read_text(encoding="utf-8")) for p in pages}
    soups = {p: BeautifulSoup(text, "html.parser") for p, text in texts.items()}
    ids = {p: {tag["id"] for tag in soup.find_all(id=True)} for p, soup in soups.items()}
    found = []
    for page, soup in soups.items():
        found += [(page, text) for text in fetch_problems(soup, page)]
        found += [(page, text) for text in link_problems(soup, page, ids)]
        found += [(page, text) for text in content_problems(soup)]  # last: it empties the soup
    for sheet in sorted(folder.rglob("*.css")):
        found += [(sheet, text) for text in css_problems(sheet.read_text("utf-8"), sheet)]
    return [(file.relative_to(folder), text) for file, text in found], len(pages)


def address(page):
    """The path of a page on the site: chapters/05_adam is read at chapters/05-adam."""
    return page.replace("_", "-") if page.startswith("chapters/") else page


def entries(toc):
    """Yield the file of every entry in a table of contents, or in a part of one."""
    yield from (toc[key] for key in ("root", "file") if key in toc)
    for part in (part for key in ("parts", "chapters", "sections") for part in toc.get(key, ())):
        yield from entries(part)


def book_problems(folder, toc):
    """Yield (page, problem) where the site is not the book whose table of contents is a file."""
    files = toc, toc.parent / "_config.yml"
    table, config = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)
    for entry in entries(table):
        page = Path(f"{address(entry)}.html")
        file = Path(folder, page)
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        heading = BeautifulSoup(text, "html.parser").h1
        if not heading:
            yield page, f"no page with a heading for {entry} in {toc.name}"
        elif entry == table["root"] and config["title"] not in heading.get_text():
            yield page, f"the book is not {config['title']!r}: {heading.get_text()}"


def main(arguments):
    """The exit status, after printing what was found."""
    if len(arguments) not in (1, 2):
        print("usage: python tools/check_site.py FOLDER [TOC]")
        return 2
    problems, pages = site_problems(arguments[0])
    problems += [each for toc in arguments[1:] for each in book_problems(arguments[0], Path(toc))]
    for file, text in problems:
        print(f"{file}: {text}")
    print(f"{pages} pages, {len(problems)} problems")
    return 2 if not pages else int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

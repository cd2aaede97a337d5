"""Opens every page of a built site in a browser: python tools/browse_site.py _build/html

Looks for what only a browser sees, as readers meet it with the keyboard, on a telephone, in the
dark and on a slow line, and asks the search. Prints each problem with its page, then one line of
counts. Exit status: 0 clean, 1 problems, 2 nothing to check or, in CI, no browser to check it with.
"""

import gzip
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import browser

#: Bytes of a page with its styles, scripts and fonts, gzipped; figures apart.
BUDGETS = {"with mathematics": 195_000, "without mathematics": 160_000}
# of a playground of each kind: a selector, a key to press there, whether it must tell something
ENDS = (("[data-do=reset]", "Enter", False), ("[data-do=finish]", "Enter", True))
STAGES = {
    "map": (("canvas[tabindex]", "ArrowRight", True), *ENDS),
    "memory": (("form input", "Space", False), ("form button", "Enter", False), *ENDS),
}
WEIGHED = ("document", "stylesheet", "script", "font")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
FOLDED, KEYS = "article details:not([open]) > summary", 5  # how many are opened by the keyboard
PROCESSES, PARTS = 2, 4
PATIENCE = 120_000  # milliseconds: a busy machine is no fault of the page

UNFOLD = "document.querySelectorAll('article details').forEach((box) => { box.open = true; })"
READY = "document.fonts.ready.then(() => true)"
FACTS = """() => ({
  ids: [...document.querySelectorAll("[id]")].map((tag) => tag.id),
  links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
  failed: [...document.querySelectorAll(".output.traceback")].map((tag) => tag.textContent),
  math: Boolean(document.querySelector("math")),
})"""
# Colors are slow to judge: once for all texts in like elements within like elements.
AXE = """async (colors) => {
  const kinds = new Map(), looks = new Map();
  const look = (tag) => {
    if (tag && !looks.has(tag)) {
      const {color, backgroundColor} = getComputedStyle(tag);
      const own = [tag.localName, tag.getAttribute("class"), color, backgroundColor];
      looks.set(tag, [look(tag.parentElement), ...own].join(" "));
    }
    return looks.get(tag);
  };
  const says = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
  for (const tag of colors ? document.body.querySelectorAll("*") : [])
    if ([...tag.childNodes].some(says)) kinds.set(look(tag), tag);
  const options = {resultTypes: ["violations"], preload: false};
  if (colors) options.runOnly = ["color-contrast"];
  else options.rules = {"color-contrast": {enabled: false}};
  const include = colors ? [...kinds.values()] : [document];
  const {violations} = await axe.run({include}, options);
  return violations.map(({id, help, nodes}) => ({id, help, nodes}));
}"""
WIDTH = """() => {
  const {clientWidth: most, scrollWidth: wide} = document.documentElement;
  const inside = (tag) => tag && tag !== document.body
    && (getComputedStyle(tag).overflowX !== "visible" || inside(tag.parentElement));
  const end = (tag) => {
    const {left, right} = tag.getBoundingClientRect();
    const spills = getComputedStyle(tag).overflowX === "visible";
    return Math.max(right, spills ? left + tag.scrollWidth : 0);
  };
  const out = [...document.body.querySelectorAll("*")].filter((tag) =>
    end(tag) > most + 1 && !inside(tag.parentElement));
  const [tag] = out.filter((tag) => !out.some((other) => tag !== other && tag.contains(other)));
  return wide > most && `${wide} px: <${tag?.localName} class="${tag?.className}">`;
}"""


@cache
def zipped(file):
    """The bytes of a file when it is sent gzipped."""
    return len(gzip.compress(file.read_bytes()))


class Tour:
    """A browser that opens one page after the other, and the problems of the present one."""

    def __init__(self, chromium, folder, address):
        self.folder, self.address = folder, address
        self.problems, self.files = [], set()
        self.page = chromium.new_page(reduced_motion="reduce")  # no colors halfway
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        self.page.on("response", self.receive)
        self.page.route(lambda url: not url.startswith((address, "data:", "blob:")), self.refuse)

    def hear(self, message):
        """None; what a page complains of is a problem, but for a file that others report."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(f"console {message.type}: {message.text}")

    def refuse(self, route):
        """None; the site needs nobody else."""
        self.problems.append(f"asks another host: {route.request.url}")
        route.abort()

    def receive(self, response):
        """None; remembers the file that came, for weighing."""
        file = self.folder / unquote(urlsplit(response.url).path)[1:]
        if response.status >= 400:
            self.problems.append(f"missing file: {file.relative_to(self.folder)}")
        elif response.request.resource_type in WEIGHED and file.is_file():
            self.files.add(file)

    def look(self, name):
        """The facts of a page: its problems, ids, links into the site, and bytes."""
        self.problems, self.files = [], set()
        self.page.set_viewport_size(DESK)
        self.page.emulate_media(color_scheme="light")
        self.page.goto(self.address + quote(name))
        self.page.evaluate(READY)
        facts = self.page.evaluate(FACTS)
        self.problems += [f"traceback: {' '.join(text.split()[-8:])}" for text in facts["failed"]]
        self.use_keyboard()
        self.ask_axe()
        self.page.set_viewport_size(PHONE)
        if wide := self.page.evaluate(WIDTH):
            self.problems.append(f"wider than a telephone, {wide}")
        size = self.weigh("with mathematics" if facts["math"] else "without mathematics")
        urls = [urlsplit(link) for link in facts["links"] if link.startswith(self.address)]
        links = {(unquote(url.path)[1:], unquote(url.fragment)) for url in urls}
        return self.problems, set(facts["ids"]), links, size

    def ask_axe(self):
        """None; asks axe-core about the page, and about its colors in both themes."""
        from axe_playwright_python.base import AXE_SCRIPT

        self.page.evaluate(AXE_SCRIPT)
        for scheme, colors in (("light", False), ("light", True), ("dark", True)):
            self.page.emulate_media(color_scheme=scheme)
            for fault in self.page.evaluate(AXE, colors):
                nodes = [str(node["target"][0]) for node in fault["nodes"]]
                where = f"{len(nodes)} times, {scheme} theme: {', '.join(nodes[:3])}"
                self.problems.append(f"{fault['id']}: {fault['help']}; {where}")

    def use_keyboard(self):
        """None; Enter opens what is folded, keys move and run a playground."""
        for summary in self.page.query_selector_all(FOLDED)[:KEYS]:
            summary.focus()
            self.page.keyboard.press("Enter")
            if not summary.evaluate("(summary) => summary.parentNode.open"):
                self.problems.append(f"Enter does not open: {summary.inner_text()}")
        self.page.evaluate(UNFOLD)
        for box in self.page.query_selector_all(".playground"):
            status = box.query_selector(".playground-status")
            for where, key, tells in STAGES[box.get_attribute("data-stage")]:
                before = status.inner_text()
                box.query_selector(where).focus()
                self.page.keyboard.press(key)
                if tells and status.inner_text() == before:
                    self.problems.append(f"the playground does not answer to {key} on {where}")

    def weigh(self, kind):
        """The bytes of what the page fetched; over its budget they are a problem."""
        total = sum(map(zipped, self.files))
        if total > BUDGETS[kind]:
            heavy = sorted(self.files, key=zipped)[:-4:-1]
            most = ", ".join(f"{file.name} {zipped(file):,}" for file in heavy)
            self.problems.append(f"{total:,} bytes, {BUDGETS[kind]:,} allowed {kind}: {most}")
        return total


def visit(folder, names):
    """{page: its facts} for some pages of the site in folder."""
    from playwright.sync_api import sync_playwright

    address = browser.serve(folder)
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        tour = Tour(chromium, folder, address)
        return {name: tour.look(name) for name in names}


def link_problems(folder, seen):
    """Yield (page, problem) for each link to a page or an anchor that is not there."""
    for name, (_, _, links, _) in seen.items():
        for path, anchor in sorted(links):
            file = folder / path
            if not file.is_file() and not (file / "index.html").is_file():
                yield name, f"broken link: {path}"
            elif anchor and path in seen and anchor not in seen[path][1]:
                yield name, f"missing anchor: {path}#{anchor}"


def site_problems(folder, questions):
    """The problems below folder as (page, text) pairs, and {page: bytes}."""
    folder = Path(folder).resolve()
    files = [file.relative_to(folder) for file in sorted(folder.rglob("*.html"))]
    names = [file.as_posix() for file in files if "_static" not in file.parts]
    names = [name for name in names if not is_signpost(folder / name)]
    if not names:
        return [(str(folder), "no pages")], {}
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:  # threads forbid a fork
        search = pool.submit(browser.search_problems, folder, questions)
        parts = [pool.submit(visit, folder, names[k::PARTS]) for k in range(PARTS)]
        seen = {name: facts for part in parts for name, facts in part.result().items()}
        found = [(name, text) for name in names for text in seen[name][0]]
        found += [*link_problems(folder, seen), *search.result()]
    return found, {name: seen[name][3] for name in names}


def is_signpost(file):
    """Whether a page only sends its readers on to another."""
    return 'http-equiv="refresh"' in file.read_text(encoding="utf-8")


def no_browser():
    """Why there is no browser to be had, or None."""
    if missing := [name for name in ("playwright", "axe_playwright_python") if not find_spec(name)]:
        return f"no package {missing[0]}; `make book` installs it"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return None if browser.launch(playwright) else "no chromium and no google-chrome"


def main(arguments):
    """The exit status, after printing what was found."""
    if len(arguments) != 1:
        print("usage: python tools/browse_site.py FOLDER")
        return 2
    if reason := no_browser():
        print(f"The pages were not opened in a browser: {reason}")
        return 2 if os.environ.get("CI") else 0
    problems, sizes = site_problems(arguments[0], browser.searches())
    for name, text in problems:
        print(f"{name}: {text}")
    largest = max(sizes, key=sizes.get, default=None)
    print(f"{len(sizes)} pages in a browser, {len(problems)} problems, largest {largest}", end=" ")
    print(f"with {sizes.get(largest, 0):,} bytes")
    return 2 if not sizes else int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

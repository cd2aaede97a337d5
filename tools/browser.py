"""A browser of this machine, a server for a folder, and what the site's search has to find."""

import ast
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("chromium", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
FIRST = 10  # results of a search among which the right page is

#: What a reader may ask the search, and the page that answers.
SEARCHES = {
    "bias correction": "chapters/06-bias-correction",
    "epsilon": "chapters/04-rmsprop",
    "weight decay": "chapters/11-weight-decay",
    "amsgrad": "chapters/10-when-adam-fails",
}
FOUND = """() => /found|did not match/.test(document.querySelector(".search-summary")?.textContent)
  && [...document.querySelectorAll("#search-results li a")].map((link) => link.href)"""


def launch(playwright):
    """A browser of this machine, or None."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    channel = None if program else "chrome"  # wherever this system keeps it
    try:
        return playwright.chromium.launch(executable_path=program, channel=channel, args=FLAGS)
    except Exception as error:  # of playwright, which may not be installed
        print(str(error).splitlines()[0])
        return None


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


def serve(folder):
    """The address at which the files of folder are served until the program ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def names(path):
    """The functions and classes that a file of the repository defines."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in tree.body if isinstance(node, kinds)]


def searches():
    """SEARCHES, and every rule and optimizer by its name, which the reference answers."""
    found = names("adamlib/rules.py") + names("adamlib/optim.py")
    return dict.fromkeys(found, "chapters/reference") | SEARCHES


def search_problems(folder, questions):
    """(page, problem) for each question that the search does not answer, served or from disk."""
    from playwright.sync_api import TimeoutError, sync_playwright

    problems = []
    with sync_playwright() as playwright:
        page = launch(playwright).new_page()
        for address in (serve(folder), folder.as_uri() + "/"):
            for words, answer in questions.items():
                page.goto(f"{address}search.html?q={quote(words)}")
                try:
                    found = page.wait_for_function(FOUND, timeout=120_000).json_value()
                except TimeoutError:
                    found = ["it did not end"]
                if not any(f"/{answer}.html" in link for link in found[:FIRST]):
                    where = f"{words!r} ({urlsplit(address).scheme})"
                    problems.append(("search.html", f"{where} does not find {answer}: {found[:3]}"))
    return problems

#!/usr/bin/env bash
# Sphinx: after an incremental build the search no longer finds index entries of unchanged pages.
#
# Seen with Sphinx 7.4.7, Python 3.11, Linux x86-64: entries of `.. index::` are collected while a
# page is written, after the environment was stored. A second build that writes one page of two
# makes a searchindex.js whose "indexentries" are those of that page alone; its titles, terms and
# objects are still those of both. The general index, genindex.html, keeps both. Build what is
# published from scratch (`-E -a`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sphinx==7.4.7
mkdir "$folder/book"
cat >"$folder/build.py" <<'PYTHON'
import json
import pathlib
import subprocess
import sys

book, site = pathlib.Path("book"), pathlib.Path("site")
(book / "conf.py").write_text("html_use_index = True\n")
(book / "index.rst").write_text("Book\n====\n\n.. toctree::\n\n   momentum\n   adam\n")
for name, entry in (("momentum", "heavy ball"), ("adam", "bias correction")):
    (book / f"{name}.rst").write_text(f"{name}\n{'=' * 9}\n\n.. index:: {entry}\n\nText.\n")


def entries():
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(book), str(site)]
    subprocess.run(command, check=True)
    text = (site / "searchindex.js").read_text()
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    general = (site / "genindex.html").read_text()
    kept = [entry for entry in ("heavy ball", "bias correction") if entry in general]
    return sorted(index["indexentries"]), sorted(index["alltitles"]), kept


first = entries()
(book / "adam.rst").write_text((book / "adam.rst").read_text() + "\nAnd more text.\n")
second = entries()
print(f"first build:  search {first[0]}, general index {first[2]}")
print(f"second build: search {second[0]}, general index {second[2]}")
assert first[0] == ["bias correction", "heavy ball"], "the behavior has changed"
assert second[0] == ["bias correction"], "the behavior has changed"
assert first[1:] == second[1:], "the behavior has changed"
PYTHON
cd "$folder" && venv/bin/python build.py

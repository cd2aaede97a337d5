#!/usr/bin/env bash
# cffconvert: a group that wrote a work becomes a person in BibTeX, last name first.
#
# Seen with cffconvert 2.0.0 and pybtex 0.26.1, Python 3.11, Linux x86-64: an entity of CITATION.cff
# (`authors: [{name: ...}]`, no person) is written without the braces that tell BibTeX that a name
# is one word. Styles then print its last word as the family name: "Authors, The Optimizer". In
# BibTeX a group stands in double braces. The version of the work is left out, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cffconvert==2.0.0 pybtex==0.26.1 'setuptools<81'
cat >"$folder/CITATION.cff" <<'CFF'
cff-version: 1.2.0
message: Please cite it as below.
title: A Work
version: 1.2.3
authors:
  - name: The Optimizer Authors
CFF
cd "$folder"
venv/bin/cffconvert --infile CITATION.cff --validate
venv/bin/cffconvert --infile CITATION.cff --format bibtex >entry.bib
cat entry.bib
venv/bin/python - <<'PYTHON'
from pybtex.database import parse_file

(entry,) = parse_file("entry.bib").entries.values()
(person,) = entry.persons["author"]
print(f"family name {person.last_names}, first names {person.first_names + person.middle_names}")
assert person.last_names == ["Authors"], "the behavior has changed"
assert "version" not in entry.fields and "1.2.3" not in str(entry.fields), "the behavior has changed"
PYTHON

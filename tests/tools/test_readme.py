"""What the README shows and says is so."""

import re
from pathlib import Path

import picture
import pytest

README = (picture.ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_is_chapter_6s():
    assert picture.PICTURE.read_text(encoding="utf-8") == picture.heatmaps()


def test_every_file_it_links_to_is_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links and all((picture.ROOT / link).exists() for link in links)


@pytest.mark.slow
def test_its_python_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    short = blocks[0].replace("lr=1e-3)", "lr=1e-3), epochs=1")
    for block in (short, *blocks[1:]):
        exec(compile(block, "README.md", "exec"), {})


def test_every_make_target_it_names_is_one():
    targets = set(re.findall(r"^([a-z-]+):", Path(picture.ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z-]+)\b", README)) <= targets

"""Copy the two heatmaps of chapter 6 to where the README shows them; `make notebooks` runs it."""

import json
from pathlib import Path

from adamlib.files import write

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "_static" / "bias_correction.svg"


def heatmaps():
    """Return the SVG text of the figure fig-heatmaps as chapter 6 stores it."""
    notebook = json.loads((ROOT / "chapters/06_bias_correction.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == "fig-heatmaps":
            return "".join(cell["outputs"][0]["data"]["image/svg+xml"])
    raise LookupError("chapter 6 has no figure fig-heatmaps")


if __name__ == "__main__":
    write(PICTURE, heatmaps())

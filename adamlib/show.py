"""A rule's own text, as the chapters show it."""

import ast
import difflib
import inspect
import textwrap

from IPython.display import Markdown


def source(function):
    """Return the text of `function` as a highlighted block."""
    text = textwrap.dedent(inspect.getsource(function)).rstrip()
    return Markdown(f"```python\n{text}\n```")


def diff(old, new):
    """Return the lines that lead from the rule `old` to the rule `new`, docstrings left out."""
    lines = difflib.unified_diff(_body(old), _body(new), lineterm="", n=9)
    return Markdown("```diff\n" + "\n".join(list(lines)[3:]) + "\n```")


def _body(function):
    """Return the lines of `function` without its docstring."""
    text = inspect.getsource(function)
    docstring = ast.parse(text).body[0].body[0]
    lines = text.rstrip().splitlines()
    return lines[: docstring.lineno - 1] + lines[docstring.end_lineno :]

"""A function's own text as a syntax tree."""

import ast
import inspect
import textwrap


def definition(function):
    """Return the `ast.FunctionDef` of a function, as it is written in its file.

    Raises ValueError for what is no `def` with a text to read, and for *args and **kwargs.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError) as error:
        raise ValueError(f"function must have a source to read, got {function!r}") from error
    if not isinstance(tree, ast.FunctionDef) or tree.args.vararg or tree.args.kwarg:
        raise ValueError(f"function must be a def without * and **, got {ast.unparse(tree)}")
    return tree

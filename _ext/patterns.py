"""Patterns for syntax trees: pieces of Python in which a capital letter stands for anything."""

import ast
import re


def holes_of(pattern, node):
    """The expression that each capital letter of a pattern stands for in a tree, or None."""
    (tree,), holes = ast.parse(pattern).body, {}
    fits = agree(tree.value if isinstance(tree, ast.Expr) else tree, node, holes)
    return holes if fits else None


def agree(pattern, node, holes):
    """Whether two trees are the same, but for the capital letters; fills `holes`."""
    if isinstance(pattern, ast.Name) and len(pattern.id) == 1 and pattern.id.isupper():
        return same(holes.setdefault(pattern.id, node), node)
    if isinstance(pattern, list):
        pairs = zip(pattern, node, strict=False)
        return len(pattern) == len(node) and all(agree(a, b, holes) for a, b in pairs)
    if not isinstance(pattern, ast.AST):
        return pattern == node
    fields = [field for field in pattern._fields if field not in ("ctx", "type_comment", "kind")]
    return type(pattern) is type(node) and all(
        agree(getattr(pattern, field), getattr(node, field), holes) for field in fields
    )


def same(a, b):
    """Whether two expressions are written alike."""
    return ast.unparse(a) == ast.unparse(b)


def names(node):
    """The names of values in a tree: not those of functions, nor of what only lends its shape."""
    match node:
        case ast.Name(id=name):
            return {name}
        case ast.Attribute(attr="shape"):
            return set()
        case ast.Call(func=ast.Name()):
            parts = node.args + node.keywords
        case _:
            parts = ast.iter_child_nodes(node)
    return set().union(*map(names, parts))


def stored(statement):
    """The names that a statement writes, as often as it does."""
    nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return [node.id for node in nodes if isinstance(node.ctx, ast.Store)]


def code(node):
    """The text of a tree between backticks, with a power written as the book does."""
    text = re.sub(r"(?<=[*] )\((-[\d.]+)\)", r"\1", ast.unparse(node))
    return f"`{re.sub(r'(?<=[a-z0-9]) [*]{2} (?=[a-z0-9-])', '**', text)}`"

"""A rule's text taken apart: once per step, and for every element.

An engine that runs a rule as one compiled loop must not compute `1 - beta1**t` for every weight.
`stage` reads the syntax tree of a rule as the book shows it, moves every expression without an
array into `constants`, and leaves the rest as one line per line of the rule. `writers` makes a loop
for the CPU and a kernel for the GPU of them. Nothing here knows a rule.
"""

import ast
import inspect
import re
import textwrap
from typing import NamedTuple

from adamlib.engine import writers


class Staged(NamedTuple):
    """A rule in two parts, as Python text."""

    name: str
    arrays: tuple[str, ...]  # w, g and the buffers, in the order of the rule's arguments
    hyper: tuple[str, ...]  # the hyperparameters
    numbers: tuple[str, ...]  # buffers that are no arrays: one number for all elements
    constants: str  # a function of t, hyperparameters, numbers: c0, c1, ...; one of the new numbers
    count: int  # how many there are
    lines: tuple[str, ...]  # what happens to one element, from c0, c1, ... and the arrays' names


def stage(rule):
    """Return the `Staged` text of `rule`.

    Raises ValueError where the text has anything but assignments of + - * /, squares, roots,
    comparisons and `abs`, or reads a name from outside: such a rule runs as it is, on arrays.
    """
    function = definition(rule)
    w, g, t, *buffers = (argument.arg for argument in function.args.args)
    hyper = tuple(argument.arg for argument in function.args.kwonlyargs)
    end, least = function.body[-1], [w, *buffers]
    if not isinstance(end, ast.Return) or len(getattr(end.value, "elts", least)) != len(least):
        raise ValueError(f"{rule.__name__} must return {', '.join((w, *buffers))}")
    numbers, once, lines, renewed = whole(function), [], [], []
    arrays = [name for name in (w, g, *buffers) if name not in numbers]
    hoist = _Hoist(rule.__name__, set(arrays), {t, *hyper, *numbers})
    for statement in function.body:
        match statement:
            case ast.Expr(value=ast.Constant()):  # the docstring
                pass
            case ast.Assign(targets=[target], value=value) if hoist.is_scalar(value):
                names = words(target)
                read = words(*map(ast.parse, hoist.constants))  # which are computed at the end
                if names & (read | hoist.arrays):
                    raise ValueError(f"{rule.__name__} assigns {', '.join(sorted(names))} twice")
                once.append(ast.unparse(statement))
                hoist.scalars |= names
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in hoist.scalars:
                lines.append(f"{own(name)} = {ast.unparse(hoist.visit(value))}")
                hoist.arrays.add(name)
            case ast.Return(value=ast.Tuple(elts=results)):
                new = dict(zip((w, *buffers), results, strict=True))
                renewed = [f"{name!r}: {ast.unparse(new.pop(name))}" for name in numbers]
                pairs = [(own(name), ast.unparse(hoist.visit(x))) for name, x in new.items()]
                pairs = [(k, name, text) for k, (name, text) in enumerate(pairs) if text != name]
                lines += [f"new{k} = {text}" for k, _, text in pairs]  # all, before one is changed
                lines += [f"{name} = new{k}" for k, name, _ in pairs]
            case _:
                raise ValueError(f"{rule.__name__} cannot be compiled: {ast.unparse(statement)}")
    starts = dict(zip(buffers[::-1], function.args.defaults[::-1], strict=False))
    usual = [*zip(hyper, function.args.kw_defaults, strict=True)]
    usual += [(name, starts.get(name)) for name in numbers]
    given = [f"{a}={ast.unparse(default)}" if default else a for a, default in usual]
    text = writers.functions((t, "*", *given) if given else (t,), once, hoist.constants, renewed)
    names, count = tuple(map(own, arrays)), len(hoist.constants)
    return Staged(rule.__name__, names, hyper, numbers, text, count, tuple(lines))


def whole(function):
    """Return the buffers into which no array flows: each is one number for all elements."""
    w, g, _, *buffers = (argument.arg for argument in function.args.args)
    flows = [(words(x.targets[0]), x.value) for x in function.body if isinstance(x, ast.Assign)]
    ends = zip((w, *buffers), getattr(function.body[-1].value, "elts", ()), strict=False)
    flows += [({name}, x) for name, x in ends]
    arrays = {w, g, "()"}
    for names, value in flows * len(flows):  # until none is new
        arrays |= names if words(value) & arrays else set()
    return tuple(name for name in buffers if name not in arrays)


def words(*nodes):
    """Return the names in syntax trees, and "()" where something is called."""
    found = (x for node in nodes for x in ast.walk(node) if isinstance(x, ast.Name | ast.Call))
    return {getattr(x, "id", "()") for x in found}


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


def own(name):
    """Return a name of a rule as it is, but with a prefix where it would meet one of the loop's."""
    meets = re.fullmatch(r"(c|new)\d+|(at|load|store|x)_.*", name) or name in writers.RESERVED
    return f"x_{name}" if meets else name


class _Hoist(ast.NodeTransformer):
    """Replaces what has no array in it by a constant; writes squares and roots as such."""

    def __init__(self, rule, arrays, scalars):
        self.rule, self.arrays, self.scalars, self.constants = rule, arrays, scalars, {}

    def is_scalar(self, node):
        return words(node) <= self.scalars

    def visit(self, node):
        if isinstance(node, ast.expr) and self.is_scalar(node):
            number = self.constants.setdefault(ast.unparse(node), len(self.constants))
            return ast.Name(f"c{number}")
        match node:
            case ast.Name(id=id) if id in self.arrays:
                return ast.Name(own(id))
            case ast.BinOp(left=left, op=ast.Div(), right=right) if self.is_scalar(right):
                inverse = ast.BinOp(ast.Constant(1.0), ast.Div(), right)  # x / c is x * (1 / c)
                return ast.BinOp(self.visit(left), ast.Mult(), self.visit(inverse))
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
                return ast.BinOp(self.visit(left), ast.Mult(), self.visit(left))
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=0.5)):
                return ast.Call(ast.Name("sqrt"), [self.visit(left)], [])
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))
            case ast.UnaryOp(op=ast.USub()):
                return ast.UnaryOp(node.op, self.visit(node.operand))
            case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
                return ast.Call(node.func, [self.visit(argument)], [])
            case ast.Compare(left=left, ops=[op], comparators=[right]):  # True counts as 1
                comparison = ast.Compare(self.visit(left), [op], [self.visit(right)])
                return ast.Call(ast.Name("number"), [comparison], [])
        raise ValueError(f"{self.rule} cannot be compiled: it has `{ast.unparse(node)}`")

"""A rule's or a surface's text as JavaScript, to run without a kernel.

`javascript` reads the syntax tree of a function of numbers or of matrices, as the book shows it,
and writes the same function in the other language. Nothing here knows a rule.
"""

import ast
import inspect
import math
import textwrap

from matrices import operation

from adamlib.engine.staging import definition

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
OPERATORS |= {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==="}
FUNCTIONS = {"abs": "Math.abs", "max": "Math.max"}


def javascript(function, matrices=False):
    """Return the text of a JavaScript function that computes what `function` does, on numbers.

    With `matrices` on numbers and matrices: every operation is a call of one in matrices.js.
    A rule `rule(w, g, t, *state, **hyper)` becomes `rule(w, g, t, {hyper}, ...state)`. A tuple
    becomes an array, a number that the function closes over a constant in it, and a function of
    its module that it calls a function in it.
    Raises ValueError, naming it, for whatever is not an assignment, a loop over a range, a return,
    also after an `if`, of numbers, names, + - * / **, comparisons, `abs` and `max`; and, of
    matrices, of @, `.mT`, `.shape[-1]` and `.sum(axis=-1, keepdims=True)`, or of other axes.
    """
    tree = definition(function)
    closed, outside, *_ = inspect.getclosurevars(function)
    read = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    called = [name for name in read if callable_here(outside.get(name)) and name != tree.name]
    before = [f"const {name} = {number(closed[name])};" for name in read if name in closed]
    before += [javascript(outside[name], matrices) for name in called]
    arguments = [*tree.args.args, *tree.args.kwonlyargs]
    known = {argument.arg for argument in arguments} | set(closed) | {f"{f}()" for f in called}
    known |= {"$", f"{tree.name}()"} if matrices else set()
    lines = [line for statement in tree.body for line in translated(statement, known)]
    body = textwrap.indent("\n".join(before + lines), "  ")
    return f"function {tree.name}({signature(tree.args)}) {{\n{body}\n}}"


def callable_here(found):
    """Whether it is a function whose arguments stand in the same places in JavaScript."""
    return inspect.isfunction(found) and not found.__code__.co_kwonlyargcount


def signature(args):
    """The text of the arguments: those without a default, the hyperparameters, the state."""
    names = [argument.arg for argument in args.args]
    plain = names[: len(names) - len(args.defaults)]
    state = zip(names[len(plain) :], args.defaults, strict=True)
    hyper = zip([argument.arg for argument in args.kwonlyargs], args.kw_defaults, strict=True)
    hyper = [f"{name} = {value(default)}" if default else name for name, default in hyper]
    hyper = [f"{{{', '.join(hyper)}}} = {{}}"] if hyper else []
    return ", ".join(plain + hyper + [f"{name} = {value(default)}" for name, default in state])


def translated(statement, known):
    """The lines of a statement; adds the names that it makes to the set `known`."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):  # the docstring
            return []
        case ast.Return(value=ast.expr() as result):
            return [f"return {value(result, known)};"]
        case ast.Assign(targets=[ast.Name() | ast.Tuple() as target]):
            names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
            if not names & known or names <= known:  # all are new, or none
                text, let = value(statement.value, known), "" if names <= known else "let "
                known |= names
                return [f"{let}{value(target, known)} = {text};"]
        case ast.If(test=test, body=[ast.Return() as found], orelse=[]):
            return [f"if ({value(test, known)}) {translated(found, known)[0]}"]
        case ast.For(
            target=ast.Name(id=name),
            iter=ast.Call(func=ast.Name(id="range"), args=[count], keywords=[]),
            orelse=[],
        ) if name not in known:
            inside = known | {name}  # a name that the loop makes ends with it, as in JavaScript
            lines = [line for part in statement.body for line in translated(part, inside)]
            head = f"for (let {name} = 0; {name} < {operand(count, known)}; {name}++) {{"
            return [head, *(f"  {line}" for line in lines), "}"]
    raise ValueError(f"cannot be translated into JavaScript: {ast.unparse(statement)}")


def value(node, known=()):
    """The text of what is assigned or returned: an expression, or several as an array."""
    if isinstance(node, ast.Tuple):
        return f"[{', '.join(expression(part, known) for part in node.elts)}]"
    return expression(node, known)


def expression(node, known):
    """The text of an expression."""
    match node:
        case ast.Constant():
            return number(node.value)
        case ast.Name(id=name) if name in known:
            return name
        case ast.Call(func=ast.Name(id=name), keywords=[]) if f"{name}()" in known:
            return f"{name}({expressions(node.args, known)})"
        case _ if "$" in known and (found := operation(node)):
            return f"$.{found[0]}({expressions(found[1], known)})"
        case _ if "$" in known:
            pass
        case ast.UnaryOp(op=ast.USub()):
            return f"-{operand(node.operand, known)}"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return f"{operand(left, known)} {OPERATORS[type(op)]} {operand(right, known)}"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return f"{operand(left, known)} {OPERATORS[type(op)]} {operand(right, known)}"
        case ast.Call(func=ast.Name(id=name), args=[_, *_], keywords=[]) if name in FUNCTIONS:
            return f"{FUNCTIONS[name]}({expressions(node.args, known)})"
    raise ValueError(f"cannot be translated into JavaScript: {ast.unparse(node)}")


def expressions(nodes, known):
    """The text of several expressions."""
    return ", ".join(expression(node, known) for node in nodes)


def operand(node, known):
    """The text of a part of an expression, in parentheses: JavaScript has other precedences."""
    text = expression(node, known)
    return text if isinstance(node, ast.Name | ast.Constant | ast.Call) else f"({text})"


def number(given):
    """The text of a number; Python and JavaScript write the same shortest one."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"cannot be translated into JavaScript: {given!r} is not a finite number")
    return str(given)

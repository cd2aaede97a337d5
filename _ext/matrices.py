"""What an operation on matrices is called in matrices.js: JavaScript has operators for numbers."""

import ast

# By its class in the syntax tree, or by the axes it works on.
NAMES = ["Add", "Sub", "Mult", "Div", "Pow", "MatMult", "USub", "Lt", "LtE", "Gt", "GtE", "Eq"]
SIZES = {"-2": "rows", "-1": "columns"}
SUMS = {"-2": "down", "-1": "across", "(-2, -1)": "total"}


def operation(node):
    """The name in matrices.js of what a node computes, and of what; None where it has none."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            name, parts = type(op).__name__, [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            name, parts = type(op).__name__, [left, right]
        case ast.UnaryOp(op=op, operand=part):
            name, parts = type(op).__name__, [part]
        case ast.Call(func=ast.Name(id="abs" | "max" as name), args=[_, *_] as parts, keywords=[]):
            return name, parts
        case ast.Attribute(value=part, attr="mT"):
            return "mT", [part]
        case ast.Subscript(value=ast.Attribute(value=part, attr="shape"), slice=axis):
            return (found := SIZES.get(ast.unparse(axis))) and (found, [part])
        case ast.Call(
            func=ast.Attribute(value=part, attr="sum"),
            args=[],
            keywords=[
                ast.keyword(arg="axis", value=axes),
                ast.keyword(arg="keepdims", value=ast.Constant(value=True)),
            ],
        ):
            return (found := SUMS.get(ast.unparse(axes))) and (found, [part])
        case _:
            return None
    return (name, parts) if name in NAMES else None

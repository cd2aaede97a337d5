"""A rule taken apart into four slots: memory, direction, magnitude and decay.

`slots` reads the syntax tree of a rule and says in words what it recognizes. A pattern below is a
piece of Python in which a capital letter stands for any expression, C, E, S and T for a number.
What no pattern fits is not guessed at: it stands in the answer as the line that it is.
"""

import ast
from typing import NamedTuple

from patterns import code, holes_of, names, same, stored

from adamlib.engine.staging import definition

NUMBERS = {"C", "E", "S", "T"}

MEMORY = [
    ("B = S * B + (1 - S) * X", "average of {X}, share of the past {S}"),
    ("B = S * B + (1 - S) * X @ Y", "average of {X} @ {Y}, share of the past {S}"),
    ("B = B + (X - B) / t", "mean of every {X} so far"),
    ("B = B + S * (X - B)", "average of {X}, share of the new one {S}"),
    ("B = S * B * (S * B > X) + X * (S * B <= X)", "fading maximum of {X}, share of the past {S}"),
    ("B = X * (X > B) + B * (X <= B)", "maximum of every {X} so far"),
    ("B = S * B + X", "fading sum of {X}, share of the past {S}"),
    ("B = B + X", "sum of every {X} so far"),
    ("B = B * S", "product of every {S} so far"),
    ("B = eigh(X)[1]", "eigenvectors of {X}"),
]
MAGNITUDE = [
    ("V ** 0.5 + E", "root of {V}, plus {E}"),
    ("(V + E) ** 0.5", "root of {V}, plus {E} inside"),
    ("larger(E, V) ** 0.5", "root of {V}, at least {E} inside"),
    ("V ** 0.5", "root of {V}"),
    ("larger(1, mean_square(U) ** 0.5 / E)", "RMS of {U} over {E}, where that is above 1"),
]
FACTORS = [
    ("larger(E, mean_square(w) ** 0.5)", "times the RMS of the weights, at least {E}"),
    (
        "S * (1 - T) ** 0.5 / (V ** 0.5 + E) + (C <= 5)",
        "root of {V}, plus {E}; above it {S} and the root of 1 - {T}; plus 1 where {C} <= 5",
    ),
]


class Slots(NamedTuple):
    """What a rule does, in phrases with code between backticks; unread: lines without words."""

    memory: list[str]
    direction: list[str]
    magnitude: list[str]
    decay: list[str]
    unread: list[str]


def slots(rule):
    """Return the `Slots` of a rule; raises ValueError where the function has no text to read."""
    tree = definition(rule)
    reader = _Reader(tree)
    for statement in tree.body:
        reader.read(statement)
    return reader.answer()


class _Reader:
    """What is known of a rule, statement by statement."""

    def __init__(self, tree):
        self.w, self.g, t, *self.buffers = (argument.arg for argument in tree.args.args)
        self.starts = dict(zip(self.buffers, map(ast.unparse, tree.args.defaults), strict=False))
        self.numbers = {t, *(argument.arg for argument in tree.args.kwonlyargs)}
        written = stored(tree)
        once = {name for name in written if written.count(name) == 1}
        self.once = once - {self.w, self.g, *self.buffers}
        self.values, self.known = {}, {}  # of such a name: its expression, the memories by then
        self.memory, self.found = {}, Slots([], [], [], [], [])

    def answer(self):
        """The slots; one that nothing was found for says so, or that not all could be read."""
        memory = [f"`{name}`: {words}" for name, words in self.memory.items()] + self.found.memory
        four = memory, *self.found[1:4]
        absent = ["none"], ["none"], ["1: nothing divides"], ["none"]
        absent = [["not read"]] * 4 if self.found.unread else absent
        return Slots(*(a or b for a, b in zip(four, absent, strict=True)), self.found.unread)

    def read(self, statement, when=""):
        """None; takes up what a statement says."""
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.Return(value=ast.Tuple(elts=[*results])) if self.gives(results):
                return
            case ast.If(test=test, orelse=[]):
                for inner in statement.body:
                    self.read(inner, f", anew when {code(test)}")
                return
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=True):
                    self.read(ast.Assign([target], value, lineno=0), when)
                return
            case ast.Assign(targets=[target], value=value) if self.is_number(value, target):
                self.numbers |= names(target)
                if not names(target) & set(self.buffers):
                    return
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in self.once:
                self.values[name], self.known[name] = value, set(self.memory)
                self.correct(value, f"{name} = ")
                return
        if not (isinstance(statement, ast.Assign) and self.assign(statement, when)):
            slot = self.found.direction if self.w in stored(statement) else self.found.memory
            slot.append(code(statement))
            self.found.unread.append(ast.unparse(statement))

    def gives(self, results):
        """Whether what is returned is the weights and the buffers, by their names."""
        return [getattr(result, "id", None) for result in results] == [self.w, *self.buffers]

    def assign(self, statement, when):
        """Whether the new value of the gradient, of a point or of a buffer could be read."""
        target, value = statement.targets[0], statement.value
        name = getattr(target, "id", None)
        if name == self.g and self.fit(f"{name} + S * {self.w}", value):
            self.decay_in_gradient(value)
            return True
        if name not in self.buffers and self.fit(f"{name} - X", value):
            return self.step(name, value.right)
        words = self.first(MEMORY, ast.Assign([target], self.spread(value), lineno=0))
        if not words or name == self.w:
            return False
        start = self.starts.get(name, "0")
        self.memory[name] = words + (f", from {start}" if start != "0" else "") + when
        for part in ast.walk(value):
            if self.fit(f"{self.g} + S * {self.w}", part):
                self.decay_in_gradient(part)
        return True

    def decay_in_gradient(self, node):
        """None; notes, once, that the gradient carries a share of the weights."""
        words = f"L2, in the gradient: {code(node.right)}"
        self.found.decay.extend([words] if words not in self.found.decay else [])

    def step(self, point, node):
        """Whether a step of a point could be read: its factors go into the slots."""
        above, below = self.factors(node)
        rate = "decoupled, " + ("times" if "lr" in names(node) else "not times") + " `lr`: "
        arrays = [factor for factor in above if not self.is_number(factor)]
        if [code(factor) for factor in arrays] == [f"`{self.w}`"] and not below:
            self.found.decay.append(rate + code(node))
            return True
        if len(arrays) == 1 and (holes := self.fit(f"X + S * {self.w}", arrays[0])):
            self.found.decay.append(f"{rate}{code(arrays[0].right)}, in one line with the step")
            more, less = self.factors(holes["X"])
            above, below = [f for f in above if f is not arrays[0]] + more, below + less
        self.correct(node)
        directions = [factor for factor in above if not self.scale(factor)]
        if len(directions) != 1:
            return False
        self.turn(directions[0], "" if point == self.w else f", from the point `{point}`")
        return all([self.divide(factor, directions[0]) for factor in below])

    def scale(self, factor):
        """Whether a factor above the line is a number or a ruler; its words go into a slot."""
        words = self.first(FACTORS, factor)
        if not words and not self.is_number(factor):
            return False
        if words or code(factor) != "`lr`":
            kind = "the rate is" if "lr" in names(factor) else "times"
            self.found.magnitude.append(words or f"{kind} {code(factor)}")
        return True

    def turn(self, factor, where):
        """None; says what the direction is, and whether a mix looks ahead."""
        known = [self.known[n] for n, value in self.values.items() if same(value, factor)]
        updated = known[0] if known else set(self.memory)
        if self.fit("orthogonal(X, S, E)", factor):
            self.found.magnitude.append("its singular values: all come near to 1")
            factor, where = factor.args[0], f", orthogonalized{where}"
        corrected = self.fit("X / (1 - S)", self.values.get(getattr(factor, "id", None), factor))
        mixed = names(corrected["X"] if corrected else factor)
        kept = set(self.buffers) & mixed
        if kept and self.g in mixed:
            kind = "look-ahead mix" if kept <= updated else "mix with the memory as it was"
            where = f", a {kind}{where}"
        self.found.direction.append(code(factor) + where)

    def divide(self, factor, direction):
        """Whether a factor below the line could be read: a correction or a ruler."""
        if self.is_number(factor):
            self.correct(ast.BinOp(direction, ast.Div(), factor))
            return bool(self.fit("1 - S", factor))
        words = self.first(MAGNITUDE, factor)
        if isinstance(factor, ast.Name) and factor.id in self.memory:
            words = code(factor)
        holes = self.fit("abs(X) + (X == 0)", factor)
        if holes and same(self.spread(holes["X"]), self.spread(direction)):
            words = "its own size: the sign is left"
        self.found.magnitude.extend([words] if words else [])
        return bool(words)

    def correct(self, node, prefix=""):
        """None; notes where an average is divided by the weight that it has seen."""
        for part in ast.walk(node):
            if holes := self.fit("X / (1 - S)", part):
                line = code(part) if part is not node else f"`{prefix}{code(part)[1:]}"
                for name in names(holes["X"]) & self.memory.keys():
                    if self.memory[name].startswith(("average", "maximum")):
                        self.memory[name] += f"; corrected: {line}"

    def factors(self, node):
        """The factors above and below the line of a product; the names of products are opened."""
        match node:
            case ast.Name(id=name) if name in self.values and not self.is_correction(name):
                return self.factors(self.values[name])
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
                (above, below), (more, less) = self.factors(left), self.factors(right)
                more, less = (more, less) if isinstance(op, ast.Mult) else (less, more)
                return above + more, below + less
            case ast.BinOp() if holes := self.fit("P @ X @ Q.mT", node):
                above, below = self.factors(holes["X"])
                self.found.magnitude.append(
                    f"along the axes {code(holes['P'])}, {code(holes['Q'])}"
                )
                return above, below
        return [node], []

    def is_correction(self, name):
        """Whether a name stands for a corrected average."""
        return bool(self.fit("X / (1 - S)", self.values[name]))

    def is_number(self, node, target=None):
        """Whether an expression has no array in it, apart from the name that it is assigned to."""
        own = names(target) - {self.w, self.g} if target else set()
        return names(node) - own <= self.numbers

    def spread(self, node):
        """The expression with the names in it opened that were written once."""
        reader = self

        class Open(ast.NodeTransformer):
            def visit_Name(self, node):
                return self.visit(reader.values[node.id]) if node.id in reader.values else node

        return Open().visit(ast.parse(ast.unparse(node), mode="eval").body)

    def fit(self, pattern, node):
        """The expressions that a pattern's capital letters stand for, or None."""
        holes = holes_of(pattern, node)
        if holes is None or not all(self.is_number(holes[x]) for x in NUMBERS & holes.keys()):
            return None
        buffer = (
            names(holes["B"]) if "B" in holes else set()
        )  # what is new has none of the old in it
        return None if any(buffer & names(holes[x]) for x in "XY" if x in holes) else holes

    def first(self, patterns, node):
        """The words of the first pattern that fits, its letters filled in, or None."""
        for pattern, words in patterns:
            if holes := self.fit(pattern, node):
                return words.format(**{key: self.shown(hole) for key, hole in holes.items()})

    def shown(self, node):
        """An expression as code; a name that is neither buffer nor correction with its meaning."""
        name = getattr(node, "id", None)
        if name in self.values and not self.is_correction(name):
            return f"`{name} = {code(self.values[name])[1:]}"
        return code(node)

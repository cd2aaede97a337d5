"""What the checkers share: a call of the answer, and the verdict."""

import json
import os
import sys
from functools import wraps

GIVEN = []  # all verdicts of this process, also added to the file that this variable names:
FILE = "ADAMLIB_VERDICTS"


class AnswerError(Exception):
    """What is wrong with an answer, in words."""


def checker(praise):
    """Return a decorator: the function of an answer prints the problem it returns, or `praise`."""

    def decorate(problem_of):
        @wraps(problem_of)
        def check(answer):
            try:
                if not callable(answer):
                    raise AnswerError(f"it must be a function, got {answer!r}")
                problem = problem_of(answer)
            except AnswerError as wrong:
                problem = wrong
            except Exception as error:  # a result of another kind than the checker took it for
                problem = f"the result is not of the kind asked for: {error}"
            give(problem_of.__name__, answer, not problem, f": {problem or praise}")

        return check

    return decorate


def give(name, answer, right, words):
    """Print the verdict of a checker, and keep it; `own`: the answer is the package's function."""
    say(("✓ Correct" if right else "✗ Not yet") + words)
    parts = answer if isinstance(answer, list | tuple) else [answer]
    own = all(str(getattr(part, "__module__", "")).startswith("adamlib.") for part in parts)
    GIVEN.append({"checker": name, "right": right, "own": own, "words": words.removeprefix(": ")})
    if os.environ.get(FILE):
        with open(os.environ[FILE], "a", encoding="utf-8") as file:
            file.write(json.dumps(GIVEN[-1]) + "\n")


def say(text):
    """Print `text`; signs that the output's encoding lacks come as question marks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def call(answer, *arguments, where="", **hyper):
    """Return what the reader's function returns; raise `AnswerError` when it raises."""
    try:
        return answer(*arguments, **hyper)
    except Exception as error:  # whatever the reader's code raises is part of the verdict
        name = getattr(answer, "__name__", "the answer")  # a partial has none
        raised = f"{name} raised {type(error).__name__}: {error}"
        raise AnswerError(f"{where} {raised}".strip()) from None

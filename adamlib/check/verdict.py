"""What the checkers share: a call of the answer, and the verdict."""

from functools import wraps


class AnswerError(Exception):
    """What is wrong with an answer, in words."""


def checker(praise):
    """Return a decorator: the function of an answer prints the problem it returns, or `praise`."""

    def decorate(problem_of):
        @wraps(problem_of)
        def check(answer):
            try:
                problem = problem_of(answer)
            except AnswerError as wrong:
                problem = wrong
            print(f"✗ Not yet: {problem}" if problem else f"✓ Correct: {praise}")

        return check

    return decorate


def call(answer, *arguments, where="", **hyper):
    """Return what the reader's function returns; raise `AnswerError` when it raises."""
    try:
        return answer(*arguments, **hyper)
    except Exception as error:  # whatever the reader's code raises is part of the verdict
        raised = f"{answer.__name__} raised {type(error).__name__}: {error}"
        raise AnswerError(f"{where} {raised}".strip()) from None

"""What the checkers share: a call of the answer, and the verdict."""


def verdict(problem, praise):
    """Print the verdict of a checker: `praise` when there is no problem."""
    print(f"✗ Not yet: {problem}" if problem else f"✓ Correct: {praise}")


def call(answer, *arguments, **hyper):
    """Return (result, None), or (None, problem) when the reader's function raises."""
    try:
        return answer(*arguments, **hyper), None
    except Exception as error:  # whatever the reader's code raises is part of the verdict
        return None, f"{answer.__name__} raised {type(error).__name__}: {error}"

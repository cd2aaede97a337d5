"""`diagnose`: all experiments on one optimizer, and the card that comes of them."""

from collections.abc import Callable

from torch.optim import Optimizer

from adamlib.diagnose import contract, copies, couplings, edges, invariances, late, memories, walks
from adamlib.diagnose.card import Card
from adamlib.diagnose.correction import correction, epsilon
from adamlib.diagnose.decay import decay
from adamlib.diagnose.faults import faults, large
from adamlib.diagnose.lab import Lab, UnknownError
from adamlib.diagnose.portrait import portrait
from adamlib.diagnose.typed import typed
from adamlib.diagnose.verdict import verdict


def described(error):
    """Return an exception's name and first line."""
    return f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0][:120]}"


def diagnose(factory: Callable[..., Optimizer]) -> Card:
    """Return the `Card` of an optimizer, found by running it on tiny tensors for a few seconds.

    factory: a class of torch.optim's interface or what makes such an optimizer of a list of
    weights or of groups; best with keywords, such as lr and weight_decay, which experiments set.
    `adapters` makes one of a rule, an optax transformation or a Keras optimizer. No source is
    read. The numbers are float64's.

    Raises ValueError for an optimizer without a learning rate, and what the factory raises.
    """
    lab, known = Lab(factory), {}

    def ask(name, experiment, *arguments):
        """Add the answers of an experiment to what is known, or why there is none to `name`."""
        try:
            found = experiment(*arguments)
        except UnknownError as why:
            known[name] = f"unknown: {why}"
        except Exception as error:
            known[name] = f"unknown: it raises {described(error)}"
        else:
            properties, more = found if isinstance(found, tuple) else (found, None)
            known.update(properties)
            return more
        return None

    try:
        known |= couplings.shapes(lab)
    except Exception as error:
        return Card(f"It takes no step: {described(error)}.", [], known)
    ask("a step depends on", couplings.couplings, lab)
    ask("gradients act alike from a size of", invariances.alike, lab)
    ask("float64 weights", walks.digits, lab)
    if steps := ask("direction", walks.walks, lab):
        ask("lengths", walks.lengths, lab, steps)
        if (response := ask("direction", memories.direction, steps)) is not None:
            ask("divided by", memories.size, steps, known, response, lab.growth)
            if not known["divided by"].startswith("unknown"):
                ask("corrected", correction, steps, known)
        if known.get("divided by") != "nothing":
            ask("eps", epsilon, lab, known)
        ask("drift in a step", walks.drifts, lab)
        ask("foretold by", portrait, lab, known)
    ask("weight decay", decay, lab, known)
    ask("invariances", invariances.invariances, lab)
    alike = not large(known.get("changes with the weights as a matrix"), 1e-6)
    if alike and known.get("foretold within", 1.0) < 1e-5:
        ask("the same in torch.optim", typed, lab, known)
    modules = contract, edges, late, copies
    for name, question in (each for module in modules for each in module.QUESTIONS.items()):
        try:
            known[name] = question(lab)
        except UnknownError:
            continue  # it has no such setting
        except Exception as error:
            known[name] = f"raises {type(error).__name__}"
    return Card(verdict(known), faults(known), known)

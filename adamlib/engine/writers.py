"""A staged rule written out: a loop for the CPU, a kernel for the GPU."""

import re
import textwrap

LOOP = """\
def kernel(job):  # several threads run it at once, and each takes the next chunk
    count, chunks, table = load_i64(job, 1), load_i64(job, 2), load_i64(job, 3)
    constants, seed = load_i64(job, 4), load_i64(job, 5)
    while True:
        chunk = take(job)
        if chunk >= count:
            return
        tensor, start = load_i64(chunks, 4 * chunk), load_i64(chunks, 4 * chunk + 1)
        n, row = load_i64(chunks, 4 * chunk + 2), load_i64(chunks, 4 * chunk + 3)
        at = constants + {size} * row
        sign, decay{numbers} = (
{loads}
        )
{addresses}
        for i in range(n):
{body}
"""


def functions(arguments, once, constants, renewed):
    """Return the text of two functions of a step: its constants, and its new numbers by name."""
    head, body = ", ".join(arguments), "".join(f"    {line}\n" for line in once)
    text = f"def constants({head}):\n{body}    return ({''.join(f'{x}, ' for x in constants)})\n"
    return text + f"def renewed({head}):\n{body}    return {{{', '.join(renewed)}}}\n"


def loop(staged, types):
    """Return the text of a CPU kernel; `types` names each array's: f32, f64, bf16, f16 or sr16.

    `job` is the address of six int64: a counter, how many chunks there are, and the addresses of
    the chunks (tensor, start, length, row), of the table (an address per tensor and array) and of
    the constants, a row or several; then the seed of sr16: bf16 that is rounded at random.
    """
    wide = "f64" if "f64" in types else "f32"
    count, rows = len(types), list(enumerate(zip(staged.arrays, types, strict=True)))
    addresses = [
        f"at_{a} = load_i64(table, {count} * tensor + {k}) + {SIZES[kind]} * start"
        for k, (a, kind) in rows
    ]
    body = [f"{a} = load_{'bf16' if kind == 'sr16' else kind}(at_{a}, i)" for _, (a, kind) in rows]
    w, g = staged.arrays[:2]
    body += [f"{g} = sign * {g} + times(decay, {w})", *staged.lines]
    if "sr16" in types:
        body.append("bits = noise(i, start, seed)")
    for k, (a, kind) in rows:
        if a != g:
            random = f", bits, {k - 2}" if kind == "sr16" else ""
            body.append(f"store_{kind}(at_{a}, i, {a}{random})")
    loads = ", ".join(f"load_{wide}(at, {k})" for k in range(2 + staged.count))
    return LOOP.format(
        numbers="".join(f", c{k}" for k in range(staged.count)),
        size=SIZES[wide] * (2 + staged.count),
        loads=textwrap.fill(loads, 88, initial_indent=12 * " ", subsequent_indent=12 * " "),
        addresses=textwrap.indent("\n".join(addresses), 8 * " "),
        body=textwrap.indent("\n".join(body), 12 * " "),
    )


SIZES = {"f64": 8, "f32": 4, "bf16": 2, "f16": 2, "sr16": 2}  # bytes


GRID = """\
@triton.jit(do_not_specialize=["seed"])
def kernel(chunks, table, seed, {scalars}, BLOCK: tl.constexpr, ALIGN: tl.constexpr):
    chunk = chunks + 4 * tl.program_id(0)
    tensor, start, n = tl.load(chunk), tl.load(chunk + 1), tl.load(chunk + 2)
    row = table + {count} * tensor
    if n == BLOCK:
        update(row, start, n, seed, {scalars}, BLOCK, ALIGN, True)
    else:
        update(row, start, n, seed, {scalars}, BLOCK, ALIGN, False)


@triton.jit
def update(
    row, start, n, seed, {scalars}, BLOCK: tl.constexpr, ALIGN: tl.constexpr, WHOLE: tl.constexpr
):
    i = tl.arange(0, BLOCK)
{body}
"""


def grid(staged, types):
    """Return the text of a GPU kernel for Triton, one program per chunk; `types` as for `loop`.

    `chunks` and `table` are as for `loop`, on the device. A chunk that is whole needs no mask, and
    where all addresses are multiples of ALIGN = 16 a thread reads 16 bytes at once.
    """
    w, g = staged.arrays[:2]
    body = []
    for k, (a, kind) in enumerate(zip(staged.arrays, types, strict=True)):
        body.append(f"at_{a} = address(row + {k}, start, tl.{KINDS[kind]}, ALIGN)")
        body.append(f"{a} = load(at_{a}, i, n, WHOLE)")
    body += [f"{g} = sign * {g} + times(decay, {w})", *staged.lines]
    if "sr16" in types:
        body.append("bits = noise(i, start, seed)")
    for k, (a, kind) in enumerate(zip(staged.arrays, types, strict=True)):
        if a != g:
            value = f"round_at_random({a}, bits >> {8 * (k - 2)})" if kind == "sr16" else a
            body.append(f"store(at_{a}, i, {value}, n, WHOLE)")
    scalars = ", ".join(["sign", "decay", *(f"c{k}" for k in range(staged.count))])
    text = textwrap.indent("\n".join(body), 4 * " ")
    return GRID.format(scalars=scalars, count=len(types), body=text)


KINDS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "sr16": "bfloat16"}
WORDS = " abs address bits load noise number round_at_random sqrt store times"  # of the bodies
RESERVED = set(re.findall(r"\w+", LOOP + GRID + WORDS))

"""The cases: the shapes of the parameters of models, small and large."""

from adamlib.model import ConvNet


def resnet50():
    """Return the 161 shapes of ResNet-50 (He et al., 2016): convolutions and their norms."""
    shapes, inner = [(64, 3, 7, 7), (64,), (64,)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            kernels = [(width, inner, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            if block == 0:
                kernels.append((4 * width, inner, 1, 1))  # the shortcut has to change its width
            for kernel in kernels:
                shapes += [kernel, kernel[:1], kernel[:1]]
            inner = 4 * width
    return [*shapes, (1000, inner), (1000,)]


def gpt2():
    """Return the 148 shapes of GPT-2 small (Radford et al., 2019): 12 blocks of width 768."""
    d = 768
    norm = [(d,), (d,)]
    attention = [(d, 3 * d), (3 * d,), (d, d), (d,)]
    network = [(d, 4 * d), (4 * d,), (4 * d, d), (d,)]
    return [(50_257, d), (1024, d), *12 * [*norm, *attention, *norm, *network], *norm]


def transformer(d=256, blocks=8):
    """Return the shapes of a transformer's matrices: attention, its output, the network."""
    return blocks * [(3 * d, d), (d, d), (4 * d, d), (d, 4 * d)]


#: Name -> the shapes of a model's parameters.
CASES = {
    "ConvNet": [tuple(w.shape) for w in ConvNet().parameters()],
    "2,000 × 1k": [(1000,)] * 2000,
    "ResNet-50": resnet50(),
    "one of 50M": [(50_000_000,)],
    "GPT-2 small": gpt2(),
}

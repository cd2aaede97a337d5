"""The update rules: the only place where an update is written.

Every rule is a pure function `w, *state = rule(w, g, t, *state, **hyper)`:

- `w, g`: the weights and the gradient at `w`: floats, NumPy arrays or torch tensors of one shape.
- `t`: the number of this step: 1, 2, 3, ...
- A positional argument with a default is a buffer and the value it starts from.
- A keyword-only argument is a hyperparameter and its usual value. It may be an array that
  broadcasts against `w`: a stack of K models takes K learning rates of shape (K, 1, 1).

A rule returns new values and changes nothing in place. Names of hyperparameters are PyTorch's.
"""


def gradient_descent(w, g, t, *, lr=1e-3):
    """Return (w,) one step downhill (Cauchy, 1847); torch.optim.SGD without momentum."""
    w = w - lr * g
    return (w,)


def momentum(w, g, t, b=0, *, lr=1e-3, momentum=0.9):
    """Return (w, b) after a heavy-ball step (Polyak, 1964).

    PyTorch's convention: the buffer is a decaying *sum* of gradients, not an average, so it grows
    to 1 / (1 - momentum) times a constant gradient.
    """
    b = momentum * b + g  # a sum of all gradients so far, older ones fading
    w = w - lr * b
    return w, b


def nesterov(w, g, t, b=0, *, lr=1e-3, momentum=0.9):
    """Return (w, b) after a step of Nesterov's momentum (1983) as Sutskever et al. (2013) write it.

    PyTorch's convention: `w` is the look-ahead point, where the gradient is taken; the buffer is
    a decaying sum, as in `momentum`.
    """
    b = momentum * b + g  # a sum of all gradients so far, older ones fading
    w = w - lr * (g + momentum * b)  # this gradient, then the step that the buffer will take next
    return w, b


def adagrad(w, g, t, s=0, *, lr=1e-2, eps=1e-10):
    """Return (w, s) after a step of AdaGrad (Duchi, Hazan & Singer, 2011), diagonal form.

    PyTorch's convention: the sum of squares starts at 0 and eps stands outside the root.
    """
    s = s + g**2  # all squared gradients since the start; it never forgets
    w = w - lr * g / (s**0.5 + eps)
    return w, s


def rmsprop(w, g, t, v=0, *, lr=1e-2, alpha=0.99, eps=1e-8):
    """Return (w, v) after a step of RMSProp (Tieleman & Hinton, 2012, lecture 6.5).

    PyTorch's convention: `alpha` is the share of the past (the lecture's 0.9; 0.99 here), the
    average starts at 0 and is not corrected, eps stands outside the root.
    """
    v = alpha * v + (1 - alpha) * g**2  # mean of the recent squared gradients
    w = w - lr * g / (v**0.5 + eps)
    return w, v


def adam(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """Return (w, m, v) after a step of Adam (Kingma & Ba, 2015, Algorithm 1).

    As there and in PyTorch: eps stands outside the root of the corrected average.
    """
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * g  # mean of the gradients
    v = beta2 * v + (1 - beta2) * g**2  # mean of their squares
    m_hat = m / (1 - beta1**t)  # both start at 0 and lean towards it:
    v_hat = v / (1 - beta2**t)  # divide by the weight seen so far
    w = w - lr * m_hat / (v_hat**0.5 + eps)
    return w, m, v


def adamw(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    """Return (w, m, v) after a step of AdamW (Loshchilov & Hutter, 2019, Algorithm 2).

    PyTorch's convention: the decay is multiplied by `lr`, and comes before the step of Adam.
    """
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * weight_decay * w  # straight from the weight: no gradient, no ruler
    w = w - lr * m_hat / (v_hat**0.5 + eps)
    return w, m, v


def amsgrad(w, g, t, m=0, v=0, v_max=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """Return (w, m, v, v_max) after a step of AMSGrad (Reddi, Kale & Kumar, 2018, Algorithm 2).

    PyTorch's convention: both averages are corrected for their start at 0, as in Adam, the second
    one after its maximum was taken; the paper corrects neither and has no eps.
    """
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = v * (v > v_max) + v_max * (v <= v_max)  # the larger of the two, never to shrink
    m_hat = m / (1 - beta1**t)
    v_hat = v_max / (1 - beta2**t)
    w = w - lr * m_hat / (v_hat**0.5 + eps)
    return w, m, v, v_max


def adamax(w, g, t, m=0, u=0, *, lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
    """Return (w, m, u) after a step of AdaMax (Kingma & Ba, 2015, Algorithm 2).

    PyTorch's convention: eps is added to the size of the gradient; the paper has none, and divides
    0 by 0 where a gradient was always 0.
    """
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * g
    past = beta2 * u
    size = abs(g) + eps
    u = past * (past > size) + size * (past <= size)  # the larger of the two
    w = w - lr / (1 - beta1**t) * m / u  # a maximum has no lean towards 0 to correct
    return w, m, u


def sign_momentum(w, g, t, b=0, *, lr=1e-3, momentum=0.9):
    """Return (w, b) after a step of Signum (Bernstein et al., 2018, Algorithm 2).

    The buffer is an average here and a sum there, which has the same sign. The sign of 0 is 0.
    """
    b = momentum * b + (1 - momentum) * g
    w = w - lr * b / (abs(b) + (b == 0))  # every coordinate moves by lr
    return w, b


def lion(w, g, t, m=0, *, lr=1e-4, betas=(0.9, 0.99), weight_decay=0):
    """Return (w, m) after a step of Lion (Chen et al., 2023, Algorithm 2); the sign of 0 is 0.

    The decay comes before the step and is multiplied by `lr`, as in AdamW; there they are one line.
    """
    beta1, beta2 = betas
    c = beta1 * m + (1 - beta1) * g  # what the step sees: this gradient weighs more ...
    m = beta2 * m + (1 - beta2) * g  # ... than in what is remembered
    w = w - lr * weight_decay * w
    w = w - lr * c / (abs(c) + (c == 0))
    return w, m


def nadam(
    w, g, t, m=0, v=0, product=1, *, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3
):
    """Return (w, m, v, product) after a step of NAdam (Dozat, 2016); `product` is a number.

    PyTorch's convention: `m` is Adam's average, where Dozat takes mu in place of beta1, too.
    """
    beta1, beta2 = betas
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))  # rises from about beta1 / 2 to beta1
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    product = product * mu  # of all mu so far
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = (1 - mu) * g / (1 - product) + mu_next * m / (1 - product * mu_next)  # looks ahead
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (v_hat**0.5 + eps)
    return w, m, v, product


def radam(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """Return (w, m, v) after a step of RAdam (Liu et al., 2020, Algorithm 2).

    PyTorch's convention: eps is added to the root of the uncorrected average, and the ruler comes
    in when more than 5 squares are in it; the paper has no eps, and 4.
    """
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    most = 2 / (1 - beta2) - 1  # as many squares as the average can hold, and as it holds now:
    held = most - 2 * t * beta2**t / (1 - beta2**t)
    top, bottom = (held - 4) * (held - 2) * most, (most - 4) * (most - 2) * held
    trust = ((held > 5) * top / (bottom + (held <= 5))) ** 0.5  # of the ruler: from 0 up to 1
    w = w - lr * m_hat * (trust * (1 - beta2**t) ** 0.5 / (v**0.5 + eps) + (held <= 5))
    return w, m, v


def ademamix(w, g, t, m=0, slow=0, v=0, *, lr=1e-3, betas=(0.9, 0.999, 0.9999), alpha=5, eps=1e-8):
    """Return (w, m, slow, v) after a step of AdEMAMix (Pagliardini et al., 2024, Algorithm 1).

    Without the warm-ups of alpha and of the third beta, which a long run wants. As there, the slow
    average is not corrected.
    """
    beta1, beta2, beta3 = betas
    m = beta1 * m + (1 - beta1) * g
    slow = beta3 * slow + (1 - beta3) * g  # a second memory, of thousands of steps
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * (m_hat + alpha * slow) / (v_hat**0.5 + eps)
    return w, m, slow, v


def schedule_free(w, g, t, s=0, v=0, *, lr=2.5e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
    """Return (w, s, v) after a step of Schedule-Free AdamW (Defazio et al., 2024, Algorithm 1).

    `w` is y there, the point to train at; the one to evaluate at is x = w - (1 - beta1) * s. For a
    rate that is constant; under a warm-up the authors' code weights step t by its rate squared.
    """
    beta1, beta2 = betas
    v = beta2 * v + (1 - beta2) * g**2
    x = w - (1 - beta1) * s  # the average of all z so far
    z = w + beta1 * s  # the point that walks
    z = z - lr * (g / ((v / (1 - beta2**t)) ** 0.5 + eps) + weight_decay * w)
    x = x + (z - x) / t
    s = z - x
    w = x + (1 - beta1) * s
    return w, s, v


def adafactor(
    w, g, t, row=0, col=0, *, lr=1e-2, beta2_decay=-0.8, eps=(1e-7, 1e-3), d=1, weight_decay=0
):
    """Return (w, row, col) after a step of Adafactor (Shazeer & Stern, 2018, Algorithm 4).

    For matrices (..., m, n). The second moment is kept as its row means (..., m, 1) and column
    means (..., 1, n): m + n numbers for m * n. PyTorch's convention: eps bounds the moment from
    below, where the paper adds it.
    """
    new = t**beta2_decay  # the weight of this gradient: 1, then less and less
    row = row + new * ((g**2).mean(axis=-1, keepdims=True) - row)
    col = col + new * ((g**2).mean(axis=-2, keepdims=True) - col)
    v = row @ col / larger(eps[0], row.mean(axis=-2, keepdims=True))  # all of it, from two edges
    u = g / larger(eps[0] ** 2, v) ** 0.5
    size = larger(eps[1], mean_square(w) ** 0.5) * smaller(lr, t**-0.5)  # relative to the weights
    w = w - lr * weight_decay * w
    w = w - size * u / larger(1, mean_square(u) ** 0.5 / d)
    return w, row, col


def soap(
    w, g, t, a=0, b=0, p=0, q=0, m=0, v=0, *, eigh, lr=3e-3, betas=(0.95, 0.95), eps=1e-8, every=10
):
    """Return (w, a, b, p, q, m, v) after a step of SOAP (Vyas et al., 2024, Algorithm 3).

    For matrices (..., m, n): Adam along axes in which the gradients of late do not mix. `eigh`,
    np.linalg.eigh or torch.linalg.eigh, finds them anew each `every` steps. The authors' code
    improves the first ones by QR steps, and spends step 1 on them alone.
    """
    beta1, beta2 = betas
    a = beta2 * a + (1 - beta2) * g @ g.mT  # (m, m)
    b = beta2 * b + (1 - beta2) * g.mT @ g  # (n, n)
    if (t - 1) % every == 0:
        p, q = eigh(a)[1], eigh(b)[1]  # eigenvectors, as columns
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (p.mT @ g @ q) ** 2  # along the axes
    m_hat = p.mT @ m @ q / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * (p @ (m_hat / (v_hat**0.5 + eps)) @ q.mT)
    return w, a, b, p, q, m, v


def muon(w, g, t, b=0, *, lr=1e-3, momentum=0.95, weight_decay=0.1, eps=1e-7, ns_steps=5):
    """Return (w, b) after a step of Muon (Jordan et al., 2024) of matrices (..., m, n).

    PyTorch's convention: the buffer is an average, Nesterov's form, the rate times √(m / n) for a
    tall matrix. It computes the Newton-Schulz steps in bfloat16, this text in the dtype of `w`.
    """
    b = momentum * b + (1 - momentum) * g
    u = orthogonal(momentum * b + (1 - momentum) * g, ns_steps, eps)
    w = w - lr * weight_decay * w
    w = w - lr * max(1, w.shape[-2] / w.shape[-1]) ** 0.5 * u
    return w, b


def orthogonal(x, steps=5, eps=1e-7, coefficients=(3.4445, -4.7750, 2.0315)):
    """Return U f(S) Vᵀ for x = U S Vᵀ (..., m, n), where f brings most singular values near to 1.

    Newton-Schulz steps with the coefficients of Jordan et al. (2024): five of them take a singular
    value above 1/500 of the norm to 0.68 ... 1.21, and need no decomposition.
    """
    if x.shape[-2] > x.shape[-1]:  # the square below is the smaller of two
        return orthogonal(x.mT, steps, eps, coefficients).mT
    a, b, c = coefficients
    x = x / larger(eps, (x**2).sum(axis=(-2, -1), keepdims=True) ** 0.5)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def larger(a, b):
    """Return the larger of two numbers or of the elements of arrays."""
    return a + (b - a) * (b > a)


def smaller(a, b):
    """Return the smaller of two numbers or of the elements of arrays."""
    return a + (b - a) * (b < a)


def mean_square(x):
    """Return the mean of the squares (..., 1, 1) of matrices (..., m, n)."""
    return (x**2).mean(axis=(-2, -1), keepdims=True)

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

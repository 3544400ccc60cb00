"""Every rule as a textbook would write it: whole arrays, a line per formula, no thrift.

A second, independent writing of each rule in its default form. The suite holds the engine's
rules against it, the benchmark measures what thrift is worth. Each takes the rule `h` for its
hyperparameters, parameters `x` and gradient `g` of shape (R, P), a dict `s` that starts empty
and is the state, and the step `t` from 1; it returns the new parameters. Rules of whole
arrays also take the layout.
"""

from __future__ import annotations

import numpy as np


def sgd(h, x, g, s, t):
    return x - h.lr * (g + h.weight_decay * x)


def sgdm(h, x, g, s, t):
    g = g + h.weight_decay * x
    s["v"] = g if t == 1 else h.momentum * s["v"] + (1 - h.dampening) * g
    return x - h.lr * s["v"]


def nesterov(h, x, g, s, t):
    g = g + h.weight_decay * x
    s["v"] = h.momentum * s.get("v", 0) + g
    return x - h.lr * (g + h.momentum * s["v"])


def signsgd(h, x, g, s, t):
    return x - h.lr * np.sign(g) - h.lr * h.weight_decay * x


def signum(h, x, g, s, t):
    s["m"] = h.momentum * s.get("m", 0) + (1 - h.momentum) * g
    return x - h.lr * np.sign(s["m"]) - h.lr * h.weight_decay * x


def lion(h, x, g, s, t):
    m = s.get("m", np.zeros_like(x))
    s["m"] = h.beta2 * m + (1 - h.beta2) * g
    return x - h.lr * (np.sign(h.beta1 * m + (1 - h.beta1) * g) + h.weight_decay * x)


def rprop(h, x, g, s, t):
    agree = np.sign(g) * np.sign(s.get("g", 0))
    size = s.get("size", np.full_like(x, h.lr))
    factor = np.where(agree > 0, h.grow, np.where(agree < 0, h.shrink, 1))
    s["size"] = np.clip(size * factor, h.step_min, h.step_max)
    s["g"] = np.where(agree < 0, 0, g)
    return x - np.sign(s["g"]) * s["size"]


def adagrad(h, x, g, s, t):
    g = g + h.weight_decay * x
    s["s"] = s.get("s", h.initial) + g * g
    return x - h.lr / (1 + (t - 1) * h.lr_decay) * g / (np.sqrt(s["s"]) + h.eps)


def adadelta(h, x, g, s, t):
    g = g + h.weight_decay * x
    u = s.get("u", 0)
    s["v"] = h.beta2 * s.get("v", 0) + (1 - h.beta2) * g * g
    d = np.sqrt(u + h.eps) / np.sqrt(s["v"] + h.eps) * g
    s["u"] = h.beta2 * u + (1 - h.beta2) * d * d
    return x - h.lr * d


def rmsprop(h, x, g, s, t):
    g = g + h.weight_decay * x
    s["v"] = h.beta2 * s.get("v", h.initial) + (1 - h.beta2) * g * g
    return x - h.lr * g / (np.sqrt(s["v"]) + h.eps)


def _moments(h, g, s, start=0.0):
    s["m"] = h.beta1 * s.get("m", start) + (1 - h.beta1) * g
    s["v"] = h.beta2 * s.get("v", start) + (1 - h.beta2) * g * g
    return s["m"], s["v"]


def adam(h, x, g, s, t):
    m, v = _moments(h, g + h.weight_decay * x, s)
    if h.bias_correction:
        m, v = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
    return x - h.lr * m / (np.sqrt(v + h.eps_root) + h.eps)


def adamw(h, x, g, s, t):
    m, v = _moments(h, g, s)
    m, v = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
    return x - h.lr * m / (np.sqrt(v) + h.eps) - h.lr * h.weight_decay * x


def amsgrad(h, x, g, s, t):
    m, v = _moments(h, g + h.weight_decay * x, s)
    s["max"] = np.maximum(s.get("max", 0), v)
    m, v = m / (1 - h.beta1**t), s["max"] / (1 - h.beta2**t)
    return x - h.lr * m / (np.sqrt(v) + h.eps)


def adamax(h, x, g, s, t):
    g = g + h.weight_decay * x
    s["m"] = h.beta1 * s.get("m", 0) + (1 - h.beta1) * g
    s["u"] = np.maximum(h.beta2 * s.get("u", 0), np.abs(g) + h.eps)
    return x - h.lr / (1 - h.beta1**t) * s["m"] / s["u"]


def nadam(h, x, g, s, t):
    mu, ahead = (h.beta1 * (1 - 0.5 * 0.96 ** (k * h.momentum_decay)) for k in (t, t + 1))
    s["product"] = s.get("product", 1.0) * mu
    g = g + h.weight_decay * x
    m, v = _moments(h, g, s)
    root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    now, later = (1 - mu) / (1 - s["product"]), ahead / (1 - s["product"] * ahead)
    return x - h.lr * (now * g + later * m) / root


def adan(h, x, g, s, t):
    change = g - s.get("g", g)
    s["g"] = g
    s["m"] = h.beta1 * s.get("m", 0) + (1 - h.beta1) * g
    s["d"] = h.beta2 * s.get("d", 0) + (1 - h.beta2) * change
    s["n"] = h.beta3 * s.get("n", 0) + (1 - h.beta3) * (g + h.beta2 * change) ** 2
    move = s["m"] / (1 - h.beta1**t) + h.beta2 * s["d"] / (1 - h.beta2**t)
    move = move / (np.sqrt(s["n"] / (1 - h.beta3**t)) + h.eps)
    return (x - h.lr * move) / (1 + h.lr * h.weight_decay)


def radam(h, x, g, s, t):
    m, v = _moments(h, g + h.weight_decay * x, s)
    m = m / (1 - h.beta1**t)
    most = 2 / (1 - h.beta2) - 1
    r = most - 2 * t * h.beta2**t / (1 - h.beta2**t)
    if r <= h.threshold:
        return x - h.lr * m
    k = np.sqrt((r - 4) * (r - 2) * most / ((most - 4) * (most - 2) * r))
    return x - h.lr * k * m * np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps)


def adabelief(h, x, g, s, t):
    s["m"] = h.beta1 * s.get("m", 0) + (1 - h.beta1) * g
    s["s"] = h.beta2 * s.get("s", 0) + (1 - h.beta2) * (g - s["m"]) ** 2 + h.eps_root
    m, v = s["m"] / (1 - h.beta1**t), s["s"] / (1 - h.beta2**t)
    return x - h.lr * m / (np.sqrt(v) + h.eps) - h.lr * h.weight_decay * x


def yogi(h, x, g, s, t):
    v = s.get("v", np.full_like(x, h.initial))
    s["m"] = h.beta1 * s.get("m", h.initial) + (1 - h.beta1) * g
    s["v"] = v - (1 - h.beta2) * np.sign(v - g * g) * g * g
    m, v = s["m"] / (1 - h.beta1**t), s["v"] / (1 - h.beta2**t)
    return x - h.lr * m / (np.sqrt(v) + h.eps) - h.lr * h.weight_decay * x


def adopt(h, x, g, s, t):
    g = g + h.weight_decay * x
    if t == 1:
        s["v"] = g * g
        return x.copy()
    u = np.clip(g / np.maximum(np.sqrt(s["v"]), h.eps), -((t - 1) ** 0.25), (t - 1) ** 0.25)
    s["m"] = h.beta1 * s.get("m", 0) + (1 - h.beta1) * u
    s["v"] = h.beta2 * s["v"] + (1 - h.beta2) * g * g
    return x - h.lr * s["m"]


def schedulefree_sgd(h, x, g, s, t):
    return _schedulefree(h, x, g, s, h.momentum)


def schedulefree_adamw(h, x, g, s, t):
    s["v"] = h.beta2 * s.get("v", 0) + (1 - h.beta2) * g * g
    return _schedulefree(h, x, g / (np.sqrt(s["v"] / (1 - h.beta2**t)) + h.eps), s, h.beta1)


def _schedulefree(h, y, q, s, beta):
    q = q + h.weight_decay * y
    z, average = s.get("z", y), s.get("x", y)
    s["total"] = s.get("total", 0.0) + h.lr**h.lr_power
    c = h.lr**h.lr_power / s["total"]
    s["z"] = z - h.lr * q
    s["x"] = (1 - c) * average + c * s["z"]
    return (1 - beta) * s["z"] + beta * s["x"]


def prodigy(h, x, g, s, t):
    start = s.setdefault("start", x)
    d = s.get("d", np.full((len(x), 1), h.d0))
    b3 = np.sqrt(h.beta2)
    dlr = d * h.lr
    towards = (g * (start - x)).sum(axis=1, keepdims=True)
    s["num"] = b3 * s.get("num", 0) + d / h.d0 * dlr * towards
    s["m"] = h.beta1 * s.get("m", 0) + d * (1 - h.beta1) * g
    s["v"] = h.beta2 * s.get("v", 0) + d * d * (1 - h.beta2) * g * g
    s["s"] = b3 * s.get("s", 0) + d / h.d0 * dlr * g
    guess = h.d_coef * s["num"] / np.abs(s["s"]).sum(axis=1, keepdims=True)
    s["d"] = np.maximum(d, guess)
    return x - dlr * h.weight_decay * x - dlr * s["m"] / (np.sqrt(s["v"]) + s["d"] * h.eps)


def _arrays(layout, *stacks):
    """The parts of (R, P) arrays that belong to each named array, with its shape."""
    for tensor in layout.tensors:
        yield tensor, [stack[:, tensor.start : tensor.stop] for stack in stacks]


def _norm(part):
    return np.sqrt((part * part).sum(axis=1, keepdims=True))


def lamb(h, x, g, s, t, layout):
    m, v = _moments(h, g, s)
    u = (m / (1 - h.beta1**t)) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps) + h.weight_decay * x
    parts = []
    for _, (theta, move) in _arrays(layout, x, u):
        a, b = _norm(theta), _norm(move)
        trust = np.where((a > 0) & (b > 0), a / np.where(b > 0, b, 1), 1)
        parts.append(theta - h.lr * trust * move)
    return np.concatenate(parts, axis=1)


def lars(h, x, g, s, t, layout):
    parts = []
    for _, (theta, grad) in _arrays(layout, x, g):
        a, b = _norm(theta), _norm(grad)
        q = np.where((a > 0) & (b > 0), h.trust * a / (b + h.weight_decay * a + h.eps), 1)
        parts.append(q * (grad + h.weight_decay * theta))
    d = np.concatenate(parts, axis=1)
    s["v"] = d if t == 1 else h.momentum * s["v"] + (1 - h.dampening) * d
    return x - h.lr * s["v"]


def adafactor(h, x, g, s, t, layout):
    new = t**h.beta2_decay
    tiny = np.finfo(x.dtype).eps
    parts = []
    for tensor, (theta, grad) in _arrays(layout, x, g):
        square = (grad * grad).reshape(len(x), *tensor.shape)
        if len(tensor.shape) == 2:
            rows, columns = s.get(tensor.name, (0.0, 0.0))
            rows = rows + new * (square.mean(axis=2, keepdims=True) - rows)
            columns = columns + new * (square.mean(axis=1, keepdims=True) - columns)
            s[tensor.name] = rows, columns
            v = rows * columns / np.maximum(rows.mean(axis=1, keepdims=True), tiny)
        else:
            s[tensor.name] = v = s.get(tensor.name, 0.0) + new * (square - s.get(tensor.name, 0.0))
        u = grad / np.sqrt(np.maximum(v.reshape(len(x), -1), tiny**2))
        size = _norm(theta) / np.sqrt(tensor.size)
        alpha = np.maximum(h.eps2, size) * min(h.lr, 1 / np.sqrt(t))
        clip = np.maximum(1, _norm(u) / np.sqrt(tensor.size) / h.clip)
        parts.append(theta - alpha / clip * u - h.lr * h.weight_decay * theta)
    return np.concatenate(parts, axis=1)


def muon(h, x, g, s, t, layout):
    s["b"] = h.momentum * s.get("b", 0) + (1 - h.momentum) * g
    ahead = (1 - h.momentum) * g + h.momentum * s["b"]
    m = s["m"] = h.other_beta1 * s.get("m", 0) + (1 - h.other_beta1) * g
    v = s["v"] = h.other_beta2 * s.get("v", 0) + (1 - h.other_beta2) * g * g
    rest = m / (1 - h.other_beta1**t) / (np.sqrt(v / (1 - h.other_beta2**t)) + h.other_eps)
    lr = h.lr if h.other_lr is None else h.other_lr
    parts = []
    for tensor, (theta, u, other) in _arrays(layout, x, ahead, rest):
        if len(tensor.shape) != 2:
            parts.append(theta - lr * (other + h.other_weight_decay * theta))
            continue
        matrix = _orthogonal(h, u.reshape(len(x), *tensor.shape)).reshape(len(x), -1)
        scale = np.sqrt(max(1, tensor.shape[0] / tensor.shape[1]))
        parts.append(theta - h.lr * (scale * matrix + h.weight_decay * theta))
    return np.concatenate(parts, axis=1)


def _orthogonal(h, u):
    a, b, c = h.coefficients
    tall = u.shape[1] > u.shape[2]
    y = u.transpose(0, 2, 1) if tall else u
    y = y / np.maximum(np.sqrt((y * y).sum(axis=(1, 2), keepdims=True)), h.eps)
    for _ in range(h.steps):
        square = y @ y.transpose(0, 2, 1)
        y = a * y + (b * square + c * square @ square) @ y
    return y.transpose(0, 2, 1) if tall else y


def mars(h, x, g, s, t, layout):
    c = g + h.gamma * h.beta1 / (1 - h.beta1) * (g - s.get("g", 0))
    s["g"] = g
    parts = []
    for tensor, (theta, grad, change) in _arrays(layout, x, g, c):
        matrix = len(tensor.shape) == 2
        own = s.setdefault(tensor.name, {"m": 0.0, "v": 0.0})
        move = change / np.maximum(_norm(change), 1) if matrix else grad
        b1, b2 = (h.beta1, h.beta2) if matrix else (h.other_beta1, h.other_beta2)
        lr, decay = (h.lr, h.weight_decay) if matrix else (h.other_lr, h.other_weight_decay)
        own["m"] = b1 * own["m"] + (1 - b1) * move
        own["v"] = b2 * own["v"] + (1 - b2) * move * move
        step = own["m"] / (1 - b1**t) / (np.sqrt(own["v"] / (1 - b2**t)) + h.eps)
        parts.append(theta - lr * (step + decay * theta))
    return np.concatenate(parts, axis=1)


PLAIN = {name: f for name, f in globals().items() if callable(f) and not name.startswith("_")}
WHOLE_ARRAYS = ("lamb", "lars", "adafactor", "muon", "mars")
"""Rules that take the layout and are no elementwise rules."""


def step(name, rule, params, grads, state, t, layout):
    """The parameters after one step of a rule's plain form, a new (R, P) array."""
    more = (layout,) if name in WHOLE_ARRAYS else ()
    return PLAIN[name](rule, params, grads, state, t, *more)

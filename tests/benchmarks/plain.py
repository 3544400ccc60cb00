"""The plain reference: one network at a time, a dict of arrays, NumPy that allocates.

This is how a good tutorial writes it, and nothing here is shared with adamcli: the tests
hold the engine against its numbers, the benchmarks against its time.
"""

from __future__ import annotations

import numpy as np

OPTIMIZERS = {
    "sgdm": {"lr": 0.05, "momentum": 0.9},
    "rmsprop": {"lr": 0.003, "beta2": 0.999},
    "adam": {"lr": 0.005, "beta1": 0.9, "beta2": 0.999},
}
EPS = 1e-8


def spirals(rng, samples=2000, noise=0.25):
    n = samples // 2
    theta = np.linspace(0.5, 4 * np.pi, n)
    first = np.stack([theta * np.cos(theta), theta * np.sin(theta)], axis=1)
    second = np.stack([theta * np.cos(theta + np.pi), theta * np.sin(theta + np.pi)], axis=1)
    first = first + noise * rng.standard_normal((n, 2))
    second = second + noise * rng.standard_normal((n, 2))
    x = np.concatenate([first, second]) * 2.0 / (4 * np.pi)
    y = np.concatenate([np.zeros(n), np.ones(n)])[:, None]
    order = rng.permutation(len(x))
    return x[order], y[order]


def initial_weights(rng, hidden=(32, 32)):
    sizes = [2, *hidden, 1]
    scales = [0.8] + [0.5] * (len(hidden) - 1) + [0.2]
    params = {}
    for k, scale in enumerate(scales, start=1):
        params[f"W{k}"] = scale * rng.standard_normal((sizes[k - 1], sizes[k]))
        params[f"b{k}"] = np.zeros(sizes[k])
    return params


def forward(params, x):
    layers = len(params) // 2
    activations = [x]
    for k in range(1, layers):
        z = activations[-1] @ params[f"W{k}"] + params[f"b{k}"]
        activations.append(np.maximum(z, 0))
    logits = activations[-1] @ params[f"W{layers}"] + params[f"b{layers}"]
    return logits, activations


def gradients(params, x, y):
    logits, activations = forward(params, x)
    delta = (1 / (1 + np.exp(-logits)) - y) / len(x)
    grads = {}
    for k in range(len(params) // 2, 0, -1):
        grads[f"W{k}"] = activations[k - 1].T @ delta
        grads[f"b{k}"] = delta.sum(axis=0)
        if k > 1:
            delta = (delta @ params[f"W{k}"].T) * (activations[k - 1] > 0)
    return grads


def evaluate(params, x, y):
    logits, _ = forward(params, x)
    losses = np.maximum(logits, 0) - logits * y + np.log1p(np.exp(-np.abs(logits)))
    return losses.mean(), ((logits > 0) == (y > 0.5)).mean()


class SGDMomentum:
    def __init__(self, params, lr, momentum):
        self.lr, self.momentum = lr, momentum
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params, grads):
        for name in params:
            self.v[name] = self.momentum * self.v[name] + grads[name]
            params[name] = params[name] - self.lr * self.v[name]

    def trace(self, name, at):
        return {"v": self.v[name][at]}


class RMSProp:
    def __init__(self, params, lr, beta2):
        self.lr, self.beta2 = lr, beta2
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params, grads):
        for name in params:
            self.v[name] = self.beta2 * self.v[name] + (1 - self.beta2) * grads[name] ** 2
            params[name] = params[name] - self.lr * grads[name] / (np.sqrt(self.v[name]) + EPS)

    def trace(self, name, at):
        return {"v": self.v[name][at], "effective_lr": self.lr / (np.sqrt(self.v[name][at]) + EPS)}


class Adam:
    def __init__(self, params, lr, beta1, beta2):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params, grads):
        self.t += 1
        for name in params:
            self.m[name] = self.beta1 * self.m[name] + (1 - self.beta1) * grads[name]
            self.v[name] = self.beta2 * self.v[name] + (1 - self.beta2) * grads[name] ** 2
            m_hat = self.m[name] / (1 - self.beta1**self.t)
            v_hat = self.v[name] / (1 - self.beta2**self.t)
            params[name] = params[name] - self.lr * m_hat / (np.sqrt(v_hat) + EPS)

    def trace(self, name, at):
        m, v = self.m[name][at], self.v[name][at]
        m_hat, v_hat = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
        effective = self.lr / (np.sqrt(v_hat) + EPS)
        return {"m": m, "m_hat": m_hat, "v": v, "v_hat": v_hat, "effective_lr": effective}


RULES = {"sgdm": SGDMomentum, "rmsprop": RMSProp, "adam": Adam}


def train(
    name,
    params,
    train_set,
    test_set,
    rng,
    epochs=70,
    batch_size=64,
    trace=("W1", (0, 0)),
    measure_every_step=True,
):
    """Train one network; everything that `adamcli run` records, and the final parameters.

    Gradient norm and update are measured at every step and the last of an epoch is kept, as
    tutorials do; `measure_every_step=False` measures them at the last step alone.
    """
    x, y = train_set
    params = dict(params)
    optimizer = RULES[name](params, **OPTIMIZERS[name])
    history = {"train_loss": [], "train_accuracy": [], "test_loss": [], "test_accuracy": []}
    history |= {"grad_norm": [], "update_size": []}
    steps = []
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            grads = gradients(params, x[batch], y[batch])
            before = {key: p.copy() for key, p in params.items()}
            optimizer.step(params, grads)
            steps.append(optimizer.trace(*trace))
            if measure_every_step or start + batch_size >= len(x):
                grad_norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
                update_size = np.mean([np.abs(params[k] - before[k]).mean() for k in params])
        for split, data in (("train", train_set), ("test", test_set)):
            if data is not None:
                loss, accuracy = evaluate(params, *data)
                history[f"{split}_loss"].append(loss)
                history[f"{split}_accuracy"].append(accuracy)
        history["grad_norm"].append(grad_norm)
        history["update_size"].append(update_size)
    series = {key: np.array([step[key] for step in steps]) for key in steps[0]}
    return {key: np.array(values) for key, values in history.items()}, series, params


def article(seed=42, noise=0.25, hidden=(32, 32), epochs=70, batch_size=64, samples=2000):
    """The article's experiment: everything from one legacy stream, one optimizer after another."""
    rng = np.random.RandomState(seed)
    data = spirals(rng, samples, noise)
    params = initial_weights(rng, hidden)
    return {name: train(name, params, data, None, rng, epochs, batch_size) for name in RULES}

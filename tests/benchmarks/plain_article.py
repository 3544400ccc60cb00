"""The article's whole program in tutorial style: train three networks, draw three figures.

    python tests/benchmarks/plain_article.py DIRECTORY

One optimizer after another, then loss, accuracy, gradient and update curves, three decision
maps on a 400 x 400 grid, and Adam's trace, with pyplot.
"""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plain


def draw_curves(results, path):
    fig, axes = plt.subplots(2, 2, figsize=(12, 8))
    panels = ["train_loss", "train_accuracy", "grad_norm", "update_size"]
    for ax, metric in zip(axes.ravel(), panels, strict=True):
        for name, (history, _, _) in results.items():
            ax.plot(np.arange(1, len(history[metric]) + 1), history[metric], label=name)
        ax.set_title(metric)
        ax.set_xlabel("epoch")
        ax.grid(alpha=0.3)
        ax.legend()
    fig.tight_layout()
    fig.savefig(path, dpi=150)


def draw_boundaries(results, x, y, path):
    low, high = x.min(axis=0) - 0.5, x.max(axis=0) + 0.5
    xx, yy = np.meshgrid(np.linspace(low[0], high[0], 400), np.linspace(low[1], high[1], 400))
    grid = np.stack([xx.ravel(), yy.ravel()], axis=1)
    fig, axes = plt.subplots(1, len(results), figsize=(18, 5.5))
    for ax, (name, (_, _, params)) in zip(axes, results.items(), strict=True):
        logits, _ = plain.forward(params, grid)
        chance = (1 / (1 + np.exp(-logits))).reshape(xx.shape)
        filled = ax.contourf(xx, yy, chance, levels=50, cmap="RdBu_r", alpha=0.8)
        ax.contour(xx, yy, chance, levels=[0.5], colors="black")
        ax.scatter(x[:, 0], x[:, 1], c=y[:, 0], cmap="RdBu_r", s=8, edgecolors="k", linewidths=0.2)
        ax.set_title(name)
        fig.colorbar(filled, ax=ax)
    fig.tight_layout()
    fig.savefig(path, dpi=150)


def draw_trace(series, path):
    fig, axes = plt.subplots(3, 1, figsize=(10, 10))
    steps = np.arange(1, len(series["m"]) + 1)
    for ax, names in zip(axes, [("m", "m_hat"), ("v", "v_hat"), ("effective_lr",)], strict=True):
        for name in names:
            ax.plot(steps, series[name], label=name)
        ax.set_xlabel("step")
        ax.grid(alpha=0.3)
        ax.legend()
    fig.tight_layout()
    fig.savefig(path, dpi=150)


def main():
    directory = sys.argv[1]
    os.makedirs(directory, exist_ok=True)
    rng = np.random.RandomState(42)
    x, y = plain.spirals(rng)
    params = plain.initial_weights(rng)
    results = {name: plain.train(name, params, (x, y), None, rng) for name in plain.RULES}
    for name, (history, _, _) in results.items():
        print(name, history["train_loss"][-1], history["train_accuracy"][-1])
    draw_curves(results, os.path.join(directory, "curves.png"))
    draw_boundaries(results, x, y, os.path.join(directory, "boundary.png"))
    draw_trace(results["adam"][1], os.path.join(directory, "trace.png"))


if __name__ == "__main__":
    main()

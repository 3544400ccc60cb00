"""What training costs before it is done: seconds of one core and bytes, good to a factor of two.

The constants were fitted to the processor time of 26 stacks: networks of 17 to 265,000
parameters, batches of 1 to 2,000, 1 to 33 runs, both precisions, all activations. The
estimates are 0.7 to 1.3 times what was measured on one 2.4 GHz core with AVX-512
(`tests/benchmarks/estimate.py`); rules that multiply matrices, such as muon, take up to 2.5
times as long.
"""

from __future__ import annotations

import numpy as np

from adamcli.problems.mlp import CHUNK, layout_of, row_bytes
from adamcli.problems.task import Task

_OPERATIONS_PER_SECOND = 52e9
_SECONDS_PER_STEP = 20e-6  # of a whole stack: its calls
_SECONDS_PER_GROUP = 10e-6  # of the rows that one rule updates, at each step
_SECONDS_PER_ROW = 1e-6  # at each step
_SECONDS_PER_PARAMETER = 6e-9  # of one row at each step, as Adam's; float32 takes half

# What a unit's activation takes beside the products, and an evaluated sample, in operations.
_OPERATIONS_PER_UNIT = {"relu": 48, "tanh": 100, "gelu": 250}
_OPERATIONS_PER_SAMPLE = 2200

_PROCESS_BYTES = 60 * 2**20  # Python with adamcli and NumPy loaded
_BYTES_PER_EVALUATION = 400  # of one run: numbers while training, text while saving
_BYTES_PER_TRACED_STEP = 8 * 10 * 4  # some 10 series, noted, joined, cut and written
_BYTES_PER_NORMED_STEP = 8 * 4 * 4  # the four of one named array
_COPIES_OF_PARAMETERS = 3  # while they are saved


def stack_seconds(task: Task, eval_every: int, rows: int, groups: int = 1) -> float:
    """How long one core trains a stack of so many rows, which so many rules update."""
    steps = task.epochs * task.steps_per_epoch
    calls = _SECONDS_PER_STEP + groups * _SECONDS_PER_GROUP + rows * _SECONDS_PER_ROW
    update = _SECONDS_PER_PARAMETER * _share(task) * layout_of(task).size
    work = operations(task, eval_every) / _OPERATIONS_PER_SECOND
    return steps * (calls + rows * update) + rows * work


def operations(task: Task, eval_every: int) -> float:
    """The arithmetic of a run without its updates: a step goes forward once and back twice."""
    trained = task.epochs * task.dataset.train_size
    evaluations = -(-task.epochs // eval_every)
    tested = evaluations * (task.dataset.train_size + task.dataset.test_samples)
    products = 2 * layout_of(task).size * (3 * trained + tested)
    units = sum(task.model.hidden) * (2 * trained + tested)
    units *= _OPERATIONS_PER_UNIT[task.model.activation]
    return _share(task) * (products + units) + _OPERATIONS_PER_SAMPLE * tested


def stack_bytes(task: Task, rows: int) -> int:
    """The memory of a process that trains a stack: itself, the rows, room for evaluating one."""
    units = sum(task.model.hidden) + task.outputs
    room = 3 * CHUNK * units * np.dtype(task.dtype).itemsize
    return _PROCESS_BYTES + rows * row_bytes(task) + room


def kept_bytes(task: Task, eval_every: int) -> int:
    """The memory of what a run leaves but for traces, until it is saved."""
    evaluations = -(-task.epochs // eval_every)
    params = _COPIES_OF_PARAMETERS * layout_of(task).size * np.dtype(task.dtype).itemsize
    return params + evaluations * _BYTES_PER_EVALUATION


def traced_bytes(task: Task, params: int, *, layers: bool) -> int:
    """The memory of the traces of so many parameters, and of all arrays' norms, of a run."""
    arrays = len(layout_of(task).tensors) if layers else 0
    at_each_step = _BYTES_PER_TRACED_STEP * params + _BYTES_PER_NORMED_STEP * arrays
    return task.epochs * task.steps_per_epoch * at_each_step


def _share(task: Task) -> float:
    """How much of the time of float64 a dtype takes."""
    return np.dtype(task.dtype).itemsize / 8

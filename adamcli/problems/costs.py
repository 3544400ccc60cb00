"""What training costs before it is done: seconds of one core and bytes, good to a factor of two.

The constants were fitted to the processor time of 26 stacks: networks of 17 to 265,000
parameters, batches of 1 to 2,000, 1 to 33 runs, both precisions, all activations. The
estimates are 0.7 to 1.3 times what was measured on one 2.4 GHz core with AVX-512
(`tests/benchmarks/estimate.py`); rules that multiply matrices, such as muon, take up to 2.5
times as long. What a kind of task needs by itself is in its `operations`, `row_bytes` and
`evaluation_bytes`; the estimates of problems without a network were 0.6 to 1.7 times what was
measured, on 14 stacks.
"""

from __future__ import annotations

import numpy as np

from adamcli.problems.task import Task

_OPERATIONS_PER_SECOND = 52e9
_SECONDS_PER_STEP = 20e-6  # of a whole stack: its calls
_SECONDS_PER_GROUP = 10e-6  # of the rows that one rule updates, at each step
_SECONDS_PER_PARAMETER = 6e-9  # of one row at each step, as Adam's; float32 takes half

_PROCESS_BYTES = 60 * 2**20  # Python with adamcli and NumPy loaded
_BYTES_PER_EVALUATION = 400  # of one run: numbers while training, text while saving
_BYTES_PER_TRACED_STEP = 8 * 10 * 4  # some 10 series, noted, joined, cut and written
_BYTES_PER_NORMED_STEP = 8 * 4 * 4  # the four of one named array
_COPIES_OF_PARAMETERS = 3  # while they are saved


def stack_seconds(task: Task, eval_every: int, rows: int, groups: int = 1) -> float:
    """How long one core trains a stack of so many rows, which so many rules update."""
    steps = task.epochs * task.steps_per_epoch
    calls = _SECONDS_PER_STEP + groups * _SECONDS_PER_GROUP
    share = np.dtype(task.dtype).itemsize / 8
    update = _SECONDS_PER_PARAMETER * share * task.layout.size
    work = task.operations(eval_every) / _OPERATIONS_PER_SECOND
    return steps * (calls + rows * update) + rows * work


def stack_bytes(task: Task, rows: int) -> int:
    """The memory of a process that trains a stack: itself, the rows, room for evaluating one."""
    return _PROCESS_BYTES + rows * task.row_bytes + task.evaluation_bytes


def kept_bytes(task: Task, eval_every: int) -> int:
    """The memory of what a run leaves but for traces, until it is saved."""
    evaluations = -(-task.epochs // eval_every)
    params = _COPIES_OF_PARAMETERS * task.layout.size * np.dtype(task.dtype).itemsize
    return params + evaluations * _BYTES_PER_EVALUATION


def traced_bytes(task: Task, params: int, *, layers: bool) -> int:
    """The memory of the traces of so many parameters, and of all arrays' norms, of a run."""
    arrays = len(task.layout.tensors) if layers else 0
    at_each_step = _BYTES_PER_TRACED_STEP * params + _BYTES_PER_NORMED_STEP * arrays
    return task.epochs * task.steps_per_epoch * at_each_step

"""A training that is left after any epoch and taken up again has the bits of one that was not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from mutants import Textbook
from plugin_files import misbehaving, write
from stacks import SETTINGS, numbers, rule, snapshots, task
from test_objectives import HARD
from test_runner import assert_same_bits

from adamcli import config, plugins
from adamcli.errors import RuleError
from adamcli.history import Memory, RunHistory, laid_out, memory_axes
from adamcli.optimizers import RULES, Wrapping
from adamcli.problems import MLP, PROBLEMS, ObjectiveTask, Task
from adamcli.problems.datasets import Blobs
from adamcli.recorder import Records
from adamcli.runner.work import Assignment, Checkpoint, Progress, train_block
from adamcli.schedules import SCHEDULES, Constant, Cosine
from adamcli.seeding import generator
from adamcli.training import Snapshot, Trainee, Training

RECORDS = Records((0, 3), layers=True)
WRAPPINGS = {
    "cautious": Wrapping(cautious=True),
    "decay": Wrapping(decay=0.3),
    "lookahead": Wrapping(lookahead=3),
    "ema": Wrapping(ema=0.9),
    "all": Wrapping(cautious=True, decay=0.1, lookahead=5, ema=0.5),
}


def stored(memory: Memory) -> Memory:
    """The memory as it comes back from a file: JSON, and bytes in C order with the axes."""
    arrays = {}
    for name, array in memory.arrays.items():
        axes = memory_axes(array)
        turned = array.transpose(axes)
        flat = np.frombuffer(turned.tobytes(), array.dtype).reshape(turned.shape)
        arrays[name] = flat.transpose(np.argsort(axes))
    return Memory(json.loads(json.dumps(memory.facts)), arrays)


def training(tasks: Sequence[Task], trainees: Sequence[Trainee], eval_every: int) -> Training:
    problem = tasks[0].stacked(tasks)
    return Training(problem, trainees, epochs=tasks[0].epochs, eval_every=eval_every)


def interrupted(
    tasks: Sequence[Task], trainees: Sequence[Trainee], eval_every: int
) -> list[Snapshot]:
    """All snapshots of a training each of whose epochs is trained by a training of its own."""
    kept, now = [], training(tasks, trainees, eval_every)
    while not now.done:
        snapshot = now.advance()
        if snapshot is not None:
            kept.append(replace(snapshot, params=snapshot.params.copy()))
        memory = now.memory()
        assert memory is not None
        if not now.done:
            now = training(tasks, trainees, eval_every)
            now.recall(stored(memory))
    return kept


def assert_no_trace_of_interruptions(
    tasks: Sequence[Task], trainees: Sequence[Trainee], eval_every: int = 1
) -> list[Snapshot]:
    whole = snapshots(tasks, trainees, eval_every=eval_every)
    pieces = interrupted(tasks, trainees, eval_every)
    assert [s.epoch for s in pieces] == [s.epoch for s in whole]
    assert [s.step for s in pieces] == [s.step for s in whole]
    assert pieces[-1].failed == whole[-1].failed
    for row in range(len(tasks)):
        expected, got = numbers(whole, row), numbers(pieces, row)
        layers = [s.layers[row] for s in whole if row in s.layers]
        assert expected.keys() == got.keys()
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name], err_msg=f"{name} of {row}")
        for name in layers[0] if layers else ():
            one, other = ([s.layers[row][name] for s in each] for each in (whole, pieces))
            np.testing.assert_array_equal(np.concatenate(other), np.concatenate(one))
    return whole


def neighbours(name: str, count: int = 2, **changes) -> tuple[list[Task], list[Trainee]]:
    """Rows of one rule that differ in seed and learning rate, the first one recorded."""
    tasks = [task(seed=seed, **({"epochs": 4} | changes)) for seed in range(count)]
    rules = [rule(name, lr=SETTINGS[name]["lr"] * (1 - k / 9)) for k in range(count)]
    trainees = [
        Trainee(one, Cosine(warmup=3), 0.5, Records() if k else RECORDS)
        for k, one in enumerate(rules)
    ]
    return tasks, trainees


# Every rule and everything around it


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_goes_on_with_the_same_bits(name, dtype):
    assert_no_trace_of_interruptions(*neighbours(name, dtype=dtype), eval_every=3)


@pytest.mark.parametrize("eval_every", [1, 3])
@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_wrappers_go_on_with_the_same_bits(wrapping, dtype, eval_every):
    tasks, trainees = neighbours("adam", dtype=dtype)
    wrapped = [replace(trainee, wrapping=wrapping) for trainee in trainees]
    assert_no_trace_of_interruptions(tasks, wrapped, eval_every)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_go_on_where_they_were(name):
    tasks, trainees = neighbours("sgdm")
    schedules = [SCHEDULES[name](warmup=3), SCHEDULES[name]()]
    changed = [replace(t, schedule=s) for t, s in zip(trainees, schedules, strict=True)]
    assert_no_trace_of_interruptions(tasks, changed)


# Every problem


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_goes_on_with_the_same_batches_and_noise(name, dtype):
    objective = PROBLEMS[name](**HARD[name])
    seeds = (0, 1, 0)
    tasks = [ObjectiveTask(objective=objective, epochs=4, dtype=dtype, seed=s) for s in seeds]
    rules = [rule("adam"), rule("adam", lr=0.001), rule("sophia", every=2)]
    assert_no_trace_of_interruptions(tasks, [Trainee(one, Constant()) for one in rules], 3)


@pytest.mark.parametrize("random", ["paired", "article"])
@pytest.mark.parametrize("batch_size", [32, 100, 7])
def test_networks_go_on_with_the_same_batches(random, batch_size):
    options = {"random": random, "batch_size": batch_size, "epochs": 4}
    tasks = [task(seed=s, position=p, **options) for s, p in ((0, 0), (0, 1), (1, 1), (0, 1))]
    assert_no_trace_of_interruptions(tasks, [Trainee(rule("adam"), Constant())] * 4, 3)


def test_networks_of_several_classes_go_on_with_the_same_bits():
    model = MLP(hidden=(6,), init="he", activation="tanh")
    tasks = [task(seed=s, model=model, dataset=Blobs(samples=90, blobs=4)) for s in range(2)]
    assert_no_trace_of_interruptions(tasks, [Trainee(rule("muon"), Constant())] * 2)


# Runs that stop


@pytest.mark.parametrize("eval_every", [1, 3])
def test_runs_that_diverge_go_on_standing_still(eval_every):
    tasks = [task(seed=s, epochs=6) for s in range(4)]
    rules = [rule("adam"), rule("sgd", lr=1e200), rule("adamw", lr=1e10), rule("adamw")]
    trainees = [Trainee(one, Constant(), None, RECORDS, Wrapping(ema=0.5)) for one in rules]
    whole = assert_no_trace_of_interruptions(tasks, trainees, eval_every)
    early, late = whole[-1].diverged_at[1:3]
    assert 0 < early <= 4 < late < 24
    assert whole[-1].diverged_at[[0, 3]].tolist() == [0, 0]


def test_a_training_whose_runs_have_all_stopped_is_done():
    tasks, wild = [task(seed=s, epochs=50) for s in range(2)], rule("sgd", lr=1e200)
    whole = assert_no_trace_of_interruptions(tasks, [Trainee(wild, Constant())] * 2, 9)
    assert whole[-1].all_stopped
    assert whole[-1].epoch < 10


@pytest.mark.parametrize("eval_every", [1, 3])
def test_runs_whose_rules_fail_go_on_standing_still(eval_every):
    @dataclass(frozen=True, kw_only=True)
    class Failing(Textbook):
        alone: ClassVar[bool] = True
        at: int = 1

        def update(self, grads, state, step):
            if step.t == self.at:
                raise RuleError("no", fix="none")
            return Textbook.update(self, grads, state, step)

    tasks = [task(seed=s, epochs=4) for s in range(3)]
    rules = [Failing(at=2), rule("adam"), Failing(at=10)]
    trainees = [Trainee(one, Constant(), None, RECORDS, Wrapping(decay=0.3)) for one in rules]
    whole = assert_no_trace_of_interruptions(tasks, trainees, eval_every)
    assert {row: failure.step for row, failure in whole[-1].failed.items()} == {0: 2, 2: 10}


# What a training can be remembered by


def test_training_on_does_not_change_a_memory_and_taking_it_up_neither():
    tasks, trainees = neighbours("soap")
    first = training(tasks, trainees, 1)
    first.advance()
    memory = first.memory()
    before = {name: array.copy() for name, array in memory.arrays.items()}
    first.advance()
    for _ in range(2):
        again = training(tasks, trainees, 1)
        again.recall(memory)
        again.advance()
    for name, array in before.items():
        np.testing.assert_array_equal(memory.arrays[name], array, err_msg=name)


def test_axes_keep_their_order_in_memory():
    array = np.arange(24.0).reshape(2, 3, 4)
    for axes in ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)):
        turned = array.transpose(axes)
        copy = laid_out(turned, memory_axes(turned))
        assert copy.strides == turned.strides
        assert not np.shares_memory(copy, turned)
        np.testing.assert_array_equal(copy, turned)


def with_slot(make) -> Trainee:
    """Adam as one writes it first, with one more slot."""

    @dataclass(frozen=True, kw_only=True)
    class More(Textbook):
        alone: ClassVar[bool] = True

        def init(self, params, layout):
            slots = Textbook.init(self, params, layout)
            return slots | {"more": make(params, slots)}

    return Trainee(More(lr=0.01), Constant())


@pytest.mark.parametrize(
    "make",
    [
        lambda params, slots: np.zeros(3, object),
        lambda params, slots: [0.0],
        lambda params, slots: np.zeros((1, 3), complex),
        lambda params, slots: np.ma.zeros((1, 3)),
        lambda params, slots: np.zeros((4, 6))[:, ::2],
        lambda params, slots: slots["m"],
        lambda params, slots: slots["v"][:, 2:],
    ],
    ids=["objects", "a list", "complex", "masked", "with gaps", "another slot", "part of a slot"],
)
def test_what_no_copy_can_stand_for_is_not_remembered(make):
    now = training([task()], [with_slot(make)], 1)
    now.advance()
    assert now.memory() is None


@pytest.mark.parametrize(
    "make",
    [
        lambda params, slots: np.zeros((1, 4, 3)).transpose(0, 2, 1),
        lambda params, slots: np.zeros(5)[None],
        lambda params, slots: np.array([[True, False]]),
        lambda params, slots: np.array([[7]], np.uint8),
        lambda params, slots: np.array([[1.5]], np.float16),
    ],
    ids=["transposed", "a new axis", "bools", "integers", "halves"],
)
def test_slots_of_plain_numbers_are_remembered(make):
    assert_no_trace_of_interruptions([task()], [with_slot(make)])


def test_a_slot_that_is_transposed_in_memory_stays_so_since_its_sum_depends_on_it():
    numbers = generator(0, "data").normal(size=(1, 33, 33))
    turned = numbers.transpose(0, 2, 1)
    assert turned.sum() != np.ascontiguousarray(turned).sum()

    class Summing(Textbook):
        alone: ClassVar[bool] = True

        def init(self, params, layout):
            return Textbook.init(self, params, layout) | {"turned": turned}

        def update(self, grads, state, step):
            return Textbook.update(self, grads, state, step) * state["turned"].sum()

    assert_no_trace_of_interruptions([task()], [Trainee(Summing(lr=0.01), Constant())])


def test_a_memory_of_other_runs_is_refused_with_what_differs():
    def remembered(name: str = "adam", count: int = 2, *, records: Records = RECORDS, **changes):
        tasks, trainees = neighbours(name, count, **changes)
        trainees[0] = replace(trainees[0], records=records)
        now = training(tasks, trainees, 3)
        now.advance()
        return now.memory()

    tasks, trainees = neighbours("adam")
    for memory, sentence in (
        (remembered(count=3), r"params is float64 \(2, 105\), remembered float64 \(3, 105\)"),
        (remembered(dtype="float32"), "params is float64 .*, remembered float32"),
        (remembered("sgdm"), "remembered is v where there is m, v"),
        (remembered(records=Records((0,), layers=True)), r"notes is float64 \(0, 8\)"),
        (remembered(records=Records((0, 3))), "no norms is remembered"),
        (Memory(), "no stack is remembered"),
    ):
        with pytest.raises(ValueError, match=sentence):
            training(tasks, trainees, 3).recall(memory)


# Blocks


EXPERIMENT = """
name: small
dataset: {name: spiral, samples: 90, test_samples: 40}
model: {hidden: [8, 6]}
train: {epochs: 4, batch_size: 32, seeds: 1, eval_every: EVERY}
optimizers:
  - {name: mine}
  - {name: adam, lr: 0.005, ema: 0.9}
  - {name: soap, lr: 0.01, every: 3}
  - {name: sgdm, lr: 1.0e+200}
  - {name: schedulefree_adamw, lr: 0.02, schedule: {name: cosine}}
trace: {params: ["W1[0,0]", "b2[3]"], layers: true}
"""

MOMENTUM = "state['m'] = 0.9 * state['m'] + grads\nreturn -step.lr * state['m']\n"
PLUGINS = {
    "sound": misbehaving(MOMENTUM),
    "fails at once": misbehaving(init="1 / 0"),
    "fails early": misbehaving("if step.t == 2:\n    1 / 0\n" + MOMENTUM),
    "fails late": misbehaving("if step.t == 10:\n    1 / 0\n" + MOMENTUM),
    "fails while it writes": misbehaving("state['m'] += 1\nif step.t == 5:\n    1 / 0\n"),
    "evaluates elsewhere": misbehaving(
        MOMENTUM, rest="def evaluated(self, params, state):\n    return params + state['m']"
    ),
    "fails at an evaluation": misbehaving(
        MOMENTUM, rest="def evaluated(self, params, state):\n    raise ValueError"
    ),
}


@pytest.fixture
def assignment(tmp_path):
    """Makes an assignment of a small experiment with a plug-in."""

    def make(code: str, eval_every: int = 1) -> Assignment:
        (tmp_path / "small.yaml").write_text(EXPERIMENT.replace("EVERY", str(eval_every)))
        mine = plugins.load(write(tmp_path, code))
        runs = config.load(tmp_path / "small.yaml", plugins=[mine]).runs
        return Assignment(tuple(range(len(runs))), tuple(runs))

    return make


def finished(news: Iterator[Progress | Checkpoint]) -> tuple[RunHistory, ...]:
    """What a block leaves."""
    *_, last = news
    return last.finished


@pytest.mark.parametrize("code", PLUGINS.values(), ids=PLUGINS)
def test_a_block_taken_up_from_any_checkpoint_leaves_the_same_histories(assignment, code):
    asked = assignment(code, eval_every=3)
    whole = finished(train_block(asked))
    news = list(train_block(asked._replace(every=0)))
    checkpoints = [each for each in news if isinstance(each, Checkpoint)]
    assert len(checkpoints) == 3
    assert isinstance(news[-1], Progress)
    for checkpoint in checkpoints:
        assert checkpoint.block == asked.block
        again = finished(train_block(asked._replace(memory=stored(checkpoint.memory))))
        for one, other in zip(again, whole, strict=True):
            assert (one.key, one.failure, one.diverged_at) == (
                other.key,
                other.failure,
                other.diverged_at,
            )
            assert one.traces.keys() == other.traces.keys()
            np.testing.assert_array_equal(one.epochs, other.epochs)
            np.testing.assert_array_equal(one.steps, other.steps)
            assert_same_bits(one, other)


def test_a_block_goes_through_a_checkpoint_after_every_epoch_with_the_same_bits(assignment):
    asked = assignment(PLUGINS["sound"])
    memory, last, rounds = None, None, 0
    while last is None or not last.finished:
        rounds += 1
        for last in train_block(asked._replace(memory=memory, every=0)):
            if isinstance(last, Checkpoint):
                memory, last = stored(last.memory), None
                break
    assert rounds == 4
    for one, other in zip(last.finished, finished(train_block(asked)), strict=True):
        assert_same_bits(one, other)


def test_checkpoints_come_when_the_time_is_up(assignment, monkeypatch):
    asked = assignment(PLUGINS["sound"])
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("adamcli.runner.work.time.monotonic", lambda: next(clock))

    def kinds(every: float) -> list[str]:
        return [type(news).__name__[0] for news in train_block(asked._replace(every=every))]

    assert kinds(float("inf")) == ["P"] * 4
    assert kinds(11) == ["P", "P", "C", "P", "P"]
    assert kinds(10) == ["P", "C"] * 3 + ["P"]


def test_a_block_that_cannot_be_remembered_has_no_checkpoints(assignment):
    shared = misbehaving(init='m = np.zeros_like(params)\nreturn {"m": m, "n": m}')
    news = train_block(assignment(shared)._replace(every=0))
    assert all(isinstance(each, Progress) for each in news)


def test_a_history_of_other_runs_is_refused(assignment):
    asked = assignment(PLUGINS["sound"])
    checkpoint = next(
        each for each in train_block(asked._replace(every=0)) if isinstance(each, Checkpoint)
    )
    fewer = Assignment(asked.block[:3], asked.members[:3], checkpoint.memory)
    with pytest.raises(ValueError, match=r"train_loss has shape \(1, 5\), expected \(1, 3\)"):
        list(train_block(fewer))

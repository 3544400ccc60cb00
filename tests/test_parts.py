"""Finished stacks on disk: the same bits back, damage refused, a training that goes on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from test_runner import assert_same_bits

from adamcli import config, store
from adamcli.errors import DamagedError
from adamcli.history import Failure, Memory, memory_axes
from adamcli.runner import train_runs
from adamcli.store import RunDirectory, sealed, verify

CONFIG = """
name: tiny
dataset: {name: moons, samples: 40, test_samples: 10}
model: {hidden: [4]}
train: {epochs: 3, batch_size: 8, seeds: 4}
optimizers: [{name: adam}, {name: sgd, lr: 1.0e+300}, {name: muon}]
trace: {params: ["W1[0,0]"], layers: true}
"""


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return config.load(tmp_path / "tiny.yaml")


@pytest.fixture
def trained(experiment):
    *_, last = train_runs(experiment.runs)
    return {history.key: history for history in last.finished}


@pytest.fixture
def directory(experiment, tmp_path):
    opened = store.directory_for(experiment, tmp_path / "out")
    with opened.claimed():
        opened.begin(experiment)
        yield opened


def arrays():
    numbers = np.arange(24.0).reshape(2, 3, 4)
    return {
        "plain": numbers,
        "transposed": numbers.T,
        "turned": numbers.transpose(0, 2, 1),
        "reversed": numbers[::-1],
        "float32": numbers.astype(np.float32) / 3,
        "counts": np.array([1, -(2**62)]),
        "flags": np.array([True, False]),
        "nothing": np.empty((0, 3)),
        "one": np.array(np.nan),
    }


def test_arrays_come_back_with_bits_and_order_of_axes(tmp_path):
    facts = {"text": "ü\n\ud800", "nested": {"a": [1, 2.5, None]}}
    sealed.write(tmp_path / "x", Memory(facts, arrays()))
    memory = sealed.read(tmp_path / "x")
    assert memory.facts == facts
    assert memory.arrays.keys() == arrays().keys()
    for name, array in arrays().items():
        back = memory.arrays[name]
        assert (back.dtype, back.shape, back.tobytes()) == (
            array.dtype,
            array.shape,
            array.tobytes(),
        )
        assert back.flags.writeable
        if array.size:
            assert memory_axes(back) == memory_axes(array)


def test_only_numbers_are_saved(tmp_path):
    with pytest.raises(ValueError, match="words is not of numbers"):
        sealed.write(tmp_path / "x", Memory({}, {"words": np.array(["a"])}))


def test_every_flipped_bit_and_every_missing_end_is_refused(tmp_path):
    path = tmp_path / "x"
    sealed.write(path, Memory({"n": 1}, {"a": np.arange(5.0), "b": np.arange(3)}))
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        for wrong in (changed, content[:place]):
            path.write_bytes(wrong)
            with pytest.raises(DamagedError, match="SHA-256 differs"):
                sealed.read(path)


def test_a_part_gives_its_runs_back_bit_for_bit(directory, experiment, trained):
    directory.parts.keep([*trained.values()], "a processor")
    assert directory.done() == trained.keys()
    result = directory.load()
    assert result.status == "interrupted"
    assert [history.key for history in result.histories] == [*trained]
    for history in result.histories:
        assert_same_bits(history, trained[history.key])
        assert_same_bits(trained[history.key], history)
        assert history.diverged_at == trained[history.key].diverged_at


def test_what_is_put_together_from_parts_is_what_was_trained(directory, experiment, trained):
    histories = [*trained.values()]
    for some in (histories[7:], histories[:3], histories[3:7]):
        directory.parts.keep(some, f"processor {len(some)}")
    result = directory.finish(experiment, (), 1.0)
    assert result.status == "finished"
    assert result.manifest["processors"] == ["processor 3", "processor 4", "processor 5"]
    assert not directory.parts.path.exists()
    assert directory.complete(experiment)
    for history in directory.load().histories:
        assert_same_bits(history, trained[history.key])


def test_a_finished_directory_stays_until_a_fresh_training_is_finished(
    directory, experiment, trained
):
    histories = [*trained.values()]
    directory.parts.keep(histories)
    directory.finish(experiment, (), 1.0)
    assert directory.begin(experiment, fresh=True) == []
    directory.parts.keep(histories[:2])
    assert directory.load().status == "finished"
    assert len(directory.load().histories) == len(histories)


def test_a_damaged_part_is_named_removed_and_its_runs_are_missing(directory, experiment, trained):
    histories = [*trained.values()]
    directory.parts.keep(histories[:5])
    directory.parts.keep(histories[5:])
    path = sorted(directory.parts.path.iterdir())[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=path.name):
        directory.load()
    assert directory.begin(experiment) == [path]
    assert len(directory.done()) in (5, len(histories) - 5)


def test_a_damaged_manifest_beside_parts_costs_nothing(directory, experiment, trained):
    directory.parts.keep([*trained.values()][:5])
    (directory.path / "manifest.json").write_text("{")
    with pytest.raises(DamagedError, match="not a manifest"):
        directory.load()
    directory.begin(experiment)
    assert len(directory.load().histories) == 5


def test_runs_of_a_lost_worker_are_trained_again_beside_the_others(directory, experiment, trained):
    histories = [*trained.values()]
    lost = [
        unfinished(history, Failure(0, "a worker process died", lost=True))
        for history in histories[:2]
    ]
    directory.parts.keep(histories[2:])
    result = directory.finish(experiment, lost, 1.0)
    assert result.failed == 2
    assert not directory.complete(experiment)
    directory.begin(experiment)
    assert directory.done() == {history.key for history in histories[2:]}
    directory.parts.keep(histories[:2])
    assert directory.finish(experiment, (), 1.0).failed == 0


def unfinished(history, failure):
    none = {name: np.empty(0) for name in history.metrics}
    count = np.empty(0, dtype=np.int64)
    return type(history)(
        *(history.label, history.optimizer, history.cell, history.seed, None, count, count, none),
        failure=failure,
    )


def test_a_checkpoint_is_there_until_its_stack_is_finished(
    directory, experiment, trained, monkeypatch
):
    keys = [*trained]
    memory = Memory({"epoch": 3}, {"params": np.arange(4.0)})
    directory.parts.remember(keys, memory)
    ((back, again),) = directory.parts.checkpoints()
    assert (back, again.facts) == (tuple(keys), memory.facts)
    np.testing.assert_array_equal(again.arrays["params"], memory.arrays["params"])
    monkeypatch.setattr("adamcli.store.parts.numerics", lambda: {"processor": "another"})
    assert not [*directory.parts.checkpoints()]
    monkeypatch.undo()
    directory.parts.keep([*trained.values()])
    assert not [*directory.parts.checkpoints()]


def test_a_damaged_checkpoint_is_passed_over(directory, trained):
    directory.parts.remember([*trained], Memory({}, {"params": np.arange(4.0)}))
    (path,) = directory.parts.path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert not [*directory.parts.checkpoints()]


def test_temporary_files_of_a_killed_process_are_removed_and_others_kept(directory, experiment):
    for folder in (directory.path, directory.parts.path):
        (folder / ".0123456789abcdef.tmp").write_text("half")
        (folder / ".DS_Store").write_text("")
    directory.begin(experiment)
    assert sorted(p.name for p in directory.parts.path.iterdir()) == [".DS_Store"]


def test_parts_that_go_while_they_are_read_are_no_damage(
    directory, experiment, trained, monkeypatch
):
    directory.parts.keep([*trained.values()])
    checked = sealed.Sealed.check

    def gone(file):
        checked(file)
        directory.parts.remove()  # as `run --fresh` does before anything else

    monkeypatch.setattr(sealed.Sealed, "check", gone)
    assert directory.load().histories == ()


def test_parts_of_another_experiment_are_refused_and_trained_again(
    directory, experiment, trained, tmp_path
):
    directory.parts.keep([*trained.values()][:3])
    other = RunDirectory(tmp_path / "other")
    with other.claimed():
        other.begin(experiment)
        other.parts.keep([*trained.values()][3:])
        other.parts.remember([*trained][:3], Memory({}, {"params": np.arange(4.0)}))
    (own,) = directory.parts.path.iterdir()
    (foreign,) = other.parts.path.glob("*.part")
    shutil.copy(foreign, directory.parts.path)
    shutil.copy(*other.parts.path.glob("*.checkpoint"), directory.parts.path)
    copied = directory.parts.path / foreign.name
    with pytest.raises(DamagedError, match="saved by another experiment"):
        directory.load()
    found = verify(directory)
    assert [(each.file, each.note) for each in found.harmed] == [
        (f"parts/{foreign.name}", "saved by another experiment")
    ]
    assert not [*directory.parts.checkpoints()]
    assert directory.begin(experiment) == [copied]
    assert directory.done() == set([*trained][:3])
    assert own.exists()


def test_parts_that_are_gone_before_they_are_put_together_are_missed(
    directory, experiment, trained
):
    directory.parts.keep([*trained.values()])
    shutil.rmtree(directory.parts.path)
    with pytest.raises(DamagedError, match="finished parts are gone"):
        directory.finish(experiment, (), 1.0)


def test_an_unfinished_directory_can_be_renamed(directory, experiment, trained, tmp_path):
    directory.parts.keep([*trained.values()])
    renamed = RunDirectory(directory.path.rename(tmp_path / "renamed"))
    assert len(renamed.load().histories) == len(trained)
    assert not verify(renamed).harmed

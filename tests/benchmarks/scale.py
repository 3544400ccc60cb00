"""How time, memory and disk grow with the number of runs, and what a million would take.

    python tests/benchmarks/scale.py [runs ...]

Every experiment is run through the command line in a new folder, in a process of its own:
one optimizer at many learning rates, 20 seeds each, and ten optimizers at many seeds, both on
a problem so small that little of the time is training. A single run tells what the start
costs; the ratio to linear is that of the seconds per run, without the start, to those of the
smallest experiment. Memory needs Linux: it is read from /proc, since what the kernel
reports of a child includes what its parent had when it was started.

Then the constants of the standard spiral are measured in the same way, and from them comes
what a million runs on 100 workers would take, and what would run out first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SIZES = (1_000, 3_000, 10_000)
JOBS = os.cpu_count() or 1
MILLION, WORKERS = 1_000_000, 100
SPIRALS = (512, 1536)  # runs of the standard spiral: what one costs is a difference of these
_POLL = 0.02
_PROBE = 64 * 2**20  # bytes that are written and sent to learn how fast that goes

_HEAD = """\
dataset: {name: spiral, samples: 64, noise: 0.25, test_samples: 64}
model: {hidden: [8]}
"""
_OPTIMIZERS = ["sgd", "sgdm", "nesterov", "rmsprop", "adam"]
_OPTIMIZERS += ["adamw", "nadam", "adagrad", "amsgrad", "lion"]


def rates(runs: int) -> str:
    """One optimizer at many learning rates, 20 seeds each."""
    seeds = min(runs, 20)
    sweep = f"sweep: {{adam.lr: {{log: [1.0e-4, 1.0], n: {runs // seeds}}}}}\n"
    rest = "optimizers: [{name: adam}]\n" + (sweep if runs > seeds else "")
    return f"{_HEAD}train: {{epochs: 2, batch_size: 32, seeds: {seeds}}}\n{rest}"


def seeds(runs: int) -> str:
    """Ten optimizers at many seeds."""
    names = _OPTIMIZERS[:runs]
    rest = f"optimizers: [{', '.join(f'{{name: {name}}}' for name in names)}]\n"
    each = runs // len(names)
    return f"{_HEAD}train: {{epochs: 2, batch_size: 32, seeds: {each}}}\n{rest}"


def spirals(runs: int) -> str:
    """The standard spiral with Adam."""
    standard = (ROOT / "configs/spiral.yaml").read_text()
    start = standard.index("optimizers:")
    settings = standard[:start].replace("seeds: 1,", f"seeds: {runs},")
    assert f"seeds: {runs}," in settings, "configs/spiral.yaml no longer has one seed"
    return settings + "optimizers: [{name: adam, lr: 0.005}]\n"


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a process took: wall and processor seconds of its own, largest memories in bytes."""

    seconds: float
    processor: float
    memory: int
    children: int


def cost(command: list[str]) -> Cost:
    """That of one process, which must succeed; memory of its children where /proc tells it."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=ROOT)
    processor, memory, children, ended = 0.0, 0, 0, 0
    while not ended:
        time.sleep(_POLL)
        with contextlib.suppress(OSError, ValueError, IndexError):
            proc = Path(f"/proc/{process.pid}")
            processor = max(processor, _processor(proc))
            memory = max(memory, _peak(proc))
            own = (proc / f"task/{process.pid}/children").read_text().split()
            children = max([children, *(_peak(Path(f"/proc/{pid}")) for pid in own)])
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    elapsed = time.perf_counter() - start
    return Cost(elapsed, processor or usage.ru_utime + usage.ru_stime, memory, children)


def _processor(proc: Path) -> float:
    """Processor seconds of a process itself."""
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(proc: Path) -> int:
    """The largest memory that a process ever had."""
    with contextlib.suppress(OSError):
        for line in (proc / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclasses.dataclass(frozen=True)
class Scale:
    """What an experiment of so many runs took: to train, on disk in bytes, to show."""

    runs: int
    trained: Cost
    disk: int
    shown: float


def measured(text: str, runs: int) -> Scale:
    """That of an experiment, in a folder that is removed afterwards."""
    adamcli = [sys.executable, "-m", "adamcli"]
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder) / "scale.yaml", Path(folder) / "out"
        config.write_text(text)
        options = ["--out", str(out), "--jobs", str(JOBS), "--no-figures"]
        trained = cost([*adamcli, "run", str(config), *options])
        disk = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        shown = min(cost([*adamcli, "show", "--out", str(out)]).seconds for _ in range(3))
    return Scale(runs, trained, disk, shown)


def print_growth(name: str, experiment: Callable[[int], str], sizes: list[int]) -> None:
    """A line for each size."""
    print(f"\n{name}")
    print("    runs  seconds  ms/run  linear   driver   worker     disk     show")
    start = measured(experiment(1), 1)
    first = 0.0
    for runs in sizes:
        found = measured(experiment(runs), runs)
        each = (found.trained.seconds - start.trained.seconds) / runs
        first = first or each
        memories = "".join(
            f"{size / 2**20:6.0f} MB" for size in (found.trained.memory, found.trained.children)
        )
        print(
            f"{runs:8}{found.trained.seconds:9.2f}{1000 * each:8.3f}{each / first:8.2f}"
            f"{memories}{found.disk / 2**20:6.1f} MB{found.shown:7.2f} s",
            flush=True,
        )


@dataclasses.dataclass(frozen=True)
class Constants:
    """What one run of an experiment costs.

    Attributes:
        training: seconds of one core of a worker.
        driving: processor seconds of the driver, from reading the file to the last table.
        moved: bytes between driver and worker.
        disk: bytes on disk.
        memory: bytes of the driver at its largest.
        writing: seconds for a byte on disk, for good.
        sending: seconds for a byte through a pipe.
    """

    training: float
    driving: float
    moved: float
    disk: float
    memory: float
    writing: float
    sending: float


def constants() -> Constants:
    """Those of the standard spiral, all measured here and now."""
    few, many = (measured(spirals(runs), runs) for runs in SPIRALS)

    def each(number: Callable[[Scale], float]) -> float:
        """The difference that a run makes."""
        return max(0.0, number(many) - number(few)) / (many.runs - few.runs)

    training, moved = _of_a_stack()
    return Constants(
        training=training,
        driving=each(lambda scale: scale.trained.processor),
        moved=moved,
        disk=each(lambda scale: scale.disk),
        memory=each(lambda scale: scale.trained.memory),
        writing=_writing(),
        sending=_sending(),
    )


def _of_a_stack() -> tuple[float, float]:
    """Seconds and bytes moved per run of a stack that one core trains."""
    from adamcli import config
    from adamcli.runner.executor import light
    from adamcli.runner.planning import plan
    from adamcli.runner.work import Assignment, one_blas_thread, train_block

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.yaml"
        path.write_text(spirals(SPIRALS[0]))
        runs = config.load(path).runs
    block = plan(runs)[0]
    first = Assignment(block, tuple(runs[place] for place in block))
    moved = len(pickle.dumps(first))
    start = time.perf_counter()
    with one_blas_thread():
        news = [*train_block(first)]
    seconds = time.perf_counter() - start
    moved += sum(len(pickle.dumps(light(each))) for each in news)
    return seconds / len(block), moved / len(block)


def _writing() -> float:
    """Seconds for a byte, synced."""
    with tempfile.TemporaryFile() as file:
        start = time.perf_counter()
        file.write(os.urandom(2**20) * (_PROBE // 2**20))
        file.flush()
        os.fsync(file.fileno())
        return (time.perf_counter() - start) / _PROBE


def _sending() -> float:
    """Seconds for a byte from a process to this one."""
    program = f"import sys; sys.stdout.buffer.write(bytes({_PROBE}))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        start = time.perf_counter()
        rest = process.stdout.read()
        return (time.perf_counter() - start) / len(rest)


def estimate(each: Constants, runs: int = MILLION, workers: int = WORKERS) -> Iterator[str]:
    """What so many runs on so many workers would take, a line each, the first limit last."""
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needs = {
        f"{workers} workers, training": runs * each.training / workers,
        "the driver's processor": runs * each.driving,
        "the driver's connections": runs * each.moved * each.sending,
        "the disk": runs * each.disk * each.writing,
    }
    yield f"one run: {each.training:.3f} s of a worker, {1000 * each.driving:.2f} ms of the driver"
    yield f"         {each.moved:.0f} bytes moved, {each.disk:.0f} on disk, {each.memory:.0f} held"
    yield f"{runs} runs on {workers} workers:"
    yield from (f"  {name:28}{_duration(seconds):>10}" for name, seconds in needs.items())
    moved, disk, held = (runs * size / 2**30 for size in (each.moved, each.disk, each.memory))
    yield f"  {moved:.1f} GiB moved, {disk:.1f} GiB on disk, {held:.1f} GiB of the driver's memory"
    limit, longest = max(needs.items(), key=lambda need: need[1])
    if runs * each.memory > room:
        hold = f"{room / 2**30:.1f} GiB hold {_whole(room / each.memory)} runs"
        yield f"first bottleneck: the driver's memory; {hold}"
        yield f"  and then: {limit}, {_duration(longest)}"
    else:
        yield f"first bottleneck: {limit}, {_duration(longest)}"
    busiest = max(each.driving, each.moved * each.sending, each.disk * each.writing)
    yield f"workers that one driver keeps busy: {_whole(each.training / busiest)}"


def _whole(number: float) -> str:
    """A number without decimals."""
    return f"{number:,.0f}"


def _duration(seconds: float) -> str:
    """In minutes or hours."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def main() -> None:
    """Measure and print."""
    sizes = [int(text) for text in sys.argv[1:]] or [*SIZES]
    print(f"{JOBS} processes; linear: seconds per run over those of the first line")
    print_growth("one optimizer at many learning rates, 20 seeds", rates, sizes)
    print_growth("ten optimizers at many seeds", seeds, sizes)
    print("\na million runs of the standard spiral, from what is measured here")
    for line in estimate(constants()):
        print(line)


if __name__ == "__main__":
    main()

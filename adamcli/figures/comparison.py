"""Inside several optimizers: one parameter under each of them, over each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adamcli.figures import legend
from adamcli.figures.steps import TOP, Line, Row, course_note, draw_rows, pitch
from adamcli.figures.style import Page, look
from adamcli.figures.subject import Trained
from adamcli.figures.trace import offered, printed
from adamcli.layout import Array
from adamcli.palette import Style, styles

MAX_COMPARED = 6
"""More lines over each other nobody can follow."""

_HEIGHT = 1.3
_NOTE_COLUMNS = 48

# What every rule has, so that it is the same whatever the panel is called.
_COMMON = ("grad", "effective_lr", "update")


@look()
def draw_comparison(
    trained: Sequence[Trained], param: str, looks: Mapping[str, Style], log: bool = False
) -> Figure:
    """What at least two rules offer of one parameter, a line per label, and where it went.

    Args:
        trained: runs of different labels with their histories, which trace the parameter.
        param: its name, such as `W1[0,0]`.
        looks: the labels' styles in their experiment.
        log: all panels on log axes, of magnitudes where a series changes its sign.
    """
    looks = _told_apart(trained, looks)
    rows = _rows(trained, param, looks, log)
    entries = [_entry(one) for one in trained]
    across = legend.across(entries)
    height = TOP + len(rows) * pitch(_HEIGHT) + 0.2 + -(-len(entries) // across) * legend.ROW
    steps = max(len(one.history.traces[param]["update"]) for one in trained)
    subtitle = f"parameter {param}, seed {trained[0].run.seed}{course_note(steps)}"
    page = Page(height, f"inside {', '.join(one.run.label for one in trained)}", subtitle)
    draw_rows(page, rows, _HEIGHT)
    samples = [legend.sample(looks[one.run.label], marker=False) for one in trained]
    legend.add_legend(page, samples, entries, across)
    return page.figure


def shared(trained: Sequence[Trained], param: str) -> dict[str, dict[str, str]]:
    """For each panel that two runs have the series of each label in it, and the update of all.

    Panels are the same when their titles are, or when they show a series of `_COMMON`. Of
    several series of a panel, as m and m_hat, the last one is compared: it is what counts.
    """
    panels: dict[str, dict[str, str]] = {}
    for one in trained:
        for title, name in (*_compared(one, param), (printed("update"), "update")):
            panels.setdefault(title, {})[one.run.label] = name
    # What goes into a rule comes first, what comes out of it last.
    ends = [printed(name) for name in _COMMON]
    order = [ends[0], *(title for title in panels if title not in ends), *ends[1:]]
    return {title: panels[title] for title in order if len(panels.get(title, {})) > 1}


def _compared(one: Trained, param: str) -> Iterator[tuple[str, str]]:
    """Titles and series of the panels of a run that others may have."""
    for title, names in offered(one.run.rule, one.history.traces[param]):
        yield from ((printed(name), name) for name in names if name in _COMMON)
        if names[-1] not in _COMMON:
            yield title.removeprefix("gradient and "), names[-1]


def _rows(
    trained: Sequence[Trained], param: str, looks: Mapping[str, Style], log: bool
) -> list[Row]:
    """The shared panels, and below them the sum of the updates."""
    series = {one.run.label: one.history.traces[param] for one in trained}

    def lines(values: Mapping[str, Array]) -> list[Line]:
        return [Line(own, _pen(looks[label])) for label, own in values.items()]

    rows = []
    for title, sources in shared(trained, param).items():
        values = {label: series[label][name] for label, name in sources.items()}
        # Of both signs, noisy lines over each other are but a band around zero.
        sizes = log or any((own < 0).any() for own in values.values())
        rows.append(Row(title, lines(values), sizes, course=True, note=_note(title, sources)))
    ways = {label: np.cumsum(own["update"]) for label, own in series.items()}
    return [*rows, Row("way of the parameter from its start", lines(ways), log)]


def _note(title: str, sources: Mapping[str, str]) -> str:
    """Which series a panel shows of which label, where its title does not say."""
    labels: dict[str, list[str]] = {}
    for label, name in sources.items():
        labels.setdefault(printed(name).split(",")[0], []).append(label)
    if len(labels) == 1:
        return "" if title in labels else next(iter(labels))
    note = "; ".join(f"{name} of {', '.join(those)}" for name, those in labels.items())
    return note if len(note) <= _NOTE_COLUMNS else ", ".join(labels)


def _pen(style: Style) -> dict[str, object]:
    """How a label's line is drawn."""
    return {"color": style.colour, "dashes": style.dash or (None, None), "linewidth": 1.2}


def _told_apart(trained: Sequence[Trained], looks: Mapping[str, Style]) -> Mapping[str, Style]:
    """A style per label; other ones where cells of a sweep share that of their setting."""
    if len({looks[one.run.label] for one in trained}) == len(trained):
        return looks
    return styles((one.run.label, one.run.optimizer) for one in trained)


def _entry(one: Trained) -> str:
    """A label as the legend has it."""
    end = one.history.diverged_at
    return one.run.label if end is None else f"{one.run.label} (diverged at step {end})"

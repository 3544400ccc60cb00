"""What can go wrong, each with the exit code that the shell sees.

An error names what happened, where, and what to do about it. Numerical trouble is not
among them: a run whose loss is no longer finite is a result with the status `diverged`.
"""

from __future__ import annotations

from adamcli.text import safe


class AdamcliError(Exception):
    """An error a user can act on.

    Args:
        what: what happened, in a phrase without a full stop.
        where: `file:line:column`, a key path or an option; may be empty.
        fix: what to do about it, a phrase.
        excerpt: lines of the user's file that show the place; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str, excerpt: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.excerpt = excerpt

    def __str__(self) -> str:
        # A file may be called anything: a line break in its name must not begin a message.
        place = f", {safe(self.where)}" if self.where else ""
        text = f"{self.what}{place}. Fix: {safe(self.fix)}"
        return f"{text}\n{self.excerpt}" if self.excerpt else text


class UsageError(AdamcliError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = 2


class ConfigError(AdamcliError):
    """One mistake in an experiment file or in a `--set`."""

    exit_code = 2


class ConfigErrors(AdamcliError):
    """All the mistakes found in one experiment, in the order of the file."""

    exit_code = 2

    def __init__(self, mistakes: list[ConfigError]) -> None:
        super().__init__(f"{len(mistakes)} mistakes", fix="mend them all")
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join(str(mistake) for mistake in self.mistakes)


def mistakes_in(error: ConfigError | ConfigErrors) -> list[ConfigError]:
    """The single mistakes of an error."""
    return error.mistakes if isinstance(error, ConfigErrors) else [error]


class DataError(AdamcliError):
    """A data file that cannot be read as numbers."""

    exit_code = 2


class PluginError(AdamcliError):
    """A plug-in file that cannot be used as an optimizer."""

    exit_code = 2


class RuleError(AdamcliError):
    """A rule broke its contract, or raised an exception: its run has failed.

    Args:
        log: the traceback of the rule's code, where it raised one.
    """

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", fix: str, log: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.log = log


class WorkerError(AdamcliError):
    """A process that trained runs is gone; runs are missing."""

    exit_code = 3


class StorageError(AdamcliError):
    """The output directory cannot be written or read."""

    exit_code = 4


class InUseError(AdamcliError):
    """Another process is working in the directory."""

    exit_code = 5


class DamagedError(AdamcliError):
    """Saved data that is not what was written; never read as numbers."""

    exit_code = 6


class Interrupted(BaseException):
    """A signal asked the program to stop.

    Derived from BaseException, as KeyboardInterrupt is, so that no `except Exception`
    swallows it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number

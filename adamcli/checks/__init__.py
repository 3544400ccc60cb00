"""Whether an optimizer is right: against recorded truth, and by what every rule must do."""

from __future__ import annotations

from adamcli.checks.claims import claim
from adamcli.checks.properties import Finding, examine
from adamcli.checks.replay import Outcome, replay_all
from adamcli.checks.subject import Subject, built_in
from adamcli.checks.tally import Tally, recorded_trajectories, tally
from adamcli.checks.world import undisturbed

__all__ = [
    "Finding",
    "Outcome",
    "Subject",
    "Tally",
    "built_in",
    "claim",
    "examine",
    "recorded_trajectories",
    "replay_all",
    "tally",
    "undisturbed",
]

"""Whether an optimizer is right: against recorded truth, and by what every rule must do."""

from __future__ import annotations

from adamcli.checks.replay import Outcome, replay, replay_all

__all__ = ["Outcome", "replay", "replay_all"]

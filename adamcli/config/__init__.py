"""Experiments: the only reader of YAML. From a file and overrides to the runs they stand for."""

from __future__ import annotations

from adamcli.config.claims import Claim, load_claims
from adamcli.config.experiment import Experiment, Run, Tuning
from adamcli.config.files import CLAIM, PLUGIN, find, shipped
from adamcli.config.loading import load
from adamcli.config.schema import schema
from adamcli.config.sections import Train

__all__ = [
    "CLAIM",
    "PLUGIN",
    "Claim",
    "Experiment",
    "Run",
    "Train",
    "Tuning",
    "find",
    "load",
    "load_claims",
    "schema",
    "shipped",
]

"""What adamcli prints: results, verdicts, lists of what there is, the view of a training."""

from __future__ import annotations

from adamcli.tables.aggregate import aggregate_tables
from adamcli.tables.checks import properties_table, replay_table, rules_table
from adamcli.tables.claims import claims_table, effect_in_words
from adamcli.tables.grid import stack
from adamcli.tables.listings import (
    facts_table,
    families_table,
    page,
    parted_table,
    rule_page,
    runs_table,
    settings_table,
)
from adamcli.tables.live import LiveView, Mode
from adamcli.tables.planning import plan_table
from adamcli.tables.reproduction import reproduction_table
from adamcli.tables.results import comparison_table, label_colours, summary_table
from adamcli.tables.sensitivity import sensitivity_table
from adamcli.tables.tuning import audit_in_words, tuning_table
from adamcli.tables.verdicts import crowds_in_words, verdicts_in_words
from adamcli.tables.verification import verification_table

__all__ = [
    "LiveView",
    "Mode",
    "aggregate_tables",
    "audit_in_words",
    "claims_table",
    "comparison_table",
    "crowds_in_words",
    "effect_in_words",
    "facts_table",
    "families_table",
    "label_colours",
    "page",
    "parted_table",
    "plan_table",
    "properties_table",
    "replay_table",
    "reproduction_table",
    "rule_page",
    "rules_table",
    "runs_table",
    "sensitivity_table",
    "settings_table",
    "stack",
    "summary_table",
    "tuning_table",
    "verdicts_in_words",
    "verification_table",
]

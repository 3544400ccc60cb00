"""Statistics over seeds."""

from adamcli.stats.averages import Statistic, iqm, mean, median
from adamcli.stats.bootstrap import bca_interval, bootstrap_interval, stratified_interval, widened
from adamcli.stats.comparing import DIFFERENCE, LOG_RATIO, share_better
from adamcli.stats.judging import (
    A_BETTER,
    ALPHA,
    B_BETTER,
    MIN_SEEDS,
    NO_VERDICT,
    NOT_DISTINGUISHABLE,
    Verdict,
    verdicts,
)
from adamcli.stats.paired import (
    detectable_mean,
    detectable_share,
    finite,
    holm,
    sign_flip,
)
from adamcli.stats.problems import normalised, performance_profiles
from adamcli.stats.runs import SCORES, Trained, best, final, ranking_score, worst
from adamcli.stats.summary import Spread, Summary, Wins, summarize, wins
from adamcli.stats.targets import (
    ACCURACIES,
    Hit,
    Order,
    Target,
    paired_order,
    reached,
    time_to_target,
)

__all__ = [
    "ACCURACIES",
    "ALPHA",
    "A_BETTER",
    "B_BETTER",
    "DIFFERENCE",
    "LOG_RATIO",
    "MIN_SEEDS",
    "NOT_DISTINGUISHABLE",
    "NO_VERDICT",
    "SCORES",
    "Hit",
    "Order",
    "Spread",
    "Statistic",
    "Summary",
    "Target",
    "Trained",
    "Verdict",
    "Wins",
    "bca_interval",
    "best",
    "bootstrap_interval",
    "detectable_mean",
    "detectable_share",
    "final",
    "finite",
    "holm",
    "iqm",
    "mean",
    "median",
    "normalised",
    "paired_order",
    "performance_profiles",
    "ranking_score",
    "reached",
    "share_better",
    "sign_flip",
    "stratified_interval",
    "summarize",
    "time_to_target",
    "verdicts",
    "widened",
    "wins",
    "worst",
]

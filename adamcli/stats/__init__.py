"""Statistics over seeds: averages, bootstrap intervals, summaries, wins."""

from adamcli.stats.averages import Statistic, iqm, mean, median
from adamcli.stats.bootstrap import bca_interval, bootstrap_interval, stratified_interval, widened
from adamcli.stats.runs import SCORES, Trained, best, final, ranking_score, worst
from adamcli.stats.summary import Spread, Summary, Wins, summarize, wins

__all__ = [
    "SCORES",
    "Spread",
    "Statistic",
    "Summary",
    "Trained",
    "Wins",
    "bca_interval",
    "best",
    "bootstrap_interval",
    "final",
    "iqm",
    "mean",
    "median",
    "ranking_score",
    "stratified_interval",
    "summarize",
    "widened",
    "wins",
    "worst",
]

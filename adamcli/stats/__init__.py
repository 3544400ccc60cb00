"""Statistics over seeds: what came out, how sure it is, and who is better.

A diverged or failed run stays in the sample and counts as the worst there is: an infinite
loss, an accuracy of 0, a target never reached. No mean is taken over the runs that happened
to survive, and no NaN can rank first. Resamples and sign flips come from streams of their
own, so a number depends on the runs alone, not on their order nor on what else is computed.

    averages     mean, median, IQM
    bootstrap    percentile and BCa intervals, stratified by problem; `widened`
    means        the BCa intervals of means, of many samples at a time
    paired       sign-flip test, Holm, Simes, what n pairs would have shown
    targets      time to target, the share that reached it, paired order
    problems     normalised scores, performance profiles
    aggregate    both, for all problems of a kind
    summary      `summarize`, `wins`
    judging      `verdicts`: a better, b better, not distinguishable, no verdict; `crowds`
    comparing    the numbers of a verdict
    questions    the metrics that a verdict is about
    tuning       the best of many settings, and what fewer trials would have come to
    sensitivity  what comes of each learning rate, and the range of good ones
    claims       `judged`: whether a written statement holds
    contests     the numbers of a claim
    aspects      the metrics that a statement can be about

How often 95 % intervals cover, in percent of 4000 samples of n values (standard error 0.3 to
0.7): normal; skewed, lognormal with sigma 1; heavy-tailed, Student's t with 3 degrees of
freedom. Summaries print the IQM's interval, verdicts use the widened BCa interval of the
mean. As `tests/benchmarks/coverage.py` printed it:

    normal, n =                       6      8     10     15     20     30     50
      mean, percentile             85.4   88.2   89.8   92.0   91.7   93.1   93.9
      mean, percentile, widened    92.7   94.2   93.8   95.0   94.0   94.6   94.7
      mean, BCa                    85.5   87.9   89.5   91.8   91.6   93.0   93.9
      mean, BCa, widened           92.2   94.0   93.7   94.8   93.8   94.5   94.7
      IQM, percentile              91.0   92.9   93.2   94.6   94.1   93.9   95.8
    skewed, n =                       6      8     10     15     20     30     50
      mean, percentile             72.6   77.2   79.1   82.8   84.6   88.8   89.5
      mean, percentile, widened    81.8   83.9   84.5   86.7   87.2   90.0   90.3
      mean, BCa                    75.4   79.8   82.4   84.7   86.4   90.0   90.8
      mean, BCa, widened           83.2   87.3   87.7   87.9   89.1   91.5   91.6
      IQM, percentile              89.9   93.3   93.6   94.0   93.9   94.8   95.0
    heavy-tailed, n =                 6      8     10     15     20     30     50
      mean, percentile             85.0   87.2   89.0   91.2   91.3   93.2   93.0
      mean, percentile, widened    92.0   94.2   93.4   94.5   93.8   94.5   93.9
      mean, BCa                    82.9   84.2   86.0   88.1   87.7   90.5   90.4
      mean, BCa, widened           90.5   91.6   91.3   91.6   90.5   92.0   91.4
      IQM, percentile              90.3   93.5   93.5   94.8   93.8   94.9   94.4

A mean of few values is covered too seldom, which `widened` mends for normal values and
nothing mends for such skewed ones; losses are compared as logarithms for that reason. For
heavy tails BCa is worse than the percentile interval. A win also needs the sign-flip test,
which is exact for symmetric differences whatever their tails.

How often verdicts name a winner, in percent of 1000 experiments with 20 seeds (standard error
0.7 at 5 %), by the metric: the final loss and accuracy, the steps to an accuracy, and any of
them. First among equal labels, then for label a, which is better by d standard deviations of
the paired difference, against b:

                                   loss    acc  to .9 to .95 to .99    any
    paired                          1.7    1.8    0.9    0.9    0.3    2.5
    paired, 3 labels                1.9    1.8    0.7    0.6    0.8    3.0
    paired, 5 labels                1.1    1.1    0.8    0.6    0.8    2.4
    unpaired                        1.9    1.6    1.1    1.1    0.9    3.0
    unpaired, 3 labels              1.6    1.6    0.5    0.5    0.7    2.1
    heavy-tailed                    1.8    1.9    0.6    0.7    0.7    2.7
    skewed                          2.5    2.5    1.0    1.3    0.3    3.4
    one run in ten diverges         1.4    1.4    0.9    0.9    0.3    2.6
    2 labels, d = 0.5              47.7   45.6   45.9   47.7   41.0   62.5
    2 labels, d = 0.66             77.2   71.8   75.5   76.0   72.5   88.3
    2 labels, d = 0.75             87.4   83.1   86.3   85.9   84.6   94.1
    2 labels, d = 1.0              99.0   97.6   99.4   98.9   98.7  100.0
    2 labels, d = 1.5             100.0   99.9  100.0  100.0  100.0  100.0
    3 labels, d = 0.5              33.3   30.3   31.3   32.4   27.5   46.8
    3 labels, d = 0.66             61.7   58.0   60.1   61.4   57.9   75.7
    3 labels, d = 0.75             77.8   73.1   75.9   76.3   72.1   88.8
    3 labels, d = 1.0              97.1   95.0   97.1   97.3   95.1   99.4
    3 labels, d = 1.5             100.0   99.9  100.0  100.0  100.0  100.0
"""

from adamcli.stats.aggregate import FACTORS, Aggregate, Place, Standing, aggregates
from adamcli.stats.aspects import FORMS, LESS, MORE, Aspect, aspect_of
from adamcli.stats.averages import Statistic, iqm, mean, median
from adamcli.stats.bootstrap import bca_interval, bootstrap_interval, stratified_interval, widened
from adamcli.stats.claims import (
    INVALID,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Judgement,
    judged,
    tuning_doubts,
)
from adamcli.stats.comparing import DIFFERENCE, LOG_RATIO, share_better
from adamcli.stats.contests import Contest, Hypothesis
from adamcli.stats.judging import (
    A_BETTER,
    ALPHA,
    B_BETTER,
    MIN_SEEDS,
    MOST_PAIRS,
    NO_VERDICT,
    NOT_DISTINGUISHABLE,
    Crowd,
    Verdict,
    crowds,
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
from adamcli.stats.runs import SCORES, Trained, best, final, ranking_scores, worst
from adamcli.stats.sensitivity import (
    LEAST_RATES,
    MARGIN,
    Range,
    Rate,
    Sensitivity,
    good_range,
    sensitivities,
)
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
from adamcli.stats.tuning import (
    Budget,
    Candidates,
    Inclusion,
    Searched,
    Trial,
    Tuned,
    audited,
    best_so_far,
    tuned,
)

__all__ = [
    "ACCURACIES",
    "ALPHA",
    "A_BETTER",
    "B_BETTER",
    "DIFFERENCE",
    "FACTORS",
    "FORMS",
    "INVALID",
    "LEAST_RATES",
    "LESS",
    "LOG_RATIO",
    "MARGIN",
    "MIN_SEEDS",
    "MORE",
    "MOST_PAIRS",
    "NOT_DISTINGUISHABLE",
    "NO_VERDICT",
    "REFUTED",
    "SCORES",
    "SUPPORTED",
    "UNDECIDED",
    "Aggregate",
    "Aspect",
    "Budget",
    "Candidates",
    "Contest",
    "Crowd",
    "Hit",
    "Hypothesis",
    "Inclusion",
    "Judgement",
    "Order",
    "Place",
    "Range",
    "Rate",
    "Searched",
    "Sensitivity",
    "Spread",
    "Standing",
    "Statistic",
    "Summary",
    "Target",
    "Trained",
    "Trial",
    "Tuned",
    "Verdict",
    "Wins",
    "aggregates",
    "aspect_of",
    "audited",
    "bca_interval",
    "best",
    "best_so_far",
    "bootstrap_interval",
    "crowds",
    "detectable_mean",
    "detectable_share",
    "final",
    "finite",
    "good_range",
    "holm",
    "iqm",
    "judged",
    "mean",
    "median",
    "normalised",
    "paired_order",
    "performance_profiles",
    "ranking_scores",
    "reached",
    "sensitivities",
    "share_better",
    "sign_flip",
    "stratified_interval",
    "summarize",
    "time_to_target",
    "tuned",
    "tuning_doubts",
    "verdicts",
    "widened",
    "wins",
    "worst",
]

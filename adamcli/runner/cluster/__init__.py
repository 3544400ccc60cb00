"""Training on a cluster of dask's `distributed`: on many machines, or on this one.

A block is sent out as a task, which ends when the block is done or at its next checkpoint;
then the driver, which alone writes files, sends out the rest of it. So a task that is lost
costs no more than the time between two checkpoints, and whatever a task has to say at its end
comes as its result. In between it logs events, in which small news come: where it has begun,
and once a second how the runs stand. A task without an owner stops after its next evaluation.
"""

from __future__ import annotations

from adamcli.runner.cluster.driver import Cluster

__all__ = ["Cluster"]

"""adamcli: a laboratory for optimizers in a terminal."""

__version__ = "0.1.0"

"""Fault campaigns: what adamcli must survive, tried by the thousand."""

"""Failures named while a run is young."""

"""Helpers of the game loop in `families.base`."""

"""Objectives of the players: pure functions of logits, one file per objective.

Import them through their file (``from gan_lightning.losses import goodfellow``): the same players
meet in several games, and ``goodfellow.discriminator_loss`` says which one is meant.
"""

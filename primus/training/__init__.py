"""Pretraining: resident data, the loop, its schedule, health metrics and checkpoints."""

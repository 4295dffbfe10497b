"""Measuring frozen encoders: features, episodes, probes, intervals. Imports models, never training."""

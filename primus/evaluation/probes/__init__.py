"""Classifiers fitted on frozen features, batched over episodes."""

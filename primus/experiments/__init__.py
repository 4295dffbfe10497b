"""The experiments that the repository lists: ablations and the full matrix of methods, run through DVC and collected into one table."""

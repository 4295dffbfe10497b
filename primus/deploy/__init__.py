"""An encoder outside PyTorch: portable files, each verified by running it."""

"""An encoder on somebody's own labels: labelled windows, classifiers with honest cross-validation, fine-tuning, prompts and search."""

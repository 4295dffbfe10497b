"""Looking at takes: what is in one, whether its clocks agree, and whether the frozen embeddings make sense."""

"""Frozen CLIP embeddings of video and text: computed once, known for what they are."""

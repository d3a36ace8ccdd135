"""Embedding models: text in, vectors out. One file each; `base` holds what they share."""

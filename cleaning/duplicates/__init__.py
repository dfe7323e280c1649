"""Duplicates: exact by hash, near by MinHash and exact Jaccard; in a run, against earlier runs and references."""

"""Duplicates: exact ones by hash, near ones by MinHash and exact Jaccard, within a run, against others and references."""

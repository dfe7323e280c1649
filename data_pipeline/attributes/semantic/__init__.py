"""Rows that mean the same: the search over an embedding, and what each pair is."""

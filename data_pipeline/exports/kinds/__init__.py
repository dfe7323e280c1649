"""One file per trainer that we write for. A new one is a file here and a line in the union of `exports/config.py`."""

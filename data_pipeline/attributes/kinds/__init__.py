"""One file per kind of attribute. A new one is a file here and a line in the union of `attributes/config.py`."""

"""Tiers and seeds: rows and their attributes in, SFT sets, preference seeds and held-out rows out."""

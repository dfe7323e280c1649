"""The card of a data set: what is in it, where it comes from, what may be done with it, and what it lacks."""

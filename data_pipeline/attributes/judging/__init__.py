"""A chat model rates rows by a rubric: the question, the strict reading of its reply, one retry, never a default."""

"""Use a model: `posttrain generate` (a file of prompts in, answers out) and `posttrain chat` (a terminal)."""

from tests.support.tiny import tiny_model  # noqa: F401

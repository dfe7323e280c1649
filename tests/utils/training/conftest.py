from tests.support.tiny import keep_handlers, tiny_model  # noqa: F401

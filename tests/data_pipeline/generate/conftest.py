from tests.support.tiny import keep_handlers, tiny_model  # noqa: F401
from tests.support.use import trained  # noqa: F401

# Under `python -m` and torchrun the working directory comes first on the import path, and a foreign `utils/` in it
# would shadow ours: this puts our own folder first, before anything else of ours is imported.
import posttrain_root  # noqa: F401

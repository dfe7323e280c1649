"""stub"""


def draw(run, config, manifest):
    pass

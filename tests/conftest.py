"""Settings of the whole suite."""

import os

from hypothesis import settings

# A kernel compiles on its first call, so the first example of a property may take seconds. On CI the examples are the
# same each time: a red build is then the change's own; new examples are found at home.
settings.register_profile("house", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")

"""Settings of the whole suite."""

from hypothesis import settings

# A kernel compiles on its first call, so the first example of a property may take seconds.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

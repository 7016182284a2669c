"""How property tests run: no example is judged by its time, since machines are noisy; and CI prints what reproduces."""

import os

from hypothesis import settings

settings.register_profile("project", deadline=None, print_blob=bool(os.environ.get("CI")))
settings.load_profile("project")

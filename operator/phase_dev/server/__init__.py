"""The embedded Phase server: a stand-in for Phase's REST API to develop, test and demonstrate with.

Rule: it behaves as Phase console v2.73.2 was recorded to behave, odd corners included,
and knows nothing of the operator.
"""

from phase_dev.server.embedded import EmbeddedPhase

__all__ = ["EmbeddedPhase"]

"""An owner as it should be."""

from phase_dev.release.owner import Maintainer, Owner

GOOD = Owner(
    registry="ghcr.io/example",
    repository="https://github.com/example/phase-operator",
    docs="https://example.github.io/phase-operator",
    vendor="Example",
    security_contact="mailto:security@example.com",
    maintainers=(Maintainer("A. Person", "a-person"),),
)

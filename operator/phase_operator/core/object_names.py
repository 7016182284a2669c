"""Which texts Kubernetes takes for names.

Rule: a text that is no name never becomes part of a path: `..` there would mean another object, or all of them.
"""

import re

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_OBJECT = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# Names of some kinds, such as ClusterRoles, may hold more than those of ours: any that stays one part of a path.
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[!-~]+")
_LONGEST_NAMESPACE, _LONGEST_OBJECT = 63, 253


def is_namespace(text: str) -> bool:
    """Return whether a namespace can have this name: it is a DNS label."""
    return len(text) <= _LONGEST_NAMESPACE and _NAMESPACE.fullmatch(text) is not None


def is_object_name(text: str) -> bool:
    """Return whether an object of ours, a Secret or a ConfigMap can have this name: it is a DNS subdomain."""
    return len(text) <= _LONGEST_OBJECT and _OBJECT.fullmatch(text) is not None


def is_path_segment(text: str) -> bool:
    """Return whether an object of any kind can have this name."""
    return _SEGMENT.fullmatch(text) is not None and not {"/", "%"} & {*text}

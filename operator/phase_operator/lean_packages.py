"""Packages of the Kubernetes client whose `__init__` runs when somebody asks for something that only it has.

`kubernetes` and `kubernetes.aio` import everything that lies in them, also a second client that nobody here uses: 299
modules, 11 MiB and a fifth of a second. See docs/decisions/0021-packages-without-what-nobody-uses.md.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec

PACKAGES = ("kubernetes", "kubernetes.aio")


def make() -> None:
    """Make the packages, unless somebody has imported them before."""
    for name in PACKAGES:
        if name not in sys.modules:
            _make(name)


def _make(name: str) -> None:
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def ask(wanted: str) -> object:
        """Return a part of the package; if it has no such part, what its `__init__` makes."""
        part = f"{name}.{wanted}"
        if find_spec(part) is not None:
            return import_module(part)
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, wanted)

    vars(package)["__getattr__"] = ask
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)

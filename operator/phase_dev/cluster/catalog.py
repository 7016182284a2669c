"""The programs of a control plane: which Go package each is, and which version our modules pin.

Rule: a version is written down once, in the go.mod files under `controlplane/`; everybody else reads it there.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from phase_dev.shell.errors import ToolError

MODULES = Path(__file__).parents[3] / "controlplane"
OURS = "phase.dev/controlplane/"
"""What the packages begin with that we wrote ourselves; the rest is their folder under `controlplane/`."""

_COMPONENT = "k8s.io/component-base/version"
_CLIENT = "k8s.io/client-go/pkg/version"


@dataclass(frozen=True, slots=True)
class Program:
    """One executable and where its source is."""

    name: str
    module: str
    """Folder under `controlplane/` whose go.mod pins the source."""
    package: str
    source: str
    """The Go module that the package comes from; its version is the program's."""
    stamps: tuple[str, ...] = ()
    """Linker variables that take the version, as `package.variable`."""
    tags: tuple[str, ...] = ()
    """Build tags, for programs that can be built without what we do not use."""


_KUBERNETES_STAMPS = (f"{_COMPONENT}.gitVersion", f"{_CLIENT}.gitVersion")


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", _KUBERNETES_STAMPS)


ETCD = Program("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3")
API_SERVER = _kubernetes("kube-apiserver")
KUBECTL = _kubernetes("kubectl")
CONTROLLER_MANAGER = _kubernetes("kube-controller-manager")
SCHEDULER = _kubernetes("kube-scheduler")
KWOK = Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok")
_HELM_STAMPS = ("helm.sh/helm/v4/internal/version.version",)
HELM = Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", _HELM_STAMPS)
# Ours: the same commands, many in one process, for tests that render the chart hundreds of times. It is in helm's
# module, so that what the two share, which is all but a few lines, is compiled once.
HELM_BATCH = Program("helm-batch", "helm", f"{OURS}helm/batch", "helm.sh/helm/v4", _HELM_STAMPS)
HELM3 = Program(
    "helm3", "helm3", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3", ("helm.sh/helm/v3/internal/version.version",)
)


def _prometheus(name: str) -> Program:
    # Without the clients of two dozen clouds and registries, in which a Prometheus looks for what to scrape.
    return Program(
        name,
        "prometheus",
        f"github.com/prometheus/prometheus/cmd/{name}",
        "github.com/prometheus/prometheus",
        ("github.com/prometheus/common/version.Version",),
        ("remove_all_sd",),
    )


PROMTOOL = _prometheus("promtool")
# Its pages are not built in: they come from npm, and nobody looks at them. Built by `phase-dev dashboard` alone.
PROMETHEUS = _prometheus("prometheus")

# Ours as well: a registry for rehearsals of a release, without the drivers of the clouds. Built by those who need it.
REGISTRY = Program("registry", "registry", f"{OURS}registry", "github.com/distribution/distribution/v3")
ACTIONLINT = Program(
    "actionlint",
    "actionlint",
    "github.com/rhysd/actionlint/cmd/actionlint",
    "github.com/rhysd/actionlint",
    ("main.version",),
)

KREW = Program("krew", "krew", "sigs.k8s.io/krew/cmd/krew", "sigs.k8s.io/krew")

# Ours: the rules by which others judge a resource, on the command line, for the tests of our copy of them.
KSTATUS = Program("kstatus", "kstatus", f"{OURS}kstatus", "sigs.k8s.io/cli-utils")

ARGODIFF = Program("argodiff", "argodiff", f"{OURS}argodiff", "github.com/argoproj/gitops-engine")

HELMS = (HELM, HELM_BATCH, HELM3)
_KUBERNETES = (ETCD, API_SERVER, KUBECTL, CONTROLLER_MANAGER, SCHEDULER, KWOK)
PROGRAMS = {
    p.name: p for p in (*_KUBERNETES, *HELMS, PROMTOOL, PROMETHEUS, KSTATUS, ARGODIFF, REGISTRY, ACTIONLINT, KREW)
}

PLAIN = (ETCD, API_SERVER, KUBECTL)
CONTROLLERS = (CONTROLLER_MANAGER, SCHEDULER)
NODES = (KWOK,)


def needed(*, controllers: bool, nodes: int) -> tuple[Program, ...]:
    """Return the programs that a cluster of this shape cannot do without."""
    return PLAIN + (CONTROLLERS if controllers else ()) + (NODES if nodes else ())


def version_of(program: Program, modules: Path = MODULES) -> str:
    """Return the version, with its leading v, that the module's go.mod requires."""
    text = read_go_mod(program.module, modules)
    found = re.search(rf"^(?:require)?\s*{re.escape(program.source)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolError(f"{modules / program.module / 'go.mod'} does not require {program.source}")
    return found[1]


def go_needed(program: Program, modules: Path = MODULES) -> tuple[int, int]:
    """Return the oldest Go, as major and minor, that can build the program."""
    found = re.search(r"^go (\d+)\.(\d+)", read_go_mod(program.module, modules), re.MULTILINE)
    if found is None:
        raise ToolError(f"{modules / program.module / 'go.mod'} names no Go version")
    return int(found[1]), int(found[2])


def linker_flags(program: Program, version: str) -> str:
    """Return the linker's flags: no debug tables, and the version where the program looks for its own."""
    flags = ["-s", "-w", *(f"-X {stamp}={version}" for stamp in program.stamps)]
    major, minor = version.removeprefix("v").split(".")[:2]
    for stamp in program.stamps:
        package, _, variable = stamp.rpartition(".")
        if variable == "gitVersion":
            flags += [f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
            flags += [f"-X {package}.gitTreeState=archive", f"-X {package}.gitCommit={version}"]
    return " ".join(flags)


def read_go_mod(module: str, modules: Path = MODULES) -> str:
    """Return the text of one module's go.mod."""
    path = modules / module / "go.mod"
    try:
        return path.read_text()
    except OSError as e:
        raise ToolError(
            f"the sources of the Kubernetes programs are not at {path.parent}: run from a checkout, "
            "or set KUBEBUILDER_ASSETS to a folder that has the programs"
        ) from e

"""Which folders of an environment a PhaseSecret and its targets take.

Rule: a target stays inside the PhaseSecret's own folder. A single folder is requested by its path. For several folders,
the whole environment is read once and filtered here, so that one read serves all targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import TargetFields
from phase_operator.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Folders:
    """Some folders, and with `recursive` everything below them."""

    roots: tuple[str, ...]
    recursive: bool = False

    @property
    def only(self) -> str | None:
        """The folder, if it is a single one without those below it."""
        return self.roots[0] if len(self.roots) == 1 and not self.recursive else None

    def holds(self, path: str) -> bool:
        """Return whether entries in this folder are taken."""
        return path in self.roots or (self.recursive and any(is_below(path, root) for root in self.roots))


def folders(spec: PhaseSecretSpec) -> Folders:
    """Return the folders that a PhaseSecret takes for its targets; raise Invalid if one is outside its own folder."""
    _check_paths("managedSecretReferences", spec.managed_secret_references, spec)
    _check_paths("managedConfigMapReferences", spec.managed_config_map_references, spec)
    return taken_folders(spec)


def _check_paths(field: str, targets: Sequence[TargetFields], spec: PhaseSecretSpec) -> None:
    own = Folders((normal_path(spec.phase_app_env_path),), recursive=True)
    for number, target in enumerate(targets):
        if target.path is not None and not own.holds(normal_path(target.path)):
            where = f'phaseAppEnvPath, which is "{own.roots[0]}"'
            raise Invalid(Reason.INVALID_SPEC, f"spec.{field}[{number}].path: not inside {where}")


def taken_folders(spec: PhaseSecretSpec) -> Folders:
    """Return the folders that a PhaseSecret names for its targets, without a check where they are."""
    targets = (*spec.managed_secret_references, *spec.managed_config_map_references)
    paths = [spec.phase_app_env_path if target.path is None else target.path for target in targets]
    roots = tuple(dict.fromkeys(map(normal_path, paths or [spec.phase_app_env_path])))
    return Folders(roots, bool(spec.recursive))


def target_folders(target: TargetFields, spec: PhaseSecretSpec) -> Folders:
    """Return the folders that one target takes."""
    path = spec.phase_app_env_path if target.path is None else target.path
    return Folders((normal_path(path),), bool(spec.recursive))


def has_paths(spec: PhaseSecretSpec) -> bool:
    """Return whether any target takes a folder of its own."""
    return any(
        target.path is not None for target in (*spec.managed_secret_references, *spec.managed_config_map_references)
    )


def is_below(path: str, root: str) -> bool:
    """Return whether a folder is below another."""
    return path != root and path.startswith(root if root.endswith("/") else f"{root}/")


def normal_path(path: str | None) -> str:
    """Return a path as the server stores it: a leading slash, none doubled, none at the end. Empty means the root."""
    parts = [part for part in (path or "/").split("/") if part]
    return "/" + "/".join(parts)

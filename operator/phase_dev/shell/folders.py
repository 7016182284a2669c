"""Where the tools keep things on this machine; never inside the checkout."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs
from filelock import FileLock


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one user: what can be made again, and what is running."""

    cache: Path
    state: Path

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """Choose the folders; XDG_CACHE_HOME and XDG_STATE_HOME win on every system."""
        cache, state = env.get("XDG_CACHE_HOME"), env.get("XDG_STATE_HOME")
        return cls(
            cache=Path(cache) / "phase-dev" if cache else platformdirs.user_cache_path("phase-dev"),
            state=Path(state) / "phase-dev" if state else platformdirs.user_state_path("phase-dev"),
        )

    @property
    def ports(self) -> Path:
        """Lock files of the ports in use."""
        return self.cache / "ports"

    @property
    def programs(self) -> Path:
        """Built programs, by family and version."""
        return self.cache / "programs"

    def program(self, family: str, version: str, name: str) -> Path:
        """Return where a built program is kept, in a folder named by its version."""
        return self.programs / f"{family}-{version}" / name


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and replace an older one at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    fresh.replace(path)


@contextmanager
def made_once(folder: Path) -> Iterator[Path | None]:
    """Give an empty folder to fill, which takes this name when the block ends well; None if there is one already.

    Of two runs that need it at once, one makes it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            yield None
            return
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        yield fresh
        fresh.rename(folder)

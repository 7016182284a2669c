"""The plugin for krew: an archive with the program itself, and the manifest with its checksum.

Rule: the wheel is in the archive, so that the checksum covers it, and nobody has to own a name on a package index.
"""

import gzip
import io
import tarfile
from collections.abc import Mapping

from phase_dev.shell.errors import ToolError

_PLACEHOLDERS = ("@VERSION@", "@HOMEPAGE@", "@ARCHIVE@", "@SHA256@", "@WHEEL@")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its placeholders filled in; one that nobody fills is refused."""
    for name, value in values.items():
        text = text.replace(name, value)
    if left := [name for name in _PLACEHOLDERS if name in text]:
        raise ToolError(f"the template has {', '.join(left)}, and the release does not say what that is")
    return text


def archive(files: Mapping[str, bytes], date: int) -> bytes:
    """Return a tar.gz that depends on nothing but its files and the date; `kubectl-...` can be executed."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=date) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), date
            member.mode = 0o755 if name.startswith("kubectl-") else 0o644
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()

"""What tests of the CRDs do on a real API server."""

import json
from pathlib import Path

from manifests.objects import Object
from phase_dev import documents
from support.cluster_fixture import Kubectl


def established(kubectl: Kubectl, file: Path) -> Object:
    """Apply a CRD, wait until it is served, and return what its file says."""
    found: Object = documents.load(file.read_text())
    kubectl("apply", "--server-side", "--force-conflicts", "-f", file)
    kubectl("wait", "--for=condition=Established", f"crd/{found['metadata']['name']}", "--timeout=30s")
    return found


def apply(kubectl: Kubectl, namespace: str, body: Object) -> Object:
    """Apply an object, and return what the API server keeps."""
    done = kubectl("-n", namespace, "apply", "--server-side", "-o", "json", "-f", "-", stdin=json.dumps(body))
    stored: Object = json.loads(done.stdout)
    return stored

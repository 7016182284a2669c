"""Admission that quotes what it sees, as its authors may: every test with it shows that nobody repeats such words.

A policy and a webhook warn with the data of every Secret that is written; both refuse Secrets of certain names, with
the data in every part of the answer that they may choose.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from phase_dev.cluster import ControlPlane
from phase_operator.kube.raw_json import json_object

# Secrets of such names are refused: a policy's reason in small letters ends them, or a number that the webhook answers.
BY_POLICY, BY_WEBHOOK = "refused-by-policy-", "refused-by-webhook-"
POLICY, WEBHOOK = "quoting", "quoting.example.com"
# What the webhook answers with; the number stands at the end of the Secret's name.
CODES = (400, 403, 404, 409, 410, 422, 429, 500, 503)

_QUOTED = "(has(object.data) ? object.data.map(k, k + '=' + string(object.data[k])).join(' ') : '')"
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_SECRETS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}


def install_quoting(plane: ControlPlane, url: str, authority: bytes) -> None:
    """Apply the policies and the webhook."""
    objects = [*_policy(f"{POLICY}-warns", _SECRETS, "Forbidden", ["Warn"])]
    for reason in _REASONS:
        # By their names, not by an expression: to judge one takes a third of what a Secret costs to write.
        those = _SECRETS | {"resourceNames": [f"{BY_POLICY}{reason.lower()}"]}
        objects += _policy(f"{POLICY}-{reason.lower()}", those, reason, ["Deny"])
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": POLICY},
        "webhooks": [
            {
                "name": WEBHOOK,
                "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
                "rules": [_SECRETS | {"operations": ["CREATE", "UPDATE", "DELETE"]}],
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects, webhook]})
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=body)


def _policy(name: str, those: dict[str, Any], reason: str, actions: list[str]) -> list[dict[str, Any]]:
    api = "admissionregistration.k8s.io/v1"
    rule = {"expression": "false", "reason": reason, "messageExpression": f"'weak: ' + {_QUOTED}"}
    spec = {"matchConstraints": {"resourceRules": [those]}, "failurePolicy": "Ignore", "validations": [rule]}
    policy = {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}
    binding = {"policyName": name, "validationActions": actions}
    return [policy, {**policy, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding}]


@contextmanager
def quoting_webhook() -> Iterator[tuple[str, bytes]]:
    """Serve the webhook on loopback; yield its URL and the certificate that signs it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    # The handshake is left to the thread of each connection: nobody else waits for a client that shakes no hands.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, name="quoting-webhook", daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/", authority.cert_pem.bytes()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The body follows the head at once: else it waits until the API server has confirmed the head, 40 ms a Secret.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:  # the name is http.server's
        # Objects may be nested more deeply than Python's parser goes.
        review = json_object(self.rfile.read(int(self.headers["Content-Length"]))) or {}
        body = json.dumps(review | {"response": _response(review["request"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:  # says nothing: the canary reads the output
        pass


def _response(request: dict[str, Any]) -> dict[str, Any]:
    stands = request.get("object") or request.get("oldObject") or {}
    name, data = stands["metadata"]["name"], stands.get("data") or {}
    quoted = " ".join(
        f"{key}={base64.b64decode(value).decode(errors='replace')} {value}" for key, value in data.items()
    )
    answer: dict[str, Any] = {"uid": request["uid"], "allowed": True, "warnings": [f"weak: {quoted}"[:250]]}
    if name.startswith(BY_WEBHOOK):
        cause = {"field": quoted, "reason": quoted, "message": quoted}
        details = {"name": quoted, "kind": "namespaces", "causes": [cause], "retryAfterSeconds": 3600}
        code = int(name.rpartition("-")[2])
        answer |= {"allowed": False, "status": {"code": code, "reason": quoted, "message": quoted, "details": details}}
    return answer

"""The command line of every program; pure, so that a test can read it.

Everything listens on 127.0.0.1 and every file is inside the cluster's own folder.
"""

from dataclasses import dataclass
from pathlib import Path

CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",  # fills in Secrets of the type kubernetes.io/service-account-token
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
    "clusterrole-aggregation-controller",  # without it the roles admin, edit and view are empty
    "node-lifecycle-controller",  # without it a simulated node keeps its not-ready taint
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one cluster keeps its files, and on which ports it listens."""

    folder: Path
    etcd_port: int
    etcd_peer_port: int
    api_port: int

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        """The address of etcd for its clients."""
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def certificates(self) -> Path:
        """The folder in which the API server signs its own certificate."""
        return self.folder / "certificates"

    @property
    def ca_file(self) -> Path:
        """The certificate by which clients know the API server; it is there once the server has started."""
        return self.certificates / "apiserver.crt"

    @property
    def key_file(self) -> Path:
        """The API server's own key, which signs tokens too: it is there before the server reads it, and it is RSA."""
        return self.certificates / "apiserver.key"

    @property
    def tokens(self) -> Path:
        """The static tokens: the admin's only."""
        return self.folder / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    def log(self, name: str) -> Path:
        """Return where the log of one program is."""
        return self.folder / f"{name}.log"


def etcd(program: Path, at: Layout) -> list[str]:
    """Return the command of a single etcd that does not wait for the disk."""
    peer = f"http://127.0.0.1:{at.etcd_peer_port}"
    return [
        str(program),
        "--name=default",
        f"--data-dir={at.folder / 'etcd'}",
        f"--listen-client-urls={at.etcd_url}",
        f"--advertise-client-urls={at.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        f"--quota-backend-bytes={8 * 2**30}",  # the largest that etcd recommends: 20,000 Secrets of 100 KB fit
        "--log-level=warn",
    ]


def api_server(program: Path, at: Layout) -> list[str]:
    """Return the command of an API server with RBAC, service account tokens and the default admission plugins."""
    return [
        str(program),
        f"--etcd-servers={at.etcd_url}",
        f"--cert-dir={at.certificates}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={at.api_port}",
        "--endpoint-reconciler-type=none",  # an Endpoints object may not hold a loopback address
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        f"--token-auth-file={at.tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={at.key_file}",
        f"--service-account-signing-key-file={at.key_file}",
        "--allow-privileged=true",
        "--shutdown-send-retry-after=true",  # a stop takes 2 s; without it, it waits a minute for open watches
        "--profiling=false",
    ]


def controller_manager(program: Path, at: Layout) -> list[str]:
    """Return the command of a controller manager with the controllers that a workload needs."""
    return [
        str(program),
        f"--kubeconfig={at.kubeconfig}",
        f"--service-account-private-key-file={at.key_file}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def scheduler(program: Path, at: Layout) -> list[str]:
    """Return the command of a scheduler that is alone."""
    return [str(program), f"--kubeconfig={at.kubeconfig}", "--leader-elect=false", "--secure-port=0"]


def kwok(program: Path, at: Layout) -> list[str]:
    """Return the command that plays the kubelet of every node."""
    return [
        str(program),
        f"--kubeconfig={at.kubeconfig}",
        "--manage-all-nodes=true",
        # As kubelets renew theirs. Without it a node gives no sign of life for ten minutes, and is lost after 50 s: its
        # pods are no longer ready, and kwok calls a pod ready only once.
        "--node-lease-duration-seconds=40",
    ]

"""Every public string once: group, labels, annotations, field manager.

Rule: a string that users, Git repositories or other controllers can see is written here and nowhere else.
"""

GROUP = "secrets.phase.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND_PHASE_SECRET = "PhaseSecret"
PLURAL_PHASE_SECRETS = "phasesecrets"
KIND_PHASE_DYNAMIC_SECRET = "PhaseDynamicSecret"
PLURAL_PHASE_DYNAMIC_SECRETS = "phasedynamicsecrets"
KIND_PHASE_PUSH_SECRET = "PhasePushSecret"
PLURAL_PHASE_PUSH_SECRETS = "phasepushsecrets"
# The fields of a status that are a ledger, by kind: what the resource has outside the cluster.
LEDGERS = {
    KIND_PHASE_DYNAMIC_SECRET: ("leases", "attempts"),
    KIND_PHASE_PUSH_SECRET: ("pushedTo", "entries"),
}
# The fields of a spec that name targets.
TARGET_FIELDS = ("managedSecretReferences", "managedConfigMapReferences")

OPERATOR_NAME = "phase-operator"
FIELD_MANAGER = "phase-operator"

# On every target. Watches and lists select by this label; its value never changes.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_TARGET = f"{GROUP}/target"
LABEL_TARGET_VALUE = "true"
# On every version of a versioned target: the base name, or a digest of it where that is too long for a label.
LABEL_VERSION_OF = f"{GROUP}/version-of"
# namespace/name of the PhaseSecret that writes the object. An annotation, since a label value ends at 63 characters.
ANNOTATION_OWNER = f"{GROUP}/owner"
# Keyed digest of the content we wrote; without the operator's key it reveals nothing about values.
ANNOTATION_DIGEST = f"{GROUP}/digest"
# Keyed digest of what the object was made from; after a restart it shows that nothing changed, without a read.
ANNOTATION_SEAL = f"{GROUP}/seal"

# On a target that may be deleted when its PhaseSecret names it no more; the spec that said so is gone by then.
ANNOTATION_ON_REMOVAL = f"{GROUP}/on-removal"

# On a target that Kubernetes does not collect and that goes with its PhaseSecret: a digest of that PhaseSecret's uid
# and of the object's own place, so that a copy, or an object of a namesake, is not mistaken for it.
ANNOTATION_ORIGIN = f"{GROUP}/origin"

# On an object that PhaseSecrets merge into: one field manager and one annotation for each of them.
MERGE_MANAGER_PREFIX = f"{FIELD_MANAGER}/"
MERGE_ANNOTATION_PREFIX = f"merge.{GROUP}/"

# On the copy that is kept while a Secret is recreated with another type. Not "true": the copy is not a target.
LABEL_COPY_VALUE = "copy"
COPY_SUFFIX = "-replacing"

# On a PhaseSecret with targets that the garbage collector does not remove; nowhere else.
FINALIZER = f"{GROUP}/targets"

# On a resource that may have left something outside the cluster, such as a lease: no garbage collector takes that away.
FINALIZER_OUTSIDE = f"{GROUP}/outside"

# All of ours: whoever keeps a part of an object's finalizers keeps these.
FINALIZERS = (FINALIZER, FINALIZER_OUTSIDE)

# On the Secret that keeps the credentials of a lease: not a target. Its type, and what is known of the lease.
LABEL_LEASE_VALUE = "lease"
# Secrets that keep values which were made once, and what says for which resource, and by which words of its spec.
LABEL_GENERATED_VALUE = "generated"
ANNOTATION_GENERATED_FOR = f"{GROUP}/generated-for"
ANNOTATION_ROTATIONS = f"{GROUP}/rotations"
LEASE_TYPE = f"{GROUP}/lease"
ANNOTATION_LEASE_ID = f"{GROUP}/lease-id"
ANNOTATION_LEASE_END = f"{GROUP}/lease-end"
ANNOTATION_LEASE_PROOF = f"{GROUP}/lease-proof"

# On a PhaseSecret: any new value forces one run.
ANNOTATION_SYNC = f"{GROUP}/sync"
# On a suspended resource: why, in the words of whoever suspended it. For people; the operator does not read it.
ANNOTATION_SUSPENDED_BECAUSE = f"{GROUP}/suspended-because"

# On a token's Secret: the only hosts, separated by commas, that the token may be sent to by any PhaseSecret.
ANNOTATION_ALLOWED_HOSTS = f"{GROUP}/allowed-hosts"
# On a target: a keyed digest of each key, so that workloads that read different keys can be distinguished.
ANNOTATION_KEYS = f"{GROUP}/keys"

# On a workload, defined by the official operator.
ANNOTATION_REDEPLOY = f"{GROUP}/redeploy"
# On a workload, never in its pod template: the content that its pods run with, as far as we know. Labels, because a
# changed annotation of a Deployment counts as a new generation; numbered, because a label's value is short.
LABEL_RUNNING_PREFIX = f"running.{GROUP}/"
# In the pod template of a workload, from its first restart on: the content that it was restarted for.
ANNOTATION_CONTENT = f"{GROUP}/content"

# Left on resources by the official operator's first version (kopf's default name); removed, never added, by ours.
LEGACY_FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"

# The operator's own key for digests lives in this Secret, in the operator's namespace.
DIGEST_KEY_SECRET = "phase-operator-digest-key"

DEFAULT_HOST = "https://console.phase.dev"
CLOUD_API = "https://api.phase.dev"
CLOUD_BASES = (CLOUD_API, f"{DEFAULT_HOST}/service/public")
DEFAULT_TOKEN_SECRET = "phase-service-token"
TOKEN_KEY = "token"

# The first version with ratcheting and selectable fields by default: a new rule never blocks updates of old objects.
OLDEST_KUBERNETES = (1, 31)

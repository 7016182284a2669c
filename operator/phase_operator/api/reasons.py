"""Condition types and the catalogue of reasons.

Rule: a reason is CamelCase and has one meaning; its entry here says what it means and what to do. Status, Events,
metrics and docs/operating/troubleshooting.md use these names and no others; a test compares them.
"""

from dataclasses import dataclass
from enum import StrEnum


class ConditionType(StrEnum):
    """The conditions of a PhaseSecret, by the kstatus rules: Stalled and Reconciling stand only while true."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Why a condition or a target is what it is."""

    SYNCED = "Synced"
    SUSPENDED = "Suspended"
    INVALID_SPEC = "InvalidSpec"
    CROSS_NAMESPACE = "CrossNamespaceRefused"
    TOKEN_SECRET_NOT_FOUND = "TokenSecretNotFound"
    TOKEN_INVALID = "TokenInvalid"
    HOST_REFUSED = "HostRefused"
    ACCESS_DENIED = "AccessDenied"
    APP_NOT_FOUND = "AppNotFound"
    APP_AMBIGUOUS = "AppAmbiguous"
    APP_ENCRYPTED = "AppEncrypted"
    ENVIRONMENT_NOT_FOUND = "EnvironmentNotFound"
    DECRYPTION_FAILED = "DecryptionFailed"
    REQUEST_REFUSED = "RequestRefused"
    NO_ENTRIES = "NoEntries"
    ANSWER_DOUBTED = "AnswerDoubted"
    ANSWER_TOO_LARGE = "AnswerTooLarge"
    UNRESOLVED_REFERENCES = "UnresolvedReferences"
    RATE_LIMITED = "RateLimited"
    PHASE_UNAVAILABLE = "PhaseUnavailable"
    UNEXPECTED_ANSWER = "UnexpectedAnswer"
    KEY_COLLISION = "KeyCollision"
    KEY_INVALID = "KeyInvalid"
    VALUE_INVALID = "ValueInvalid"
    TEMPLATE_INVALID = "TemplateInvalid"
    TEMPLATE_FAILED = "TemplateFailed"
    TOO_LARGE = "TooLarge"
    TARGET_CONFLICT = "TargetConflict"
    TARGET_IS_TOKEN = "TargetIsToken"
    TARGET_REFUSED = "TargetRefused"
    TARGET_IMMUTABLE = "TargetImmutable"
    TYPE_IMMUTABLE = "TypeImmutable"
    REMOVAL_PENDING = "RemovalPending"
    TYPE_NOT_SUPPORTED = "TypeNotSupported"
    TYPE_MISMATCH = "TypeMismatch"
    NAMESPACE_NOT_FOUND = "NamespaceNotFound"
    KUBERNETES_UNAVAILABLE = "KubernetesUnavailable"
    DYNAMIC_SECRET_NOT_FOUND = "DynamicSecretNotFound"
    LEASE_REFUSED = "LeaseRefused"
    LEASE_UNCLEAR = "LeaseUnclear"
    LEASE_ENDED = "LeaseEnded"
    NOT_ENABLED = "NotEnabled"
    SOURCE_NOT_FOUND = "SourceNotFound"
    ENTRY_CONFLICT = "EntryConflict"
    ENTRY_SEALED = "EntrySealed"
    ENTRIES_UNCLEAR = "EntriesUnclear"
    INTERNAL_ERROR = "InternalError"


@dataclass(frozen=True, slots=True)
class Entry:
    """The meaning of one reason and its cure, in sentences for the person who reads `kubectl describe`."""

    meaning: str
    cure: str
    stalled: bool
    """True if nothing changes before a person acts; the run is still repeated, slowly."""


CATALOGUE: dict[Reason, Entry] = {
    Reason.SYNCED: Entry(
        "Every target has the content of Phase; for a PhasePushSecret, Phase has the content of every source.",
        "Nothing to do.",
        stalled=False,
    ),
    Reason.SUSPENDED: Entry(
        "spec.suspend is true: targets, or pushed entries, stay as they are, and the operator does not call Phase.",
        "Set spec.suspend to false or remove it.",
        stalled=False,
    ),
    Reason.INVALID_SPEC: Entry(
        "The spec asks for something impossible; the message names the field.",
        "Correct the field; the resource is read again as soon as it is edited.",
        stalled=True,
    ),
    Reason.CROSS_NAMESPACE: Entry(
        "A token Secret or a target is in another namespace, and the operator has no grant for it.",
        "Use the resource's own namespace, or ask the operator's administrator for the grant in the message.",
        stalled=True,
    ),
    Reason.TOKEN_SECRET_NOT_FOUND: Entry(
        "The Secret with the Phase token, or its key `token`, does not exist.",
        "Create it; the operator notices it within seconds.",
        stalled=False,
    ),
    Reason.TOKEN_INVALID: Entry(
        "The token Secret does not contain a valid Phase token.",
        "Store a service account token (pss_service:... or the REST token) under the key `token`.",
        stalled=True,
    ),
    Reason.HOST_REFUSED: Entry(
        "The token may not be sent to the host in spec.phaseHost: the operator's settings, or the annotation "
        "`secrets.phase.dev/allowed-hosts` of the token's Secret, do not list it. Nothing was sent.",
        "Correct spec.phaseHost, or have the host added to the list that the message names.",
        stalled=True,
    ),
    Reason.ACCESS_DENIED: Entry(
        "Phase refuses the token, or the account may not read this app or environment; the message quotes Phase.",
        "Grant the account access in Phase, or store another token. The operator tries again within a minute.",
        stalled=True,
    ),
    Reason.APP_NOT_FOUND: Entry(
        "The account sees no app with that name or id; the message lists similar names.",
        "Correct spec.phaseApp or spec.phaseAppId, or grant the account access to the app.",
        stalled=True,
    ),
    Reason.APP_AMBIGUOUS: Entry(
        "More than one app has that name.",
        "Use spec.phaseAppId; the message lists the ids.",
        stalled=True,
    ),
    Reason.APP_ENCRYPTED: Entry(
        "The app is end-to-end encrypted, and the token has no keys to decrypt it with: it is a REST token. Or a "
        "PhasePushSecret names the app, and entries of such apps are not pushed, with any token.",
        "Store the full token (pss_service:...) under the key `token`, or enable SSE (server-side encryption) for the "
        "app in Phase's Console: the app's Settings, under Encryption. The operator notices either by itself. For a "
        "PhasePushSecret, only SSE helps, or another app that has it.",
        stalled=True,
    ),
    Reason.ENVIRONMENT_NOT_FOUND: Entry(
        "The app has no environment with that name; the message lists similar names. Or the app is end-to-end "
        "encrypted, several names differ in case alone, and none is spelled exactly so.",
        "Correct spec.phaseAppEnv; spell it exactly as one of several environments.",
        stalled=True,
    ),
    Reason.DECRYPTION_FAILED: Entry(
        "The operator cannot decrypt something of an end-to-end encrypted app: entries that are selected, entries that "
        "values may refer to, or the key of an environment. The message names it. Targets stay as they are.",
        "Save these entries anew in Phase's Console, or delete them. For an environment's key, withdraw the account's "
        "access to the environment and grant it again.",
        stalled=True,
    ),
    Reason.REQUEST_REFUSED: Entry(
        "Phase refuses the request itself; the message quotes Phase.",
        "Look at the status code in the message. 405 and 406 come from a gateway that changes requests: let the "
        "operator reach Phase without it. Of a push, rename or leave out the entry that the message names. Otherwise "
        "compare the versions of Phase and of the operator, and upgrade the older one.",
        stalled=True,
    ),
    Reason.NO_ENTRIES: Entry(
        "Nothing in Phase matches path, tags, keys and types; the message lists similar tags. Or the spec names a key "
        "of a dynamic secret, which only a PhaseDynamicSecret leases. An empty answer never empties a target.",
        "Correct the path, the tags or the key patterns, or add the entries in Phase.",
        stalled=True,
    ),
    Reason.ANSWER_DOUBTED: Entry(
        "Phase's answer lacks all entries, or more of them than spec.shrink allows; the message names them.",
        "Nothing to do: the operator reads again after a pause, and accepts an answer that comes twice.",
        stalled=False,
    ),
    Reason.ANSWER_TOO_LARGE: Entry(
        "Phase's answer is larger than the operator reads or keeps, in bytes, in entries, in one of its entries, or "
        "together with the namespace's other answers. The message says which. Targets stay as they are.",
        "Select less, by a folder or by tags, or ask the operator's administrator to raise the limit in the message.",
        stalled=True,
    ),
    Reason.UNRESOLVED_REFERENCES: Entry(
        "Values have references ${...} that could not be resolved; for an end-to-end encrypted app, the message has "
        "the reason for each. Targets stay as they are, but a ConfigMap loses a key whose entry became secret.",
        "Correct the reference, grant access to what it names, or set spec.onSecretReferenceError to Warn.",
        stalled=True,
    ),
    Reason.RATE_LIMITED: Entry(
        "Phase's quota for the account is used up.",
        "Nothing to do: the operator reads again when Phase allows it. Set longer intervals if this persists.",
        stalled=False,
    ),
    Reason.PHASE_UNAVAILABLE: Entry(
        "Phase cannot be reached or answers with a server error.",
        "Look at the message. For a certificate that is not trusted, give its authority with `--phase-ca-file`. For a "
        "name that is not known, check spec.phaseHost and DNS. For a host that cannot be reached, check NetworkPolicy, "
        "firewall and proxy. 5xx is a failure of Phase itself. The operator tries again by itself.",
        stalled=False,
    ),
    Reason.UNEXPECTED_ANSWER: Entry(
        "The answer is not from Phase's API: it is HTML, a redirect, or JSON in another form.",
        "Check spec.phaseHost: a proxy, a login page or the wrong base path answers there. `/v1/secrets/` below "
        "`/service/public` of the host must answer with JSON, also without a token.",
        stalled=False,
    ),
    Reason.KEY_COLLISION: Entry(
        "Two entries would have the same key in one target; the message names both.",
        "Narrow the path, tags or keys, or rename one of the entries.",
        stalled=True,
    ),
    Reason.KEY_INVALID: Entry(
        "An entry's key cannot be a key of a Secret or ConfigMap.",
        "Rename it in Phase, or leave it out with spec.keys.exclude.",
        stalled=True,
    ),
    Reason.VALUE_INVALID: Entry(
        "An entry's value cannot be stored in the requested form; the message names the key.",
        "Correct the value in Phase or the way it is decoded.",
        stalled=True,
    ),
    Reason.TEMPLATE_INVALID: Entry(
        "A template has something that is not part of the language; the message says where, and what to write instead.",
        "Correct the template; the resource is read again as soon as it is edited.",
        stalled=True,
    ),
    Reason.TEMPLATE_FAILED: Entry(
        "A template cannot be rendered with the current values: a key is missing, a value is not text, or the result "
        "is too large. The message names the key.",
        "Add the key or correct the value in Phase, or change the template: `default` replaces a missing key.",
        stalled=True,
    ),
    Reason.TOO_LARGE: Entry(
        "The target or its annotations would be larger than Kubernetes allows, alone or together with the data that "
        "others have in the object. The message says which.",
        "Spread the entries over several targets.",
        stalled=True,
    ),
    Reason.TARGET_CONFLICT: Entry(
        "An object with that name, a version of a versioned name, or with Merge a key in it, is not ours; the message "
        "names its owner. A copy of a target is not ours either, whatever its marks say.",
        "Choose another name, delete the object or key if nobody needs it, or set `adopt: true` on the target to take "
        "it over; in another namespace the grant has to say `adopt`, too. If it belongs to another PhaseSecret, remove "
        "it from that spec first.",
        stalled=True,
    ),
    Reason.TARGET_IS_TOKEN: Entry(
        "Another PhaseSecret reads its Phase token from the Secret with that name; the message names it.",
        "Choose another name for the target, or another Secret for that token.",
        stalled=True,
    ),
    Reason.TARGET_REFUSED: Entry(
        "The API server refuses the object. The message quotes RBAC or a quota, names the field that is not valid, or "
        "names the admission policy or webhook. A policy's text is not shown, since it may quote values.",
        "Grant the right that the message names, raise the quota, or correct the field. For a policy read its rules: "
        "`kubectl get validatingadmissionpolicy NAME -o yaml`. To see its text, `kubectl apply --dry-run=server` an "
        "object with that name, without real values.",
        stalled=True,
    ),
    Reason.TARGET_IMMUTABLE: Entry(
        "The existing object is marked immutable, and its content differs from Phase.",
        "Delete it, and the operator creates it again; or use `versioned`, which has a new object for each content.",
        stalled=True,
    ),
    Reason.TYPE_IMMUTABLE: Entry(
        "The existing Secret has another type, and Kubernetes cannot change the type of a Secret.",
        "Choose another name or its present type, delete the Secret, or set `onTypeChange: Replace`.",
        stalled=True,
    ),
    Reason.REMOVAL_PENDING: Entry(
        "An object or key that the PhaseSecret has to remove still exists; the message says what it waits for.",
        "Wait: the operator tries again by itself. If the reason stays, bring the other targets in step first, grant "
        "the right that the message names, or look for a finalizer of another controller on the object.",
        stalled=False,
    ),
    Reason.TYPE_NOT_SUPPORTED: Entry(
        "The target's secretType lets the Secret's holder act as another user, and the operator does not allow that.",
        "Use another type, or ask the operator's administrator to set `--allow-impersonation-types`.",
        stalled=True,
    ),
    Reason.TYPE_MISMATCH: Entry(
        "The target would lack keys or contents that its secretType requires; the message says what is wrong.",
        "Give the entries the names that the type requires, as in `processors.<KEY>.asName: tls.crt`, correct them in "
        "Phase, or choose another secretType.",
        stalled=True,
    ),
    Reason.NAMESPACE_NOT_FOUND: Entry(
        "The target's namespace does not exist or is being deleted.",
        "Create the namespace.",
        stalled=False,
    ),
    Reason.KUBERNETES_UNAVAILABLE: Entry(
        "The API server cannot be reached, or refuses for a temporary reason.",
        "Wait: the operator tries again by itself, and catches up within seconds. If the reason stays, run `kubectl "
        "phase doctor`: a right, a webhook or the way to the API server is missing.",
        stalled=False,
    ),
    Reason.DYNAMIC_SECRET_NOT_FOUND: Entry(
        "The folder has no dynamic secret with that name, or several.",
        "Correct spec.dynamicSecret or spec.phaseAppEnvPath, or create the dynamic secret in Phase. If there are "
        "several, rename all but one.",
        stalled=True,
    ),
    Reason.LEASE_REFUSED: Entry(
        "Phase refuses to make a lease, and made none: the life is outside the limits of the dynamic secret, or the "
        "account lacks a permission. The message names both numbers, or quotes Phase.",
        "Set spec.leaseTTL to what the dynamic secret allows, or grant what the message names. The operator tries "
        "again by itself, less and less often.",
        stalled=True,
    ),
    Reason.LEASE_UNCLEAR: Entry(
        "The operator asked for a lease, and got no answer that says whether Phase made it: the answer was lost, or is "
        "a server error. It looks for the lease in Phase's list for 130 seconds, and revokes what it finds.",
        "Nothing to do if it passes. If attempts fail again and again, the reason becomes PhaseUnavailable, and most "
        "often the provider refuses Phase: check the permissions of Phase's credentials for the provider, as in "
        "docs/dynamic-secrets.md, and delete users that were left there.",
        stalled=False,
    ),
    Reason.LEASE_ENDED: Entry(
        "The credentials in the targets are void: their lease ended or was revoked, and the operator has not got "
        "another one. The targets keep what they have.",
        "Remove the cause, which the message has in parentheses: the permissions of the account, of Phase's "
        "credentials for the provider, or the way to Phase. The operator tries again by itself.",
        stalled=False,
    ),
    Reason.NOT_ENABLED: Entry(
        "The operator was not started with `--push`, so it pushes nothing: it reads no Secret for the resource, and "
        "does not call Phase. What was pushed before stays in Phase.",
        "Ask the operator's administrator to set `--push`, in the chart `push.enabled`; docs/security.md says what "
        "that means.",
        stalled=True,
    ),
    Reason.SOURCE_NOT_FOUND: Entry(
        "A Secret or ConfigMap that the spec names does not exist. What was pushed of it stays in Phase. Or the Secret "
        "of generateInto lacks a value that Phase has: that stays in Phase too, and no other one is made.",
        "Create it, or take it out of spec.sources; the operator notices either. docs/push.md says how a generated "
        "value is brought back, or made anew.",
        stalled=True,
    ),
    Reason.ENTRY_CONFLICT: Entry(
        "An entry that the spec wants belongs to another resource, another cluster or a person, or Phase rotates it. "
        "Or an entry that is to be deleted was changed in Phase since. It stays as it is; the message names it and "
        "who has it.",
        "Give the source another folder, prefix or key, or have the other side give the entry up. With `updatePolicy: "
        "Replace`, an entry without a mark is taken over. Delete entries that you do not need any more in Phase.",
        stalled=True,
    ),
    Reason.ENTRY_SEALED: Entry(
        "The value or type of a sealed entry would have to change, and Phase changes neither. The entry keeps its old "
        "value.",
        "Delete the entry in Phase; the operator then makes it with the new value. Or set `onTypeChange: Replace`: the "
        "operator then deletes it and makes it again, and it is missing in between.",
        stalled=True,
    ),
    Reason.ENTRIES_UNCLEAR: Entry(
        "The operator called Phase, and got no answer that says whether entries were made or changed. It looks at what "
        "Phase has for 130 seconds, and makes nothing twice meanwhile.",
        "Nothing to do: it passes. If it comes again and again, look at the way between the operator and Phase.",
        stalled=False,
    ),
    Reason.INTERNAL_ERROR: Entry(
        "The operator has a bug in this case; its log has the trace.",
        "Report it. The operator tries again by itself.",
        stalled=False,
    ),
}

# Reasons of Events about something that goes on beside the state of a resource. The message says the rest.
EVENTS: dict[str, Entry] = {
    "RestartDelayed": Entry(
        "An Event on a workload and on the PhaseSecret: the workload follows a target, and its pods have not read the "
        "new content yet. `status.targets[].notRestarted` has the sentence in the meantime, and also the sentences "
        "without an Event. The target itself is ready. The Event `WorkloadRestarted` reports every restart.",
        "The message says what the restart waits for. Most of it passes by itself. Resume a paused workload; delete a "
        "pod that does not recover.",
        stalled=False,
    ),
    "TargetContested": Entry(
        "An Event on the PhaseSecret: another client changes the target again and again, and the operator repairs it "
        "each time. After five times the operator waits before a repair, for 1 s at first and 30 s at last. When the "
        "target has not been changed for a minute, it repairs at once again. It reports this once in that time.",
        "Find the other client, and remove the target from it or from the PhaseSecret. The managers in `kubectl get "
        "secret NAME -o yaml --show-managed-fields` name it; the operator's is `phase-operator`. Usually it is another "
        "controller with the same target, or a deployment tool that has the object in Git.",
        stalled=False,
    ),
}

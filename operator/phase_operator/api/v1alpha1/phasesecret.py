"""PhaseSecret: what to read from Phase and which objects to keep in step with it.

Rule: what the official operator's resource accepts is accepted here and means the same; an empty string is the same as
nothing, as there. Defaults are applied when the operator reads a resource, never written into its spec: a GitOps tool
would take them for drift. A limit is a fence against nonsense, wide enough that no resource in use runs into it.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from phase_operator.api import names
from phase_operator.api.base import ApiModel, NamespaceName, ObjectName
from phase_operator.api.v1alpha1.resource_status import ResourceStatus
from phase_operator.api.v1alpha1.rules import (
    NULLABLE,
    inside_the_folder,
    no_doubles,
    not_the_token,
    rule,
    rules,
    unless_empty,
)

GlobPattern = Annotated[str, Field(min_length=1, max_length=253)]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
EntryKey = Annotated[str, Field(min_length=1, max_length=253)]
# What Kubernetes takes as a key of a Secret or ConfigMap: one dot may come first, two may not.
_DATA_KEY = "[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*"
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_DATA_KEY}$")]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# What Kubernetes takes as the text of a label, and what may become that: a placeholder is judged when it is filled in.
_LABEL_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
LabelText = Annotated[str, Field(max_length=63, pattern=rf"^(({_LABEL_WORD})?|.*[{{].*)$")]
# Kubernetes takes upper case before the slash in annotations only.
_METADATA_KEY = f"^(%s([.]%s)*/)?{_LABEL_WORD}$"
_LABEL_KEY = _METADATA_KEY % (_LABEL, _LABEL)
_ANY_CASE = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_ANNOTATION_KEY = _METADATA_KEY % (_ANY_CASE, _ANY_CASE)
# A URL as far as a pattern can tell: no credentials, no query, brackets only around an address, digits in the port.
_HOST = r"^((?i:https?)://([^/?#@\s:\[\]]+|\[[0-9a-fA-F:.]+\])(:[0-9]{0,5})?(/[^?#\s]*)?)?$"
OptionalNamespace = Annotated[
    Annotated[str, Field(max_length=63, pattern=rf"^({_LABEL})?$")] | None,
    unless_empty(),
]


class OnSecretReferenceError(StrEnum):
    """What an unresolved `${...}` in a value does."""

    FAIL = "Fail"
    WARN = "Warn"


class DeletionPolicy(StrEnum):
    """What becomes of a target when its PhaseSecret is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class SecretType(StrEnum):
    """The values that the official resource accepts for secretType."""

    OPAQUE = "Opaque"
    TLS = "kubernetes.io/tls"
    SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
    DOCKERCFG = "kubernetes.io/dockercfg"
    DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
    BASIC_AUTH = "kubernetes.io/basic-auth"
    SSH_AUTH = "kubernetes.io/ssh-auth"
    BOOTSTRAP_TOKEN = "bootstrap.kubernetes.io/token"


class NameTransformer(StrEnum):
    """How Phase's UPPER_SNAKE keys are spelled in a target."""

    UPPER_SNAKE = "upper_snake"
    CAMEL = "camel"
    UPPER_CAMEL = "upper-camel"
    LOWER_SNAKE = "lower-snake"
    TF_VAR = "tf-var"
    LOWER_KEBAB = "lower-kebab"


class ProcessorType(StrEnum):
    """How a value is stored: as text, or decoded from base64 first."""

    PLAIN = "plain"
    BASE64 = "base64"


class Format(StrEnum):
    """How the entries lie in a target: a key each, or all of them in one file."""

    KEY_PER_ENTRY = "KeyPerEntry"
    DOTENV = "dotenv"
    JSON = "json"
    YAML = "yaml"
    PROPERTIES = "properties"
    TOML = "toml"
    DOCKERCONFIGJSON = "dockerconfigjson"


# Only its length and characters are checked here: no pattern can express the grammar of selectors.
LabelSelector = Annotated[
    Annotated[str, Field(max_length=1024, pattern=r"^[-A-Za-z0-9_./=!,()<>\s]*$")] | None, unless_empty()
]
# Of all targets of a resource, of whatever kind.
RedeployLabelSelector = Annotated[
    LabelSelector,
    Field(
        description="Label selector, as kubectl takes it (tier=api), that narrows the workloads considered for a "
        "restart. Default: every workload is considered."
    ),
]


class TokenSecretReference(ApiModel):
    """Where the Phase token lies: a Secret with the key `token`."""

    secret_name: Annotated[
        str,
        Field(max_length=253, pattern=rf"^({_LABEL}(\.{_LABEL})*)?$"),
        unless_empty(names.DEFAULT_TOKEN_SECRET),
    ] = Field(
        names.DEFAULT_TOKEN_SECRET,
        description="Name of the Secret that holds a Phase service account token under the key `token`. "
        "Default: phase-service-token.",
    )
    secret_namespace: OptionalNamespace = Field(
        None,
        description="Namespace of that Secret. Default: the resource's own; another one needs a grant in the "
        "operator's settings.",
    )


class ServiceToken(ApiModel):
    """Authentication with a static token."""

    service_token_secret_reference: TokenSecretReference = Field(
        default_factory=TokenSecretReference, description="The Secret that holds the token."
    )


class Authentication(ApiModel):
    """How to authenticate with Phase."""

    service_token: ServiceToken = Field(
        default_factory=ServiceToken, description="A service account token in a Secret."
    )


class KeySelection(ApiModel):
    """Which keys to take, by glob patterns on the key as Phase has it: `*` any text, `?` a character, `[ab]` a set."""

    include: list[GlobPattern] = Field(
        default_factory=list,
        max_length=64,
        description="Take only keys that match one of these. Default: every key.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    exclude: list[GlobPattern] = Field(
        default_factory=list,
        max_length=64,
        description="Leave out keys that match one of these; wins over include.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


# Models are frozen, so one instance serves all specs that leave a field out.
_ALL_KEYS = KeySelection()


class Processor(ApiModel):
    """What one key of Phase becomes in a target."""

    as_name: Annotated[
        Annotated[str, Field(max_length=253, pattern=rf"^({_DATA_KEY})?$")] | None,
        unless_empty(),
    ] = Field(None, description="The key in the target, taken as it is; wins over every nameTransformer.")
    name_transformer: NameTransformer | None = Field(
        None, description="Spelling of this key; wins over the target's nameTransformer."
    )
    type: ProcessorType | None = Field(
        None, description="base64: Phase holds base64 text and the target gets the decoded bytes. Default: plain."
    )


class TemplateMetadata(ApiModel):
    """Labels and annotations for the target, in addition to the operator's own."""

    labels: dict[LabelKey, LabelText] = Field(
        default_factory=dict,
        max_length=256,
        description="Labels of the target.",
        json_schema_extra=rules(
            rule(f"self.all(key, key.matches('{_LABEL_KEY}'))", "a key is no name that Kubernetes takes for a label")
        ),
    )
    annotations: dict[LabelKey, Annotated[str, Field(max_length=262144)]] = Field(
        default_factory=dict,
        max_length=256,
        description="Annotations of the target.",
        json_schema_extra=rules(
            rule(
                f"self.all(key, key.matches('{_ANNOTATION_KEY}'))",
                "a key is no name that Kubernetes takes for an annotation",
            )
        ),
    )


_NO_METADATA = TemplateMetadata()


class TemplateMerge(StrEnum):
    """What becomes of the entries when template.data makes keys."""

    REPLACE = "Replace"
    MERGE = "Merge"


class Template(ApiModel):
    """What the target holds in addition to its entries, or instead of them."""

    metadata: TemplateMetadata = Field(
        default_factory=lambda: _NO_METADATA,
        description="Labels and annotations. Their values may hold placeholders for entries of type config.",
    )
    data: dict[EntryKey, Annotated[str, Field(max_length=65536)]] = Field(
        default_factory=dict,
        max_length=64,
        json_schema_extra=rules(
            rule(
                f"self.all(key, key.matches('^{_DATA_KEY}$'))",
                "a key of a Secret or ConfigMap holds letters, digits, '-', '_' and '.', and no two dots come first",
            )
        ),
        description="Key of the target -> text with placeholders for its values, like {{ DB_HOST }} or "
        '{{ entries["db-host"] | base64 }}; see docs/templates.md.',
    )
    merge_policy: TemplateMerge | None = Field(
        None,
        description="Replace: with template.data the target holds its keys and nothing else. Merge: it holds the "
        "entries too, and a key of template.data wins. Default: Replace.",
    )

    @property
    def replaces_entries(self) -> bool:
        """Whether the target holds the texts instead of its entries."""
        return bool(self.data) and self.merge_policy is not TemplateMerge.MERGE


_NO_TEMPLATE = Template()


class EntryType(StrEnum):
    """The types of entry that Phase knows."""

    SECRET = "secret"
    SEALED = "sealed"
    CONFIG = "config"


class CreationPolicy(StrEnum):
    """Whose object a target is."""

    OWNER = "Owner"
    MERGE = "Merge"
    ORPHAN = "Orphan"


class OnTypeChange(StrEnum):
    """What happens if secretType differs from the type of the existing Secret."""

    REFUSE = "Refuse"
    REPLACE = "Replace"


class Versioned(ApiModel):
    """Every content becomes an immutable object of its own."""

    keep: Annotated[int, Field(ge=1, le=50)] | None = Field(
        None,
        description="How many of the newest stay. Older ones are deleted when no workload of the namespace names "
        "them. Default: 3.",
    )


class Followers(StrEnum):
    """Which of the workloads that read a target are restarted for it."""

    ANNOTATED = "Annotated"
    ALL = "All"
    NONE = "None"


class Restart(ApiModel):
    """Which workloads are restarted when a target changes."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            rule(
                '!has(self.workloads) || self.workloads != "None" || !has(self.selector) || self.selector == ""',
                "with workloads None nothing is restarted: leave selector out",
                ".selector",
            )
        )
    }

    workloads: Followers | None = Field(
        None,
        description="Annotated: those with the annotation secrets.phase.dev/redeploy. All: every one "
        "that reads the target. None: no workload. One that says false is never restarted. Default: Annotated.",
    )
    selector: LabelSelector = Field(
        None,
        description="Label selector, as kubectl takes it (tier=api), that a workload has to match as well as "
        "redeployLabelSelector. Default: every workload matches.",
    )


_USUAL_RESTART = Restart()


class FolderOfTarget(ApiModel):
    """Which folder's entries a target takes."""

    path: Annotated[Annotated[str, Field(max_length=1024, pattern=r"^(/.*)?$")] | None, unless_empty()] = Field(
        None,
        description="Take the entries of this folder only: phaseAppEnvPath or a folder below it, written in full. "
        "Default: phaseAppEnvPath, with recursive the folders below it too.",
    )


class WritingFields(ApiModel):
    """How a target is made of its entries, and what becomes of it."""

    keys: KeySelection = Field(
        default_factory=lambda: _ALL_KEYS,
        description="Which of the resource's keys this target takes. Default: all.",
    )
    name_transformer: NameTransformer | None = Field(
        None, description="Spelling of all keys of this target. Default: upper_snake, the keys as Phase has them."
    )
    prefix: Annotated[str, Field(max_length=128, pattern=r"^[.]?([-_a-zA-Z0-9][-._a-zA-Z0-9]*)?$")] | None = Field(
        None, description="Comes before every key of this target, except those that asName names."
    )
    processors: dict[EntryKey, Processor] = Field(
        default_factory=dict, max_length=1024, description="Per key, as Phase has it: name, spelling, decoding."
    )
    format: Format | None = Field(
        None,
        description="KeyPerEntry, or one file that holds all entries: dotenv, json, yaml, properties, toml, "
        "dockerconfigjson; see docs/formats.md. With template.data, set template.mergePolicy to Merge too. Default: "
        "KeyPerEntry.",
    )
    file_key: DataKey | None = Field(
        None,
        description="Key of the target that holds the file of format. Default: .env, entries.json, entries.yaml, "
        "entries.properties, entries.toml or .dockerconfigjson.",
    )
    template: Template = Field(
        default_factory=lambda: _NO_TEMPLATE,
        description="Labels and annotations of the target, and texts made of its values.",
    )
    immutable: bool | None = Field(
        None,
        description="true: the object is marked immutable. A change in Phase is then reported and not written; "
        "versioned makes a new object for each instead. Default: false.",
    )
    versioned: Versioned | None = Field(
        None,
        description="Each content becomes an immutable object of its own, named like the target with a hash at the "
        "end; the newest name is in the status.",
    )
    creation_policy: CreationPolicy | None = Field(
        None,
        description="Owner: the whole object is the resource's. Merge: only its keys are, in an object that others "
        "keep. Orphan: created and updated like Owner, and never deleted. Default: Owner.",
    )
    deletion_policy: DeletionPolicy | None = Field(
        None,
        description="What happens to the target when the resource is deleted, or does not name it any more. Retain: "
        "it stays. Delete: it is deleted; with Merge, only the resource's keys are removed. Default: Retain; with "
        "Merge: Delete.",
    )
    restart: Restart = Field(
        default_factory=lambda: _USUAL_RESTART,
        description="Which workloads in the target's namespace are restarted when what they read of it changes; see "
        "docs/restarts.md.",
    )
    required: bool | None = Field(
        None,
        description="true: if no entry is for the target, it is not ready. false: it is empty then. Default: true for "
        "a Secret, false for a ConfigMap. This never empties a target that had entries.",
    )
    adopt: bool | None = Field(
        None,
        description="true: take over an object with that name that others made; with Merge, keys that others wrote. "
        "Default: false, the object is not changed, and the conflict is reported.",
    )


class TargetFields(WritingFields, FolderOfTarget):
    """What targets of both kinds have in common."""


class SecretName(ApiModel):
    """Which Secret, and its type."""

    secret_name: ObjectName = Field(description="Name of the Secret.")
    secret_namespace: OptionalNamespace = Field(
        None,
        description="Namespace of the Secret. Default: the resource's own; another one needs a grant in the "
        "operator's settings.",
    )
    secret_type: SecretType | None = Field(None, description="Type of the Secret. Default: Opaque.")


class EntryTypes(ApiModel):
    """Which types of entry a Secret takes."""

    types: list[EntryType] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="Which types of entry it takes. Default: secret and sealed; config too, as long as "
        "managedConfigMapReferences is empty.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class TypeChange(ApiModel):
    """What another type does to a Secret."""

    on_type_change: OnTypeChange | None = Field(
        None,
        description="Kubernetes cannot change the type of a Secret. Refuse: another secretType is reported and not "
        "written. Replace: the Secret is deleted and created again; a copy exists meanwhile. Default: Refuse.",
    )


class ManagedSecret(TypeChange, EntryTypes, SecretName):
    """Which Secret, and which entries it takes."""


# The API server sees each of these once for a target.
_TARGET_RULES = (
    rule(
        '!has(self.fileKey) || has(self.format) && self.format != "KeyPerEntry"',
        "fileKey names the file of a format; set format too",
        ".fileKey",
    ),
    rule(
        '!has(self.format) || self.format == "KeyPerEntry" || !has(self.template) || !has(self.template.data) || '
        'size(self.template.data) == 0 || has(self.template.mergePolicy) && self.template.mergePolicy == "Merge"',
        "template.data takes the place of the file of a format: leave format out, or set template.mergePolicy to Merge",
        ".format",
    ),
    rule(
        "!has(self.versioned) || !has(self.immutable) || self.immutable",
        "every object of a versioned target is immutable: leave immutable out",
        ".immutable",
    ),
    rule(
        '!has(self.versioned) || !has(self.creationPolicy) || self.creationPolicy == "Owner"',
        "a versioned target is the resource's own: creationPolicy has to be Owner",
        ".creationPolicy",
    ),
    rule(
        '!has(self.creationPolicy) || self.creationPolicy != "Orphan" || !has(self.deletionPolicy) || '
        'self.deletionPolicy == "Retain"',
        "an Orphan is never deleted: deletionPolicy has to be Retain",
        ".deletionPolicy",
    ),
    rule(
        '!has(self.creationPolicy) || self.creationPolicy != "Merge" || !has(self.immutable) || !self.immutable',
        "an object that others keep cannot be made immutable",
        ".immutable",
    ),
)


SECRET_RULES = rules(
    *_TARGET_RULES,
    rule(
        '!has(self.onTypeChange) || self.onTypeChange == "Refuse" || !has(self.creationPolicy) || '
        'self.creationPolicy != "Merge"',
        "an object that others keep is not replaced: onTypeChange has to be Refuse",
        ".onTypeChange",
    ),
)


class ManagedSecretReference(TargetFields, ManagedSecret):
    """A Secret to keep in step with Phase."""

    model_config = ApiModel.model_config | {"json_schema_extra": SECRET_RULES}


class ManagedConfigMap(ApiModel):
    """Which ConfigMap."""

    config_map_name: ObjectName = Field(description="Name of the ConfigMap.")
    config_map_namespace: OptionalNamespace = Field(
        None,
        description="Namespace of the ConfigMap. Default: the resource's own; another one needs a grant in the "
        "operator's settings.",
    )


class ManagedConfigMapReference(TargetFields, ManagedConfigMap):
    """A ConfigMap to keep in step with Phase: it takes the entries of type `config` and nothing else, ever."""

    model_config = ApiModel.model_config | {"json_schema_extra": rules(*_TARGET_RULES)}


Target = ManagedSecretReference | ManagedConfigMapReference


NAMES_AN_APP = rule(
    'has(self.phaseApp) && self.phaseApp != "" || has(self.phaseAppId) && self.phaseAppId != ""',
    "set phaseApp (the app's name) or phaseAppId",
    ".phaseApp",
)


class PlaceFields(ApiModel):
    """Which folder of Phase a resource is about."""

    phase_host: Annotated[
        Annotated[str, Field(max_length=2048, pattern=_HOST)] | None,
        unless_empty(),
    ] = Field(
        None,
        description="URL of Phase, without query or credentials. Default: that of the operator's setting "
        "--default-host, else https://console.phase.dev. For a self-hosted Phase its URL; /service/public is added "
        "unless it is there.",
        json_schema_extra=NULLABLE,
    )
    phase_app: Annotated[Annotated[str, Field(max_length=253)] | None, unless_empty()] = Field(
        None, description="Name of the app: exact, or the only one that differs in upper and lower case alone."
    )
    phase_app_id: Annotated[Annotated[str, Field(max_length=64, pattern=r"^[-a-zA-Z0-9]*$")] | None, unless_empty()] = (
        Field(None, description="Id of the app; wins over phaseApp.")
    )
    phase_app_env: Annotated[Annotated[str, Field(max_length=253)] | None, unless_empty()] = Field(
        None,
        description="Name of the environment, in any case. Default: production.",
        json_schema_extra=NULLABLE,
    )
    phase_app_env_path: Annotated[Annotated[str, Field(max_length=1024)] | None, unless_empty()] = Field(
        None,
        description="Folder to read, without the folders below it. Default: /, the root folder only.",
        json_schema_extra=NULLABLE,
    )


class PhaseSecretSpec(PlaceFields):
    """What to read from Phase and where to write it."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            NAMES_AN_APP,
            rule(
                '!has(self.phaseAppEnvTag) || self.phaseAppEnvTag == "" || !has(self.phaseAppEnvTags)',
                "set phaseAppEnvTag or phaseAppEnvTags, not both",
                ".phaseAppEnvTags",
            ),
            rule(
                "has(self.managedSecretReferences) && size(self.managedSecretReferences) > 0 || "
                "has(self.managedConfigMapReferences) && size(self.managedConfigMapReferences) > 0",
                "name at least one target: managedSecretReferences or managedConfigMapReferences",
                ".managedSecretReferences",
            ),
            not_the_token(),
            *(
                rule(
                    f"!has(self.allowEmpty) || !self.allowEmpty || !has(self.{field}) || "
                    f"self.{field}.all(target, !has(target.required) || !target.required)",
                    "with allowEmpty every target may be emptied: leave required out",
                    f".{field}",
                )
                for field in names.TARGET_FIELDS
            ),
            *(
                rule(
                    inside_the_folder(field, "target"),
                    "the path of a target is phaseAppEnvPath or a folder below it",
                    f".{field}",
                )
                for field in names.TARGET_FIELDS
            ),
        )
    }

    recursive: bool | None = Field(
        None,
        description="true: the folders below phaseAppEnvPath are read too; equal keys in two folders are a collision "
        "unless a target takes one of the two. Default: false.",
    )
    phase_app_env_tag: Annotated[Annotated[str, Field(max_length=253)] | None, unless_empty()] = Field(
        None, description="Take only entries with this tag; exact, case-sensitive."
    )
    phase_app_env_tags: list[Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^,]+$")]] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="Take entries with any of these tags; exact, case-sensitive.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    polling_interval: Annotated[int, Field(ge=5, le=31536000)] | None = Field(
        None,
        description="Seconds between checks for a change in Phase, at least 5. Default: 60.",
        json_schema_extra=NULLABLE,
    )
    authentication: Authentication = Field(
        default_factory=Authentication, description="How to authenticate with Phase."
    )
    keys: KeySelection = Field(default_factory=lambda: _ALL_KEYS, description="Which keys to take. Default: all.")
    managed_secret_references: list[ManagedSecretReference] = Field(
        default_factory=list,
        max_length=64,
        description="Secrets to keep in step. They take entries of type secret and sealed; those of type config too, "
        "as long as managedConfigMapReferences is empty.",
        json_schema_extra=no_doubles("secretName", "secretNamespace", "Secret"),
    )
    managed_config_map_references: list[ManagedConfigMapReference] = Field(
        default_factory=list,
        max_length=64,
        description="ConfigMaps to keep in step. They take the entries of type config and nothing else.",
        json_schema_extra=no_doubles("configMapName", "configMapNamespace", "ConfigMap"),
    )
    redeploy_label_selector: RedeployLabelSelector = None
    on_secret_reference_error: OnSecretReferenceError | None = Field(
        None,
        description="What happens if a reference ${...} cannot be resolved. Fail: the targets stay as they are. Warn: "
        "they are written with the unresolved text, and there is a Warning Event. Default: Fail.",
    )
    shrink: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description="Percentage of the selected entries that may vanish from Phase's answer at once. If more vanish, "
        "the operator reads again after a pause, and accepts an answer that comes twice. Default: 100, only the loss "
        "of all entries is doubted.",
    )
    allow_empty: bool | None = Field(
        None,
        description="true: targets are emptied when Phase answers twice that nothing is selected any more. Default: "
        "false, they stay as they are.",
    )
    suspend: bool | None = Field(
        None, description="true: leave the targets as they are and do not call Phase. Default: false."
    )


class SourceStatus(ApiModel):
    """What was read from Phase."""

    app_id: Annotated[str, Field(max_length=64)] | None = Field(None, description="Id of the app that was read.")
    environment: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="The environment that was read."
    )
    path: Annotated[str, Field(max_length=1024)] | None = Field(None, description="The folder that was read.")
    entries: int | None = Field(None, description="How many entries the resource selects there.")
    host: Annotated[str, Field(max_length=2048)] | None = Field(
        None,
        description="The host that was asked, if the spec names none and the operator's setting is not Phase's cloud.",
    )


class LeftOutWhy(StrEnum):
    """What kept entries out of a target."""

    TYPE = "Type"
    PATH = "Path"
    KEYS = "Keys"


class LeftOutStatus(ApiModel):
    """Entries that the resource selects and one target does not take."""

    why: LeftOutWhy = Field(
        description="Type: the target takes no entries of their type. Path: it takes those of another folder. "
        "Keys: its own patterns leave them out."
    )
    count: int = Field(description="How many.")
    keys: list[Annotated[str, Field(max_length=253)]] = Field(
        default_factory=list,
        max_length=10,
        description="The keys of the first ten, as they stand in Phase; none, if very many targets leave entries out.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class TargetStatus(ApiModel):
    """The state of one target."""

    kind: Annotated[str, Field(max_length=16)] = Field(description="Secret or ConfigMap.")
    namespace: NamespaceName = Field(description="Namespace of the target.")
    name: ObjectName = Field(description="Name of the target.")
    ready: bool = Field(description="true: it holds what Phase holds.")
    reason: Annotated[str, Field(max_length=64)] = Field(description="One word from the catalogue of reasons.")
    message: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="A sentence: what is wrong, or what there is to know."
    )
    keys: int | None = Field(None, description="How many keys it holds.")
    entries: int | None = Field(
        None, description="How many entries of Phase it is made of, if that is not the number of its keys."
    )
    selection: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="Digits that stand for what the target asks of Phase by the spec; they tell an edit from a change "
        "in Phase.",
    )
    version: ObjectName | None = Field(
        None, description="Name of the newest object, if the target is versioned: what a workload refers to."
    )
    restarted: list[Annotated[str, Field(max_length=300)]] = Field(
        default_factory=list,
        max_length=20,
        description="The workloads that were last restarted for this target, as kind and name.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    not_restarted: list[Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=list,
        max_length=10,
        description="Workloads whose pods do not run with what the target holds yet, and what that waits for.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    left_out: list[LeftOutStatus] = Field(
        default_factory=list,
        max_length=3,
        description="What the resource selects and this target does not take, by names only.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class PhaseSecretStatus(ResourceStatus):
    """The state of the PhaseSecret; written by the operator only, and only when it changes."""

    source: SourceStatus | None = Field(None, description="What was read.")
    targets: list[TargetStatus] = Field(
        default_factory=list,
        max_length=256,
        description="The state of each target; also of those that are still to be removed.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    keys: int | None = Field(None, description="How many keys all targets hold together.")
    last_synced_time: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="When a target or the verdict last changed; not when Phase was last asked.",
        json_schema_extra={"format": "date-time"},
    )
    last_forced_sync: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="The value of the annotation secrets.phase.dev/sync that was acted on last."
    )


class PhaseSecret(ApiModel):
    """Reads entries from Phase and keeps Secrets and ConfigMaps in step with them."""

    spec: PhaseSecretSpec = Field(description="What to read from Phase and where to write it.")
    status: PhaseSecretStatus = Field(
        default_factory=PhaseSecretStatus, description="The state; written by the operator."
    )

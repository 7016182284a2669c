"""Specs of PhasePushSecrets that an API server with our CRD refuses, and specs that it stores as they are."""

from typing import Any

from manifests.objects import Object
from manifests.specs import Bad, Good, token


def phase_push_secret(name: str = "one", **spec: Any) -> Object:
    smallest = {"phaseApp": "shop", "sources": [{"secretName": "db"}]}
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhasePushSecret",
        "metadata": {"name": name},
        "spec": {field: value for field, value in (smallest | spec).items() if value is not ...},
    }


def generating(*values: Object, **spec: Any) -> Object:
    return {"sources": ..., "generate": list(values), "generateInto": "made"} | spec


def names(field: str, number: int) -> list[Object]:
    return [{field: f"n{each}"} for each in range(number)]


BAD = [
    Bad({"phaseApp": ...}, "spec.phaseApp", what="no app"),
    Bad({"phaseApp": "", "phaseAppId": ""}, "spec.phaseApp", what="an empty app and an empty id"),
    Bad({"phaseHost": "https://me:pw@phase.example"}, "spec.phaseHost", what="credentials in the host"),
    Bad({"phaseAppEnvPath": "f" * 65}, "spec.phaseAppEnvPath", what="a folder whose name is too long"),
    Bad({"phaseAppEnvPath": "/a\nb"}, "spec.phaseAppEnvPath", what="a folder of two lines"),
    Bad({"phaseAppEnvPath": "/a" * 257}, "spec.phaseAppEnvPath", what="a folder that is too deep"),
    Bad({"sources": ...}, "spec.sources", what="no source"),
    Bad({"sources": []}, "spec.sources", what="an empty list of sources"),
    Bad({"sources": names("secretName", 33)}, "spec.sources", what="more sources than 32"),
    Bad({"sources": names("secretName", 2) * 2}, "spec.sources", what="a Secret twice"),
    Bad({"sources": names("configMapName", 2) * 2}, "spec.sources", what="a ConfigMap twice"),
    Bad({"sources": [{"secretName": "phase-service-token"}]}, "spec.sources", what="the token's Secret"),
    Bad(
        {"sources": [{"secretName": "a"}], "authentication": token(secretName="a")},
        "spec.sources",
        what="the token's Secret by its name",
    ),
    Bad(
        {"sources": [{"secretName": "a"}], "authentication": token(secretName="a", secretNamespace="")},
        "spec.sources",
        what="the token's Secret with an empty namespace",
    ),
    *(
        Bad({"phaseAppEnvPath": root, "sources": [{"secretName": "a", "path": path}]}, "spec.sources", what=what)
        for what, root, path in (
            ("a source above the folder", "/a/b", "/a"),
            ("a source in the root", "/a", "/"),
            ("a source beside the folder", "/a", "/ab"),
        )
    ),
    *(
        Bad({"sources": [source]}, f"spec.sources[0]{field}", what=what)
        for what, source, field in (
            ("a source that names nothing", {}, ""),
            ("a Secret and a ConfigMap", {"secretName": "a", "configMapName": "a"}, ""),
            ("a Secret and a selector", {"secretName": "a", "secretSelector": "a=b"}, ""),
            ("all three", {"secretName": "a", "secretSelector": "a=b", "configMapName": "a"}, ""),
            ("an empty name", {"secretName": ""}, ".secretName"),
            ("an upper case name", {"secretName": "DB"}, ".secretName"),
            ("a source elsewhere", {"secretName": "a", "secretNamespace": "b"}, ".secretNamespace"),
            ("an empty selector", {"secretSelector": ""}, ".secretSelector"),
            ("a selector of blanks", {"secretSelector": "  "}, ".secretSelector"),
            ("a selector of signs", {"secretSelector": "!,="}, ".secretSelector"),
            ("not a selector", {"secretSelector": "a;b"}, ".secretSelector"),
            ("a selector of ConfigMaps", {"configMapSelector": "a=b"}, ".configMapSelector"),
            ("a Secret as config", {"secretName": "a", "type": "config"}, ".type"),
            ("Secrets as config", {"secretSelector": "a=b", "type": "config"}, ".type"),
            ("an unknown type", {"secretName": "a", "type": "password"}, ".type"),
            ("a folder without slash", {"secretName": "a", "path": "cluster"}, ".path"),
            ("a folder of a long name", {"secretName": "a", "path": f"/a/{'f' * 65}/b"}, ".path"),
            ("a prefix with a dot", {"secretName": "a", "prefix": "a."}, ".prefix"),
            ("a key in Phase with a slash", {"secretName": "a", "processors": {"K": {"asName": "a/b"}}}, ".processors"),
            ("an encoding", {"secretName": "a", "processors": {"K": {"type": "hex"}}}, ".processors"),
            ("a processor without key", {"secretName": "a", "processors": {"": {"asName": "A"}}}, ".processors"),
            ("an empty pattern", {"secretName": "a", "keys": {"include": [""]}}, ".keys.include[0]"),
        )
    ),
    Bad({"generate": [{"key": "A", "kind": "UUID"}]}, "spec.generateInto", what="no Secret for what is made"),
    Bad({"generateInto": "made"}, "spec.generateInto", what="a Secret for nothing"),
    Bad(generating(generateInto="made"), "spec.sources", what="nothing to generate"),
    Bad(
        generating({"key": "A", "kind": "UUID"}, generateInto="phase-service-token"),
        "spec.generateInto",
        what="what is made in the token's Secret",
    ),
    Bad(
        generating({"key": "A", "kind": "UUID"}, sources=[{"secretName": "made"}]),
        "spec.sources",
        what="the Secret for what is made as a source",
    ),
    Bad(generating(*({"key": f"K{n}", "kind": "UUID"} for n in range(33))), "spec.generate", what="33 values"),
    *(
        Bad(generating(*({"key": key, "kind": kind} for key, kind in pairs)), "spec.generate", what=what)
        for what, pairs in (
            ("a key twice", (("A", "UUID"), ("A", "UUID"))),
            ("keys that differ in case", (("a", "UUID"), ("A", "Password"))),
            ("keys that differ in - and .", (("a-b", "UUID"), ("a.b", "UUID"))),
            ("the key of a public half", (("A", "SSHKey"), ("A_PUB", "UUID"))),
            ("the key of a public half in other letters", (("a.pub", "UUID"), ("A", "ECKey"))),
        )
    ),
    *(
        Bad(generating({"key": "A", "kind": "Password"} | value), f"spec.generate[0].{field}", what=what)
        for what, value, field in (
            ("no kind", {"kind": None}, "kind"),
            ("an unknown kind", {"kind": "AWSKey"}, "kind"),
            ("an empty key", {"key": ""}, "key"),
            ("a key with a slash", {"key": "a/b"}, "key"),
            ("a key too long for its public half", {"key": "k" * 250}, "key"),
            ("a short password", {"length": 15}, "length"),
            ("a long password", {"length": 257}, "length"),
            ("a length in quotes", {"length": "32"}, "length"),
            ("symbols that are text", {"symbols": "!"}, "symbols"),
            ("a length of a UUID", {"kind": "UUID", "length": 36}, "length"),
            ("symbols of a key", {"kind": "RSAKey", "symbols": False}, "symbols"),
            ("a long word for a rotation", {"rotate": "r" * 64}, "rotate"),
            ("a number for a rotation", {"rotate": 2}, "rotate"),
        )
    ),
    Bad(
        generating({"key": "A", "kind": "UUID", "rotate": "x"}, updatePolicy="IfNotExists"),
        "spec.generate",
        what="a rotation that changes nothing in Phase",
    ),
    Bad(
        {"updatePolicy": "IfNotExists", "onTypeChange": "Replace"},
        "spec.onTypeChange",
        what="a replacement that changes nothing in Phase",
    ),
    *(
        Bad({field: value}, f"spec.{field}", what=f"{field} {value!r}"[:60])
        for field, values in (
            ("updatePolicy", ("Merge", "owned", "")),
            ("deletionPolicy", ("None", "delete")),
            ("onTypeChange", ("Recreate",)),
            ("pollingInterval", (4, 31536001, "60")),
            ("suspend", ("yes",)),
            ("tags", (["a"] * 2, [""], ["a,b"], ["t" * 65], [f"t{n}" for n in range(17)], "a")),
        )
        for value in values
    ),
    # Fields of other kinds are typing errors, and none is dropped in silence.
    *(
        Bad({field: value}, f"spec.{field}", what=f"{field}, which a PhasePushSecret has not")
        for field, value in (
            ("managedSecretReferences", [{"secretName": "a"}]),
            ("keys", {"include": ["A"]}),
            ("recursive", True),
            ("phaseAppEnvTags", ["a"]),
            ("connectionRef", {"kind": "PhaseConnection", "name": "a"}),
        )
    ),
]

GOOD = [
    Good({}, what="the smallest"),
    Good({"phaseApp": ..., "phaseAppId": "6ab9f4a0-8f0c-4d36"}, what="an app by its id"),
    Good(
        {
            "phaseAppEnvPath": "/cluster",
            "tags": ["kubernetes"],
            "updatePolicy": "Owned",
            "deletionPolicy": "Delete",
            "pollingInterval": 60,
            "sources": [
                {"secretName": "postgres-app", "keys": {"include": ["username", "password"]}, "prefix": "PG_"},
                {
                    "secretSelector": "controller.cert-manager.io/fao=true",
                    "keys": {"include": ["tls.crt", "tls.key"]},
                    "type": "sealed",
                },
                {"configMapName": "settings", "processors": {"logo.png": {"asName": "LOGO", "type": "base64"}}},
            ],
            "generate": [
                {"key": "SESSION_KEY", "kind": "Password", "length": 48},
                {"key": "DEPLOY_KEY", "kind": "SSHKey", "rotate": "2026-11"},
            ],
            "generateInto": "shop-generated",
        },
        what="all that there is",
    ),
    Good(generating({"key": "A", "kind": "UUID"}), what="nothing but a generated value"),
    Good(
        generating(*({"key": f"K{n}", "kind": "SSHKey"} for n in range(32)), sources=names("secretName", 32)),
        what="as many sources and values as there may be",
    ),
    Good(
        generating({"key": "a_pub", "kind": "UUID"}, {"key": "A", "kind": "Password"}),
        what="a key like that of a public half, and no key pair",
    ),
    Good({"sources": [{"secretName": "a"}, {"configMapName": "a"}]}, what="a Secret and a ConfigMap of one name"),
    Good({"sources": [{"secretSelector": "a=b"}, {"secretSelector": "a=b"}]}, what="a selector twice"),
    Good({"sources": [{"secretSelector": "tier in (api,web),!legacy"}]}, what="a selector that also excludes"),
    Good({"sources": [{"configMapName": "a", "type": "sealed"}]}, what="a ConfigMap as sealed"),
    Good(
        {"sources": [{"secretName": "a"}], "authentication": token(secretName="a", secretNamespace="n")},
        what="a Secret named like the token's of another namespace",
    ),
    *(
        Good({"phaseAppEnvPath": root, "sources": [{"secretName": "a", "path": path}]}, what=f"{path} inside {root}")
        for root, path in (("/a", "/a"), ("/a/", "/a/b"), ("/", "/a"), ("", "/a"), ("a", "/a/b"), ("/a//b", "/a/b/c"))
    ),
    Good({"phaseAppEnvPath": f"/{'f' * 64}/{'g' * 64}"}, what="folders with the longest names"),
    Good({"phaseHost": None, "phaseAppEnv": None, "phaseAppEnvPath": None, "pollingInterval": None}, what="nulls"),
    Good(
        {
            "phaseHost": "",
            "phaseAppId": "",
            "phaseAppEnv": "",
            "phaseAppEnvPath": "",
            "authentication": token(secretName="", secretNamespace=""),
            "sources": [{"secretName": "a", "path": "", "prefix": "", "processors": {"a": {"asName": ""}}}],
        },
        what="empty strings, as rendered by templates",
    ),
    Good(
        generating({"key": "A", "kind": "UUID", "rotate": ""}, updatePolicy="IfNotExists", onTypeChange="Refuse"),
        what="what IfNotExists allows",
    ),
]

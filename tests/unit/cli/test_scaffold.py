"""The PhaseSecret that `init` writes: as literal text, and valid with each of its comments taken for a field."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from phase_operator.cli.setting_up.scaffold import Choice, folders_of, manifest, object_name, scalar
from phase_operator.reconcile.context import parse_spec

CHOICE = Choice("shop", None, "Production", "/", recursive=False, has_config=False, target="shop")
HARD = ["yes", "null", "12", "a: b", "#x", "'q'", '"', "\\", "tab\t", "new\nline", "ünïcode", "😀", "\x1b[2J", "", " a"]


def test_the_file_has_the_fields_that_most_need_and_the_others_as_comments() -> None:
    assert (
        manifest(replace(CHOICE, host="https://phase.example", namespace="team", has_config=True))
        == """\
# Keeps a Secret in step with an environment of Phase.
# Try it with `kubectl phase diff -f FILE`, and apply it with `kubectl apply -f FILE`.
apiVersion: secrets.phase.dev/v1alpha1
kind: PhaseSecret
metadata:
  name: shop
  namespace: team
spec:
  phaseHost: "https://phase.example"
  phaseApp: shop
  phaseAppEnv: Production
  # The folder to read. With recursive, those below it are read too.
  phaseAppEnvPath: /
  #recursive: true
  # Only entries with one of these tags:
  #phaseAppEnvTags: [api]
  # Only some keys. A pattern may have * and ?
  #keys: {include: ["DB_*"], exclude: ["*_TEST"]}
  # Seconds between checks for a change in Phase.
  #pollingInterval: 60
  # The Secret with the token: `kubectl phase auth create phase-service-token` makes it.
  authentication:
    serviceToken:
      serviceTokenSecretReference:
        secretName: phase-service-token
  managedSecretReferences:
    - secretName: shop
      # How keys are spelled: upper_snake, camel, upper-camel, lower-snake, lower-kebab, tf-var
      #nameTransformer: upper_snake
      # One file with all entries instead of a key for each: dotenv, json, yaml, properties, toml
      #format: dotenv
      # Delete: the Secret goes when this resource does. Retain: it stays.
      #deletionPolicy: Retain
      # Restart the workloads that read it when it changes: Annotated, All or None
      #restart: {workloads: All}
  # The entries of type config; the Secret does not take them then.
  managedConfigMapReferences:
    - configMapName: shop
  # If a reference ${...} cannot be resolved. Fail: targets stay as they are. Warn: it stays as it is.
  #onSecretReferenceError: Fail
  # true: targets stay as they are, and Phase is not called.
  #suspend: true
"""
    )


def test_the_config_map_is_there_only_if_there_are_config_entries() -> None:
    assert "managedConfigMapReferences" not in manifest(CHOICE)


def test_every_field_in_a_comment_is_valid() -> None:
    text = manifest(CHOICE)
    fields = re.findall(r"^ *#\w.*$", text, re.MULTILINE)

    for field in fields:
        parse_spec(yaml.safe_load(text.replace(field, field.replace("#", "", 1)))["spec"])
    assert len(fields) == 10


@pytest.mark.parametrize("text", HARD)
def test_a_name_of_others_stays_one_text(text: str) -> None:
    found: Any = yaml.safe_load(manifest(replace(CHOICE, app=text, environment=text, path=f"/{text}")))

    assert (found["spec"]["phaseApp"], found["spec"]["phaseAppEnv"]) == (text, text)
    assert found["spec"]["phaseAppEnvPath"] == f"/{text}"
    assert scalar(text).isprintable()


def test_an_app_whose_name_is_no_name_is_named_by_its_id() -> None:
    found = manifest(replace(CHOICE, app="a\n#b", app_id="00000000-0000-4000-8000-000000000001"))

    assert "phaseApp:" not in found
    assert yaml.safe_load(found)["spec"]["phaseAppId"] == "00000000-0000-4000-8000-000000000001"


def test_folders_above_entries_can_be_chosen_too() -> None:
    assert folders_of(["/a/b", "/c"]) == ["/", "/a", "/a/b", "/c"]
    assert folders_of([]) == ["/"]


@pytest.mark.parametrize(
    ("text", "name"), [("My Shop!", "my-shop"), ("ünï", "n"), ("...", "phase"), ("A" * 99, "a" * 63)]
)
def test_the_name_of_the_secret_is_like_the_app(text: str, name: str) -> None:
    assert object_name(text) == name

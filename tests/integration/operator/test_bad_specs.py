"""What the API server cannot know to be bad: it gets its reason, and what is good beside it is not held up."""

from typing import Any

from support.world import World

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "host": ({"phaseHost": "https://\u2100.example"}, "InvalidSpec"),
    "path": ({"phaseAppEnvPath": "shop", "managedSecretReferences": [{"secretName": "p", "path": "/"}]}, "InvalidSpec"),
    "syntax": (
        {"managedSecretReferences": [{"secretName": "s", "template": {"data": {"a": "{{"}}}]},
        "TemplateInvalid",
    ),
    "missing": (
        {"managedSecretReferences": [{"secretName": "m", "template": {"data": {"a": "{{ NOT_THERE }}"}}}]},
        "TemplateFailed",
    ),
    "type": ({"managedSecretReferences": [{"secretName": "t", "secretType": "kubernetes.io/tls"}]}, "TypeMismatch"),
    "format": ({"managedSecretReferences": [{"secretName": "f", "format": "dockerconfigjson"}]}, "ValueInvalid"),
    "collision": (
        {"managedSecretReferences": [{"secretName": "c", "processors": {"LOG_LEVEL": {"asName": "DATABASE_HOST"}}}]},
        "KeyCollision",
    ),
    "base64": (
        {"managedSecretReferences": [{"secretName": "b", "processors": {"DATABASE_HOST": {"type": "base64"}}}]},
        "ValueInvalid",
    ),
    "label": (
        {
            "managedSecretReferences": [
                {"secretName": "l", "template": {"metadata": {"labels": {"a": "{{ LOG_LEVEL }} {{ LOG_LEVEL }}"}}}}
            ]
        },
        "TargetRefused",
    ),
}


def test_bad_ones_get_their_reasons_and_a_good_one_beside_them_is_ready(world: World) -> None:
    before = len(world.operator.log)
    for name, (spec, _) in BAD.items():
        world.phase_secret(name, **spec)

    world.phase_secret("good")

    world.until_ready("good")
    for name, (_, reason) in BAD.items():
        world.until_reason(reason, name)
        stands = world.condition(name, "Stalled") or world.condition(name, "Reconciling")
        assert stands["status"] == "True"
    log = world.operator.log[before:]
    assert "Traceback" not in log
    assert "InternalError" not in log


def test_a_bad_target_is_told_and_the_others_are_good(world: World) -> None:
    world.phase_secret(
        managedSecretReferences=[
            {"secretName": "one"},
            {"secretName": "bad", "template": {"data": {"a": "{{ NOT_THERE }}"}}},
            {"secretName": "two", "format": "json"},
        ]
    )

    world.until_reason("TemplateFailed")

    targets = (world.get("phasesecret", "shop") or {})["status"]["targets"]
    assert {each["name"]: each["ready"] for each in targets} == {"one": True, "bad": False, "two": True}
    assert (world.data("one") or {}).keys() == {"DATABASE_HOST", "DATABASE_PASSWORD", "LOG_LEVEL"}
    assert (world.data("two") or {}).keys() == {"entries.json"}
    assert world.data("bad") is None

import pytest

from phase_operator.cli.migrating.go_templates import Unsayable, converted, plain, with_value
from phase_operator.core.content.template import compile_template

VALUES = {"user": b"shop", "db-host": b"db.example", "in": b"inside", "KEY": b"value", "EMPTY": b""}


def rendered(text: str) -> str:
    return compile_template(converted(text)).render(VALUES).decode()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("no placeholder", "no placeholder", id="text"),
        pytest.param("a {{ .user }} b", "a shop b", id="a name"),
        pytest.param("{{.user}}", "shop", id="without spaces"),
        pytest.param('{{ index . "db-host" }}', "db.example", id="by index"),
        pytest.param('{{ index . "in" }}{{ .in }}', "insideinside", id="a word of our language"),
        pytest.param("x \n {{- .user -}} \n y", "xshopy", id="trimmed"),
        pytest.param("{{ .user | b64enc }}", "c2hvcA==", id="base64"),
        pytest.param("{{ b64enc .user }}", "c2hvcA==", id="a function in front"),
        pytest.param("{{ .user | toString | quote }}", '"shop"', id="several functions"),
        pytest.param('{{ .EMPTY | default "x" }}{{ default "y" .EMPTY }}', "xy", id="a default"),
        pytest.param("{{ .user | indent 2 }}", "  shop", id="an indent"),
        pytest.param('{{ "{{" }}', "{{", id="a text"),
        pytest.param("{% if x %}{# y #}", "{% if x %}{# y #}", id="signs of our language"),
    ],
)
def test_a_placeholder_renders_as_it_does_there(text: str, result: str) -> None:
    assert rendered(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "{{ if .user }}x{{ end }}",
        "{{ range $k, $v := . }}{{ $k }}{{ end }}",
        "{{ .user | upper }}",
        "{{ .user | urlquery }}",
        '{{ printf "%s" .user }}',
        "{{ .user.name }}",
        "{{ .user | indent 99 }}",
        "{{ $x }}",
        "{{ .user",
        "}} {{ .user }}",
        "{{ }}",
        "{{ . }}",
        "{{ .user | }}",
        "{{/* comment */}}",
        '{{ "a\\"b" }}',
        "{{ (.user) }}",
        "x" * 70_000,
        "{{ .user | indent }}",
    ],
)
def test_a_template_without_a_certain_equal_is_refused(text: str) -> None:
    with pytest.raises(Unsayable):
        converted(text)


def test_a_refusal_does_not_quote_the_template() -> None:
    with pytest.raises(Unsayable) as refused:
        converted("postgres://literal-password@{{ .host | upper }}")

    assert "literal" not in str(refused.value)


def test_a_value_of_infisical_is_a_key() -> None:
    assert converted("{{ .KEY.Value }}", with_value) == "{{ KEY }}"


@pytest.mark.parametrize("name", ["KEY", "KEY.SecretPath", "KEY.Value.x"])
def test_another_part_of_an_entry_of_infisical_is_refused(name: str) -> None:
    with pytest.raises(Unsayable):
        with_value(name)


def test_a_part_of_a_value_is_refused() -> None:
    with pytest.raises(Unsayable):
        plain("a.b")

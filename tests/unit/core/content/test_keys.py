import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import NameTransformer, Processor
from phase_operator.core.content.keys import assign_keys, legal, target_key, transform
from phase_operator.core.errors import Waiting
from phase_operator.core.text import listing
from support.builders import entry

STYLE = NameTransformer


@pytest.mark.parametrize(
    ("style", "key", "spelled"),
    [
        pytest.param(STYLE.UPPER_SNAKE, "SECRET_KEY", "SECRET_KEY", id="upper_snake"),
        pytest.param(STYLE.CAMEL, "SECRET_KEY", "secretKey", id="camel"),
        pytest.param(STYLE.CAMEL, "DATABASE_HOST", "databaseHost", id="camel of DATABASE_HOST"),
        pytest.param(STYLE.CAMEL, "API_KEY", "apiKey", id="camel of API_KEY"),
        pytest.param(STYLE.CAMEL, "STRIPE_SECRET_KEY", "stripeSecretKey", id="camel of three words"),
        pytest.param(STYLE.UPPER_CAMEL, "SECRET_KEY", "SecretKey", id="upper-camel"),
        pytest.param(STYLE.UPPER_CAMEL, "DATABASE_HOST", "DatabaseHost", id="upper-camel of DATABASE_HOST"),
        pytest.param(STYLE.LOWER_SNAKE, "SECRET_KEY", "secret_key", id="lower-snake"),
        pytest.param(STYLE.TF_VAR, "SECRET_KEY", "TF_VAR_secret_key", id="tf-var"),
        pytest.param(STYLE.LOWER_KEBAB, "SECRET_KEY", "secret-key", id="lower-kebab"),
    ],
)
def test_every_style_gives_the_documented_keys(style: NameTransformer, key: str, spelled: str) -> None:
    """The results are the documented ones: all that the official operator's page shows.

    phasehq/docs, src/pages/integrations/platforms/kubernetes.mdx, "Secret key name transformation".
    """
    assert transform(key, style) == spelled


def test_mixed_spellings_give_the_documented_keys() -> None:
    """The results are the documented ones, from "Mixed transformations with per-key overrides" of the same page."""
    entries = [entry("DATABASE_HOST"), entry("STRIPE_SECRET_KEY"), entry("API_KEY")]
    processors = {
        "DATABASE_HOST": Processor(name_transformer=STYLE.UPPER_CAMEL),
        "STRIPE_SECRET_KEY": Processor(as_name="stripeKey"),
    }

    assigned = assign_keys(entries, STYLE.CAMEL, processors)

    assert list(assigned) == ["DatabaseHost", "stripeKey", "apiKey"]


@pytest.mark.parametrize(
    ("style", "key", "spelled"),
    [
        pytest.param(STYLE.CAMEL, "PORT", "port", id="camel of one word"),
        pytest.param(STYLE.UPPER_CAMEL, "PORT", "Port", id="upper camel of one word"),
        pytest.param(STYLE.CAMEL, "A_B_C", "aBC", id="camel of single letters"),
        pytest.param(STYLE.CAMEL, "API_V2_URL", "apiV2Url", id="camel with digits"),
        pytest.param(STYLE.CAMEL, "S3_2FA_KEY", "s32faKey", id="camel of a word that a digit begins"),
        pytest.param(STYLE.UPPER_CAMEL, "V2API_URL", "V2apiUrl", id="a digit within a word begins no new one"),
        pytest.param(STYLE.UPPER_CAMEL, "A__B", "AB", id="doubled underscores vanish in upper camel"),
        pytest.param(STYLE.CAMEL, "DB__USER_NAME", "dbUserName", id="doubled underscores vanish in camel"),
        pytest.param(STYLE.LOWER_SNAKE, "A__B", "a__b", id="doubled underscores stay in snake"),
        pytest.param(STYLE.TF_VAR, "A__B", "TF_VAR_a__b", id="doubled underscores stay in tf-var"),
        pytest.param(STYLE.LOWER_KEBAB, "A__B", "a--b", id="doubled underscores stay in kebab"),
        pytest.param(STYLE.CAMEL, "_FOO_BAR", "FooBar", id="camel after a leading underscore begins upper"),
        pytest.param(STYLE.UPPER_CAMEL, "_FOO_BAR_", "FooBar", id="outer underscores vanish in upper camel"),
        pytest.param(STYLE.LOWER_KEBAB, "_FOO_", "-foo-", id="outer underscores become dashes in kebab"),
        pytest.param(STYLE.UPPER_SNAKE, "mixedCase", "mixedCase", id="upper_snake leaves a key as it is in Phase"),
        pytest.param(STYLE.CAMEL, "mixedCase_key", "mixedcaseKey", id="camel knows words by underscores only"),
        pytest.param(STYLE.LOWER_KEBAB, "already_lower", "already-lower", id="kebab of a lower key"),
        pytest.param(STYLE.LOWER_SNAKE, "already_lower", "already_lower", id="snake of a lower key"),
        pytest.param(STYLE.CAMEL, "TLS.CRT_A-B", "tls.crtA-b", id="dots and dashes part no words"),
    ],
)
def test_undocumented_keys_stay_as_they_were(style: NameTransformer, key: str, spelled: str) -> None:
    """Nobody promised these; they are held so that no target's key changes by an upgrade."""
    assert transform(key, style) == spelled


@pytest.mark.parametrize("style", list(NameTransformer))
def test_a_style_gives_a_usual_key_a_legal_spelling(style: NameTransformer) -> None:
    assert legal(transform("DATABASE_URL_2", style))


@pytest.mark.parametrize(
    ("style", "processor", "spelled"),
    [
        pytest.param(None, None, "DB_HOST", id="nothing said"),
        pytest.param(STYLE.CAMEL, None, "dbHost", id="the target's style"),
        pytest.param(
            STYLE.CAMEL, Processor(name_transformer=STYLE.LOWER_KEBAB), "db-host", id="the processor's style wins"
        ),
        pytest.param(
            STYLE.CAMEL,
            Processor(as_name="tls.crt", name_transformer=STYLE.LOWER_KEBAB),
            "tls.crt",
            id="asName wins over all",
        ),
        pytest.param(STYLE.CAMEL, Processor(), "dbHost", id="an empty processor says nothing"),
    ],
)
def test_a_key_is_spelled_by_its_processor_else_by_its_target(
    style: NameTransformer | None, processor: Processor | None, spelled: str
) -> None:
    assert target_key("DB_HOST", style, processor) == spelled


@pytest.mark.parametrize(
    ("style", "processor", "spelled"),
    [
        pytest.param(None, None, "app.DB_HOST", id="before the key as it is in Phase"),
        pytest.param(STYLE.CAMEL, None, "app.dbHost", id="before the target's spelling, and not spelled itself"),
        pytest.param(STYLE.TF_VAR, None, "app.TF_VAR_db_host", id="before what the style puts in front"),
        pytest.param(None, Processor(name_transformer=STYLE.LOWER_KEBAB), "app.db-host", id="before the processor's"),
        pytest.param(STYLE.CAMEL, Processor(as_name="tls.crt"), "tls.crt", id="asName is taken as it is"),
    ],
)
def test_a_prefix_stands_before_the_key_in_its_style(
    style: NameTransformer | None, processor: Processor | None, spelled: str
) -> None:
    assert target_key("DB_HOST", style, processor, "app.") == spelled


def test_a_prefix_stands_before_every_key_but_those_with_as_name() -> None:
    entries = [entry("A"), entry("B"), entry("C")]

    assigned = assign_keys(entries, STYLE.LOWER_SNAKE, {"B": Processor(as_name="b")}, prefix="APP_")

    assert assigned == {"APP_a": entries[0], "b": entries[1], "APP_c": entries[2]}


def test_a_prefix_can_lead_to_a_key_that_as_name_gave() -> None:
    with pytest.raises(Waiting) as caught:
        assign_keys([entry("A"), entry("B")], None, {"B": Processor(as_name="APP_A")}, prefix="APP_")

    assert caught.value.reason is Reason.KEY_COLLISION
    assert '"/A" and "/B"' in caught.value.message


def test_a_prefix_can_make_a_key_too_long_or_illegal() -> None:
    for prefix in ("a b", "x" * 253):
        with pytest.raises(Waiting) as caught:
            assign_keys([entry("A")], None, {}, prefix)

        assert caught.value.reason is Reason.KEY_INVALID


def test_a_processor_for_a_key_that_no_entry_has_is_no_error() -> None:
    assert list(assign_keys([entry("A")], None, {"GONE": Processor(as_name="A")})) == ["A"]


def test_every_entry_gets_its_key() -> None:
    entries = [entry("A_B"), entry("C")]

    assigned = assign_keys(entries, STYLE.LOWER_KEBAB, {"C": Processor(as_name="other")})

    assert assigned == {"a-b": entries[0], "other": entries[1]}


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned round"])
def test_a_collision_names_both_sources_in_one_order(turned: bool) -> None:
    entries = [entry("DB_HOST", path="/api"), entry("db_host")]

    with pytest.raises(Waiting) as caught:
        assign_keys(reversed(entries) if turned else entries, STYLE.LOWER_SNAKE, {})

    assert caught.value.reason is Reason.KEY_COLLISION
    assert '"/api/DB_HOST" and "/db_host"' in caught.value.message


def test_two_entries_of_one_folder_and_key_collide() -> None:
    entries = [entry("A", ident="1"), entry("A", ident="2")]

    with pytest.raises(Waiting) as caught:
        assign_keys(entries, None, {})

    assert caught.value.reason is Reason.KEY_COLLISION
    assert '"/A"' in caught.value.message


def test_as_name_can_collide_with_another_entry() -> None:
    with pytest.raises(Waiting) as caught:
        assign_keys([entry("A"), entry("B")], None, {"A": Processor(as_name="B")})

    assert caught.value.reason is Reason.KEY_COLLISION


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        pytest.param("a", True, id="a letter"),
        pytest.param("tls.crt", True, id="a dot inside"),
        pytest.param(".dockerconfigjson", True, id="a dot first"),
        pytest.param("-", True, id="a dash"),
        pytest.param("a" * 253, True, id="253 characters"),
        pytest.param("a" * 254, False, id="254 characters"),
        pytest.param("", False, id="nothing"),
        pytest.param(".", False, id="one dot"),
        pytest.param("..", False, id="two dots"),
        pytest.param("..a", False, id="two dots first"),
        pytest.param("a b", False, id="a space"),
        pytest.param("a/b", False, id="a slash"),
        pytest.param("ä", False, id="a letter that is not ASCII"),
        pytest.param("a\n", False, id="a line break at the end"),
        pytest.param("٣", False, id="a digit that is not ASCII"),
    ],
)
def test_a_key_is_legal_exactly_if_kubernetes_takes_it(key: str, taken: bool) -> None:
    assert legal(key) is taken


def test_illegal_keys_are_named_and_sorted() -> None:
    with pytest.raises(Waiting) as caught:
        assign_keys([entry("z z"), entry("OK"), entry("a a")], None, {})

    assert caught.value.reason is Reason.KEY_INVALID
    assert '"a a", "z z"' in caught.value.message
    assert "OK" not in caught.value.message


def test_an_illegal_key_names_its_source() -> None:
    with pytest.raises(Waiting) as caught:
        assign_keys([entry("__", path="/api")], STYLE.CAMEL, {})

    assert caught.value.reason is Reason.KEY_INVALID
    assert '"/api/__"' in caught.value.message


def test_a_long_listing_says_how_many_more() -> None:
    assert listing("abcdefg") == '"a", "b", "c", "d", "e" and 2 more'

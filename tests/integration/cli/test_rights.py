"""The command line for people with the ClusterRoles *edit* and *view* in a namespace, and for one without any right."""

import json
from collections.abc import Iterator
from functools import partial

import pytest

from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.canary import Canary
from support.operator_process import OperatorProcess, eventually, running_operator
from support.person import Person, person
from support.world import World, phase_secret

HOME = "phase-system"
_ROLE = "this gives what the command needs:\n"
# What a command of each sort says to somebody with a role: its exit code, by the role.
_LOOKING = ("get", "get shop -o yaml", "explain shop", "events shop", "tree shop", "migrate check --from official-v1")
_READING = ("trace secret/shop", "tree secret/shop", "auth check --host PHASE", "migrate adopt --from official-v1")
_ACTING = ("sync shop", "sync --all", "suspend shop", "resume --all --wait")
_ELSEWHERE = ("logs shop",)
# Those with an exit code of their own for what cannot be told.
_COMPARING = ("diff shop --host PHASE", "diff -f FILE --host PHASE")
_LEAVING = ("uninstall --keep-secrets --dry-run",)
_MOVING = ("migrate check --from eso", "migrate convert --from infisical")
_RENDERING = ("render -f FILE --token-from-cluster --host PHASE",)
_MAKING = ("auth create other --token-file TOKEN --host PHASE",)
# There is no pod here for a log, and no resource to convert.
_ENDS = {"logs shop": 1, "migrate convert --from infisical": 1}
ALL = (*_LOOKING, *_READING, *_ACTING, *_COMPARING, *_LEAVING, *_MOVING, *_RENDERING, *_MAKING, *_ELSEWHERE)


@pytest.fixture(scope="module")
def operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(installed, folder, "--host", "", elects=True, patience=40) as operator:
        yield operator


@pytest.fixture
def stage(
    installed: ControlPlane,
    phase: EmbeddedPhase,
    namespace: str,
    canary: Canary,
    operator: OperatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Stage"]:
    stage = Stage(World(installed, namespace, phase, canary), tmp_path_factory)
    stage.world.operator = operator
    stage.make()
    yield stage
    stage.world.no_phase_secrets()


class Stage:
    """A namespace with a PhaseSecret in step, and files that commands name."""

    def __init__(self, world: World, folders: pytest.TempPathFactory) -> None:
        self.world = world
        self._folder = folders.mktemp("files")

    def make(self) -> None:
        world = self.world
        token = world.canary.token(world.phase.token("operator"))
        world.canary.token(world.phase.token("operator", form="hex"))
        (self._folder / "token").write_text(token)
        world.token()
        world.phase.set("shop", "production", "DB_URL", world.canary.value("value"), path=f"/{world.namespace}")
        body = phase_secret("shop", world.phase.url, phaseAppEnvPath=f"/{world.namespace}")
        body["metadata"]["namespace"] = world.namespace
        (self._folder / "shop.yaml").write_text(json.dumps(body))
        world.apply(body)
        world.until_ready("shop")

    def gives(self, who: Person, command: str) -> tuple[int, str]:
        """Have somebody give a command in the namespace; return its exit code and what it says on errors."""
        files = {
            "FILE": self._folder / "shop.yaml",
            "TOKEN": self._folder / "token",
            "PHASE": self.world.phase.url,
        }
        words = [str(files.get(word, word)) for word in command.split()]
        result = who.does(*words, "-n", self.world.namespace)
        assert all(line.isprintable() for line in result.output.splitlines())
        return result.exit_code, result.stderr

    def works(self, who: Person, command: str) -> bool:
        """Return whether somebody has all rights for a command; it then ends as it does for an administrator."""
        code, said = self.gives(who, command)
        if _ROLE in said:
            return False
        assert code == _ENDS.get(command, 0), f"{command}: {said}"
        return True

    def grant(self, roles: str, user: str) -> None:
        """Apply Roles as an administrator who fills in the name."""
        api = api_of(self.world.plane)
        for each in documents.load_all(roles.replace("YOUR-NAME", user)):
            api.make(each, each["metadata"].get("namespace", ""))

    def withdraw(self, roles: str) -> None:
        """Take Roles away."""
        api = api_of(self.world.plane)
        for each in documents.load_all(roles):
            api.delete(each["kind"].lower(), each["metadata"]["name"], each["metadata"].get("namespace", ""))


def test_each_command_can_be_given_after_one_role(stage: Stage) -> None:
    nobody = person(stage.world.plane, stage.world.namespace, stage.world.canary, None)
    user = f"system:serviceaccount:{stage.world.namespace}:nobody"

    for command in ALL:
        code, said = stage.gives(nobody, command)
        sentence, _, roles = said.partition(_ROLE)
        assert code == (2 if command in _COMPARING else 1), command
        assert sentence.startswith("kubectl phase: you have no right to "), command
        assert len(sentence.splitlines()) == 1, command

        stage.grant(roles, user)
        eventually(
            partial(stage.works, nobody, command), within=5, what=f"the Role that {command} prints makes it work"
        )
        stage.withdraw(roles)


@pytest.mark.parametrize(("role", "refused"), [("view", (*_READING, *_ACTING[:3], *_MAKING)), ("edit", ())])
def test_roles_of_kubernetes_give_what_they_are_for(stage: Stage, role: str, refused: tuple[str, ...]) -> None:
    who = person(stage.world.plane, stage.world.namespace, stage.world.canary, role)

    for command in (*_LOOKING, *_READING, *_ACTING, *_MAKING):
        code, said = stage.gives(who, command)
        assert (code, _ROLE in said) == ((1, True) if command in refused else (0, False)), f"{command}: {said}"

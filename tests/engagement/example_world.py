"""What the tests of the example rulebooks share: a rulebook by its name, and where an account stands by it."""

from collections.abc import Sequence
from pathlib import Path

from engagement import records
from engagement.events import Family
from engagement.intake import Intake
from engagement.judging import Evaluation, judge_by
from engagement.machine import Output
from engagement.rulebook import Rulebook, load_rulebook
from tests.engagement.intake_world import IDENTITY, record, visit
from tests.engagement.intake_world import run as run_intake
from tests.engagement.log_world import FIRST_DAY, Log, run

FOLDER = Path(__file__).parents[2] / "examples" / "rulebooks"


def example(name: str) -> Rulebook:
    return load_rulebook((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")


def seen(log: Log, rulebook: Rulebook, account: str = "acme.com") -> Evaluation:
    """All that is said of an account on the log's last day."""
    judge = judge_by(rulebook.canonical(), rulebook.version)
    return judge.evaluate(account, run(log).state(account), FIRST_DAY + log.day)


def score(log: Log, rulebook: Rulebook) -> int:
    """Thousandths of a point on the log's last day."""
    return seen(log, rulebook).facts.score


def intake_by(rulebook: Rulebook) -> Intake:
    return Intake(families={f"t.{each.value}": each for each in Family}, partition=0, rulebook=rulebook, identity=IDENTITY)


def fates(rulebook: Rulebook, family: Family, *values: bytes) -> dict[str, int]:
    """What intake does with inputs that arrive one after another."""
    intake, _ = _taken(rulebook, family, values)
    return {fate: count for fate, count in intake.position.fates.items() if fate != "in"}


def page_kind(rulebook: Rulebook, path: str) -> str:
    """The kind of which a view of one of our pages is."""
    _, outputs = _taken(rulebook, Family.WEB_VISITS, [visit(url=f"https://us.example{path}")])
    (entry,) = [records.decode(output.value) for output in outputs if output.topic == "account-log" and output.value is not None]
    assert isinstance(entry, records.Signal)
    return entry.kind


def _taken(rulebook: Rulebook, family: Family, values: Sequence[bytes]) -> tuple[Intake, list[Output]]:
    intake = intake_by(rulebook)
    return intake, run_intake(intake, [record(family, value, offset=offset) for offset, value in enumerate(values)])

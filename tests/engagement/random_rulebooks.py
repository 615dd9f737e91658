"""Random rulebooks that can be used, in which every word of ``docs/rulebook.md`` occurs. The same seed gives the same text."""

from collections.abc import Callable
from random import Random
from typing import Any

import yaml

KINDS = ("page", "pricing", "talk", "video", "webinar", "download", "email_open", "surge_alert", "review_site", "demo_request")
ROLES = ("c_level", "vp", "director", "economic_buyer", "champion", "procurement", "intern")
TOPICS = ("Fraud Detection", "AML", "kyc", "card payments", "sepa")
RELATIONSHIPS = ("prospect", "customer", "competitor", "partner")
ACCOUNTS = ("acme.com", "beta.org", "gamma.io")

LONG_IDLE = "180d"
ALWAYS: dict[str, dict[str, Any]] = {
    "pricing": {"urls": ["/pricing*", "*/prices"]},
    "surge_alert": {"third_party": True, "min_score": 60},
    "review_site": {"third_party": True},
}
"""What the rule of a kind has in any case."""

TEXT_TESTS: tuple[dict[str, Any], ...] = (
    {"in": ["FinTech", "insurtech"]},
    {"any": ["Salesforce", "kafka"]},
    {"all": ["kafka", "Python"]},
    {"all": ["kafka"]},
    {"matches": ["*remote*", "f?ntech"]},
    {"matches": ["*[k]*", "Kafka"]},
)
NUMBER_TESTS: tuple[dict[str, Any], ...] = ({"between": [100, 500]}, {"at_least": "1k"}, {"at_most": 500}, {"between": [0, "10M"]})
ATTRIBUTE_TESTS: dict[str, tuple[dict[str, Any], ...]] = {
    "industry": TEXT_TESTS,
    "uses": TEXT_TESTS,
    "employees": NUMBER_TESTS,
    "founded": NUMBER_TESTS,
    "public": ({"is": True}, {"is": False}),
    "region": ({"in": ["apac"]}, {"matches": ["?mea"]}),
    "relationship": ({"in": ["Customer", "prospect"]}, {"any": ["partner"]}),
}


def random_rulebook(random: Random) -> str:
    """A rulebook as YAML that the engine takes."""
    return spelled(_Writer(random).rulebook())


def spelled(rulebook: dict[str, Any]) -> str:
    """As YAML, every part written out where it stands."""
    return yaml.dump(rulebook, Dumper=_WithoutAliases, sort_keys=False, default_flow_style=None, width=140)


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


class _Writer:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.window = random.choice([7, 30, 60, 90, 100])
        self.kinds = ["page", *random.sample(KINDS[1:], random.randint(3, len(KINDS) - 1))]
        self.segments: list[str] = []
        self.needs: list[str] = []
        self.seats = 0
        self.long_idle = self.chance(0.2)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def span(self, most: int = 100) -> str:
        days = self.random.choice([1, 2, 7, 14, 30, 60, most, self.random.randint(1, most)])
        return f"{days // 7}w" if days % 7 == 0 else f"{min(days, most)}d"

    def some(self, names: tuple[str, ...] | list[str]) -> str | list[str]:
        """One name, or a list of some."""
        return self.random.choice(names) if self.chance(0.4) else self.random.sample(names, self.random.randint(1, min(3, len(names))))

    def rulebook(self) -> dict[str, Any]:
        random = self.random
        book: dict[str, Any] = {"window": f"{self.window}d", "history_days": random.choice([105, 120, 150])}
        book["signals"] = signals = {kind: self.signal(kind) for kind in self.kinds}
        book["ignore_urls"] = ["/careers*", "/login"]
        if self.chance(0.8):
            names = random.sample([*ROLES, "anonymous"], random.randint(1, 5))
            book["roles"] = {role: random.choice([0.25 if self.long_idle else 0, 0.5, 1.5, 1.333, 2]) for role in names}
        book["committee"] = {"required": random.sample(ROLES, random.randint(1, 4)), "blockers": random.sample(ROLES, random.randint(1, 2))}
        book["caps"] = self.caps([kind for kind in self.kinds if not signals[kind].get("act_now")])
        if self.chance(0.8):
            most = {"score": 80, "people": 2, "events": 6, "weeks": 10}
            lowest = {"score": 40, "people": 1, "events": 1, "weeks": 1}
            book["surge"] = {word: random.randint(lowest[word], most[word]) for word in random.sample(list(most), random.randint(1, 4))}
        book["needs"] = {name: self.need() for name in random.sample(["fraud", "payments", "everything"], random.randint(1, 3))}
        self.needs = list(book["needs"])
        book["fit"] = self.fit()
        book["grades"] = {
            "A": 81,
            "B": random.choice([60, 65]),
            "C": random.choice([20, 50]),
            "known": random.choice(["0%", "0%", "33.3%", "60%", "100%"]),
        }
        book["value"] = {"from": "expected_ltv", "high": random.choice(["1M", "250k"])} | ({"strategic": True} if self.chance(0.5) else {})
        book["segments"] = {
            name: self.segment(name) for name in random.sample(["enterprise", "quiet", "researching", "third"], random.randint(1, 4))
        }
        if self.chance(0.8):
            parts = ["industry", "region", "relationship", {"employees": [100, 500]}, {"founded": [2000]}, {"employees": [10, "1k", "5k"]}]
            book["cluster"] = {"by": random.sample(parts, random.randint(1, 3))}
        book["suppress"] = random.sample(RELATIONSHIPS, random.randint(0, 2))
        if self.chance(0.2):
            book["suppress_accounts"] = [random.choice(ACCOUNTS)]
        stages = ("engaged", "mqa", "accepted", "customer")
        ladders = random.choice([("stage", "tier"), ("stage", "tier"), ("stage", "tier"), ("stage",), ("tier",)])
        if "stage" in ladders:
            book["stage"] = self.ladder(random.sample(stages, random.randint(1, 4)), None)
        if "tier" in ladders:
            earlier = ["watch", *book["stage"]] if "stage" in ladders else None
            book["tier"] = self.ladder(["tier_3", "tier_2", "tier_1"][: random.randint(1, 3)], earlier)
        if self.seats:
            book["programme"] = {"accounts": self.seats * 10}
        return book

    def signal(self, kind: str) -> dict[str, Any]:
        random = self.random
        rule: dict[str, Any] = {"points": 0 if kind == "email_open" else random.choice([0, 1, 3.333, 15, 20, 100])}
        if self.chance(0.3) or kind in {"talk", "video"}:
            rule["per_minute"] = random.choice([0.1, 1, 2.5])
            if self.chance(0.5):
                del rule["points"]
        if self.chance(0.5):
            rule["half_life"] = self.span()
        elif self.chance(0.5):
            rule["lifespan"] = self.span()
        if self.chance(0.3):
            rule["window"] = self.span()
        if kind == "demo_request" or self.chance(0.1):
            rule["act_now"] = True
        return rule | ALWAYS.get(kind, {})

    def caps(self, kinds: list[str]) -> dict[str, Any]:
        random = self.random
        caps: dict[str, Any] = {"repeats_per_day": random.randint(1, 4)} if self.chance(0.7) else {}
        for bucket in ("person", "anonymous", "third_party"):
            if self.chance(0.6):
                caps[bucket] = random.choice([0, 5, 20, 33.333, 60])
        caps["account"] = {kind: random.choice([0, 5, 20, 60]) for kind in random.sample(kinds, min(len(kinds), random.randint(0, 4)))}
        return caps

    def need(self) -> dict[str, Any]:
        topics = self.random.sample([topic.lower() for topic in TOPICS] + ["KYC biometrics"], self.random.randint(1, 4))
        return {"topics": topics} | ({"share": self.random.choice(["25%", "50%", "100%"])} if self.chance(0.5) else {})

    def fit(self) -> dict[str, Any]:
        criteria: dict[str, Any] = {}
        for name in self.random.sample(list(ATTRIBUTE_TESTS), self.random.randint(1, 4)):
            criteria[name] = {"weight": self.random.choice([5, 10, 25, 30])} | self.random.choice(ATTRIBUTE_TESTS[name])
        if self.chance(0.5):
            criteria["stack"] = {"weight": 10} | self.random.choice(TEXT_TESTS) | {"attribute": "uses"}
        return criteria

    def segment(self, name: str) -> dict[str, Any]:
        condition = self.condition(depth=0, scores=(10, 100), stages=None)
        self.segments.append(name)  # only later ones may ask for it
        return condition

    def ladder(self, names: list[str], stages: list[str] | None) -> dict[str, Any]:
        rungs: dict[str, Any] = {}
        for place, name in enumerate(names):
            rung: dict[str, Any] = {"enter": self.condition(depth=0, scores=(place * 30 + 5, place * 30 + 30), stages=stages)}
            if self.chance(0.6):
                rung["keep"] = self.condition(depth=0, scores=(0, place * 30 + 5), stages=stages)
            if self.chance(0.4):
                rung["dwell"] = self.span(20)
            if self.chance(0.6):
                rung["cool_down"] = self.span(60)
            if self.chance(0.3):
                rung["seats"] = seats = self.random.randint(1, 50)
                self.seats += seats
            rungs[name] = rung
        return rungs

    def condition(self, *, depth: int, scores: tuple[int, int], stages: list[str] | None) -> dict[str, Any]:
        """One to three words. ``scores`` bounds what it asks of the score, so that a higher rung asks for more."""
        nested = ["all", "any", "not", "not"] if depth < 2 else []
        words = self.random.sample(
            [*self.words(), "fit", "people_with", "signals", *nested, *(["stage"] if stages else []), "score", "rolled_up_score"],
            self.random.choice([1, 1, 1, 1, 2, 2, 3]),
        )
        condition: dict[str, Any] = {}
        for word in words:
            if word in nested:
                parts = [self.condition(depth=depth + 1, scores=scores, stages=stages) for _ in range(self.random.randint(1, 3))]
                condition[word] = parts[0] if word == "not" else parts
            elif word in ("score", "rolled_up_score"):
                low, high = scores
                condition[word] = self.random.choice([low, high, self.random.randint(low, high), low + 0.125])
            elif word == "stage":
                assert stages is not None
                condition[word] = self.random.choice(stages)
            elif word != "segment" or self.segments:
                condition[word] = self.words()[word]()
        return condition or {"people": 1}

    def words(self) -> dict[str, Callable[[], Any]]:
        random = self.random
        return {
            "people": lambda: random.randint(0, 4),
            "active_days": lambda: random.randint(0, 6),
            "roles": lambda: random.randint(0, 3),
            "rolled_up_people": lambda: random.randint(0, 6),
            "first_party": lambda: True,
            "act_now": lambda: f"{random.choice([1, 7, self.window])}d",
            "idle_under": self.idle,
            "idle": self.idle,
            "signals": self.signals,
            "people_with": self.people_with,
            "committee": lambda: random.choice(["25%", "50%", "66.6%", "100%"]),
            "blocked": lambda: True,
            "surge": lambda: self.some([*self.needs, *TOPICS]),
            "surging": lambda: random.randint(1, 3),
            "fit": lambda: random.sample(["A", "B", "C", "none", "unknown"], random.randint(1, 3)),
            "value": lambda: self.some(("high", "low", "unknown")),
            "strategic": lambda: True,
            "listed": lambda: random.randint(1, 3),
            "relationship": lambda: self.some(RELATIONSHIPS),
            "disposition": lambda: self.some(("accepted", "rejected", "recycled")),
            "opportunity": lambda: self.some(("open", "won", "lost")),
            "attributes": self.attributes,
            "segment": lambda: self.some(self.segments),
        }

    def idle(self) -> str:
        """Longer than counts are kept only where nothing takes out what was newest: the one before it is not kept either."""
        return LONG_IDLE if self.long_idle and self.chance(0.5) else self.span()

    def signals(self) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        if self.chance(0.7):
            asked["kind"] = self.some(self.kinds)
        if self.chance(0.6):
            asked["at_least"] = self.random.randint(1, 5)
        if self.chance(0.6):
            asked["within"] = self.span()
        if self.chance(0.4):
            asked["people"] = self.random.randint(1, 3)
        return asked or {"within": "30d"}

    def people_with(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"score": self.random.choice([1, 10, 30, 33.333])}
        if self.chance(0.6):
            asked["roles"] = self.random.sample(ROLES, self.random.randint(1, 4))
        if self.chance(0.6):
            asked["at_least"] = self.random.randint(1, 3)
        return asked

    def attributes(self) -> dict[str, Any]:
        names = self.random.sample(list(ATTRIBUTE_TESTS), self.random.randint(1, 2))
        return {name: dict(self.random.choice(ATTRIBUTE_TESTS[name])) for name in names}

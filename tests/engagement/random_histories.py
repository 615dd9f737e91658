"""Random histories: bursts of signals and updates, quiet stretches between them, and days that step one by one."""

from dataclasses import replace
from random import Random
from typing import Any

import yaml

from tests.engagement.oracle import Day, Record, Signal, Update
from tests.engagement.random_rulebooks import ACCOUNTS, LONG_IDLE, RELATIONSHIPS, ROLES, TOPICS

FIRST_DAY = 20_089  # 2025-01-01
BELOW = ("labs.acme.com", "acme.de")
LATEST_ARRIVAL = 89  # days after it occurred, as intake takes it

ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "industry": ("fintech", "FINTECH", "retail", "remote-first", "[k]", ["Fintech", "insurtech"], 7, None),
    "uses": (["Salesforce"], ["kafka", "python"], ["KAFKA"], [], "kafka", True, None),
    "employees": (5, 99, 99.5, 100, 250, 500, 500.5, 1000, 20_000, "many", True, None),
    "founded": (1999, 2000, 500, None),
    "public": (True, False, "yes", None),
    "region": ("APAC", "emea", 4, None),
    "relationship": ("Customer", None),
}


def random_history(random: Random, rulebook: str) -> list[Record]:
    """A history for a rulebook: its kinds and rungs occur in it. Begins with a day."""
    return _Writer(random, yaml.load(rulebook, Loader=yaml.BaseLoader), retracting=LONG_IDLE not in rulebook).history()


class _Writer:
    def __init__(self, random: Random, rulebook: dict[str, Any], *, retracting: bool) -> None:
        self.random = random
        self.kinds = list(rulebook["signals"])
        self.rungs = {
            "stage": ["watch", *rulebook.get("stage", {"mqa": {}}), "no_such_rung"],
            "tier": ["untiered", *rulebook.get("tier", {"tier_1": {}}), "no_such_rung"],
        }
        self.accounts = random.sample(ACCOUNTS, random.choice([1, 1, 2, 3]))
        self.today = FIRST_DAY
        self.records: list[Record] = [Day(day=self.today)]
        self.signals: list[Signal] = []
        self.telling = random.choice([0.5, 0.5, 0.02])  # how often a signal says a role, for which its account is judged anew
        self.retracting = retracting
        self.family = random.random() < 0.4
        self.lively = random.choice([0.5, 1, 2.5])  # records a day

    def history(self) -> list[Record]:
        while self.today < FIRST_DAY + 150:
            burst, kinds = self.random.choice(TOPICS), self.random.sample(self.kinds, 2)
            for _ in range(self.random.randint(1, 25)):
                while self.random.random() < self.lively / (1 + self.lively):
                    draw = self.random.random()
                    self.records += self.signals_of(burst, kinds) if draw < 0.65 else [self.update() if draw < 0.92 else self.undone()]
                self.step(1)
            self.step(self.random.choice([0, 1, 7, 14, 30, 60, self.random.randint(1, 150)]))
        return self.records

    def step(self, days: int) -> None:
        for _ in range(days):
            self.today += 1
            self.records.append(Day(day=self.today))

    def person(self) -> str | None:
        return self.random.choice([None, "p1", "p1", "p2", "p2", "p3", "p4", "p5", "p6"])

    def role(self) -> str | None:
        return self.random.choice([None, None, *ROLES])

    def signals_of(self, burst: str, kinds: list[str]) -> list[Signal]:
        """One signal, or the same act several times."""
        first = self.signal(burst, kinds)
        signals = [replace(first, id=f"{first.id}-{number}") for number in range(self.random.choice([1, 1, 1, 2, 5]))]
        self.signals += signals
        return signals

    def signal(self, burst: str, kinds: list[str]) -> Signal:
        random = self.random
        person = self.person()
        lag = random.choice([0, 0, 0, 0, 1, random.randint(0, 30), random.randint(0, LATEST_ARRIVAL), LATEST_ARRIVAL, -1, -2])
        topic = burst if random.random() < 0.6 else random.choice(TOPICS)
        return Signal(
            account=random.choice(self.accounts),
            id=f"e{len(self.records)}",
            kind=random.choice(kinds if random.random() < 0.5 else self.kinds),
            day=self.today - lag,
            person=person,
            role=self.role() if person is not None and random.random() < self.telling else None,
            topic=random.choice([topic, topic.upper()]) if random.random() < 0.7 else None,
            seconds=random.choice([None, 0, 1, 59, 60, 754, 3600]),
            via=random.choice(BELOW) if self.family and random.random() < 0.3 else None,
        )

    def undone(self) -> Record:
        """A signal that came lately, taken out again; now and then one that was retracted already.

        Only once, as intake does it: cells do not tell a signal from its twins.
        """
        lately = self.signals[-20:] if self.retracting else []
        if not lately:
            return self.update()
        signal = self.random.choice(lately)
        self.signals.remove(signal)
        return replace(signal, undo=True)

    def update(self) -> Update:
        account = self.random.choice(self.accounts)
        draw = self.random.random()
        if draw < 0.2:
            return Update(account=account, fields={"pin": self.pin()})
        if draw < 0.4 and self.retracting:
            return Update(account=account, fields={"retract": self.retracted(account)})
        return Update(account=account, fields=self.said())

    def pin(self) -> dict[str, Any]:
        ladder = self.random.choice(["stage", "tier"])
        return {
            "ladder": ladder,
            "rung": self.random.choice([None, *self.rungs[ladder]]),
            "reason": "board contact",
            "author": "ana",
            "until": self.random.choice([None, self.today - 1, self.today, self.today + self.random.randint(1, 40)]),
        }

    def retracted(self, account: str) -> dict[str, Any]:
        """A person, or events as they were, some of them a second time."""
        those = [signal for signal in self.signals if signal.account == account]
        if not those or self.random.random() < 0.25:
            return {"person": self.random.choice(["p1", "p2", "p3", "p4", "p5", "p6", "nobody"])}
        events = [
            {"id": each.id, "kind": each.kind, "day": each.day, "person": each.person, "topic": each.topic, "seconds": each.seconds}
            for each in self.random.choices(those[-10:], k=self.random.randint(1, 4))
        ]
        return {"events": events}

    def said(self) -> dict[str, Any]:
        random = self.random
        stage = random.choice(["open", "won", "lost"])
        sayings: dict[str, Any] = {
            "attributes": random.choice([self.attributes(), self.attributes(), self.attributes(), {}, None]),
            "contacts": random.choice([{f"p{random.randint(1, 9)}": self.role() for _ in range(3)}, {}, None]),
            "opportunity": random.choice([{"id": "o1", "stage": stage}, {"id": "o2", "stage": stage}, None]),
            "disposition": random.choice([{"status": "accepted"}, {"status": "rejected"}, {"status": "recycled"}, None]),
            "relationship": random.choice([*RELATIONSHIPS, None, None]),
            "strategic": random.choice([True, False, None]),
            "listed_tier": random.choice([1, 2, 3, None]),
            "expected_ltv": random.choice([0, 249_999, 250_000, 1_000_000, None]),
            "region": random.choice(["APAC", "EMEA", None]),
            "owner": random.choice(["ana", None]),
            random.choice(["same", "differ"]): self.same(),  # never both at once: no record of intake says both
        }
        return {name: sayings[name] for name in random.sample(list(sayings), random.choice([1, 1, 2, 3]))}

    def same(self) -> dict[str, str]:
        """Who is the same as whom, in chains and circles too."""
        people = [f"p{number}" for number in range(1, 8)]
        return {self.random.choice(people): self.random.choice(people) for _ in range(self.random.choice([1, 1, 2]))}

    def attributes(self) -> dict[str, Any]:
        names = self.random.sample(list(ATTRIBUTES), self.random.randint(1, 4))
        return {name: self.random.choice(ATTRIBUTES[name]) for name in names}

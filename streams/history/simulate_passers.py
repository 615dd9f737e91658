"""Traffic that belongs to no account: people who look in once, and robots."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from engagement.days import MS_PER_DAY, iso_instant, midnight
from engagement.events import Family
from streams.history.simulate_moves import HOUR, MINUTE, PAGES, REFERRERS, Letter
from streams.history.simulate_transit import Delivery, deliver
from streams.history.simulate_world import BROWSERS, SITE, chance, stream

ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
)
_PAGE_WORDS = ("home", "home", "product", "blog", "blog", "blog", "docs", "careers", "pricing", "asset")


def passers_by(seed: int, day: int, accounts: int) -> Iterator[Delivery]:
    """One day of strangers (one to every twelve accounts) and robots (one to every thirty)."""
    for number in range(1 + accounts // 12):
        yield from stranger(stream(seed, "stranger", day, number), day)
    for number in range(1 + accounts // 30):
        yield from robot(stream(seed, "robot", day, number), day)


class Passer(NamedTuple):
    """What the site sees of somebody it does not know."""

    visitor_id: str
    browser: str
    ip: str
    referrer: str | None


def stranger(rng: Random, day: int) -> Iterator[Delivery]:
    """A few pages; one in twenty asks for the guide with a free-mail address (one with a hyphen, which that provider gives to nobody)."""
    at = midnight(day) + int(rng.triangular(0, MS_PER_DAY, 14 * HOUR))
    passer = Passer(f"v-{rng.getrandbits(48):012x}", rng.choice(BROWSERS), f"203.0.113.{rng.randint(1, 254)}", rng.choice(REFERRERS))
    for _ in range(min(6, 1 + int(rng.expovariate(0.7)))):
        yield view(passer, at, rng)
        at += rng.randint(10_000, 3 * MINUTE)
    if chance(rng, 5):
        email = f"reader-{rng.getrandbits(32):08x}@gmail.com"
        event: dict[str, object] = {
            "id": f"{rng.getrandbits(64):016x}",
            "occurred_at": iso_instant(at - 1500),
            "kind": "download",
            "email": email,
        }
        yield deliver(Letter(Family.INTENT_SIGNALS, email, event | {"visitor_id": passer.visitor_id}), at)


def robot(rng: Random, day: int) -> Iterator[Delivery]:
    """A crawl of a handful of pages, a second apart, at any hour."""
    at = midnight(day) + rng.randrange(MS_PER_DAY)
    ip = f"192.0.2.{rng.randint(1, 254)}"
    passer = Passer(f"v-{ip}", rng.choice(ROBOTS), ip, None)
    for turn in range(rng.randint(2, 8)):
        yield view(passer, at + turn * 1100, rng)


def view(passer: Passer, at: int, rng: Random) -> Delivery:
    """A page view of somebody unknown."""
    event: dict[str, object] = {
        "id": f"{rng.getrandbits(64):016x}",
        "occurred_at": iso_instant(at - 800),
        "visitor_id": passer.visitor_id,
        "url": f"https://{SITE}{rng.choice(PAGES[rng.choice(_PAGE_WORDS)])}",
        "user_agent": passer.browser,
        "ip": passer.ip,
    }
    if passer.referrer is not None:
        event["referrer"] = passer.referrer
    return deliver(Letter(Family.WEB_VISITS, passer.visitor_id, event), at)

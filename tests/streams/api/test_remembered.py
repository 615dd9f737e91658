"""Answers that are shared for a moment."""

import asyncio

import pytest

from streams.serve.remembered import Made, Shared


async def test_whoever_asks_the_same_at_once_shares_one_answer_and_later_gets_another():
    shared, asked = Shared[int](seconds=0.2, most=10), 0

    async def ask() -> int:
        nonlocal asked
        await asyncio.sleep(0.01)
        asked += 1
        return asked

    assert await asyncio.gather(*(shared("a", ask) for _ in range(20))) == [1] * 20
    assert (await shared("b", ask), await shared("a", ask)) == (2, 1)
    await asyncio.sleep(0.25)
    assert await shared("a", ask) == 3


async def test_only_the_last_questions_are_kept():
    shared, asked = Shared[str](seconds=60, most=2), []

    async def answer(question: str) -> str:
        async def ask() -> str:
            asked.append(question)
            return question

        return await shared(question, ask)

    for question in ("a", "b", "a", "c", "a", "b"):
        assert await answer(question) == question
    assert asked == ["a", "b", "c", "b"]


async def test_an_error_is_not_shared():
    shared, errors = Shared[int](seconds=60, most=2), [ValueError("once")]

    async def ask() -> int:
        if errors:
            raise errors.pop()
        return 1

    with pytest.raises(ValueError, match="once"):
        await shared("a", ask)
    assert await shared("a", ask) == 1


async def test_who_waits_for_one_question_shares_its_error_and_nobody_waits_for_another_try():
    shared, asked = Shared[int](seconds=60, most=2), []

    async def ask() -> int:
        asked.append(1)
        await asyncio.sleep(0.05)
        raise ValueError("away")

    errors = await asyncio.gather(*(shared("a", ask) for _ in range(10)), return_exceptions=True)
    assert ([str(error) for error in errors], len(asked)) == (["away"] * 10, 1)


async def test_whoever_goes_away_takes_nobodys_answer_along():
    shared = Shared[int](seconds=60, most=2)

    async def ask() -> int:
        await asyncio.sleep(0.05)
        return 1

    impatient, patient = (asyncio.create_task(shared("a", ask)) for _ in range(2))
    await asyncio.sleep(0.01)
    impatient.cancel()
    assert await patient == 1


def test_what_is_made_is_made_again_of_anything_else_however_alike():
    made, one, alike = Made[list[int]](), [1], [1]
    first = made((one, None), lambda: [*one])
    assert made((one, None), lambda: [2]) is first
    assert made((alike, None), lambda: [3]) == [3]
    assert made((alike,), lambda: [4]) == [4]

"""What breaks for clients of the HTTP API, and what does not."""

from copy import deepcopy
from typing import Any

import pytest

from streams.contracts.documents import DOCUMENTS
from streams.serve.app import api_document

LIST, PIN, ACCOUNT = "/api/v1/accounts", "/api/v1/accounts/{account}/pin", "/api/v1/accounts/{account}"


def parameter(document: Any, name: str) -> Any:
    return next(each for each in document["paths"][LIST]["get"]["parameters"] if each["name"] == name)


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


BREAKING = {
    "GET /api/v1/accounts: is gone": lambda new: new["paths"].pop(LIST),
    "POST /api/v1/accounts/{account}/pin: is gone": lambda new: new["paths"][PIN].pop("post"),
    "GET /api/v1/accounts.query.owner: is gone": lambda new: new["paths"][LIST]["get"]["parameters"].remove(parameter(new, "owner")),
    "GET /api/v1/accounts.query.owner: is required": lambda new: parameter(new, "owner").update(required=True),
    "GET /api/v1/accounts.query.limit:": lambda new: parameter(new, "limit")["schema"].update(maximum=10),
    "POST /api/v1/accounts/{account}/pin.body.reason:": lambda new: schema(new, "PinRequest")["required"].append("reason"),
    "GET /api/v1/accounts/{account}.200.sentence:": lambda new: schema(new, "ExplainedAccount")["properties"].pop("sentence"),
    "GET /api/v1/accounts/{account}.200.score:": lambda new: schema(new, "ExplainedAccount")["properties"]["score"].update(type="string"),
    "DELETE /api/v1/accounts/{account}/suppression.202: is gone": lambda new: new["paths"]["/api/v1/accounts/{account}/suppression"][
        "delete"
    ]["responses"].pop("202"),
    "GET /health/live.security:": lambda new: new["paths"]["/health/live"]["get"].update(security=[{"token": []}]),
}

HARMLESS = {
    "another path": lambda new: new["paths"].update({"/api/v2": {}}),
    "a parameter more": lambda new: new["paths"][LIST]["get"]["parameters"].append({"in": "query", "name": "grade", "schema": {}}),
    "a wider limit": lambda new: parameter(new, "limit")["schema"].update(maximum=1_000),
    "a field more in an answer": lambda new: schema(new, "ExplainedAccount")["properties"].update(more={"type": "string"}),
    "a field more that may be sent": lambda new: schema(new, "PinRequest")["properties"].update(more={"type": "string"}),
    "another error": lambda new: new["paths"][ACCOUNT]["get"]["responses"].update({"451": {"description": "no"}}),
}


def breaks(change: Any) -> list[str]:
    old = api_document()
    new = deepcopy(old)
    change(new)
    return [str(each) for each in DOCUMENTS["openapi"].breaks(old, new)]


@pytest.mark.parametrize("said", BREAKING)
def test_what_clients_rely_on_is_missed(said: str) -> None:
    found = breaks(BREAKING[said])
    assert found
    assert all(each.startswith(said) for each in found), found


@pytest.mark.parametrize("change", HARMLESS)
def test_what_nobody_relies_on_breaks_nothing(change: str) -> None:
    assert breaks(HARMLESS[change]) == []

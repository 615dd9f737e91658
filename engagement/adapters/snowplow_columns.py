"""One enriched event of Snowplow's as a flat JSON object, in whichever form it comes.

It comes as a line of 131 columns, as the JSON of an analytics SDK, whose self-describing parts are flattened
(``contexts_com_acme_user_1: [{...}]``), or as the lossless JSON of the Scala SDK and of Micro, where they stand in ``contexts``,
``derived_contexts`` and ``unstruct_event``. All become the first JSON.
"""

import re
from collections.abc import Iterator

from engagement.adapters.payload import Payload, an_object, read_json, unusable
from engagement.decoding import Dead

COLUMNS = (
    *("app_id", "platform", "etl_tstamp", "collector_tstamp", "dvce_created_tstamp", "event", "event_id", "txn_id"),
    *("name_tracker", "v_tracker", "v_collector", "v_etl"),
    *("user_id", "user_ipaddress", "user_fingerprint", "domain_userid", "domain_sessionidx", "network_userid"),
    *("geo_country", "geo_region", "geo_city", "geo_zipcode", "geo_latitude", "geo_longitude", "geo_region_name"),
    *("ip_isp", "ip_organization", "ip_domain", "ip_netspeed"),
    *("page_url", "page_title", "page_referrer"),
    *("page_urlscheme", "page_urlhost", "page_urlport", "page_urlpath", "page_urlquery", "page_urlfragment"),
    *("refr_urlscheme", "refr_urlhost", "refr_urlport", "refr_urlpath", "refr_urlquery", "refr_urlfragment"),
    *("refr_medium", "refr_source", "refr_term"),
    *("mkt_medium", "mkt_source", "mkt_term", "mkt_content", "mkt_campaign"),
    "contexts",
    *("se_category", "se_action", "se_label", "se_property", "se_value"),
    "unstruct_event",
    *("tr_orderid", "tr_affiliation", "tr_total", "tr_tax", "tr_shipping", "tr_city", "tr_state", "tr_country"),
    *("ti_orderid", "ti_sku", "ti_name", "ti_category", "ti_price", "ti_quantity"),
    *("pp_xoffset_min", "pp_xoffset_max", "pp_yoffset_min", "pp_yoffset_max"),
    *("useragent", "br_name", "br_family", "br_version", "br_type", "br_renderengine", "br_lang"),
    *("br_features_pdf", "br_features_flash", "br_features_java", "br_features_director", "br_features_quicktime"),
    *("br_features_realplayer", "br_features_windowsmedia", "br_features_gears", "br_features_silverlight"),
    *("br_cookies", "br_colordepth", "br_viewwidth", "br_viewheight"),
    *("os_name", "os_family", "os_manufacturer", "os_timezone"),
    *("dvce_type", "dvce_ismobile", "dvce_screenwidth", "dvce_screenheight"),
    *("doc_charset", "doc_width", "doc_height"),
    *("tr_currency", "tr_total_base", "tr_tax_base", "tr_shipping_base", "ti_currency", "ti_price_base", "base_currency"),
    *("geo_timezone", "mkt_clickid", "mkt_network", "etl_tags"),
    *("dvce_sent_tstamp", "refr_domain_userid", "refr_device_tstamp"),
    "derived_contexts",
    *("domain_sessionid", "derived_tstamp"),
    *("event_vendor", "event_name", "event_format", "event_version", "event_fingerprint", "true_tstamp"),
)
"""Of the line, in their order; all that were ever added came at the end."""

_LISTS = ("contexts", "derived_contexts")
_DESCRIBED = (*_LISTS, "unstruct_event")
_SCHEMA = re.compile(r"iglu:([^/]+)/([^/]+)/(?:[^/]+/)?([0-9]+)(?:-[0-9]+){1,2}")
_HUMP = re.compile(r"([^A-Z_])([A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9_]")


def flat_event(value: bytes) -> Payload:
    """Read an enriched event. Raises `Dead`."""
    if value.lstrip()[:1] in {b"{", b"["}:
        return flattened(an_object("event", read_json(value)))
    try:
        cells = value.decode().rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        raise Dead("invalid", f"byte {error.start}: Input should be UTF-8") from None
    if len(cells) != len(COLUMNS):
        raise Dead("invalid", f"columns = {len(cells)}: Input should have {len(COLUMNS)}, or be JSON")
    said: Payload = {name: cell for name, cell in zip(COLUMNS, cells, strict=True) if cell}
    for column in _DESCRIBED:
        if column in said:
            said[column] = read_json(said[column].encode())
    return flattened(said)


def flattened(event: Payload) -> Payload:
    """Put what describes itself under names of its own. Raises `Dead` where it does not."""
    flat = {name: said for name, said in event.items() if name not in _DESCRIBED}
    entities: dict[str, list[object]] = {}
    for column in _LISTS:
        for name, said in _entities(column, event.get(column)):
            entities.setdefault(name, []).append(said)
    unstruct = event.get("unstruct_event")
    if unstruct:
        inner = an_object("unstruct_event", unstruct).get("data")
        described = inner if isinstance(inner, dict) and "schema" in inner else unstruct
        flat[_name("unstruct_event", "unstruct_event", described)] = described.get("data")
    return flat | entities


def _entities(column: str, said: object) -> Iterator[tuple[str, object]]:
    if not said:
        return
    entities = an_object(column, said).get("data")
    if not isinstance(entities, list):
        raise unusable(f"{column}.data", entities, "Input should be a list")
    for number, entity in enumerate(entities):
        described = an_object(f"{column}.data.{number}", entity)
        yield _name("contexts", f"{column}.data.{number}", described), described.get("data")


def _name(prefix: str, path: str, described: Payload) -> str:
    """``iglu:com.acme/DemoUser/jsonschema/1-0-0`` -> ``contexts_com_acme_demo_user_1``, as the SDKs have it."""
    schema = described.get("schema")
    parts = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
    if parts is None:
        raise unusable(f"{path}.schema", schema, "Input should be as iglu:com.acme/user/jsonschema/1-0-0")
    vendor, name, model = parts.groups()
    words = "_".join((vendor, _HUMP.sub(r"\1_\2", name))).lower()
    return f"{prefix}_{_NO_WORD.sub('_', words)}_{model}"

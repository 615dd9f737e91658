"""``mqa serve``: the HTTP API over the profiles that the projector keeps, and the page made of it.

The way of a request: `server` (the process) -> `guard` (hosts, `tokens`, `rates`, limits, headers) -> `shortcuts`, or else `app`
(which route) -> a module of routes -> `answers`, or `problems` where it goes wrong. Routes answer from the one `serving`:

- accounts: `accounts`, `overview`; tier changes since a position: `changes`
- decisions of people: `writes`, which `updates` sends to Kafka
- events that could not be used: `dead_letters`, read by `letters`; reports of a folder: `reports`, opened by `tickets`
- who asks: `me`; whether all is well: `health`

`openapi` makes the document of all routes, `page/` is what a browser gets.
"""

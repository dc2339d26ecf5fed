"""The prompt that the format was first described by, to the byte."""

EXAMPLE = """\
Channel ID: 1234567890
Channel: general
Guild: My Server
----
Current Time: 2026-03-04 15:30:00 UTC
Timestamps are relative to this time.

Conversation History:
[2h ago] Alice(111): Hey, how's the project going?
[2h ago] Bob(222): Pretty good, just finishing up the API
[1h ago] Alice(111): Nice! When can we test it?
[30m ago] Bob(222): Should be ready in an hour

[REPLY CONTEXT]
The user is replying to:
[30m ago] Bob(222): Should be ready in an hour
----------------

[just now] Alice(111) says: Great! Let me know when it's ready

IMPORTANT: The message above is the CURRENT message that you need to respond to."""

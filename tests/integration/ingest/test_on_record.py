"""Since when edits and deletions may be missing: never since later than the first that was."""

from datetime import datetime

import pytest

from junkie_cli.db import places
from junkie_cli.db.reader import ChannelState, Reader
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import Scene
from tests.integration.ingest.serving import serving_on, until
from tests.truth import archived

pytestmark = pytest.mark.usefixtures("no_long_waits")


@pytest.fixture(autouse=True)
def _nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here what is not heard is lost before anything else happens."""
    monkeypatch.setattr(places, "LATE_SECONDS", 0.0)


async def now(s: Scene) -> datetime:
    return await places.Places(s.database).now()


async def state(s: Scene, channel_id: int) -> ChannelState:
    return (await Reader(s.database).channel_states([channel_id]))[channel_id]


async def test_what_another_command_looks_at_while_nothing_is_heard_does_not_count_as_heard(scene: MakeScene) -> None:
    """The message is too old for what is compared once something is heard again."""
    async with scene("1x450") as s:
        channel = s.first_channel
        async with serving_on(s) as serve:
            await until(serve._hears_all)
            # As if all of it had been compared while the serve listened.
            await places.Places(s.database).note_watched(channel, None, heard_at=await now(s))
            s.control.gateway_down()
            await until(lambda: not serve.vitals().connected)
            edited_at = await now(s)
            oldest = s.control.ids(channel)[0]
            s.control.edit(channel, oldest, "edited, and told to nobody")
            await s.sync(reconcile=False)
            s.control.forget_sessions()
            s.control.gateway_up()
            await until(serve._hears_all)
            assert (await archived(s.database, channel))[oldest].content != "edited, and told to nobody"
            since = (await state(s, channel)).unwatched_since
            assert since is not None
            assert since <= edited_at
